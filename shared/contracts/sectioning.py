"""Sectioning: a task split into independent sections, one focused agent each."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Literal, Self

from pydantic import Field, JsonValue, ValidationInfo, model_validator

from shared.contracts.agent import AgentDefaults, AgentSpec
from shared.contracts.base import (
    MAX_NAME_CHARS,
    MAX_RUN_CHARS,
    TRUSTED,
    Contract,
    Instructions,
    Name,
    Text,
    misfit,
    repeated,
)
from shared.contracts.branch import LONGEST_JUDGE, is_empty, is_none, nested_name
from shared.contracts.callback import CallbackUrl
from shared.contracts.decision import VotingOutput
from shared.contracts.perspectives import jury_of
from shared.contracts.policy import RunPolicy, check_policy
from shared.contracts.voting import VoteSpec, VotingRequest

MAX_SECTIONS = 200
MAX_AGENTS = 1_000
"""Of all sections together: one each, or the voters of its vote."""

Aggregation = Literal["synthesize", "concatenate", "merge"]


class Section(Contract):
    """One part of the task: `instructions` for an ordinary agent, a whole `agent`, or a `vote` of several.

    Without its own `input` a section works on the request's; to voters it is the context of the question.
    """

    name: Name
    instructions: Instructions | None = None
    agent: AgentSpec | None = None
    vote: Annotated[VoteSpec | None, Field(exclude_if=is_none)] = None
    input: Text | None = None

    @model_validator(mode="after")
    def _has_one_answerer(self, info: ValidationInfo) -> Self:
        if [self.instructions, self.agent, self.vote].count(None) != 2:  # noqa: PLR2004 - one of the three
            raise misfit(
                "instructions",
                "give the section either 'instructions' or an 'agent', and not both; or a 'vote' in their place",
            )
        if self.vote is not None and info.context is not TRUSTED:
            for path, message in contradictions_in_names(self.name, self.vote):
                raise misfit(path, message)
        return self

    @property
    def agents(self) -> int:
        """How many agents it takes at most, a judge not counted."""
        return self.vote.plan.most if self.vote else 1

    def material_chars(self, material: str) -> int:
        """What the prompts of its agents have of the request's `material`, or of its own, and of a vote's question."""
        own = self.input or material
        return self.vote.material_chars(own) if self.vote else len(own)

    def spec(self, defaults: AgentDefaults) -> AgentSpec:
        """The section's agent, with the run's defaults."""
        agent = self.agent or AgentSpec(name=self.name, instructions=self.instructions or "")
        return agent.with_defaults(defaults)


def contradictions_in_names(section: str, vote: VoteSpec) -> Iterator[tuple[str, str]]:
    """A name that would be too long: a vote's branches are called by the section and the voter, or the judge."""
    judge = nested_name(section, LONGEST_JUDGE).removeprefix("~")
    if len(judge) > MAX_NAME_CHARS:
        most = MAX_NAME_CHARS - len(judge) + len(section)
        yield "name", f"the name of a section with a vote has at most {most} characters; shorten {section!r}"
    names = [nested_name(section, juror.name) for juror in jury_of(vote.plan)]
    if long := next((name for name in names if len(name) > MAX_NAME_CHARS), None):
        told = f"section and voter are called {long!r} together, which is {len(long)} characters"
        yield "vote.voters", f"{told}; at most {MAX_NAME_CHARS} are accepted: shorten one of the two names"


class SectioningRequest(Contract):
    """`POST /api/sectioning`.

    `synthesize` has one more agent write a single answer from the sections, `concatenate` puts their texts
    under their names, `merge` joins their structured outputs field by field. A section that is decided by a vote is
    told in words to the first two, and is an object under its name to `merge`.

    `policy` counts agents, so each voter of a vote for one. Its voters are asked in waves, if its `stop` wants that:
    the next waves of all votes start together, once all sections have ended or are between waves.
    """

    input: Text
    sections: Annotated[list[Section], Field(min_length=1, max_length=MAX_SECTIONS)]
    aggregation: Aggregation = "synthesize"
    synthesizer: AgentSpec | None = None
    defaults: AgentDefaults = AgentDefaults()
    policy: RunPolicy = RunPolicy()
    callback_url: CallbackUrl = None

    @model_validator(mode="after")
    def _is_consistent(self, info: ValidationInfo) -> Self:
        if twice := repeated([section.name for section in self.sections]):
            raise misfit("sections", f"section names must be unique; repeated: {', '.join(twice)}")
        if self.synthesizer is not None and self.aggregation != "synthesize":
            raise misfit("synthesizer", f"a 'synthesizer' has no use with aggregation {self.aggregation!r}")
        if (agents := sum(section.agents for section in self.sections)) > MAX_AGENTS:
            told = f"the sections take up to {agents:,} agents, each voter of a vote counted"
            raise misfit("sections", f"{told}; at most {MAX_AGENTS:,} are accepted: ask fewer voters")
        material = sum(section.material_chars(self.input) for section in self.sections)
        if material > MAX_RUN_CHARS:
            raise misfit(
                "input",
                f"the sections' inputs have {material:,} characters together (the request's input counts for each "
                f"section that uses it); at most {MAX_RUN_CHARS:,} are accepted",
            )
        check_policy(self.policy, agents, info)
        return self

    @property
    def votes(self) -> dict[str, VotingRequest]:
        """The votes that decide sections, by their names and in their order, as requests of their own."""
        return {
            section.name: section.vote.about(section.input or self.input, self.defaults)
            for section in self.sections
            if section.vote is not None
        }


class MergeConflict(Contract):
    """A place where branches gave different values; `kept` names the branch whose value stands."""

    path: str
    kept: str
    values: dict[str, JsonValue]


class SectioningOutput(Contract):
    """The sections as one answer.

    `aggregation` is what was done; it differs from `requested` when the synthesis failed, its time was up, or there was
    nothing to write from, and the sections are given as they are instead. `votes` has the whole of each vote that
    decided a section, by the section's name; a section for which nobody cast a valid vote (`no_votes`) is missing in
    `content`.
    """

    kind: Literal["sections"] = "sections"
    aggregation: Aggregation
    requested: Aggregation
    content: JsonValue
    conflicts: list[MergeConflict] = Field(default_factory=list[MergeConflict])
    votes: Annotated[dict[str, VotingOutput], Field(exclude_if=is_empty)] = Field(
        default_factory=dict[str, VotingOutput]
    )
