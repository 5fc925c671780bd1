"""Schema answers: a value that is valid for a given JSON Schema, filled with what the material says.

A schema is worked on as a list of conjuncts, all of which must hold: `$ref` and `allOf` join the list, `anyOf`, `oneOf`
and `if` offer alternatives that are tried in order. Every step is a generator of candidates, the most fitting first,
so a candidate that the validator refuses (`not`, `oneOf`, patterns) gives way to the next one. Before all others come
the answers to a vote's ballot and to a judge's question, whose parts must agree with each other.
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator
from dataclasses import replace
from functools import lru_cache
from itertools import chain, islice
from typing import TYPE_CHECKING, Any

from local_host.offline.ballot_answers import vote
from local_host.offline.containers import arrays, objects
from local_host.offline.errors import ApiError
from local_host.offline.evidence import Evidence, Place
from local_host.offline.judgements import judgement
from local_host.offline.material import Material
from local_host.offline.scalars import Conjuncts, booleans, numbers, strings
from local_host.offline.told_bounds import with_told_bounds
from local_host.offline.words import word_set

if TYPE_CHECKING:
    from jsonschema.protocols import Validator

type Schema = Any

MAX_SAME_REF = 3
MAX_DEPTH = 40
MAX_STEPS = 20_000
CANDIDATES_A_NODE = 120
# Keywords that construction alone does not guarantee: nodes that use them are checked by the validator.
CHECKED_KEYWORDS = word_set(
    "enum const not oneOf if pattern format multipleOf exclusiveMinimum exclusiveMaximum minimum "
    "maximum uniqueItems contains minContains maxContains patternProperties propertyNames "
    "minProperties maxProperties dependentRequired dependentSchemas dependencies "
    "unevaluatedProperties unevaluatedItems additionalItems $dynamicRef"
)
INFERRED_TYPES: tuple[tuple[str, tuple[str, ...]], ...] = (
    (
        "object",
        ("properties", "required", "additionalProperties", "patternProperties", "minProperties", "propertyNames"),
    ),
    ("array", ("items", "prefixItems", "minItems", "uniqueItems", "contains")),
    ("string", ("minLength", "maxLength", "pattern", "format")),
    ("number", ("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf")),
)
ALL_TYPES = ("string", "object", "array", "integer", "number", "boolean", "null")


def fill_schema(schema: Schema, material: Material) -> Any:
    """A value valid for `schema`. ApiError 400 says that the schema is wrong, or that no value was found for it."""
    told = with_told_bounds(schema)
    if told != schema:
        # A caller's own description may tell bounds that nothing fits: then they are no bounds.
        with contextlib.suppress(ApiError):
            return _filled(told, material)
    return _filled(schema, material)


def _filled(schema: Schema, material: Material) -> Any:
    validator = _validator(json.dumps(schema))
    evidence = Evidence(material)
    filler = Filler(validator, evidence)
    thoughtful = (judgement(schema, material), vote(schema, evidence))
    filled = islice(filler.values([validator.schema], Place()), CANDIDATES_A_NODE)
    for value in chain((value for value in thoughtful if value is not None), filled):
        if filler.is_valid(validator.schema, value):
            return value
    raise _schema_error("no value was found that is valid for it. Check that its parts do not contradict each other")


class Filler:
    """Finds values for one schema; counts its steps, so that a maze of a schema ends."""

    def __init__(self, validator: Validator, evidence: Evidence) -> None:
        self.evidence = evidence
        self._validator = validator
        self._resolver = _resolver(json.dumps(validator.schema))
        self._steps = 0

    def values(self, schemas: list[Schema], place: Place) -> Iterator[Any]:
        """Candidates for a place at which all the schemas must hold; none at a dead end."""
        if place.depth > MAX_DEPTH:
            return
        for conjuncts, here in self._expand(schemas, [], place):
            checked = any(CHECKED_KEYWORDS & conjunct.keys() for conjunct in [*conjuncts, *_plain(schemas)])
            for value in islice(self._plain_values(conjuncts, here), CANDIDATES_A_NODE):
                self._step()
                if not checked or all(self.is_valid(schema, value) for schema in schemas):
                    yield value

    def is_valid(self, schema: Schema, value: Any) -> bool:
        """Whether the value is valid for a part of the schema."""
        return self._validator.evolve(schema=schema).is_valid(value)

    def _step(self) -> None:
        self._steps += 1
        if self._steps > MAX_STEPS:
            raise _schema_error(f"it needs more than {MAX_STEPS} steps to fill. Simplify its alternatives")

    def _expand(self, pending: list[Schema], done: Conjuncts, place: Place) -> Iterator[tuple[Conjuncts, Place]]:
        """Every way to read the schemas as a list of plain conjuncts, the natural one first."""
        self._step()
        if not pending:
            yield done, place
            return
        schema, *rest = pending
        if isinstance(schema, bool):
            if schema:
                yield from self._expand(rest, done, place)
            return
        if "$ref" in schema:
            ref = schema["$ref"]
            if place.refs.count(ref) >= MAX_SAME_REF:
                return
            here = replace(place, refs=(*place.refs, ref))
            yield from self._expand([self._lookup(ref), _without(schema, "$ref"), *rest], done, here)
            return
        for keyword, alternatives in _alternatives(schema):
            for parts in alternatives:
                yield from self._expand([*parts, _without(schema, *keyword), *rest], done, place)
            return
        yield from self._expand(rest, [*done, schema], place)

    def _lookup(self, ref: str) -> Schema:
        from referencing.exceptions import Unresolvable

        try:
            return self._resolver.lookup(ref).contents
        except Unresolvable as exc:
            raise _schema_error(f"'$ref' {ref!r} leads nowhere: refer to a place inside the schema") from exc

    def _plain_values(self, conjuncts: Conjuncts, place: Place) -> Iterator[Any]:
        listed = [c["enum"] for c in conjuncts if "enum" in c] + [[c["const"]] for c in conjuncts if "const" in c]
        if listed:
            yield from self._listed(min(listed, key=len), place)
            return
        for name in _types(conjuncts):
            if name == "object":
                yield from objects(conjuncts, place, self)
            elif name == "array":
                yield from arrays(conjuncts, place, self)
            elif name == "string":
                yield from strings(conjuncts, place, self.evidence)
            elif name in ("integer", "number"):
                yield from numbers(conjuncts, place, self.evidence, whole=name == "integer")
            elif name == "boolean":
                yield from booleans(place, self.evidence)
            else:
                yield None

    def _listed(self, options: list[Any], place: Place) -> Iterator[Any]:
        """Enumerated values, the material's choice first and null last."""
        said = [option for option in options if option is not None]
        if len(said) > 1:
            names = [option if isinstance(option, str) else json.dumps(option) for option in said]
            said = [said[index] for index in self.evidence.preferred(names, place)]
        yield from said
        if None in options:
            yield None


