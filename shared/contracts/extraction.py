"""Fields that a caller wants extracted from documents, and the JSON Schema that holds an agent to them."""

from __future__ import annotations

from typing import Annotated, Any, Literal, Self, cast, get_args

from pydantic import Field, GetJsonSchemaHandler, JsonValue, StringConstraints, model_validator

from shared.contracts.ballots import Option
from shared.contracts.base import Contract, by_name, misfit

MAX_FIELDS = 50

FieldKind = Literal["text", "number", "integer", "boolean", "date", "choice", "list"]
DATE = r"^\d{4}-\d{2}-\d{2}$"


class ExtractedField(Contract):
    """One field: its type, what it means, and the `options` of a choice. Its type alone will do."""

    type: FieldKind
    description: Annotated[str, StringConstraints(min_length=1, max_length=500, pattern=r"\S")] | None = None
    options: Annotated[list[Option], Field(min_length=1, max_length=50)] | None = None

    @model_validator(mode="after")
    def _has_options_if_a_choice(self) -> Self:
        if (self.type == "choice") != (self.options is not None):
            raise misfit("options", "a field of type 'choice' needs options, and no other field has them")
        return self


class _OrItsType:
    """Tells in the JSON Schema that a field may be written as its type alone."""

    @classmethod
    def __get_pydantic_json_schema__(cls, core_schema: Any, handler: GetJsonSchemaHandler) -> dict[str, Any]:
        short = [kind for kind in get_args(FieldKind) if kind != "choice"]
        return {"anyOf": [{"type": "string", "enum": short}, handler(core_schema)]}


FieldKey = Annotated[str, StringConstraints(pattern=r"^[A-Za-z][A-Za-z0-9_]*$", max_length=60)]
Fields = Annotated[
    dict[FieldKey, Annotated[ExtractedField, by_name("type"), _OrItsType]],
    Field(min_length=1, max_length=MAX_FIELDS),
]


def schema_of(fields: dict[str, ExtractedField]) -> dict[str, JsonValue]:
    """The schema of one record: all fields are there, and null where the material does not say.

    Closed and complete, so that the service's strict mode takes it. A list is empty instead of null.
    """
    return {
        "type": "object",
        "properties": {name: _schema(field) for name, field in fields.items()},
        "required": list(fields),
        "additionalProperties": False,
    }


def _schema(field: ExtractedField) -> dict[str, JsonValue]:
    told: dict[str, JsonValue] = {"description": field.description} if field.description else {}
    match field.type:
        case "choice":
            return {"type": ["string", "null"], "enum": [*(field.options or []), None], **told}
        case "date":
            return {"type": ["string", "null"], "pattern": DATE, **told}
        case "list":
            return {"type": "array", "items": {"type": "string"}, **told}
        case "text":
            return {"type": ["string", "null"], **told}
        case kind:
            return {"type": cast(JsonValue, [kind, "null"]), **told}
