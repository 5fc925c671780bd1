"""Rules of decision: what makes a winner of votes. `RULES_OF` says which rule fits which ballot."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Literal

from pydantic import Discriminator, Field, Tag

from shared.contracts.ballots import Ballot, Option
from shared.contracts.base import Contract, by_name


class Plurality(Contract):
    """The answer with the most votes."""

    type: Literal["plurality"] = "plurality"


class Majority(Contract):
    """The answer with more than half of the votes counted; abstentions are not counted."""

    type: Literal["majority"] = "majority"


class Supermajority(Contract):
    """The answer with at least this share of the votes counted."""

    type: Literal["supermajority"] = "supermajority"
    threshold: Annotated[float, Field(gt=0.5, le=1)] = 2 / 3


class Unanimous(Contract):
    """The answer that every counted vote gives."""

    type: Literal["unanimous"] = "unanimous"


def _kind_of_answer(value: object) -> str | None:
    return "boolean" if isinstance(value, bool) else "text" if isinstance(value, str) else None


VetoAnswer = Annotated[
    Annotated[Option, Tag("text")] | Annotated[bool, Tag("boolean")],
    Discriminator(
        _kind_of_answer, custom_error_type="veto_answer", custom_error_message="give a text, or true or false"
    ),
]


class Veto(Contract):
    """`answer` wins as soon as `count` voters give it, else the plurality of the others."""

    type: Literal["veto"] = "veto"
    answer: VetoAnswer
    count: Annotated[int, Field(ge=1)] = 1


class Weighted(Contract):
    """The answer with the greatest weight: the voters' own, their confidence, or the product of both.

    With a `threshold`, it must have at least this share of the whole weight counted.
    """

    type: Literal["weighted"] = "weighted"
    by: Literal["weight", "confidence", "both"] = "weight"
    threshold: Annotated[float, Field(gt=0, le=1)] | None = None


class Approval(Contract):
    """The option that most voters approve of."""

    type: Literal["approval"] = "approval"


class Borda(Contract):
    """The option with the most points: one for each option that a voter ranks below it.

    Options that a voter left out share the points of the places that are left.
    """

    type: Literal["borda"] = "borda"


class InstantRunoff(Contract):
    """While no option is first on more than half of the ballots left, the one first on the fewest is eliminated.

    All that tie for the fewest go together, unless that would leave none: then they tie.
    """

    type: Literal["instant_runoff"] = "instant_runoff"


class Condorcet(Contract):
    """The option that beats every other one in a direct comparison; if a cycle leaves none, `completion` decides."""

    type: Literal["condorcet"] = "condorcet"
    completion: Literal["schulze", "ranked_pairs", "minimax", "none"] = "schulze"


class Median(Contract):
    """The middle number, or the mean of the two in the middle."""

    type: Literal["median"] = "median"


class TrimmedMean(Contract):
    """The mean without the share `trim` of the numbers at either end."""

    type: Literal["trimmed_mean"] = "trimmed_mean"
    trim: Annotated[float, Field(ge=0, lt=0.5)] = 0.1


class PerCriterion(Contract):
    """Each criterion's mean or median score, and their weighted mean as the overall score.

    With a `threshold`, the decision is "pass" when the overall score reaches it, else "fail"; without, the score.
    """

    type: Literal["per_criterion"] = "per_criterion"
    statistic: Literal["mean", "median"] = "mean"
    threshold: float | None = None


class SelfConsistency(Contract):
    """Universal self-consistency: a judge groups the answers that mean the same; the largest group wins."""

    type: Literal["self_consistency"] = "self_consistency"


class BestOf(Contract):
    """Best of N: a judge ranks the answers, shuffled, in an order and in its reverse; both rankings are added up."""

    type: Literal["best_of"] = "best_of"


AnyRule = (
    Plurality
    | Majority
    | Supermajority
    | Unanimous
    | Veto
    | Weighted
    | Approval
    | Borda
    | InstantRunoff
    | Condorcet
    | Median
    | TrimmedMean
    | PerCriterion
    | SelfConsistency
    | BestOf
)
Rule = Annotated[Annotated[AnyRule, Field(discriminator="type")], by_name("type")]
"""A rule, or its name alone."""

_OF_ANSWERS: Sequence[type[Any]] = (Majority, Plurality, Supermajority, Unanimous, Veto, Weighted)
RULES_OF: Mapping[str, Sequence[type[Any]]] = {
    "choice": _OF_ANSWERS,
    "boolean": _OF_ANSWERS,
    "free": (*_OF_ANSWERS, SelfConsistency, BestOf),
    "approval": (Approval,),
    "ranking": (Condorcet, Borda, InstantRunoff),
    "score": (PerCriterion,),
    "number": (Median, TrimmedMean),
}
"""The rules of each type of ballot; the first is the default."""


def names_of_rules(ballot: Ballot) -> list[str]:
    """What the rules that fit `ballot` are called in a request."""
    return [rule.model_fields["type"].default for rule in RULES_OF[ballot.type]]


def usual_rule(ballot: Ballot) -> AnyRule:
    """The rule of a request that states none."""
    return RULES_OF[ballot.type][0]()
