"""The JSON Schemas of all bodies, made from the contracts that check and write them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, cast

from pydantic.json_schema import GenerateJsonSchema, JsonSchemaMode, JsonSchemaValue, models_json_schema
from pydantic_core.core_schema import BeforeValidatorFunctionSchema

from shared.contracts.base import Contract, SpelledOut
from shared.openapi.operation import Operation
from shared.openapi.wording import meaning_of, summary_of, title_of

Schema = dict[str, Any]
REFERENCE = "#/components/schemas/"
SHORT_FORM = "x-short-form"
UNTYPED = "JsonValue"
OF_HISTORY: Mapping[str, str] = {"MapReduceRequest": "chunks"}
"""Fields that no caller may give."""


class ContractSchemas(GenerateJsonSchema):
    """pydantic's schemas, with a mark where a caller may write one field in the place of an object."""

    def function_before_schema(self, schema: BeforeValidatorFunctionSchema) -> JsonSchemaValue:
        """The schema behind a validator that sees the value first."""
        inner = super().function_before_schema(schema)
        function: object = schema["function"]["function"]
        if self.mode == "validation" and isinstance(function, SpelledOut):
            return {**inner, SHORT_FORM: function.field}
        return inner


def schemas_of(operations: Sequence[Operation], *further: type[Contract]) -> dict[str, Schema]:
    """The schemas of all requests and answers, and those that they refer to, by their names.

    Requests have no other properties than those told; an answer may get more in a later version.
    """
    asked = [operation.request for operation in operations if operation.request]
    told = [answer.contract for operation in operations for answer in operation.answers if answer.contract]
    inputs: list[tuple[type[Contract], JsonSchemaMode]] = [(contract, "validation") for contract in asked]
    outputs: list[tuple[type[Contract], JsonSchemaMode]] = [
        (contract, "serialization") for contract in [*told, *further]
    ]
    contracts = list(dict.fromkeys([*inputs, *outputs]))
    template = REFERENCE + "{model}"
    _, made = models_json_schema(contracts, ref_template=template, schema_generator=ContractSchemas)
    schemas: dict[str, Schema] = made["$defs"]
    for name, field in OF_HISTORY.items():
        del schemas[name]["properties"][field]
    closed = reachable(schemas, [contract.__name__ for contract in asked])
    named = reachable(schemas, [contract.__name__ for contract, _ in contracts]) - {UNTYPED}
    return {name: _told(name, schemas[name], schemas, closed=name in closed) for name in sorted(named)}


def reachable(schemas: Mapping[str, Schema], names: Sequence[str], prefix: str = REFERENCE) -> set[str]:
    """The schemas of these names, and all that they refer to."""
    found: set[str] = set()
    waiting = list(names)
    while waiting:
        name = waiting.pop()
        if name not in found and name in schemas:
            found.add(name)
            waiting += [str(part["$ref"]).removeprefix(prefix) for part in parts_of(schemas[name]) if "$ref" in part]
    return found


def parts_of(schema: object) -> Iterator[Schema]:
    """Every object in a schema, itself included."""
    if isinstance(schema, dict):
        told = cast(Schema, schema)
        yield told
        for value in told.values():
            yield from parts_of(value)
    elif isinstance(schema, list):
        for item in cast(list[Any], schema):
            yield from parts_of(item)


def _told(name: str, schema: Schema, schemas: Mapping[str, Schema], *, closed: bool) -> Schema:
    """A contract's schema in the words of the API."""
    properties: dict[str, Schema] = schema.get("properties", {})
    told: Schema = {"title": title_of_contract(name), "type": "object"}
    if "description" in schema:
        told["description"] = summary_of(name, schema["description"])
    told["properties"] = {field: _property(name, field, each, schemas) for field, each in properties.items()}
    tags = [field for field, each in properties.items() if "const" in each]
    if required := [field for field in properties if field in {*schema.get("required", []), *tags}]:
        told["required"] = required
    if closed:
        told["additionalProperties"] = schema.get("additionalProperties", True)
    return told


def title_of_contract(name: str) -> str:
    """`RunResult` is `Run result`."""
    return title_of("".join(f"_{letter}" if letter.isupper() else letter for letter in name).removeprefix("_"))


def _property(contract: str, field: str, schema: Schema, schemas: Mapping[str, Schema]) -> Schema:
    plain = cast(Schema, _plain(schema, schemas))
    told: Schema = {"title": title_of(field)}
    if meaning := meaning_of(contract, field):
        told["description"] = meaning
    return {**told, **plain}


def _plain(schema: object, schemas: Mapping[str, Schema]) -> object:
    """A schema without titles, and without defaults that say nothing; what may be written short, both ways."""
    if isinstance(schema, list):
        return [_plain(item, schemas) for item in cast(list[Any], schema)]
    if not isinstance(schema, dict):
        return schema
    given = cast(Schema, schema)
    if given.get("$ref") == REFERENCE + UNTYPED:
        return {}
    silent = _says_nothing(given.get("default"))
    kept = {
        key: _plain(value, schemas)
        for key, value in given.items()
        if key not in {"title", SHORT_FORM} and not (key == "default" and (silent or "const" in given))
    }
    if SHORT_FORM in given:
        return {"anyOf": [short_form(kept, given[SHORT_FORM], schemas), kept]}
    return _flat(kept)


def _flat(schema: Schema) -> Schema:
    """The alternatives of alternatives are alternatives, and several lists of texts are one list."""
    if "anyOf" not in schema:
        return schema
    flat: list[Schema] = []
    for each in schema["anyOf"]:
        flat += each["anyOf"] if each.keys() == {"anyOf"} else [each]
    if all("enum" in each or "const" in each for each in flat):
        values = [value for each in flat for value in each.get("enum", [each.get("const")])]
        return {**{key: value for key, value in schema.items() if key != "anyOf"}, "type": "string", "enum": values}
    return {**schema, "anyOf": flat}


def _says_nothing(default: object) -> bool:
    return default is None or isinstance(default, dict)


def short_form(schema: Schema, field: str, schemas: Mapping[str, Schema]) -> Schema:
    """What may stand for an object: the value of its `field`, of those objects that need no other."""
    if "$ref" in schema:
        return cast(Schema, _plain(_resolved(schema, schemas)["properties"][field], schemas))
    members = [_resolved(member, schemas) for member in schema["oneOf"]]
    names = [
        member["properties"][field]["const"]
        for member in members
        if "const" in member.get("properties", {}).get(field, {}) and not {*member.get("required", [])} - {field}
    ]
    return {"type": "string", "enum": names}


def _resolved(schema: Schema, schemas: Mapping[str, Schema]) -> Schema:
    return schemas[str(schema["$ref"]).removeprefix(REFERENCE)]
