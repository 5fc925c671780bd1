"""The sections of a request: which branches they take, wave after wave, and what came of each."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from pydantic import JsonValue

from shared.aggregation.completion import meets
from shared.branching import agent_branches
from shared.contracts.branch import Branch, BranchOutcome
from shared.contracts.decision import VotingOutput
from shared.contracts.policy import Interruption
from shared.contracts.sectioning import SectioningRequest
from shared.voting.brief import brief, structured
from shared.voting.counting import Counting
from shared.voting.decision import StopReason, voting_output
from shared.voting.polling import Polling


@dataclass(frozen=True, slots=True)
class Answer:
    """What a section says."""

    name: str
    output: JsonValue


@dataclass(frozen=True, slots=True)
class Answers:
    """What the sections came to, in their order: each that has an answer, and the names of the others.

    Votes are told in words in `texts`, and as objects under their sections' names in `values`. `undecided` are the
    sections for which nobody cast a valid vote.
    """

    texts: list[Answer]
    values: list[Answer]
    missing: list[str]
    votes: dict[str, VotingOutput]

    @property
    def undecided(self) -> list[str]:
        """The missing sections that a vote was to decide."""
        return [name for name in self.missing if name in self.votes]


class Sections:
    """The sections of a run under way. Votes go on side by side: none asks more voters before all others could."""

    def __init__(self, request: SectioningRequest) -> None:
        self._request = request
        self._votes = request.votes
        self._polls = {name: Polling(vote, name) for name, vote in self._votes.items()}
        self._agents = {branch.name: [branch] for branch in agent_branches(request)}

    @property
    def most(self) -> int:
        """How many branches there are at most."""
        return sum(section.agents for section in self._request.sections)

    def next_wave(self, outcomes: Sequence[BranchOutcome]) -> list[Branch]:
        """The branches to start now, after these outcomes of all that have started; none when enough is known.

        While the run's policy is not met, more voters are asked than the votes need.
        """
        told = by_section(outcomes)
        voters = {name: poll.next_wave(told.get(name, [])) for name, poll in self._polls.items()}
        due = voters if outcomes else self._agents | voters
        wave = [branch for section in self._request.sections for branch in due.get(section.name, [])]
        if wave or meets(outcomes, self._request.policy):
            return wave
        return [voter for name, poll in self._polls.items() for voter in poll.next_voters(told.get(name, []))]

    def in_order(self, outcomes: Sequence[BranchOutcome]) -> list[BranchOutcome]:
        """The outcomes in the order of the request, whose later voters were asked after everybody else."""
        told = by_section(outcomes)
        return [outcome for section in self._request.sections for outcome in told.get(section.name, [])]

    def countings(self, outcomes: Sequence[BranchOutcome]) -> list[Counting]:
        """A count for each vote, in the order of the sections."""
        told = by_section(outcomes)
        return [Counting(poll.box(told.get(name, [])), name) for name, poll in self._polls.items()]

    def answers(
        self, outcomes: Sequence[BranchOutcome], countings: Sequence[Counting], interruption: Interruption | None
    ) -> Answers:
        """What came of each section, after the counts of votes; `interruption` is what cut the run short, if it was."""
        told = by_section(outcomes)
        votes = {
            name: voting_output(counting, self._reason(name, told.get(name, []), interruption))
            for name, counting in zip(self._polls, countings, strict=True)
        }
        texts: list[Answer] = []
        values: list[Answer] = []
        missing: list[str] = []
        for section in self._request.sections:
            name = section.name
            output = votes.get(name)
            if output is not None and output.counted:
                texts.append(Answer(name, brief(self._votes[name].question, output)))
                values.append(Answer(name, {name: structured(output)}))
            elif output is None and told[name][0].succeeded:
                texts.append(Answer(name, told[name][0].output))
                values.append(texts[-1])
            else:
                missing.append(name)
        return Answers(texts, values, missing, votes)

    def _reason(self, name: str, outcomes: Sequence[BranchOutcome], interruption: Interruption | None) -> StopReason:
        """Why no more voters of this vote were asked: others may have been at work when the run was interrupted."""
        poll = self._polls[name]
        is_cut = poll.is_open(outcomes) or not all(outcome.succeeded for outcome in outcomes)
        return "interrupted" if interruption is not None and is_cut else poll.reason(outcomes)


def by_section(outcomes: Sequence[BranchOutcome]) -> dict[str, list[BranchOutcome]]:
    """The outcomes of each section's agent or voters, in their order."""
    told: dict[str, list[BranchOutcome]] = {}
    for outcome in outcomes:
        told.setdefault(outcome.name.partition(":")[0], []).append(outcome)
    return told
