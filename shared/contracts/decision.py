"""The output of a vote: the decision, the ballots that it rests on, and how far it can be trusted."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, JsonValue

from shared.contracts.base import Contract, Name
from shared.contracts.jury import AnyStop
from shared.contracts.rules import AnyRule

MAX_REASONING_CHARS = 2_000
MAX_EVIDENCE = 10
MAX_QUOTE_CHARS = 500
"""Of a ballot in the result. Longer ones are no reason to reject a vote, so the ballot's schema has no such bounds."""

CAUTION = (
    "Agreement is not verification: voters who share a model, a source or a blind spot share their errors, too, "
    "and nothing here was checked against the facts."
)

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
