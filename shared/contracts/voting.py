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


class VoteSpec(Contract):
    """A vote: the question, who is asked, what a ballot looks like, and what decides.

    `voters` is a number of equal voters, a jury of different ones, or a plan for waves of either. The ballot gives a
    vote its shape, so voters have no `output_schema`. Without a `rule` the ballot's usual one decides; without a
    `stop`, a plan stops once the vote is decided, and a number or a jury are asked all at once. With
    `require_evidence` a vote without evidence counts as an abstention. `judge` is the agent that breaks ties, groups
    free answers, or finds the best of them; `chair` is the voter whose vote breaks ties, by default the first.
    """

    question: Text
    voters: Voters = 5
    ballot: Ballot = FreeBallot()
    rule: Rule | None = None
    stop: Stop | None = None
    tie_break: TieBreak = "none"
    chair: Name | None = None
    judge: AgentSpec | None = None
    require_evidence: bool = False

    @model_validator(mode="after")
    def _is_decidable(self, info: ValidationInfo) -> Self:
        if info.context is TRUSTED:
            return self
        for path, message in contradictions(self):
            raise misfit(path, message)
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

    def material_chars(self, context: str | None) -> int:
        """What the prompts of all voters have of the question and its `context`."""
        return (len(self.question) + len(context or "")) * self.plan.most

    def about(self, context: str | None, defaults: AgentDefaults) -> VotingRequest:
        """The same vote as a request of its own, about `context`; its policy is that of whoever states none."""
        own = {field: getattr(self, field) for field in VoteSpec.model_fields}
        return VotingRequest.model_construct(**own, context=context, defaults=defaults)


class VotingRequest(VoteSpec):
    """`POST /api/voting`: a vote by itself. `context` is material for the question."""

    context: Text | None = None
    defaults: AgentDefaults = AgentDefaults()
    policy: RunPolicy = RunPolicy()
    callback_url: CallbackUrl = None

    @model_validator(mode="after")
    def _fits_its_policy(self, info: ValidationInfo) -> Self:
        check_policy(self.policy, self.plan.most, info)
        return self


def contradictions(vote: VoteSpec) -> Iterator[tuple[str, str]]:
    """Each field that makes no sense beside the others, and why."""
    yield from _of_voters(vote)
    yield from _of_rule(vote)
    yield from _of_stop(vote)
    yield from _of_ties(vote)
    if isinstance(vote, VotingRequest):
        yield from _of_material(vote)
    answers = vote.ballot.max_chars * vote.plan.most if isinstance(vote.ballot, FreeBallot) else 0
    if answers > MAX_ANSWERS_CHARS:
        told = f"answers may have {answers:,} characters over all voters"
        yield "ballot.max_chars", f"{told}; at most {MAX_ANSWERS_CHARS:,} are accepted"


def _of_material(request: VotingRequest) -> Iterator[tuple[str, str]]:
    material = request.material_chars(request.context)
    if material > MAX_RUN_CHARS:
        where = "context" if request.context else "question"
        told = f"question and context have {material:,} characters over all voters"
        yield where, f"{told}; at most {MAX_RUN_CHARS:,} are accepted"


def _of_voters(vote: VoteSpec) -> Iterator[tuple[str, str]]:
    jury = vote.plan.jury or []
    where = "voters.jury" if isinstance(vote.voters, VoterPlan) else "voters"
    if twice := repeated_names(jury):
        yield where, f"voters must have unique names; give each a 'name' of its own; repeated: {', '.join(twice)}"
    if shaped := [juror.name for juror in jury if juror.output_schema is not None]:
        names = ", ".join(shaped)
        yield where, f"voters take no 'output_schema' (the ballot is it); remove it from: {names}"
    if long := [juror.name for juror in jury if len(juror.instructions) + len(juror.persona or "") > MAX_OWN_CHARS]:
        yield where, f"persona and instructions take at most {MAX_OWN_CHARS:,} characters; shorten: {', '.join(long)}"
    weighs = isinstance(rule := vote.effective_rule, Weighted) and rule.by != "confidence"
    if not weighs and any(juror.weight != 1 for juror in jury):
        yield (
            "rule",
            "voters have weights, which only the rule 'weighted' (by weight or both) counts; choose it, or remove them",
        )