def _plain(schemas: list[Schema]) -> list[dict[str, Any]]:
    return [schema for schema in schemas if isinstance(schema, dict)]


def _alternatives(schema: dict[str, Any]) -> Iterator[tuple[tuple[str, ...], list[list[Schema]]]]:
    """The first keyword that joins or offers schemas, and the lists of schemas that each way adds."""
    if "allOf" in schema:
        yield ("allOf",), [schema["allOf"]]
    elif "anyOf" in schema:
        yield ("anyOf",), [[branch] for branch in _null_last(schema["anyOf"])]
    elif "oneOf" in schema:
        yield ("oneOf",), [[branch] for branch in _null_last(schema["oneOf"])]
    elif "if" in schema:
        condition = schema["if"]
        yield (
            ("if", "then", "else"),
            [[condition, schema.get("then", True)], [{"not": condition}, schema.get("else", True)]],
        )
    elif "dependentSchemas" in schema:
        yield ("dependentSchemas",), [list(schema["dependentSchemas"].values()), []]


def _null_last(branches: list[Schema]) -> list[Schema]:
    return sorted(branches, key=lambda branch: isinstance(branch, dict) and branch.get("type") == "null")


def _without(schema: dict[str, Any], *keywords: str) -> Schema:
    left = {key: value for key, value in schema.items() if key not in keywords}
    return left or True


def _types(conjuncts: Conjuncts) -> list[str]:
    """The JSON types that every conjunct allows; those that the keywords speak of first, null last."""
    allowed: list[str] | None = None
    for conjunct in conjuncts:
        if "type" in conjunct:
            named = conjunct["type"] if isinstance(conjunct["type"], list) else [conjunct["type"]]
            wide = [*named, "integer"] if "number" in named and "integer" not in named else named
            allowed = wide if allowed is None else [name for name in allowed if name in wide]
    spoken = [
        name
        for name, keywords in INFERRED_TYPES
        if any(keyword in conjunct for conjunct in conjuncts for keyword in keywords)
    ]
    order = [*spoken, *(allowed or ()), *ALL_TYPES]
    chosen = [name for name in dict.fromkeys(order) if allowed is None or name in allowed]
    return sorted(chosen, key=lambda name: name == "null")


@lru_cache(maxsize=256)
def _validator(schema_json: str) -> Validator:
    """The validator of a schema given as JSON. It never fetches: an outside `$ref` is an error."""
    from jsonschema.exceptions import SchemaError
    from jsonschema.validators import Draft202012Validator, validator_for
    from referencing import Registry

    schema = json.loads(schema_json)
    kind = validator_for(schema, default=Draft202012Validator)
    try:
        kind.check_schema(schema)
    except SchemaError as exc:
        raise _schema_error(f"at {exc.json_path}: {exc.message}") from exc
    return kind(schema, registry=Registry(), format_checker=kind.FORMAT_CHECKER)


@lru_cache(maxsize=256)
def _resolver(schema_json: str) -> Any:
    from referencing import Registry, Resource
    from referencing.jsonschema import DRAFT202012

    resource = Resource.from_contents(json.loads(schema_json), default_specification=DRAFT202012)
    registry = Registry().with_resource(resource.id() or "", resource)
    return registry.resolver(resource.id() or "")


def _schema_error(message: str) -> ApiError:
    return ApiError(400, f"Invalid schema for the response format: {message}.", code="invalid_json_schema")
