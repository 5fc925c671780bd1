from __future__ import annotations

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any

import pytest

from shared.schemas import (
    MAX_MESSAGE_CHARS,
    MAX_SCHEMA_BYTES,
    MAX_SCHEMA_DEPTH,
    check_output_schema,
    first_violation,
)


def an_object(**properties: Any) -> dict[str, Any]:
    return {"type": "object", "properties": properties}


def closed(**properties: Any) -> dict[str, Any]:
    return {**an_object(**properties), "required": list(properties), "additionalProperties": False}


@pytest.fixture
def remote() -> Iterator[tuple[str, list[str]]]:
    """A server of schemas, and the paths that were asked of it."""
    asked: list[str] = []

    class Recorder(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(self.path)
            self.send_response(200)
            self.end_headers()
            self.wfile.write(b'{"type": "string"}')

        def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the base class's name
            pass

    server = HTTPServer(("127.0.0.1", 0), Recorder)
    thread = threading.Thread(target=server.serve_forever, args=[0.01])
    thread.start()
    yield f"http://127.0.0.1:{server.server_address[1]}", asked
    server.shutdown()
    thread.join()
    server.server_close()


def test_the_recording_server_would_notice_a_fetch(remote: tuple[str, list[str]]) -> None:
    from urllib.request import urlopen

    url, asked = remote
    urlopen(f"{url}/schema").read()

    assert asked == ["/schema"]


REMOTE_SCHEMAS = [
    lambda url: an_object(a={"$ref": f"{url}/a"}),
    lambda url: an_object(a={"$dynamicRef": f"{url}/a"}),
    lambda url: an_object(a={"$ref": "#", "$dynamicRef": f"{url}/a"}),
    lambda url: {**an_object(a={"$ref": "other"}), "$id": f"{url}/root"},
    lambda url: {"type": "object", "allOf": [{"$ref": f"{url}/a#/x"}]},
]


@pytest.mark.parametrize("schema", REMOTE_SCHEMAS)
def test_a_remote_reference_is_rejected_and_never_fetched(schema: Any, remote: tuple[str, list[str]]) -> None:
    url, asked = remote

    with pytest.raises(ValueError, match=r"is not local: define it under|(\$dynamicRef|\$id) is not supported"):
        check_output_schema(schema(url))
    assert asked == []


@pytest.mark.parametrize("schema", REMOTE_SCHEMAS)
def test_validation_never_fetches_either(schema: Any, remote: tuple[str, list[str]]) -> None:
    url, asked = remote

    assert first_violation({"a": 1}, schema(url)) is not None
    assert asked == []


def test_dialects_are_not_fetched(remote: tuple[str, list[str]]) -> None:
    url, asked = remote
    schema = {**closed(a={"$ref": "#/$defs/a"}), "$defs": {"a": {"type": "string"}}, "$schema": f"{url}/dialect"}

    assert check_output_schema(schema) is schema
    assert first_violation({"a": "x"}, schema) is None
    assert first_violation({"a": 1}, schema) == "$.a: 1 is not of type 'string'"
    assert asked == []


@pytest.mark.parametrize(
    ("schema", "problem"),
    [
        ({}, 'root must have "type": "object"'),
        ({"type": "array"}, 'root must have "type": "object"'),
        ({"type": ["object", "null"]}, 'root must have "type": "object"'),
        (an_object(a={"type": "text"}), r"not a valid JSON Schema at \$.properties.a.type"),
        (an_object(a={"pattern": "("}), "RE2 syntax"),
        ({"type": "object", "patternProperties": {"[": {}}}, "patternProperties is not supported"),
        ({"type": "object", "required": "a"}, r"\$.required"),
        ({"type": "object", "minProperties": -1}, r"\$.minProperties"),
        (an_object(a={"$ref": "#/$defs/missing"}), "refers to no schema in the schema"),
        (an_object(a={"$ref": "#anchor"}), "refers to no schema in the schema"),
        (an_object(a={"maximum": float("inf")}), "a number is not finite"),
        (an_object(a={"description": "x" * MAX_SCHEMA_BYTES}), f"larger than {MAX_SCHEMA_BYTES} bytes"),
    ],
)
def test_a_schema_that_no_answer_can_be_held_to_is_rejected(schema: dict[str, Any], problem: str) -> None:
    with pytest.raises(ValueError, match=problem):
        check_output_schema(schema)


def nested(levels: int) -> dict[str, Any]:
    schema: dict[str, Any] = {"type": "object"}
    for _ in range(levels):
        schema = {"type": "object", "not": schema}
    return schema


def test_depth_is_bounded_to_the_level() -> None:
    assert check_output_schema(nested(MAX_SCHEMA_DEPTH))
    with pytest.raises(ValueError, match=f"deeper than {MAX_SCHEMA_DEPTH} levels"):
        check_output_schema(nested(MAX_SCHEMA_DEPTH + 1))


def test_a_long_message_about_a_schema_is_cut() -> None:
    with pytest.raises(ValueError) as caught:
        check_output_schema({"type": "object", "required": ["x" * 20_000, 1, *range(500)]})

    assert len(str(caught.value)) < MAX_MESSAGE_CHARS + 100


@pytest.mark.parametrize(
    "schema",
    [
        {"type": "object"},
        an_object(a={"$ref": "#"}),
        {**an_object(a={"$ref": "#node"}), "$defs": {"n": {"$anchor": "node", "type": "string"}}},
        an_object(**{"$ref": {"type": "string"}}),
        an_object(a={"type": ["string", "null"], "pattern": "^a+$", "format": "date"}),
        {"type": "object", "properties": {"a": True}, "if": {"required": ["a"]}, "then": {"minProperties": 2}},
    ],
)
def test_valid_schemas_are_accepted_as_they_are(schema: dict[str, Any]) -> None:
    assert check_output_schema(schema) is schema


def test_a_violation_says_where_and_what() -> None:
    schema = closed(items={"type": "array", "items": {"type": "integer", "minimum": 3}})

    assert first_violation({"items": [3, 4]}, schema) is None
    assert first_violation({"items": [3, 2]}, schema) == "$.items[1]: 2 is less than the minimum of 3"
    assert first_violation([], schema) == "$: [] is not of type 'object'"


def test_true_is_no_integer() -> None:
    assert first_violation({"a": True}, an_object(a={"type": "integer"})) is not None


def test_a_violation_does_not_quote_a_long_answer_whole() -> None:
    violation = first_violation({"a": "x" * 100_000}, an_object(a={"maxLength": 5}))

    assert violation is not None
    assert violation.startswith("$.a: 'xxx")
    assert len(violation) < MAX_MESSAGE_CHARS + 20


@pytest.mark.parametrize(
    ("schema", "value"),
    [
        ({"type": "object", "$ref": "#"}, {}),
        ({"type": "object", "allOf": [{"$ref": "#/$defs/a"}], "$defs": {"a": {"$ref": "#/$defs/a"}}}, {}),
        (an_object(a={"multipleOf": 0.1}), {"a": 10**400}),
    ],
)
def test_what_cannot_be_checked_is_a_violation_and_no_crash(schema: dict[str, Any], value: Any) -> None:
    assert check_output_schema(schema) is schema
    violation = first_violation(value, schema)

    assert violation is not None
    assert "cannot be checked" in violation


def bomb(levels: int) -> dict[str, Any]:
    """Each definition refers twice to the next: two to the power of `levels` checks."""
    steps = {f"d{n}": {"allOf": [{"$ref": f"#/$defs/d{n + 1}"}] * 2} for n in range(levels)}
    return {"type": "object", "$defs": {**steps, f"d{levels}": {"type": "object"}}, "allOf": [{"$ref": "#/$defs/d0"}]}


def test_a_check_that_multiplies_without_end_is_given_up() -> None:
    assert first_violation({}, check_output_schema(bomb(4))) is None
    assert "cannot be checked" in str(first_violation({}, check_output_schema(bomb(60))))


def test_a_pattern_that_backtracks_without_end_elsewhere_is_matched_at_once() -> None:
    schema = check_output_schema(an_object(a={"pattern": "^(a+)+$"}))
    assert first_violation({"a": "a" * 5_000}, schema) is None
    assert str(first_violation({"a": "a" * 5_000 + "!"}, schema)).startswith("$.a: ")


def test_many_items_are_found_unique_without_comparing_each_with_each() -> None:
    schema = check_output_schema(an_object(a={"uniqueItems": True}))
    items = [{"n": number} for number in range(20_000)]
    assert first_violation({"a": items}, schema) is None
    assert "non-unique" in str(first_violation({"a": [*items, {"n": 7}]}, schema))


@pytest.mark.parametrize(
    ("schema", "problem"),
    [
        (an_object(a={"pattern": "^(?!x)"}), "no look-around"),
        (an_object(a={"pattern": "a" * 501}), "longer than 500"),
        (an_object(a={"pattern": "(" * 400}), "RE2 syntax"),
        ({"type": "object", "required": ["a"], "properties": {"a": {"$ref": "#/required/0"}}}, "refers to no schema"),
        ({"type": "object", "minProperties": 1, "properties": {"a": {"$ref": "#/minProperties/x"}}}, "refers to no"),
    ],
)
def test_hostile_patterns_and_references_are_rejected(schema: dict[str, Any], problem: str) -> None:
    with pytest.raises(ValueError, match=problem):
        check_output_schema(schema)


def test_properties_may_be_called_like_keywords() -> None:
    schema = closed(pattern={"type": "string"}, patternProperties={"type": "string"})
    assert check_output_schema(schema) is schema
