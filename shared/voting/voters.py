"""Who is asked, in which order, and how each of them sees the question."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from shared.contracts.agent import AgentSpec
from shared.contracts.ballots import OptionsBallot, ballot_schema
from shared.contracts.branch import Branch
from shared.contracts.jury import Juror
from shared.contracts.perspectives import jury_of
from shared.contracts.voting import VotingRequest
from shared.voting.prompts import ballot_prompt, voter_instructions


@dataclass(frozen=True, slots=True)
class Voter:
    """A voter: the agent that votes, and what its vote weighs in the rule `weighted`."""

    agent: AgentSpec
    weight: float

    @property
    def name(self) -> str:
        """The name of the voter and of its branch."""
        return self.agent.name


def voters_of(request: VotingRequest) -> list[Voter]:
    """All voters that may be asked, in voter order, with the run's defaults."""
    return [Voter(_agent(juror, request), juror.weight) for juror in jury_of(request.plan)]


def voter_branches(request: VotingRequest) -> list[Branch]:
    """A branch for each voter that may be asked; the ballot gives every vote its shape."""
    return [branch_of(request, voter, index) for index, voter in enumerate(voters_of(request))]


def branch_of(request: VotingRequest, voter: Voter, index: int) -> Branch:
    """The branch of the voter with this place in the order."""
    options = options_for(request, index)
    agent = voter.agent.model_copy(update={"output_schema": ballot_schema(request.ballot, options)})
    return Branch(name=voter.name, agent=agent, prompt=ballot_prompt(request, options))


def options_for(request: VotingRequest, index: int) -> list[str] | None:
    """The options in the order in which the voter with this place sees them; None on a ballot without options."""
    ballot = request.ballot
    if not isinstance(ballot, OptionsBallot):
        return None
    return rotated(ballot.options, index) if ballot.shuffle else list(ballot.options)


def rotated(options: Sequence[str], index: int) -> list[str]:
    """The options from another start for each `index`, and backwards in every second cycle.

    A shuffle that a replay repeats, and a better one than chance: over as many voters as there are options, each
    option stands once in each place.
    """
    cycle, start = divmod(index, len(options))
    turned = [*options[start:], *options[:start]]
    return turned[::-1] if cycle % 2 else turned


def _agent(juror: Juror, request: VotingRequest) -> AgentSpec:
    agent = AgentSpec.model_construct(
        name=juror.name,
        instructions=voter_instructions(juror, request),
        model=juror.model,
        temperature=juror.temperature,
        max_output_tokens=juror.max_output_tokens,
    )
    return agent.with_defaults(request.defaults)
