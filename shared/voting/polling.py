"""The poll under way: which voters are asked next, and why no more are."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

from shared.aggregation.completion import meets
from shared.contracts.branch import Branch, BranchOutcome
from shared.contracts.voting import VotingRequest
from shared.voting.ballot_box import BallotBox, Read, election_of
from shared.voting.voters import branch_of, voters_of
from shared.voting.waves import Poll, Step, StopReason


class Polling:
    """Asks the voters of a request, wave after wave. `next_wave` is told all outcomes so far.

    Of a vote that decides a `section`, the branches have its name in theirs.
    """

    def __init__(self, request: VotingRequest, section: str | None = None) -> None:
        plan = request.plan
        self._request = request
        self._section = section
        self._voters = voters_of(request)
        self._ends: list[int] = []
        self._read: list[Read] = []
        self._poll = Poll(
            election=election_of(request),
            stop=request.effective_stop,
            least=plan.least,
            most=plan.most,
            wave=plan.wave,
            weights=tuple(voter.weight for voter in self._voters),
        )

    @property
    def most(self) -> int:
        """How many voters are asked at most."""
        return len(self._voters)

    def next_wave(self, outcomes: Sequence[BranchOutcome]) -> list[Branch]:
        """The branches of the voters to ask now; none when enough is known."""
        asked = len(outcomes)
        size = self._size(self._step(outcomes), outcomes)
        if asked not in (0, *self._ends):
            self._ends.append(asked)
        return self._branches(asked, size)

    def next_voters(self, outcomes: Sequence[BranchOutcome]) -> list[Branch]:
        """Those to ask if more are wanted than the vote needs: a wave, or whoever is left of one."""
        return self._branches(len(outcomes), self._request.plan.wave)

    def box(self, outcomes: Sequence[BranchOutcome]) -> BallotBox:
        """The ballots of the voters asked so far."""
        ends = [0, *self._ends, len(outcomes)]
        waves = tuple(end - start for start, end in pairwise(ends) if end > start)
        box = BallotBox(self._request, self._voters, outcomes, waves, self._read)
        self._read = box.read
        return box

    def reason(self, outcomes: Sequence[BranchOutcome]) -> StopReason:
        """Why no more voters are asked than these, whom nothing interrupted."""
        return self._step(outcomes).reason or "all_asked"

    def is_open(self, outcomes: Sequence[BranchOutcome]) -> bool:
        """Whether the vote needs more voters than these."""
        return self._step(outcomes).size > 0

    def _step(self, outcomes: Sequence[BranchOutcome]) -> Step:
        return self._poll.step(len(outcomes), self.box(outcomes).votes)

    def _branches(self, asked: int, size: int) -> list[Branch]:
        voters = enumerate(self._voters[asked : asked + size], start=asked)
        return [branch_of(self._request, voter, index).within(self._section) for index, voter in voters]

    def _size(self, step: Step, outcomes: Sequence[BranchOutcome]) -> int:
        """How many to ask: also more than the rule needs, while the run's policy is not met and voters are left."""
        left = self.most - len(outcomes)
        if step.size or not left or meets(outcomes, self._request.policy):
            return step.size
        return min(self._request.plan.wave, left)
