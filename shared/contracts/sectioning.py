"""Sectioning: a task split into independent sections, one focused agent each."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import Field, JsonValue, ValidationInfo, model_validator

from shared.contracts.agent import AgentDefaults, AgentSpec
from shared.contracts.base import MAX_RUN_CHARS, Contract, Instructions, Name, Text, misfit, repeated
from shared.contracts.callback import CallbackUrl
from shared.contracts.policy import RunPolicy, check_policy

MAX_SECTIONS = 200

Aggregation = Literal["synthesize", "concatenate", "merge"]


class Section(Contract):
    """One part of the task: `instructions` for an ordinary agent, or a whole `agent`.

    Without its own `input` a section works on the request's.
    """

    name: Name
    instructions: Instructions | None = None
    agent: AgentSpec | None = None
    input: Text | None = None

    @model_validator(mode="after")
    def _has_one_agent(self) -> Self:
        if (self.instructions is None) == (self.agent is None):
            raise misfit("instructions", "give the section either 'instructions' or an 'agent', and not both")
        return self

    def spec(self, defaults: AgentDefaults) -> AgentSpec:
        """The section's agent, with the run's defaults."""
        agent = self.agent or AgentSpec(name=self.name, instructions=self.instructions or "")
        return agent.with_defaults(defaults)


class SectioningRequest(Contract):
    """`POST /api/sectioning`.

    `synthesize` has one more agent write a single answer from the sections, `concatenate` puts their texts
    under their names, `merge` joins their structured outputs field by field.
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
        material = sum(len(section.input or self.input) for section in self.sections)
        if material > MAX_RUN_CHARS:
            raise misfit(
                "input",
                f"the sections' inputs have {material:,} characters together (the request's input counts for each "
                f"section that uses it); at most {MAX_RUN_CHARS:,} are accepted",
            )
        check_policy(self.policy, len(self.sections), info)
        return self


class MergeConflict(Contract):
    """A place where branches gave different values; `kept` names the branch whose value stands."""

    path: str
    kept: str
    values: dict[str, JsonValue]


class SectioningOutput(Contract):
    """The sections as one answer.

    `aggregation` is what was done; it differs from `requested` when the synthesis failed or its time was up,
    and the sections are given as they are instead.
    """

    kind: Literal["sections"] = "sections"
    aggregation: Aggregation
    requested: Aggregation
    content: JsonValue
    conflicts: list[MergeConflict] = Field(default_factory=list[MergeConflict])
