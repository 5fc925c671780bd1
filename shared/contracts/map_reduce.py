"""Map-reduce: one agent per document, then a reduction."""

from __future__ import annotations

from typing import Annotated, Any, Literal, Self, cast

from pydantic import Field, JsonValue, ValidationInfo, model_validator

from shared.contracts.agent import AgentDefaults, AgentSpec
from shared.contracts.base import TRUSTED, Contract, Name, Text, misfit, repeated
from shared.contracts.branch import BranchName
from shared.contracts.policy import RunPolicy, check_policy
from shared.contracts.reduction import (
    AnyReduction,
    MergeReduction,
    Reduction,
    ReductionType,
    TableReduction,
    usual_reduction,
)
from shared.contracts.sectioning import MergeConflict

MAX_DOCUMENTS = 1_000


class Document(Contract):
    """A document that comes with the request; its `id` names its branch."""

    id: Name
    content: Text


class MapReduceRequest(Contract):
    """`POST /api/map-reduce`: the `map` agent reads each document, `reduce` makes one answer of all of its outputs.

    `reduce` is a way to reduce, or an agent alone, which reads all outputs in one call if they fit.
    """

    documents: Annotated[list[Document], Field(min_length=1, max_length=MAX_DOCUMENTS)]
    map: AgentSpec
    reduce: Reduction
    defaults: AgentDefaults = AgentDefaults()
    policy: RunPolicy = RunPolicy()

    @model_validator(mode="after")
    def _is_consistent(self, info: ValidationInfo) -> Self:
        if twice := repeated([document.id for document in self.documents]):
            raise misfit("documents", f"document ids must be unique; repeated: {', '.join(twice)}")
        if info.context is not TRUSTED:
            check_fields(self.map, self.reduction)
        check_policy(self.policy, len(self.documents), info)
        return self

    @property
    def reduction(self) -> AnyReduction:
        """The way to reduce."""
        return usual_reduction(self.reduce) if isinstance(self.reduce, AgentSpec) else self.reduce


def check_fields(agent: AgentSpec, reduction: AnyReduction) -> None:
    """Raise the misfit of a reduction by fields that the outputs of the map `agent` do not have."""
    if not isinstance(reduction, MergeReduction | TableReduction):
        return
    if agent.output_schema is None:
        reason = "joins fields, and text has none; give the map agent an output_schema, or choose 'concatenate'"
        raise misfit("reduce", f"{reduction.type!r} {reason}")
    field = reduction.records if isinstance(reduction, TableReduction) else None
    properties = agent.output_schema.get("properties")
    if field is None or not isinstance(properties, dict) or agent.output_schema.keys() & COMBINED:
        return
    if field not in properties:
        raise misfit("reduce.records", f"the map agent's output_schema has no property {field!r}")
    kind = cast(dict[str, Any], properties)[field]
    if isinstance(kind, dict) and isinstance(named := cast(dict[str, Any], kind).get("type"), str) and named != "array":
        raise misfit("reduce.records", f"{field!r} is of type {named!r} in the map agent's output_schema, and no array")


COMBINED = {"$ref", "allOf", "anyOf", "oneOf"}
"""Where a schema has these, its `properties` are not all that it says of an object's fields."""


class MapReduceOutput(Contract):
    """The reduction: text, or a value that fits the reduce agent's `output_schema`.

    `reduction` is what was done: `agent` one call that read everything, `tree` calls on several levels. It differs from
    `requested` when no call gave an answer that rests on all others, or their time was up: `concatenate` then has what
    there is, answers of lower levels in the place of the outputs that they rest on.
    `documents` are the ids that it rests on; those in `unreduced` have outputs that are not part of it, or not as a
    whole, because the call that read them failed, or (`table`) the output has no list of records.
    `calls_per_level` starts with the calls that read map outputs, and its length is the depth; the calls of `refine`
    are a level each. `clipped` names the calls whose answers were cut, being too long for the next call's budget.
    `conflicts` are those of `merge`.
    """

    kind: Literal["reduction"] = "reduction"
    reduction: Literal["agent"] | ReductionType
    requested: ReductionType = "tree"
    content: JsonValue
    documents: list[Name]
    unreduced: list[Name] = Field(default_factory=list[str])
    calls_per_level: list[int] = Field(default_factory=list[int])
    clipped: list[BranchName] = Field(default_factory=list[str])
    conflicts: list[MergeConflict] = Field(default_factory=list[MergeConflict])
