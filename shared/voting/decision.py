"""The output of a vote: the decision, and all that led to it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from typing import Literal

from pydantic import JsonValue

from shared.contracts.ballots import NumberBallot
from shared.contracts.decision import HonestConfidence, Interval, Round, StopReport, TallyLine, VotingOutput, WaveTally
from shared.contracts.rules import BestOf, Median, PerCriterion, TrimmedMean, Veto, Weighted
from shared.voting.answers import vetoing_answers
from shared.voting.ballot_box import BallotBox
from shared.voting.cells import shortened
from shared.voting.confidence import honest_confidence
from shared.voting.counting import Counting, backs
from shared.voting.dissent import dissent_of
from shared.voting.election import Election, Verdict, Vote
from shared.voting.markdown import markdown_of
from shared.voting.numeric import criterion_scores
from shared.voting.rules import count
from shared.voting.stopping import kept_probability, lead_probability, top_two

HEADLESS = (Weighted, Median, TrimmedMean, PerCriterion, BestOf)
"""Rules that do not count heads, so that the head counts of the top two say nothing."""

MAX_WAVE_LEADERS = 10
MAX_WAVE_ANSWER_CHARS = 200
"""Of how the vote stood after a wave: there may be as many waves as voters, and as many leaders."""

StopReason = Literal["all_asked", "decided", "confident", "interrupted"]


def voting_output(counting: Counting, reason: StopReason) -> VotingOutput:
    """What a run's result tells of the vote; `reason` is why no more voters were asked."""
    box, election, decision = counting.box, counting.election, counting.decision
    verdict, decided = decision.verdict, decision.decision
    told = Counter(ballot.status for ballot in box.ballots)
    output = VotingOutput(
        outcome=verdict.outcome if decided is None else "decided",
        decision=_shown(counting, decided),
        decided_by=decision.decided_by,
        rule=election.rule,
        leaders=[counting.shown(key) for key in verdict.leaders],
        tally=tally(counting, verdict),
        rounds=[Round(scores=dict(each.scores), eliminated=list(each.eliminated)) for each in verdict.rounds],
        interval=_interval(verdict),
        criteria=criterion_scores(election, counting.votes) if isinstance(election.rule, PerCriterion) else [],
        unit=box.request.ballot.unit if isinstance(box.request.ballot, NumberBallot) else None,
        overall=_overall(election, counting.votes),
        confidence=_confidence(counting, verdict),
        dissent=dissent_of(election, counting.votes, _final(verdict, decided), box.ballots, box.shown),
        stop=_stop(box, election, reason),
        judgements=counting.judgements,
        ballots=box.ballots,
        asked=len(box.ballots),
        counted=told["counted"],
        abstained=told["abstained"],
        invalid=told["invalid"],
        failed=told["failed"],
    )
    return output.model_copy(update={"markdown": markdown_of(box.request.question, output)})


def tally(counting: Counting, verdict: Verdict) -> list[TallyLine]:
    """The answers with what the rule gives them, best first; numbers and scores have none."""
    if isinstance(counting.election.rule, Median | TrimmedMean | PerCriterion):
        return []
    whole = _whole(counting, verdict)
    return [
        TallyLine(
            answer=counting.shown(key),
            score=score,
            share=score / whole if whole else 0.0,
            voters=[vote.voter for vote in counting.votes if backs(counting.election, vote, key)],
        )
        for key, score in verdict.scores.items()
    ]


def _whole(counting: Counting, verdict: Verdict) -> float:
    """What shares are of: the votes, or where a vote gives more or less than one, all that was given."""
    heads = counting.election.rule.type in {
        "plurality", "majority", "supermajority", "unanimous", "veto", "approval", "instant_runoff", "self_consistency",
    }  # fmt: skip
    return float(len(counting.votes)) if heads else sum(verdict.scores.values())


def _shown(counting: Counting, decided: str | float | None) -> JsonValue:
    return counting.shown(decided) if isinstance(decided, str) else decided


def _final(verdict: Verdict, decided: str | float | None) -> Verdict:
    """The verdict after its tie was broken."""
    if decided is None or verdict.outcome == "decided":
        return verdict
    return Verdict("decided", decided, verdict.leaders, verdict.scores, verdict.rounds, verdict.interval)


def _overall(election: Election, votes: Sequence[Vote]) -> float | None:
    """The overall score behind a pass or a fail, too."""
    if not isinstance(election.rule, PerCriterion):
        return None
    score = count(replace(election, rule=election.rule.model_copy(update={"threshold": None})), votes).decision
    return score if isinstance(score, float) else None


def _interval(verdict: Verdict) -> Interval | None:
    spread = verdict.interval
    return spread and Interval(low=spread.low, high=spread.high, level=spread.level, method=spread.method)


def _confidence(counting: Counting, verdict: Verdict) -> HonestConfidence:
    election, votes, remaining = counting.election, counting.votes, len(counting.box.remaining)
    return honest_confidence(
        election,
        votes,
        verdict,
        lead_probability=_lead(election, votes, verdict),
        # A decision that nobody is left to change stands, whatever broke its tie or grouped its answers.
        unchanged_probability=1.0
        if _counts_heads(election, votes) and counting.decision.decision is not None and not remaining
        else _unchanged(election, votes, verdict, remaining),
    )


def _lead(election: Election, votes: Sequence[Vote], verdict: Verdict) -> float | None:
    """None also for a veto, which wins without a lead."""
    if not _counts_heads(election, votes):
        return None
    vetoed = isinstance(election.rule, Veto) and bool(vetoing_answers(election, [str(verdict.decision)]))
    return None if vetoed else lead_probability(*top_two(election, votes))


def _unchanged(election: Election, votes: Sequence[Vote], verdict: Verdict, remaining: int) -> float | None:
    """None also without a decision that could stand: a tie, or nobody with what the rule wants."""
    if not _counts_heads(election, votes) or verdict.outcome != "decided":
        return None
    return kept_probability(election, votes, remaining)


def _counts_heads(election: Election, votes: Sequence[Vote]) -> bool:
    return bool(votes) and not isinstance(election.rule, HEADLESS)


def _stop(box: BallotBox, election: Election, reason: StopReason) -> StopReport:
    return StopReport(
        rule=box.request.effective_stop,
        reason=reason,
        asked=len(box.ballots),
        saved=len(box.remaining),
        waves=[_wave(box, election, number) for number in dict.fromkeys(ballot.wave for ballot in box.ballots)],
    )


def _briefly(answer: JsonValue) -> JsonValue:
    return shortened(answer, MAX_WAVE_ANSWER_CHARS) if isinstance(answer, str) else answer


def _wave(box: BallotBox, election: Election, number: int) -> WaveTally:
    asked, votes = len(box.asked_in(number)), box.votes_after(number)
    verdict = count(election, votes)
    return WaveTally(
        asked=asked,
        counted=len(votes),
        leaders=[_briefly(box.shown.get(leader, leader)) for leader in verdict.leaders[:MAX_WAVE_LEADERS]],
        unchanged_probability=_unchanged(election, votes, verdict, len(box.voters) - asked),
    )
