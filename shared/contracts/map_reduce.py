"""Map-reduce: one agent per document, then a reduction."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import Field, JsonValue, ValidationInfo, model_validator

from shared.contracts.agent import AgentDefaults, AgentSpec
from shared.contracts.base import Contract, Name, Text, misfit, repeated
from shared.contracts.policy import RunPolicy, check_policy

MAX_DOCUMENTS = 1_000


class Document(Contract):
    """A document that comes with the request; its `id` names its branch."""

    id: Name
    content: Text


class MapReduceRequest(Contract):
    """`POST /api/map-reduce`: the `map` agent reads each document, the `reduce` agent all of its answers."""

    documents: Annotated[list[Document], Field(min_length=1, max_length=MAX_DOCUMENTS)]
    map: AgentSpec
    reduce: AgentSpec
    defaults: AgentDefaults = AgentDefaults()
    policy: RunPolicy = RunPolicy()

    @model_validator(mode="after")
    def _is_consistent(self, info: ValidationInfo) -> Self:
        if twice := repeated([document.id for document in self.documents]):
            raise misfit("documents", f"document ids must be unique; repeated: {', '.join(twice)}")
        check_policy(self.policy, len(self.documents), info)
        return self


class MapReduceOutput(Contract):
    """The reduction: text, or a value that fits the reduce agent's `output_schema`.

    `reduction` is `concatenate` when the reduce agent failed or its time was up: `content` then holds the map
    outputs as they are, by document id. `documents` are the ids that it rests on.
    """

    kind: Literal["reduction"] = "reduction"
    reduction: Literal["agent", "concatenate"]
    content: JsonValue
    documents: list[Name]
