"""JSON for a schema: valid for any schema that a value exists for, and filled with what the material says."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator
from jsonschema.validators import validator_for

from local_host.offline.answers import answer
from local_host.offline.asks import OutputFormat
from local_host.offline.errors import ApiError

THOUGHTFUL: dict[str, Any] = json.loads(Path(__file__).with_name("offline_schemas.json").read_text())
INCIDENT = """<document id="incident-7">
On 2026-03-04 the checkout service failed because the disk of the primary database was full. Engineers restarted the
database at 10:42. Customers saw 47 minutes of downtime. The alert on free disk space was never configured. Write to
ops@example.org about the follow-up. See https://status.example.org/incident/7 for the timeline. Ticket INC-2047
tracks it.
</document>"""


def filled(schema: Any, user_input: str = INCIDENT, instructions: str = "Extract the facts.") -> Any:
    """The answer for a schema, checked against it."""
    value = json.loads(answer(instructions, user_input, OutputFormat(kind="json_schema", name="x", schema=schema)))
    validator = validator_for(schema, default=Draft202012Validator)
    validator(schema, format_checker=validator.FORMAT_CHECKER).validate(value)
    return value


def object_of(**properties: Any) -> dict[str, Any]:
    return {
        "type": "object",
        "properties": properties,
        "required": list(properties),
        "additionalProperties": False,
    }


@st.composite
def string_schemas(draw: st.DrawFn) -> dict[str, Any]:
    schema: dict[str, Any] = {"type": "string"}
    if draw(st.booleans()):
        low = draw(st.integers(0, 300))
        schema |= {"minLength": low, "maxLength": low + draw(st.integers(0, 50))}
    elif draw(st.booleans()):
        formats = ["date", "date-time", "time", "email", "uri", "uuid", "ipv4", "ipv6", "hostname", "duration"]
        schema["format"] = draw(st.sampled_from(formats))
    elif draw(st.booleans()):
        patterns = [
            r"^[A-Z]{2,5}-\d+$",
            r"^\d{3}[a-f]*$",
            "disk|database",
            r"^(foo|bar)+\.?$",
            r"\w+@\w+",
            r"^[^aeiou]{4}$",
        ]
        schema["pattern"] = draw(st.sampled_from(patterns))
    return schema


@st.composite
def number_schemas(draw: st.DrawFn) -> dict[str, Any]:
    whole = draw(st.booleans())
    schema: dict[str, Any] = {"type": "integer" if whole else "number"}
    low = draw(st.integers(-1000, 1000))
    if draw(st.booleans()):
        schema[draw(st.sampled_from(["minimum", "exclusiveMinimum"]))] = low
    if draw(st.booleans()):
        schema[draw(st.sampled_from(["maximum", "exclusiveMaximum"]))] = low + draw(st.integers(2, 100))
    if draw(st.booleans()):
        schema["multipleOf"] = draw(
            st.sampled_from([1] if schema.keys() & {"maximum", "exclusiveMaximum"} else [1, 2, 5, 7])
        )
    return schema


def listed_schemas() -> st.SearchStrategy[dict[str, Any]]:
    scalars = st.one_of(st.none(), st.booleans(), st.integers(-5, 5), st.text(max_size=8))
    return st.one_of(
        st.lists(scalars, min_size=1, max_size=5, unique_by=repr).map(lambda options: {"enum": options}),
        scalars.map(lambda value: {"const": value}),
        st.just({"type": ["string", "null"]}),
        st.just({"type": "boolean"}),
        st.just({"type": "null"}),
        st.just({}),
        st.just(True),
    )


def container_schemas(inner: st.SearchStrategy[Any]) -> st.SearchStrategy[dict[str, Any]]:
    names = st.sampled_from(["summary", "title", "score", "findings", "count", "is_safe", "x", "größe", "date"])
    properties = st.dictionaries(names, inner, max_size=4)
    array = st.builds(
        lambda items, low, more: {"type": "array", "items": items, "minItems": low, "maxItems": low + more},
        inner,
        st.integers(0, 4),
        st.integers(0, 4),
    )
    unique = st.integers(0, 6).map(
        lambda low: {"type": "array", "items": {"type": "string"}, "uniqueItems": True, "minItems": low}
    )
    tuples = st.lists(inner, min_size=1, max_size=3).map(
        lambda parts: {"type": "array", "prefixItems": parts, "items": False, "minItems": len(parts)}
    )
    return st.one_of(
        st.builds(_object_schema, properties, st.booleans(), st.booleans()),
        inner.map(lambda value: {"type": "object", "additionalProperties": value, "minProperties": 1}),
        array,
        unique,
        tuples,
        st.lists(inner, min_size=1, max_size=3).map(lambda branches: {"anyOf": branches}),
        inner.map(lambda value: {"allOf": [value, True]}),
        inner.map(lambda value: {"$defs": {"part": value}, "type": "object", "properties": {"it": {"type": "string"}}}),
    )


def _object_schema(properties: dict[str, Any], closed: bool, all_required: bool) -> dict[str, Any]:
    schema: dict[str, Any] = {"type": "object", "properties": properties}
    if closed:
        schema["additionalProperties"] = False
    if all_required:
        schema["required"] = list(properties)
    return schema


def schemas() -> st.SearchStrategy[Any]:
    """Satisfiable schemas of every kind, nested."""
    leaves = st.one_of(string_schemas(), number_schemas(), listed_schemas())
    return st.recursive(leaves, container_schemas, max_leaves=12)


@settings(max_examples=400, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(schema=schemas(), user_input=st.sampled_from([INCIDENT, "", "<input>\n\n</input>", "a", "错误。数据库已满。"]))
def test_the_answer_to_any_satisfiable_schema_is_valid_for_it(schema: Any, user_input: str) -> None:
    filled(schema, user_input)


@settings(max_examples=100, deadline=None)
@given(schema=schemas(), text=st.text(max_size=300))
def test_any_text_at_all_can_fill_a_schema_and_does_so_in_one_way(schema: Any, text: str) -> None:
    assert filled(schema, text) == filled(schema, text)


@pytest.mark.parametrize("schema", THOUGHTFUL.values(), ids=THOUGHTFUL.keys())
def test_schemas_that_need_thought_get_a_valid_answer(schema: Any) -> None:
    filled(schema)


@pytest.mark.parametrize(
    "schema",
    [
        False,
        {"type": "string", "minLength": 5, "maxLength": 4},
        {"allOf": [{"type": "string"}, {"type": "integer"}]},
        {"type": "integer", "minimum": 5, "maximum": 4},
        {"type": "object", "properties": {"a": False}, "required": ["a"]},
        {"$defs": {"n": object_of(next={"$ref": "#/$defs/n"})}, "$ref": "#/$defs/n"},
        {"type": "nonsense"},
        {"$ref": "#/$defs/missing"},
        {"$ref": "https://example.com/schema.json"},
        {"type": "array", "items": {"type": "boolean"}, "uniqueItems": True, "minItems": 3},
    ],
    ids=json.dumps,
)
def test_a_schema_without_any_value_is_refused_rather_than_answered_wrongly(schema: Any) -> None:
    with pytest.raises(ApiError) as refusal:
        filled(schema)
    assert refusal.value.status == 400
    assert refusal.value.code == "invalid_json_schema"


def test_every_named_property_is_filled_though_it_is_optional() -> None:
    schema = {"type": "object", "properties": {"a": {"type": "string"}, "b": {"type": "integer"}}}
    assert filled(schema).keys() == {"a", "b"}


def test_fields_hold_what_the_material_says() -> None:
    value = filled(
        object_of(
            title={"type": "string", "maxLength": 60},
            summary={"type": "string"},
            day={"type": "string", "format": "date"},
            downtime_minutes={"type": "integer", "minimum": 0},
            contact={"type": "string", "format": "email"},
            link={"type": "string", "format": "uri"},
            ticket={"type": "string", "pattern": r"^INC-\d+$"},
            document_id={"type": "string"},
        )
    )
    assert value["day"] == "2026-03-04"
    assert value["downtime_minutes"] == 47
    assert value["contact"] == "ops@example.org"
    assert value["link"] == "https://status.example.org/incident/7"
    assert value["ticket"] == "INC-2047"
    assert value["document_id"] == "incident-7"
    assert value["title"] in " ".join(INCIDENT.split())
    assert "disk of the primary database was full" in value["summary"]


def test_items_of_a_list_tell_different_things_and_are_rated_each_by_its_own_words() -> None:
    text = (
        "<input>The login form builds SQL by concatenation, which allows injection attacks. "
        "The passwords are verified and encrypted with a tested library. "
        "An attacker can exploit the leaked admin password.</input>"
    )
    finding = object_of(evidence={"type": "string"}, severity={"enum": ["low", "medium", "high", "critical"]})
    value = filled(object_of(findings={"type": "array", "items": finding, "minItems": 3}), text)
    by_evidence = {item["evidence"]: item["severity"] for item in value["findings"]}
    assert len(by_evidence) == 3
    levels = ["low", "medium", "high", "critical"]
    safe = next(level for said, level in by_evidence.items() if "encrypted" in said)
    exploited = next(level for said, level in by_evidence.items() if "exploit" in said)
    assert levels.index(safe) < levels.index(exploited)


def test_a_boolean_follows_its_name() -> None:
    bad = "<input>The code is vulnerable to SQL injection and leaks the admin password.</input>"
    good = "<input>The code was reviewed, tested and approved. All inputs are validated.</input>"
    schema = object_of(is_vulnerable={"type": "boolean"}, approved={"type": "boolean"})
    assert filled(schema, bad) == {"is_vulnerable": True, "approved": False}
    assert filled(schema, good) == {"is_vulnerable": False, "approved": True}


def test_a_rating_is_better_for_better_material() -> None:
    schema = object_of(quality_score={"type": "integer", "minimum": 1, "maximum": 10})
    bad = filled(schema, "<input>The report is wrong, misleading and unverified.</input>")
    good = filled(schema, "<input>The report is accurate, verified and excellent.</input>")
    assert bad["quality_score"] < good["quality_score"]


def test_no_field_ever_shows_the_tags_of_the_prompt() -> None:
    value = filled({"type": "object", "properties": {"a": {"type": "string"}, "b": {"type": "array"}}})
    assert "<" not in json.dumps(value)


def test_a_json_object_without_a_schema_is_a_summary_with_key_points() -> None:
    value = json.loads(answer("Summarise as json.", INCIDENT, OutputFormat(kind="json_object")))
    assert "disk" in value["summary"]
    assert len(value["key_points"]) >= 2
