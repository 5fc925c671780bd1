"""Ways to make one answer of the outputs of a map."""

from __future__ import annotations

from typing import Annotated, Any, Literal, Self, cast

from pydantic import Discriminator, Field, StringConstraints, Tag, ValidationInfo, model_validator

from shared.contracts.agent import AgentSpec
from shared.contracts.base import TRUSTED, Contract, by_name, misfit, repeated
from shared.token_estimate import estimated_input_tokens

USUAL_MAX_INPUT_TOKENS = 60_000
"""Fits a context of 128,000 tokens even where the estimate is half of what the model counts."""
MIN_ROOM_TOKENS = 1_000
"""What a call must have for material, besides the agent's instructions and schema."""

InputTokens = Annotated[int, Field(ge=2 * MIN_ROOM_TOKENS, le=10_000_000)]
FieldName = Annotated[str, StringConstraints(min_length=1, max_length=200)]
FieldNames = Annotated[list[FieldName], Field(min_length=1, max_length=200)]


class Reading(Contract):
    """`agent` reads map outputs, no call of more than about `max_input_tokens` (see `shared/token_estimate.py`)."""

    agent: AgentSpec
    max_input_tokens: InputTokens = USUAL_MAX_INPUT_TOKENS

    @model_validator(mode="after")
    def _has_room(self, info: ValidationInfo) -> Self:
        least = least_input_tokens(self.agent)
        if info.context is not TRUSTED and self.max_input_tokens < least:
            raise misfit(
                "max_input_tokens",
                f"the agent's instructions and schema leave a call no room to read in; give at least {least:,}",
            )
        return self


class TreeReduction(Reading):
    """Outputs are packed, in order, into as few calls as the budget allows; their answers again, until one is left.

    A call reads at most `max_fan_in` of them.
    """

    type: Literal["tree"] = "tree"
    max_fan_in: Annotated[int, Field(ge=2)] | None = None


class RefineReduction(Reading):
    """The first outputs give an answer; each call after that improves it with the next ones."""

    type: Literal["refine"] = "refine"


class ConcatenateReduction(Contract):
    """The outputs one after the other, under their documents' ids; parts under the names of their branches."""

    type: Literal["concatenate"] = "concatenate"


class MergeReduction(Contract):
    """Structured outputs joined field by field: lists one after the other, other values must agree or are a conflict.

    A conflict names branches: documents, or parts of them like `log+2`.
    Records (objects in lists) with the same value in the field `key` are one record. Numbers in the fields named in
    `sum`, at any depth, are added up.
    """

    type: Literal["merge"] = "merge"
    key: FieldName | None = None
    sum: Annotated[list[FieldName], Field(max_length=200)] = Field(default_factory=list[str])


class TableReduction(Contract):
    """The records of all outputs as text, one a line, the first column the document's id.

    Where documents are split, the second is the number of the part that a record is from.
    A record is an item of the list in the field `records`, or without that field's name the output itself. Columns
    are `columns`, or all fields in the order in which they first occur. `csv` is that of RFC 4180.
    """

    type: Literal["table"] = "table"
    format: Literal["jsonl", "csv"] = "jsonl"
    records: FieldName | None = None
    columns: FieldNames | None = None

    @model_validator(mode="after")
    def _names_columns_once(self) -> Self:
        if twice := repeated(self.columns or []):
            raise misfit("columns", f"columns must be unique; repeated: {', '.join(twice)}")
        return self


AnyReduction = TreeReduction | RefineReduction | ConcatenateReduction | MergeReduction | TableReduction
ReductionType = Literal["tree", "refine", "concatenate", "merge", "table"]


def _kind_of_reduction(value: object) -> object:
    if isinstance(value, dict):
        return cast(dict[str, Any], value).get("type", "agent")
    return getattr(value, "type", "agent")


Reduction = Annotated[
    Annotated[
        Annotated[AgentSpec, Tag("agent")]
        | Annotated[TreeReduction, Tag("tree")]
        | Annotated[RefineReduction, Tag("refine")]
        | Annotated[ConcatenateReduction, Tag("concatenate")]
        | Annotated[MergeReduction, Tag("merge")]
        | Annotated[TableReduction, Tag("table")],
        Discriminator(
            _kind_of_reduction,
            custom_error_type="reduction",
            custom_error_message="give an agent, or an object whose type is tree, refine, concatenate, merge or table",
        ),
    ],
    by_name("type"),
]
"""An agent, which reduces by a tree of the usual budget, or a way to reduce."""


def least_input_tokens(agent: AgentSpec) -> int:
    """The smallest budget of a call under which `agent` can read anything, in estimated tokens."""
    return estimated_input_tokens(agent, "") + MIN_ROOM_TOKENS


def usual_reduction(agent: AgentSpec) -> TreeReduction:
    """What an agent alone means: a tree whose calls have the usual budget, which the largest agent leaves room in."""
    return TreeReduction(agent=agent)
