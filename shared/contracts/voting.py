"""Voting: the same question to several voters, decided by a rule."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal, Self

from pydantic import Field, JsonValue, ValidationInfo, model_validator

from shared.contracts.agent import AgentDefaults, AgentSpec
from shared.contracts.ballots import Ballot, BooleanBallot, ChoiceBallot, FreeBallot, ScoreBallot
from shared.contracts.base import MAX_INSTRUCTIONS_CHARS, MAX_RUN_CHARS, TRUSTED, Contract, Name, Text, misfit
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

MAX_REASONING_CHARS = 2_000
MAX_EVIDENCE = 10
MAX_QUOTE_CHARS = 500
"""Of a ballot in the result. Longer ones are no reason to reject a vote, so the ballot's schema has no such bounds."""

TOLD_CHARS = 1_000
"""Of what voters and judges are told besides their own instructions, at most: how to fill the ballot in, the task."""

MAX_OWN_CHARS = MAX_INSTRUCTIONS_CHARS - TOLD_CHARS

CAUTION = (
    "Agreement is not verification: voters who share a model, a source or a blind spot share their errors, too, "
    "and nothing here was checked against the facts."
)


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


BallotStatus = Literal["counted", "abstained", "invalid", "failed"]


class CastBallot(Contract):
    """What came of one voter's ballot, in the wave in which it was asked.

    `abstained`: answered null, or without the evidence that was required (`why`). `invalid`: did not fit the ballot,
    also after one repair. `failed`: no vote came. `answer` is as the voter gave it, with options as the ballot spells
    them; a vote without evidence keeps its answer here, uncounted. `reasoning` and `evidence` are shortened to the
    limits above; the outcome of the voter's branch has the whole.
    """

    voter: Name
    wave: int
    status: BallotStatus
    model: str | None = None
    answer: JsonValue = None
    confidence: float | None = None
    weight: float = 1.0
    reasoning: str = ""
    evidence: list[str] = Field(default_factory=list[str])
    why: str | None = None


class TallyLine(Contract):
    """An answer and what the rule gives it: votes, weight, approvals, points, first preferences, or pairwise wins.

    `share` is its part of the votes counted (of the weight, for `weighted`; of the points, for `borda`). `voters` are
    those who gave it, approved of it, or ranked it first.
    """

    answer: JsonValue
    score: float
    share: float
    voters: list[Name]


class Round(Contract):
    """One round of counting: the score of each answer still in it, and who was eliminated after it."""

    scores: dict[str, float]
    eliminated: list[str] = Field(default_factory=list[str])


class Interval(Contract):
    """Where the number lies with about this confidence, if voters are a sample of a larger jury; null if too few."""

    low: float
    high: float
    level: float
    method: Literal["order_statistics", "student_t"]


class CriterionScore(Contract):
    """The scores that a criterion got."""

    name: str
    score: float
    minimum: float
    maximum: float
    deviation: float


class HonestConfidence(Contract):
    """What the votes say about their own reliability, and what they cannot say.

    `agreement` is 1 when all agree and 0 when they are as divided as they could be: of answers and approvals, 1 -
    entropy of the votes (weights) ÷ the most that it could be; of rankings, Kendall's W; of numbers and scores within
    bounds, 1 - standard deviation ÷ half the range. `margin` is the lead of the first answer over the strongest other,
    as a share of the votes, weight or points; for `condorcet` its smallest majority; 0 where it is not ahead.
    `effective_voters` is how many independent voters the votes are worth at least: n ÷ (1 + (n - 1)ρ), with ρ the
    agreement beyond chance (Bennett's S). Voters who all agree are worth one, because nothing in their votes tells
    shared error from shared truth.
    `lead_probability` is the posterior probability that the leader is the mode of a jury without end (Beta on the top
    two), `unchanged_probability` that the decision would stand after all voters that were planned (Beta-binomial).
    `stated` is the mean of the voters' own confidence. Null where the ballot gives no such figure; the two
    probabilities also where there is no lead (a veto) or no decision (a tie) for them to be of.
    """

    agreement: float | None
    margin: float | None
    effective_voters: float | None
    lead_probability: float | None
    unchanged_probability: float | None
    stated: float | None
    caution: str = CAUTION


class Dissent(Contract):
    """The minority report: the strongest answer other than the decision, and its most confident voter's reasoning.

    Without a decision, other than the first leader. On an approval ballot `voters` are those who did not approve of
    the decision, and `answer` the option that most of them approve of, null if they approve of none. Of numbers and of
    scores without a threshold it is the one farthest from the decision (beyond the interval, if there is one).
    `share` is that of the votes, for `weighted` of the weight.
    """

    answer: JsonValue
    voters: list[Name]
    share: float
    voter: Name
    reasoning: str
    confidence: float


class WaveTally(Contract):
    """How the vote stood after a wave; of many leaders the first, of long answers the beginning."""

    asked: int
    counted: int
    leaders: list[JsonValue]
    unchanged_probability: float | None = None


class StopReport(Contract):
    """How many voters were asked and why no more; `saved` of those planned were not.

    `all_asked`: nobody was left. `decided`, `confident`: the stop rule of that name. `interrupted`: the run's policy,
    deadline, budget or a cancel; `completion_reason` of the result says which.
    """

    rule: AnyStop = Field(discriminator="type")
    reason: Literal["all_asked", "decided", "confident", "interrupted"]
    asked: int
    saved: int
    waves: list[WaveTally]


class Judgement(Contract):
    """What a judge said about candidates: a ranking, best first, or groups of the same meaning.

    `shown` has the candidates in the order in which the judge saw them. Free answers are named by the first voter who
    gave them; where a tie between options is broken, they are the options themselves.
    """

    task: Literal["ranking", "grouping"]
    shown: list[str]
    ranking: list[str] = Field(default_factory=list[str])
    groups: list[list[str]] = Field(default_factory=list[list[str]])
    reasoning: str = ""


class VotingOutput(Contract):
    """The decision.

    `decided`: the rule, or what broke its tie (`decided_by`), made `decision`. `tie`: two or more answers share the
    lead. `no_consensus`: the rule's condition was not met. `no_votes`: nobody voted. But for the first, `decision` is
    null; `leaders` has the leading answers in any case. `tally` is best first, then in the order of the options or of
    first mention; `rounds` are those of the count. `unit` is that of a number, `overall` the score behind a pass or
    fail. `ballots` has every voter that was asked, in voter order.
    """

    kind: Literal["decision"] = "decision"
    outcome: Literal["decided", "tie", "no_consensus", "no_votes"]
    decision: JsonValue = None
    decided_by: Literal["rule", "first", "judge", "chair"] | None = None
    rule: AnyRule = Field(discriminator="type")
    leaders: list[JsonValue] = Field(default_factory=list[JsonValue])
    tally: list[TallyLine] = Field(default_factory=list[TallyLine])
    rounds: list[Round] = Field(default_factory=list[Round])
    interval: Interval | None = None
    criteria: list[CriterionScore] = Field(default_factory=list[CriterionScore])
    overall: float | None = None
    unit: str | None = None
    confidence: HonestConfidence
    dissent: Dissent | None = None
    stop: StopReport
    judgements: list[Judgement] = Field(default_factory=list[Judgement])
    ballots: list[CastBallot] = Field(default_factory=list[CastBallot])
    asked: int
    counted: int
    abstained: int
    invalid: int
    failed: int
    markdown: str = ""
