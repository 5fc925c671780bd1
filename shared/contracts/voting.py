"""Voting: the same question to several voters, decided by a rule."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Self

from pydantic import ValidationInfo, model_validator

from shared.contracts.agent import AgentDefaults, AgentSpec
from shared.contracts.ballots import Ballot, BooleanBallot, ChoiceBallot, FreeBallot, ScoreBallot
from shared.contracts.base import MAX_INSTRUCTIONS_CHARS, MAX_RUN_CHARS, TRUSTED, Contract, Name, Text, misfit
from shared.contracts.callback import CallbackUrl
from shared.contracts.jury import (
    AnyStop,
    Stop,
    StopConfident,
    StopDecided,
    StopFixed,
    TieBreak,
    VoterPlan,
    Voters,
    plan_of,
    repeated_names,
)
from shared.contracts.perspectives import jury_of
from shared.contracts.policy import RunPolicy, check_policy
from shared.contracts.rules import (
    AnyRule,
    BestOf,
    Median,
    PerCriterion,
    Rule,
    SelfConsistency,
    Supermajority,
    TrimmedMean,
    Unanimous,
    Veto,
    Weighted,
    names_of_rules,
    usual_rule,
)
from shared.normalisation import normalised

MAX_CANDIDATES = 50
"""Answers that a judge compares or groups."""

MAX_NAMES_TOLD = 5
"""In a message."""

MAX_ANSWERS_CHARS = 1_000_000
"""Of all free answers together: a judge reads them in one prompt, and a result may have them four times."""

TOLD_CHARS = 1_000
"""Of what voters and judges are told besides their own instructions, at most: how to fill the ballot in, the task."""

MAX_OWN_CHARS = MAX_INSTRUCTIONS_CHARS - TOLD_CHARS


class VotingRequest(Contract):
    """`POST /api/voting`.

    `voters` is a number of equal voters, a jury of different ones, or a plan for waves of either. The ballot gives a
    vote its shape, so voters have no `output_schema`. `context` is material for the question. Without a `rule` the
    ballot's usual one decides; without a `stop`, a plan stops once the vote is decided, and a number or a jury are
    asked all at once. With `require_evidence` a vote without evidence counts as an abstention. `judge` is the agent
    that breaks ties, groups free answers, or finds the best of them; `chair` is the voter whose vote breaks ties, by
    default the first.
    """

    question: Text
    context: Text | None = None
    voters: Voters = 5
    ballot: Ballot = FreeBallot()
    rule: Rule | None = None
    stop: Stop | None = None
    tie_break: TieBreak = "none"
    chair: Name | None = None
    judge: AgentSpec | None = None
    require_evidence: bool = False
    defaults: AgentDefaults = AgentDefaults()
    policy: RunPolicy = RunPolicy()
    callback_url: CallbackUrl = None

    @model_validator(mode="after")
    def _is_consistent(self, info: ValidationInfo) -> Self:
        if info.context is TRUSTED:
            return self
        for path, message in contradictions(self):
            raise misfit(path, message)
        check_policy(self.policy, self.plan.most, info)
        return self

    @property
    def plan(self) -> VoterPlan:
        """Who is asked."""
        return plan_of(self.voters)

    @property
    def effective_rule(self) -> AnyRule:
        """The rule that decides."""
        return self.rule or usual_rule(self.ballot)

    @property
    def effective_stop(self) -> AnyStop:
        """When no more voters are asked."""
        return self.stop or (StopDecided() if isinstance(self.voters, VoterPlan) else StopFixed())

    @property
    def needs_judge(self) -> bool:
        """Whether the rule itself takes a judge; a tie may need one besides."""
        return isinstance(self.effective_rule, SelfConsistency | BestOf)


def contradictions(request: VotingRequest) -> Iterator[tuple[str, str]]:
    """Each field that makes no sense beside the others, and why."""
    yield from _of_voters(request)
    yield from _of_rule(request)
    yield from _of_stop(request)
    yield from _of_ties(request)
    material = (len(request.question) + len(request.context or "")) * request.plan.most
    if material > MAX_RUN_CHARS:
        where = "context" if request.context else "question"
        told = f"question and context have {material:,} characters over all voters"
        yield where, f"{told}; at most {MAX_RUN_CHARS:,} are accepted"
    answers = request.ballot.max_chars * request.plan.most if isinstance(request.ballot, FreeBallot) else 0
    if answers > MAX_ANSWERS_CHARS:
        told = f"answers may have {answers:,} characters over all voters"
        yield "ballot.max_chars", f"{told}; at most {MAX_ANSWERS_CHARS:,} are accepted"


def _of_voters(request: VotingRequest) -> Iterator[tuple[str, str]]:
    jury = request.plan.jury or []
    where = "voters.jury" if isinstance(request.voters, VoterPlan) else "voters"
    if twice := repeated_names(jury):
        yield where, f"voters must have unique names; give each a 'name' of its own; repeated: {', '.join(twice)}"
    if shaped := [juror.name for juror in jury if juror.output_schema is not None]:
        names = ", ".join(shaped)
        yield where, f"voters take no 'output_schema' (the ballot is it); remove it from: {names}"
    if long := [juror.name for juror in jury if len(juror.instructions) + len(juror.persona or "") > MAX_OWN_CHARS]:
        yield where, f"persona and instructions take at most {MAX_OWN_CHARS:,} characters; shorten: {', '.join(long)}"
    weighs = isinstance(rule := request.effective_rule, Weighted) and rule.by != "confidence"
    if not weighs and any(juror.weight != 1 for juror in jury):
        yield (
            "rule",
            "voters have weights, which only the rule 'weighted' (by weight or both) counts; choose it, or remove them",
        )


def _of_rule(request: VotingRequest) -> Iterator[tuple[str, str]]:
    rule, ballot = request.effective_rule, request.ballot
    fitting = names_of_rules(ballot)
    if rule.type not in fitting:
        yield "rule", f"a {ballot.type} ballot is decided by {', '.join(fitting)}; {rule.type!r} needs another ballot"
    if isinstance(rule, Veto):
        yield from _of_veto(rule, request)
    if isinstance(rule, PerCriterion) and isinstance(ballot, ScoreBallot) and rule.threshold is not None:
        yield from _of_threshold(rule.threshold, ballot)
    if request.needs_judge and request.plan.most > MAX_CANDIDATES:
        yield "voters", f"a judge reads the answers of at most {MAX_CANDIDATES} voters under the rule {rule.type!r}"


def _of_threshold(threshold: float, ballot: ScoreBallot) -> Iterator[tuple[str, str]]:
    if not ballot.minimum <= threshold <= ballot.maximum:
        bounds = f"{ballot.minimum:.15g} to {ballot.maximum:.15g}"
        yield "rule.threshold", f"the threshold is {threshold:.15g}; it must be a score, which is from {bounds}"


def _of_veto(rule: Veto, request: VotingRequest) -> Iterator[tuple[str, str]]:
    ballot = request.ballot
    if isinstance(ballot, BooleanBallot) != isinstance(rule.answer, bool):
        yield (
            "rule.answer",
            "a veto's answer is one that the ballot allows: true or false on a boolean ballot, else text",
        )
    elif isinstance(ballot, ChoiceBallot) and normalised(str(rule.answer)) not in map(normalised, ballot.options):
        yield "rule.answer", f"{rule.answer!r} is none of the ballot's options"
    if rule.count > request.plan.most:
        yield "rule.count", f"{rule.count} vetoes cannot come from {request.plan.most} voters; lower count"


def _of_stop(request: VotingRequest) -> Iterator[tuple[str, str]]:
    stop, rule, plan = request.effective_stop, request.effective_rule, request.plan
    uncounted = (Weighted, Median, TrimmedMean, PerCriterion, BestOf)
    if isinstance(stop, StopConfident) and isinstance(rule, uncounted):
        yield "stop", f"'confident' counts heads, which the rule {rule.type!r} does not; stop 'decided' or 'fixed'"
    if isinstance(stop, StopFixed) and plan.min is not None and plan.min < plan.most:
        yield "stop", f"'fixed' asks all {plan.most} voters; leave out min, or stop 'decided' or 'confident'"
    if isinstance(stop, StopFixed) and "wave" in plan.model_fields_set and plan.wave < plan.most:
        yield "stop", f"'fixed' asks all {plan.most} voters at once; leave out wave, or stop 'decided' or 'confident'"


def _of_ties(request: VotingRequest) -> Iterator[tuple[str, str]]:
    rule, plan = request.effective_rule, request.plan
    tieless = (Supermajority, Unanimous, Median, TrimmedMean, PerCriterion)
    if request.tie_break != "none" and isinstance(rule, tieless):
        yield "tie_break", f"under the rule {rule.type!r} a tie is no decision that could be broken; leave it out"
    if request.chair is not None and request.tie_break != "chair":
        yield "chair", "a chair is asked to break ties only; set tie_break to 'chair'"
    names = [juror.name for juror in jury_of(plan)]
    if request.chair is not None and request.chair not in names:
        yield "chair", f"{request.chair!r} is not among the voters who are asked, {_listed(names)}"
    if request.judge is not None and not request.needs_judge and request.tie_break != "judge":
        yield (
            "judge",
            "nothing here needs a judge; set tie_break to 'judge', or the rule to best_of or self_consistency",
        )
    if request.judge is not None and len(request.judge.instructions) > MAX_OWN_CHARS:
        yield "judge.instructions", f"a judge's instructions take at most {MAX_OWN_CHARS:,} characters"
    if request.judge is not None and request.judge.output_schema is not None:
        yield "judge.output_schema", "the judge takes no 'output_schema'; remove it"
    if request.tie_break == "chair" and isinstance(rule, BestOf):
        yield "tie_break", "under best_of each vote is its voter's own candidate; break its ties by 'first', or not"


def _listed(names: list[str]) -> str:
    few = len(names) <= MAX_NAMES_TOLD
    return ", ".join(names if few else [*names[: MAX_NAMES_TOLD - 1], "…", names[-1]])
