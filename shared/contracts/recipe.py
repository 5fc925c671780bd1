"""Recipes: ready requests with parameters, as their files have them and as the API tells of them."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import Field, JsonValue, StringConstraints, model_validator

from shared.contracts.ballots import Option
from shared.contracts.base import MAX_TEXT_CHARS, Contract, misfit
from shared.contracts.map_reduce import MAX_DOCUMENTS
from shared.contracts.run import Pattern

RESERVED = ("policy", "defaults", "callback_url")
"""Fields of the body that stand beside the parameters, whatever the recipe."""
MAX_PARAMETERS = 40
MAX_STRINGS = 50
MAX_SHORT_CHARS = 200

ParameterName = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]*$", max_length=40)]
Told = Annotated[str, StringConstraints(min_length=1, max_length=2_000, pattern=r"\S")]
Title = Annotated[str, StringConstraints(min_length=1, max_length=100, pattern=r"\S")]


class ParameterBase(Contract):
    """What all parameters share. One with a `default` is never absent; else it is `required`, or may be left out.

    What hangs on an absent one is left out of the request. The examples together are the recipe's example; they and
    the defaults are checked like a caller's values.
    """

    description: Told
    required: bool = False
    default: JsonValue = None
    example: JsonValue = None

    @model_validator(mode="after")
    def _is_consistent(self) -> Self:
        if self.required and self.default is not None:
            raise misfit("default", "a required parameter has no use for a default; leave out one of the two")
        if self.required and self.example is None:
            raise misfit("example", "a required parameter needs an example, with which the recipe is checked")
        return self


class StringParameter(ParameterBase):
    """One short line. It may stand inside instructions, in quotation marks."""

    type: Literal["string"]
    max_chars: Annotated[int, Field(ge=1, le=MAX_SHORT_CHARS)] = MAX_SHORT_CHARS


class TextParameter(ParameterBase):
    """Material of any length, for the fields that prompts delimit as data, and no others."""

    type: Literal["text"]
    max_chars: Annotated[int, Field(ge=1, le=MAX_TEXT_CHARS)] = MAX_TEXT_CHARS


class IntegerParameter(ParameterBase):
    """A whole number within bounds, both included."""

    type: Literal["integer"]
    minimum: int
    maximum: int

    @model_validator(mode="after")
    def _has_a_range(self) -> Self:
        if self.minimum > self.maximum:
            raise misfit("maximum", f"maximum is {self.maximum}; it must not be below minimum, {self.minimum}")
        return self


class NumberParameter(ParameterBase):
    """A number within bounds, both included."""

    type: Literal["number"]
    minimum: float
    maximum: float

    @model_validator(mode="after")
    def _has_a_range(self) -> Self:
        if self.minimum > self.maximum:
            raise misfit("maximum", f"maximum is {self.maximum}; it must not be below minimum, {self.minimum}")
        return self


class BooleanParameter(ParameterBase):
    """True or false."""

    type: Literal["boolean"]


class ChoiceParameter(ParameterBase):
    """One of the `options`."""

    type: Literal["choice"]
    options: Annotated[list[Option], Field(min_length=2, max_length=MAX_STRINGS)]


class StringsParameter(ParameterBase):
    """A list of short lines, for a ballot's options and for material."""

    type: Literal["strings"]
    min_items: Annotated[int, Field(ge=1, le=MAX_STRINGS)] = 1
    max_items: Annotated[int, Field(ge=1, le=MAX_STRINGS)] = MAX_STRINGS


class DocumentsParameter(ParameterBase):
    """Documents that come with the request, each with its `id` and `content`."""

    type: Literal["documents"]
    max_items: Annotated[int, Field(ge=1, le=MAX_DOCUMENTS)] = MAX_DOCUMENTS


class SourceParameter(ParameterBase):
    """Documents in Blob Storage, as the field `source` of a map-reduce."""

    type: Literal["source"]


class SinkParameter(ParameterBase):
    """Where in Blob Storage results go, as the field `sink` of a map-reduce."""

    type: Literal["sink"]


class FieldsParameter(ParameterBase):
    """Fields that the caller wants extracted, by name: it becomes the JSON Schema of a record."""

    type: Literal["fields"]


Parameter = Annotated[
    StringParameter
    | TextParameter
    | IntegerParameter
    | NumberParameter
    | BooleanParameter
    | ChoiceParameter
    | StringsParameter
    | DocumentsParameter
    | SourceParameter
    | SinkParameter
    | FieldsParameter,
    Field(discriminator="type"),
]


class RecipeFile(Contract):
    """A file `recipes/NAME.toml`: a pattern's request with `{{parameter}}` in the place of values."""

    title: Title
    description: Told
    pattern: Pattern
    parameters: Annotated[dict[ParameterName, Parameter], Field(min_length=1, max_length=MAX_PARAMETERS)]
    request: dict[str, JsonValue]

    @model_validator(mode="after")
    def _reserves_names(self) -> Self:
        for name in RESERVED:
            if name in self.parameters:
                raise misfit(f"parameters.{name}", f"every recipe takes {name!r} already; choose another name")
        return self


class RecipeSummary(Contract):
    """A recipe in the list. A `broken` one has the `reason`; what of the rest can be read is there all the same."""

    name: str
    title: str | None = None
    description: str | None = None
    pattern: Pattern | None = None
    status: Literal["ok", "broken"] = "ok"
    reason: str | None = None


class RecipeList(Contract):
    """`GET /api/recipes`, in the order of the names."""

    recipes: list[RecipeSummary]


class RecipeDetails(Contract):
    """`GET /api/recipes/{name}`.

    `input_schema` is the JSON Schema (2020-12) of what `POST` takes, `example` a body that it takes. `output_schema`
    is that of the value at `output_path` of the result, where that is structured and the agents keep to it; it is
    the one of the example where it depends on parameters.
    """

    name: str
    title: str
    description: str
    pattern: Pattern
    input_schema: dict[str, JsonValue]
    output_path: str
    output_schema: dict[str, JsonValue] | None = None
    example: dict[str, JsonValue]
