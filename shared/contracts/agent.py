"""What an agent is: its instructions, its model, and the shape of its answer."""

from __future__ import annotations

from typing import Annotated, Self

from pydantic import AfterValidator, Field, JsonValue, StringConstraints, ValidationInfo

from shared.contracts.base import TRUSTED, Contract, Instructions, Name
from shared.schemas import check_output_schema

ModelName = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9._:/@-]*$", max_length=128)]
Temperature = Annotated[float, Field(ge=0, le=2)]
MaxOutputTokens = Annotated[int, Field(ge=16, le=200_000)]


def _checked_unless_trusted(schema: dict[str, JsonValue], info: ValidationInfo) -> dict[str, JsonValue]:
    return schema if info.context is TRUSTED else check_output_schema(schema)


OutputSchema = Annotated[dict[str, JsonValue], AfterValidator(_checked_unless_trusted)]


class AgentDefaults(Contract):
    """Settings for every agent of a run that does not state its own."""

    model: ModelName | None = None
    temperature: Temperature | None = None
    max_output_tokens: MaxOutputTokens | None = None


class AgentSpec(Contract):
    """One agent. Without `model` it uses the app's; without `output_schema` it answers in text."""

    name: Name = "agent"
    instructions: Instructions
    model: ModelName | None = None
    temperature: Temperature | None = None
    max_output_tokens: MaxOutputTokens | None = None
    output_schema: OutputSchema | None = None

    def with_defaults(self, defaults: AgentDefaults) -> Self:
        """The agent, with settings from `defaults` that it does not state."""
        missing = {field: value for field, value in defaults if value is not None and getattr(self, field) is None}
        return self.model_copy(update=missing) if missing else self
