"""When a vote may stop: what voters who have not been asked could still change, and how likely they are to.

Certainty (`is_decided`) looks at every vote that the rule would count, whoever casts it. Probability takes the voters
for independent draws from one jury, as Adaptive-Consistency does (Aggarwal, Madaan, Yang and Mausam, Let's Sample Step
by Step, 2023, arXiv 2305.11860): of heads for two answers, the share p of the first has the posterior
Beta(first + 1, second + 1). Their criterion is `lead_probability`, that p > 1/2. A vote stops by
`unchanged_probability` instead, the same posterior's prediction for the voters who are left: what a vote that ends
early risks is exactly that asking all of them would have put another answer in front.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import lru_cache
from math import ceil, comb, nextafter

from shared.contracts.rules import Majority, SelfConsistency, Supermajority, Unanimous, Veto
from shared.normalisation import normalised
from shared.voting.answers import vetoing_answers
from shared.voting.election import Answer, Election, Verdict, Vote
from shared.voting.exact import SHARE_TOLERANCE, exact
from shared.voting.pairwise import Duels, duels
from shared.voting.reading import listed_in, text_of
from shared.voting.rules import count

UNHEARD = ""
"""An answer that nobody has given: no key of an answer is empty."""


def is_decided(election: Election, votes: Sequence[Vote], remaining: Sequence[float]) -> bool:
    """Whether the voters who have not been asked can no longer change the decision.

    `remaining` has the weight of each of them. Any may cast any valid vote, with any confidence, or none. True means
    that every completion of the vote ends as it stands now: decided, with the same decision; or undecided, and without
    a tie that something could break. False may be too careful under `condorcet`, `instant_runoff`, `best_of` and
    `self_consistency`, and under a `weighted` threshold that nobody can reach any more; under the other rules it means
    that some completion ends differently.
    """
    return not remaining or SETTLED[election.rule.type](election, votes, remaining)


# --- Certainty, by rule ---


def _answers_settled(election: Election, votes: Sequence[Vote], remaining: Sequence[float]) -> bool:
    """All of one mind are the extremes: an answer's share and lead are least when all vote for its strongest rival.

    They are greatest when all vote for it. If these leave a decision, no mixture changes it; if they leave none and
    the same single leader, no mixture reaches a decision or a tie.
    """
    now = count(election, votes)
    ends = (count(election, [*votes, *_all_for(answer, remaining)]) for answer in _hopefuls(election, now))
    if now.outcome == "decided":
        return all((end.outcome, end.decision) == (now.outcome, now.decision) for end in ends)
    if isinstance(election.rule, Supermajority | Unanimous):
        return all(end.outcome != "decided" for end in ends)
    return now.outcome == "no_consensus" and all(
        end.outcome == "no_consensus" and end.leaders == now.leaders for end in ends
    )


def _hopefuls(election: Election, now: Verdict) -> Iterator[str]:
    """The answers that could gain most: the first two, a third in case that one of them is vetoing, and a new one."""
    yield from list(now.scores)[:3]
    if election.options is None:
        yield UNHEARD
    if isinstance(election.rule, Veto):
        yield vetoing_answers(election, [*(election.options or ()), normalised(str(election.rule.answer))])[0]


def _all_for(answer: Answer, remaining: Sequence[float]) -> list[Vote]:
    return [Vote("", answer, weight) for weight in remaining]


def _approvals_settled(election: Election, votes: Sequence[Vote], remaining: Sequence[float]) -> bool:
    """A lead is least when all approve of the strongest rival alone. Without a lead, one approval makes one."""
    now = count(election, votes)
    if now.outcome != "decided":
        return False
    rival = next(option for option in now.scores if option != now.decision)
    end = count(election, [*votes, *_all_for((rival,), remaining)])
    return (end.outcome, end.decision) == (now.outcome, now.decision)


def _points_settled(election: Election, votes: Sequence[Vote], remaining: Sequence[float]) -> bool:
    """One ballot changes a lead in points by at most m - 1: with the strongest rival first and the leader last."""
    now = count(election, votes)
    if now.outcome != "decided":
        return False
    rival, *others = [option for option in now.scores if option != now.decision]
    end = count(election, [*votes, *_all_for((rival, *others, str(now.decision)), remaining)])
    return (end.outcome, end.decision) == (now.outcome, now.decision)


def _pairs_settled(election: Election, votes: Sequence[Vote], remaining: Sequence[float]) -> bool:
    """One ballot changes a direct comparison by at most one: who wins all by more than are left, wins them for good.

    A completion may still keep a winner who could lose one; nothing here looks into cycles.
    """
    compared = _duels(election, votes)
    winner = compared.winner()
    return winner is not None and all(
        compared.margin(winner, other) > len(remaining) for other in compared.options if other != winner
    )


def _firsts_settled(_: Election, votes: Sequence[Vote], remaining: Sequence[float]) -> bool:
    """An option that is first on more than half of all ballots there can be wins in the first round.

    Eliminations are not looked into: one more ballot can turn their order, and so any later round.
    """
    return _has_majority([listed_in(vote)[0] for vote in votes], len(remaining))


def _texts_settled(_: Election, votes: Sequence[Vote], remaining: Sequence[float]) -> bool:
    """A judge may yet find that any two texts mean the same, so the first must outnumber all others together."""
    return _has_majority([text_of(vote) for vote in votes], len(remaining))


def _has_majority(answers: Sequence[str], left: int) -> bool:
    """Whether one of them has more than half, also if all who are left give others."""
    return 2 * max(Counter(answers).values(), default=0) > len(answers) + left


def _figures_settled(election: Election, votes: Sequence[Vote], remaining: Sequence[float]) -> bool:
    """Medians, means and trimmed means rise and fall with each number in them.

    One more number at the lower bound never raises them, so they are lowest when all give that, and highest when all
    give the upper bound: what these do not change, nothing in between does. Where a ballot has no bound, a number
    beyond all given ones stands for any.
    """
    now = count(election, votes)
    if now.outcome != "decided":
        return False
    extremes = [_extreme(election, votes, highest=False), _extreme(election, votes, highest=True)]
    return all(count(election, [*votes, *_all_for(answer, remaining)]).decision == now.decision for answer in extremes)


def _extreme(election: Election, votes: Sequence[Vote], *, highest: bool) -> Answer:
    bound = election.high if highest else election.low
    if bound is None:
        numbers = [vote.answer for vote in votes if isinstance(vote.answer, int | float)]
        furthest = max(numbers) if highest else min(numbers)
        bound = furthest + max(1.0, abs(furthest)) * (1 if highest else -1)
    return dict.fromkeys(election.criteria, bound) if election.criteria else bound


def _never_settled(*_: object) -> bool:
    """A judge ranks all candidates, and each voter brings one."""
    return False


SETTLED: Mapping[str, Callable[[Election, Sequence[Vote], Sequence[float]], bool]] = {
    "plurality": _answers_settled,
    "majority": _answers_settled,
    "supermajority": _answers_settled,
    "unanimous": _answers_settled,
    "veto": _answers_settled,
    "weighted": _answers_settled,
    "self_consistency": _texts_settled,
    "best_of": _never_settled,
    "approval": _approvals_settled,
    "borda": _points_settled,
    "condorcet": _pairs_settled,
    "instant_runoff": _firsts_settled,
    "median": _figures_settled,
    "trimmed_mean": _figures_settled,
    "per_criterion": _figures_settled,
}
"""Whether those who are left, at least one, can no longer change the decision, by the type of the rule."""


# --- Heads for the leader and its rival ---


def top_two(election: Election, votes: Sequence[Vote]) -> tuple[int, int]:
    """Heads for the leader and for its strongest rival, (0, 0) without votes.

    Votes for answers (vetoes not among them) or approvals; of rankings, the ballots that prefer the leader to the
    rival with the smallest margin, and the reverse. Means nothing for numbers, scores, weights and `best_of`.
    """
    if not votes:
        return 0, 0
    if election.rule.type in {"borda", "condorcet", "instant_runoff"}:
        leader = count(election, votes).leaders[0]
        compared = _duels(election, votes)
        rivals = [option for option in compared.options if option != leader]
        closest = min(rivals, key=lambda rival: compared.margin(leader, rival))
        return compared.preferring[leader, closest], compared.preferring[closest, leader]
    heads = Counter(answer for vote in votes for answer in _answers_of(vote))
    vetoes = vetoing_answers(election, heads) if isinstance(election.rule, Veto) else ()
    first, second, *_ = [*sorted((heads[answer] for answer in heads if answer not in vetoes), reverse=True), 0, 0]
    return first, second


def _answers_of(vote: Vote) -> tuple[str, ...]:
    return vote.answer if isinstance(vote.answer, tuple) else (text_of(vote),)


def _duels(election: Election, votes: Sequence[Vote]) -> Duels:
    return duels(election.options or (), [listed_in(vote) for vote in votes])


# --- Probability ---


@lru_cache(maxsize=4_096)
def lead_probability(first: int, second: int) -> float:
    """How likely it is that a jury without end prefers the first: P(p > 1/2), p ~ Beta(first + 1, second + 1).

    It is the chance that at most `first` of first + second + 1 tosses of a fair coin are heads, in exact integers.
    """
    tosses = first + second + 1
    return sum(comb(tosses, heads) for heads in range(first + 1)) / 2**tosses


def unchanged_probability(first: int, second: int, remaining: int) -> float:
    """How likely the first still leads when `remaining` more have voted, all for one of the two.

    J ~ BetaBinomial(remaining, first + 1, second + 1) of them go to the first: P(first + J > second + remaining - J).
    It is 1.0 exactly when first - second > remaining, and tends to `lead_probability` with more and more voters.
    """
    return _gain_probability(first, second, remaining, (remaining + second - first) // 2 + 1)


def kept_probability(election: Election, votes: Sequence[Vote], remaining: int) -> float:
    """How likely the decision stays when `remaining` more have voted; 0.0 when there is none yet.

    Where leading is all that a rule wants, it is `unchanged_probability` of the top two. Where the rule wants a share,
    the rivals are all others together, and the share must be reached in the end. Under `veto` the leader must stay
    ahead and the vetoes below their count: at least as likely as the two chances less one. Texts that a judge
    will group are up against all others together, too. As for `top_two`, heads must be what the rule counts.

    It is a model: rivals behind the second are taken not to overtake both, approvals of two options to exclude each
    other, and the closest comparison to stand for points and eliminations, which can turn on other options, too.
    """
    if count(election, votes).outcome != "decided":
        return 0.0
    first, second = top_two(election, votes)
    others = len(votes) - first
    match election.rule:
        case Majority() | SelfConsistency():
            return unchanged_probability(first, others, remaining)
        case Supermajority(threshold=threshold):
            return _gain_probability(first, others, remaining, _wanted(threshold, len(votes) + remaining) - first)
        case Unanimous():
            return _gain_probability(first, others, remaining, remaining)
        case Veto() as veto:
            return _unvetoed_probability(election, veto.count, votes, remaining)
        case _:
            return unchanged_probability(first, second, remaining)


def _wanted(threshold: float, voters: int) -> int:
    """How many of so many voters reach a share."""
    return ceil((exact(threshold) - SHARE_TOLERANCE) * voters)


def _unvetoed_probability(election: Election, enough: int, votes: Sequence[Vote], remaining: int) -> float:
    vetoes = len(vetoing_answers(election, [text_of(vote) for vote in votes]))
    if vetoes >= enough:
        return 1.0
    unvetoed = _gain_probability(len(votes) - vetoes, vetoes, remaining, remaining - (enough - vetoes) + 1)
    return max(0.0, unchanged_probability(*top_two(election, votes), remaining) - (1.0 - unvetoed))


@lru_cache(maxsize=4_096)
def _gain_probability(first: int, second: int, remaining: int, wanted: int) -> float:
    """P(J >= wanted), J ~ BetaBinomial(remaining, first + 1, second + 1), in exact integers.

    1.0 is kept for certainty: what only rounds to it is the number below.
    """
    if wanted <= 0 or wanted > remaining:
        return float(wanted <= 0)
    ways = sum(
        comb(first + gained, gained) * comb(second + remaining - gained, remaining - gained)
        for gained in range(wanted, remaining + 1)
    )
    return min(ways / comb(first + second + remaining + 1, remaining), nextafter(1.0, 0.0))
