"""What a recipe takes from its callers: a contract of its own, made from its parameters."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Annotated, Any, Literal, cast

from pydantic import Field, JsonValue, StringConstraints, create_model

from shared.contracts.agent import AgentDefaults
from shared.contracts.ballots import Option
from shared.contracts.base import Contract, Text
from shared.contracts.extraction import Fields, schema_of
from shared.contracts.map_reduce import Document
from shared.contracts.policy import RunPolicy
from shared.contracts.recipe import (
    ChoiceParameter,
    DocumentsParameter,
    IntegerParameter,
    NumberParameter,
    Parameter,
    RecipeFile,
    StringParameter,
    StringsParameter,
    TextParameter,
)
from shared.contracts.storage import BlobSink, BlobSource
from shared.recipes.placeholders import Line, Material, Value

POLICY_TOLD = "Overrides this recipe's policy, field by field; what is left out stays as the recipe has it."
DEFAULTS_TOLD = "The model and its settings, for every agent of the run that does not state its own."
CALLBACK_TOLD = "Where the result is sent when the run has ended."


def body_contract(name: str, file: RecipeFile, request: type[Contract]) -> type[Contract]:
    """The contract of what `POST` takes: the parameters as fields, and beside them what every recipe takes.

    A field of `request` that this app knows and every recipe passes on, such as `callback_url`, has its type there.
    """
    fields = {_attribute(name): _field(name, parameter) for name, parameter in file.parameters.items()}
    fields["policy"] = (RunPolicy | None, Field(default=None, description=POLICY_TOLD))
    fields["defaults"] = (AgentDefaults | None, Field(default=None, description=DEFAULTS_TOLD))
    if callback := request.model_fields.get("callback_url"):
        fields["callback_url"] = (callback.rebuild_annotation(), Field(default=None, description=CALLBACK_TOLD))
    return cast(Any, create_model)(f"{name.title().replace('-', '')}Body", __base__=Contract, **fields)


def values_of(file: RecipeFile, given: Contract) -> dict[str, Value]:
    """The values of the parameters in a body; those that are absent are not there."""
    stated = {name: getattr(given, _attribute(name)) for name in file.parameters}
    return {name: _VALUES[file.parameters[name].type](value) for name, value in stated.items() if value is not None}


def titled(name: str) -> str:
    """A parameter's name as a form shows it."""
    return name.replace("_", " ").capitalize()


def _attribute(name: str) -> str:
    """A parameter may have a name that means something else to pydantic, such as `json` or `model_config`."""
    return f"parameter_{name}"


def _field(name: str, parameter: Parameter) -> tuple[Any, Any]:
    kind = _KINDS[parameter.type](parameter)
    examples = None if parameter.example is None else [parameter.example]
    told: dict[str, Any] = {"alias": name, "description": parameter.description, "examples": examples}
    if parameter.required:
        return kind, Field(**told)
    if parameter.default is not None:
        return kind, Field(default=parameter.default, validate_default=True, **told)
    return kind | None, Field(default=None, **told)


def _number(kind: type[float]) -> Callable[[IntegerParameter | NumberParameter], Any]:
    return lambda parameter: Annotated[kind, Field(ge=parameter.minimum, le=parameter.maximum)]


def _string(parameter: StringParameter) -> Any:
    return Annotated[Option, StringConstraints(max_length=parameter.max_chars)]


def _text(parameter: TextParameter) -> Any:
    return Annotated[Text, StringConstraints(max_length=parameter.max_chars)]


def _choice(parameter: ChoiceParameter) -> Any:
    return Literal[tuple(parameter.options)]


def _strings(parameter: StringsParameter) -> Any:
    return Annotated[list[Option], Field(min_length=parameter.min_items, max_length=parameter.max_items)]


def _documents(parameter: DocumentsParameter) -> Any:
    return Annotated[list[Document], Field(min_length=1, max_length=parameter.max_items)]


_KINDS: Mapping[str, Callable[[Any], Any]] = {
    "string": _string,
    "text": _text,
    "integer": _number(int),
    "number": _number(float),
    "boolean": lambda _: bool,
    "choice": _choice,
    "strings": _strings,
    "documents": _documents,
    "source": lambda _: BlobSource,
    "sink": lambda _: BlobSink,
    "fields": lambda _: Fields,
}
"""What a caller may give for a parameter of each type."""


def _as_it_is(value: Any) -> Value:
    return value


def _as_stated(value: Contract) -> JsonValue:
    return value.model_dump(mode="json", exclude_unset=True)


def _each_as_stated(values: list[Document]) -> JsonValue:
    return [_as_stated(value) for value in values]


_VALUES: Mapping[str, Callable[[Any], Value]] = {
    "string": Line,
    "text": Material,
    "integer": _as_it_is,
    "number": _as_it_is,
    "boolean": _as_it_is,
    "choice": _as_it_is,
    "strings": Material,
    "documents": _each_as_stated,
    "source": _as_stated,
    "sink": _as_stated,
    "fields": schema_of,
}
"""What takes the placeholder's place."""
