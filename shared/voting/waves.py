"""How many voters are asked next: none when enough is known, else as few as could settle the vote."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from shared.contracts.jury import AnyStop, StopConfident, StopFixed
from shared.contracts.rules import BestOf, Median, PerCriterion, TrimmedMean, Veto
from shared.voting.answers import vetoing_answers
from shared.voting.election import Answer, Election, Vote
from shared.voting.rules import count
from shared.voting.stopping import is_decided, kept_probability

FIRST = " "
"""The answer that voters may agree on before anyone has answered: no key of one, and not what a rival may bring."""

StopReason = Literal["all_asked", "decided", "confident"]


@dataclass(frozen=True, slots=True)
class Step:
    """The number of voters to ask next; 0 with the reason when no more are asked."""

    size: int
    reason: StopReason | None = None


@dataclass(frozen=True, slots=True)
class Poll:
    """Voters who are asked in their order, in waves, until the stop rule is met.

    At least `least` and at most `most` of them, at most `wave` at once. `weights` has one for each of the `most`.
    """

    election: Election
    stop: AnyStop
    least: int
    most: int
    wave: int
    weights: tuple[float, ...]

    def step(self, asked: int, votes: Sequence[Vote]) -> Step:
        """What comes after the first `asked` voters, of whom those who neither abstained nor failed cast `votes`.

        `fixed` asks all at once. Otherwise a wave has as many as would settle the vote if all of them supported the
        leader, so that no one is asked whom asking one by one would have spared; when that takes more than `wave`, it
        has `wave`. The first wave has at least `least`. A vote that dissent settles (a veto, a second answer under
        `unanimous`) may settle inside a wave. A wave has `wave`, too, where no support settles a vote: for numbers,
        scores without a threshold, and `best_of`.
        """
        left = self.most - asked
        if left <= 0:
            return Step(0, "all_asked")
        if isinstance(self.stop, StopFixed):
            return Step(left)
        if asked >= self.least and (reason := self._reason(asked, votes)):
            return Step(0, reason)
        return Step(self._size(asked, votes))

    def _reason(self, asked: int, votes: Sequence[Vote]) -> StopReason | None:
        if is_decided(self.election, votes, self.weights[asked : self.most]):
            return "decided"
        if not isinstance(self.stop, StopConfident):
            return None
        likely = kept_probability(self.election, votes, self.most - asked)
        return "confident" if likely >= self.stop.level else None

    def _size(self, asked: int, votes: Sequence[Vote]) -> int:
        """The fewest that could settle the vote. Support only ever brings the end nearer, so bisection finds them."""
        fewest = max(1, self.least - asked)
        most = min(max(fewest, self.wave), self.most - asked)
        support = _supporting(self.election, votes) if most > fewest else None
        if support is None:
            return most
        weights = self.weights[asked : asked + most]
        supporters = [Vote("", support, weight) for weight in weights]
        return bisect_left(
            range(most),
            True,
            lo=fewest,
            key=lambda size: self._reason(asked + size, [*votes, *supporters[:size]]) is not None,
        )


def _supporting(election: Election, votes: Sequence[Vote]) -> Answer | None:
    """A vote for the leader, or without one for the first option; None where no vote settles anything.

    Scores are all at the bound that keeps the decision.
    """
    match election.rule:
        case Median() | TrimmedMean() | BestOf() | PerCriterion(threshold=None):
            return None
        case PerCriterion():
            bound = election.low if count(election, votes).decision == "fail" else election.high
            return None if bound is None else dict.fromkeys(election.criteria, bound)
        case _:
            return _supporting_leader(election, votes)


def _supporting_leader(election: Election, votes: Sequence[Vote]) -> Answer:
    """On a ranking the strongest rival is last. No support for a veto, which is not the leader until it has won."""
    verdict = count(election, votes)
    ranked = list(verdict.scores) or [FIRST]
    vetoes = vetoing_answers(election, ranked) if isinstance(election.rule, Veto) else ()
    leader = next(answer for answer in (*verdict.leaders, *ranked, FIRST) if answer not in vetoes)
    match election.rule.type:
        case "approval":
            return (leader,)
        case "borda" | "condorcet" | "instant_runoff":
            return (leader, *[option for option in reversed(ranked) if option != leader])
        case _:
            return leader