def _of_rule(vote: VoteSpec) -> Iterator[tuple[str, str]]:
    rule, ballot = vote.effective_rule, vote.ballot
    fitting = names_of_rules(ballot)
    if rule.type not in fitting:
        yield "rule", f"a {ballot.type} ballot is decided by {', '.join(fitting)}; {rule.type!r} needs another ballot"
    if isinstance(rule, Veto):
        yield from _of_veto(rule, vote)
    if isinstance(rule, PerCriterion) and isinstance(ballot, ScoreBallot) and rule.threshold is not None:
        yield from _of_threshold(rule.threshold, ballot)
    if vote.needs_judge and vote.plan.most > MAX_CANDIDATES:
        yield "voters", f"a judge reads the answers of at most {MAX_CANDIDATES} voters under the rule {rule.type!r}"


def _of_threshold(threshold: float, ballot: ScoreBallot) -> Iterator[tuple[str, str]]:
    if not ballot.minimum <= threshold <= ballot.maximum:
        bounds = f"{ballot.minimum:.15g} to {ballot.maximum:.15g}"
        yield "rule.threshold", f"the threshold is {threshold:.15g}; it must be a score, which is from {bounds}"


def _of_veto(rule: Veto, vote: VoteSpec) -> Iterator[tuple[str, str]]:
    ballot = vote.ballot
    if isinstance(ballot, BooleanBallot) != isinstance(rule.answer, bool):
        yield (
            "rule.answer",
            "a veto's answer is one that the ballot allows: true or false on a boolean ballot, else text",
        )
    elif isinstance(ballot, ChoiceBallot) and normalised(str(rule.answer)) not in map(normalised, ballot.options):
        yield "rule.answer", f"{rule.answer!r} is none of the ballot's options"
    if rule.count > vote.plan.most:
        yield "rule.count", f"{rule.count} vetoes cannot come from {vote.plan.most} voters; lower count"


def _of_stop(vote: VoteSpec) -> Iterator[tuple[str, str]]:
    stop, rule, plan = vote.effective_stop, vote.effective_rule, vote.plan
    uncounted = (Weighted, Median, TrimmedMean, PerCriterion, BestOf)
    if isinstance(stop, StopConfident) and isinstance(rule, uncounted):
        yield "stop", f"'confident' counts heads, which the rule {rule.type!r} does not; stop 'decided' or 'fixed'"
    if isinstance(stop, StopFixed) and plan.min is not None and plan.min < plan.most:
        yield "stop", f"'fixed' asks all {plan.most} voters; leave out min, or stop 'decided' or 'confident'"
    if isinstance(stop, StopFixed) and "wave" in plan.model_fields_set and plan.wave < plan.most:
        yield "stop", f"'fixed' asks all {plan.most} voters at once; leave out wave, or stop 'decided' or 'confident'"


def _of_ties(vote: VoteSpec) -> Iterator[tuple[str, str]]:
    rule, plan = vote.effective_rule, vote.plan
    tieless = (Supermajority, Unanimous, Median, TrimmedMean, PerCriterion)
    if vote.tie_break != "none" and isinstance(rule, tieless):
        yield "tie_break", f"under the rule {rule.type!r} a tie is no decision that could be broken; leave it out"
    if vote.chair is not None and vote.tie_break != "chair":
        yield "chair", "a chair is asked to break ties only; set tie_break to 'chair'"
    names = [juror.name for juror in jury_of(plan)]
    if vote.chair is not None and vote.chair not in names:
        yield "chair", f"{vote.chair!r} is not among the voters who are asked, {_listed(names)}"
    if vote.judge is not None and not vote.needs_judge and vote.tie_break != "judge":
        yield (
            "judge",
            "nothing here needs a judge; set tie_break to 'judge', or the rule to best_of or self_consistency",
        )
    if vote.judge is not None and len(vote.judge.instructions) > MAX_OWN_CHARS:
        yield "judge.instructions", f"a judge's instructions take at most {MAX_OWN_CHARS:,} characters"
    if vote.judge is not None and vote.judge.output_schema is not None:
        yield "judge.output_schema", "the judge takes no 'output_schema'; remove it"
    if vote.tie_break == "chair" and isinstance(rule, BestOf):
        yield "tie_break", "under best_of each vote is its voter's own candidate; break its ties by 'first', or not"


def _listed(names: list[str]) -> str:
    few = len(names) <= MAX_NAMES_TOLD
    return ", ".join(names if few else [*names[: MAX_NAMES_TOLD - 1], "…", names[-1]])
