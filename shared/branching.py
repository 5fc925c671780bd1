"""From a request to its branches: what each pattern asks of whom, before anything runs."""

from __future__ import annotations

from collections.abc import Mapping

from shared.contracts.agent import AgentSpec
from shared.contracts.branch import Branch, nested_name
from shared.contracts.jury import StopFixed
from shared.contracts.map_reduce import MapReduceRequest
from shared.contracts.run import Pattern
from shared.contracts.sectioning import SectioningRequest
from shared.contracts.split import Chunk
from shared.contracts.voting import VotingRequest
from shared.prompts import DEFAULT_SYNTHESIZER_INSTRUCTIONS, chunk_prompt, document_prompt, section_prompt
from shared.voting.judging import judges_of, tie_breakers_of
from shared.voting.voters import voter_branches

Request = SectioningRequest | VotingRequest | MapReduceRequest
REQUESTS: Mapping[Pattern, type[Request]] = {
    "sectioning": SectioningRequest,
    "voting": VotingRequest,
    "map_reduce": MapReduceRequest,
}
"""The contract of each pattern's request."""


def branches_of(request: Request) -> list[Branch]:
    """The branches of any request."""
    match request:
        case SectioningRequest():
            return section_branches(request)
        case VotingRequest():
            return voter_branches(request)
        case MapReduceRequest():
            return document_branches(request)


def section_branches(request: SectioningRequest) -> list[Branch]:
    """A branch for each section, or for each voter that may be asked to decide it, in the request's order."""
    agents = {branch.name: [branch] for branch in agent_branches(request)}
    voters = {name: [voter.within(name) for voter in voter_branches(vote)] for name, vote in request.votes.items()}
    branches = agents | voters
    return [branch for section in request.sections for branch in branches[section.name]]


def agent_branches(request: SectioningRequest) -> list[Branch]:
    """A branch for each section that has an agent."""
    shared = section_prompt(request.input)
    return [
        Branch(
            name=section.name,
            agent=section.spec(request.defaults),
            prompt=section_prompt(section.input) if section.input else shared,
        )
        for section in request.sections
        if section.vote is None
    ]


def votes_in(request: Request) -> dict[str, VotingRequest]:
    """The votes that a request consists of or has in it, by what the names of their voters' branches begin with."""
    match request:
        case SectioningRequest():
            return {nested_name(section, ""): vote for section, vote in request.votes.items()}
        case VotingRequest():
            return {"": request}
        case MapReduceRequest():
            return {}


def spared(request: Request) -> tuple[str, ...]:
    """What the names of branches begin with that a run may spare: voters whom a vote asks only if there is need."""
    return tuple(prefix for prefix, vote in votes_in(request).items() if not isinstance(vote.effective_stop, StopFixed))


def document_branches(request: MapReduceRequest) -> list[Branch]:
    """A branch for each document, or for each part of one that is split, in the request's order."""
    agent = request.map.with_defaults(request.defaults)
    parts: dict[str, list[Chunk]] = {}
    for chunk in request.chunks:
        parts.setdefault(chunk.document, []).append(chunk)
    prompts = {
        name: prompt
        for document in request.documents
        for name, prompt in (
            [(chunk.branch, chunk_prompt(document, chunk)) for chunk in parts.get(document.id, [])]
            or [(document.id, document_prompt(document))]
        )
    }
    return [Branch(name=name, agent=agent, prompt=prompt) for name, prompt in prompts.items()]


def synthesizer_of(request: SectioningRequest) -> AgentSpec:
    """The agent that writes one answer from the sections: the request's own, or ours."""
    agent = request.synthesizer or AgentSpec(name="synthesizer", instructions=DEFAULT_SYNTHESIZER_INSTRUCTIONS)
    return agent.with_defaults(request.defaults)


def readers_of(request: Request) -> list[tuple[AgentSpec, str]]:
    """The agent of each call that follows once the branches have ended; none when the answer is made without one.

    Each with what the names of the branches begin with whose answers it reads. Those of a reduction are
    `expected_levels`, because they depend on what the branches write.
    """
    judges = [(judge, prefix) for prefix, vote in votes_in(request).items() for judge in judges_of(vote)]
    if isinstance(request, SectioningRequest) and request.aggregation == "synthesize":
        return [*judges, (synthesizer_of(request), "")]
    return judges


def possible_aggregators_of(request: Request) -> list[AgentSpec]:
    """The same for calls that follow only if there is need: to break a tie."""
    return [judge for vote in votes_in(request).values() for judge in tie_breakers_of(vote)]
