from __future__ import annotations

import json
from typing import Any

import pytest
from pydantic import ValidationError

from shared.contracts.map_reduce import MapReduceRequest
from shared.contracts.sectioning import SectioningRequest
from shared.contracts.voting import VotingRequest
from triggers.problems import MAX_MESSAGE_CHARS, UNION_TAGS, followed, from_validation


@pytest.mark.parametrize(
    ("location", "body", "path"),
    [
        ((), {}, "$"),
        (("a",), {}, "a"),
        (("a", "b"), {"a": {}}, "a.b"),
        (("a", 0, "b"), {"a": [{}]}, "a[0].b"),
        (("a", 0, 1), {"a": [[1, 2]]}, "a[0][1]"),
        ((0,), [1], "[0]"),
        (("voters", "jury", 1, "name"), {"voters": [{}, {}]}, "voters[1].name"),
        (("voters", "count"), {"voters": "x"}, "voters"),
        (("voters", "count"), {"voters": {"count": 1}}, "voters"),
        (("voters", "plan", "plan"), {"voters": {"plan": 1}}, "voters.plan"),
        (("voters", "plan", "jury", 1, "name"), {"voters": {"jury": [{}, {}]}}, "voters.jury[1].name"),
        (("rule", "veto", "answer", "text"), {"rule": {"answer": ""}}, "rule.answer"),
        (("stop", "confident", "level"), {"stop": {"level": 1}}, "stop.level"),
        (("ballot", "choice", "choice"), {"ballot": {"choice": 1}}, "ballot.choice"),
        (("ballot", "choice", "options"), {"ballot": {"choice": []}}, "ballot.options"),
        (("count",), {"count": 1}, "count"),
        (("schema", "dict", "max", "float"), {"schema": {"max": 1.0}}, "schema.max"),
        (("a", "b"), None, "$"),
    ],
)
def test_a_location_becomes_a_path_into_the_body(location: tuple[Any, ...], body: Any, path: str) -> None:
    assert followed(location, body)[0] == path


def told(**fields: Any) -> list[tuple[str, str]]:
    """The fields of a voting request that a caller is told, and what."""
    body = {"question": "Is it safe?", **fields}
    with pytest.raises(ValidationError) as caught:
        VotingRequest.model_validate_json(json.dumps(body), strict=True)
    return [(error.path, error.message) for error in from_validation(caught.value, body).errors]


RULES = ", ".join(map(repr, UNION_TAGS["rule"]))
BALLOTS = ", ".join(map(repr, UNION_TAGS["ballot"]))
CHOICE: dict[str, Any] = {"type": "choice", "options": ["a", "b"]}


@pytest.mark.parametrize(
    ("fields", "path", "message"),
    [
        ({"rule": "mayority"}, "rule", f"'mayority' is none of {RULES}"),
        ({"rule": {"type": "mayority"}}, "rule.type", f"'mayority' is none of {RULES}"),
        ({"rule": {}}, "rule.type", f"say which: {RULES}"),
        ({"rule": "veto"}, "rule", "this takes 'answer' too: spell it out as an object"),
        ({"rule": {"type": "veto"}}, "rule.answer", "Field required"),
        ({"rule": {"type": "veto", "answer": {"text": 1}}}, "rule.answer", "give a text, or true or false"),
        ({"rule": {"type": "veto", "answer": ""}}, "rule.answer", "String should have at least 1 character"),
        ({"rule": {"type": "median", "median": 1}}, "rule.median", "Extra inputs are not permitted"),
        ({"stop": "soon"}, "stop", "'soon' is none of 'fixed', 'decided', 'confident'"),
        ({"stop": {"type": "confident", "level": 1}}, "stop.level", "Input should be less than 1"),
        ({"ballot": {"type": "rank"}}, "ballot.type", f"'rank' is none of {BALLOTS}"),
        ({"ballot": {"options": ["a", "b"]}}, "ballot.type", f"say which: {BALLOTS}"),
        ({"ballot": {**CHOICE, "choice": 1}}, "ballot.choice", "Extra inputs are not permitted"),
        ({"ballot": {**CHOICE, "options": ["a", 2]}}, "ballot.options[1]", "Input should be a valid string"),
        (
            {"ballot": {**CHOICE, "options": ["a", "A"]}},
            "ballot.options",
            "options must differ in more than case, space and punctuation: a",
        ),
        ({"ballot": {"type": "score", "criteria": ["+"]}}, "ballot.criteria[0]", "needs a letter or a digit"),
        ({"voters": {"max": 0}}, "voters.max", "Input should be greater than or equal to 1"),
        ({"voters": {}}, "voters.max", "say how many voters are asked at most"),
        ({"voters": {"max": 1, "plan": 1}}, "voters.plan", "Extra inputs are not permitted"),
        ({"voters": [{"name": "a"}, {"nam": "b"}]}, "voters[1].nam", "Extra inputs are not permitted"),
        ({"voters": {"jury": [{"name": ""}]}}, "voters.jury[0].name", "String should have at least 1 character"),
        (
            {"voters": {"jury": [{"name": "a"}, {"name": "a"}]}},
            "voters.jury",
            "voters must have unique names; give each a 'name' of its own; repeated: a",
        ),
        (
            {"ballot": CHOICE, "rule": {"type": "veto", "answer": "c"}},
            "rule.answer",
            "'c' is none of the ballot's options",
        ),
        ({"x": 1}, "x", "Extra inputs are not permitted"),
    ],
)
def test_a_problem_names_the_field_as_the_caller_wrote_it(fields: dict[str, Any], path: str, message: str) -> None:
    assert told(**fields) == [(path, message)]


@pytest.mark.parametrize(
    "fields",
    [
        {"rule": "x" * 1_000_000},
        {"rule": {"type": ["x"] * 200_000}},
        {"x" * 1_000_000: 1},
        {"ballot": {"type": "choice", "options": ["x"] * 300_000}},
        {"ballot": {"type": "boolean"}, "rule": {"type": "veto", "answer": True, "count": 10**4_000}},
        {"voters": [{"name": f"{number % 100:060}"} for number in range(200)]},
    ],
    ids=["name", "type", "key", "options", "number", "names"],
)
def test_a_problem_with_a_megabyte_is_told_in_short(fields: dict[str, Any]) -> None:
    [(path, message)] = told(**fields)

    assert len(path) <= MAX_MESSAGE_CHARS + 1
    assert len(message) <= MAX_MESSAGE_CHARS + 1


@pytest.mark.parametrize("body", ["[" * 150 + "]" * 150, '{"type": ' + "[" * 150 + "]" * 150 + "}"])
@pytest.mark.parametrize("field", ["rule", "stop", "ballot", "voters"])
def test_a_deeply_nested_field_is_a_problem_and_no_crash(field: str, body: str) -> None:
    assert all(path.startswith(field) for path, _ in told(**{field: json.loads(body)}))


def unions_in(schema: Any) -> dict[str, set[str]]:
    """Every field, at any depth of pydantic's own account of a contract, that is a union with tags: the tags."""
    found: dict[str, set[str]] = {}
    if isinstance(schema, dict):
        if schema.get("type") == "model-fields":
            for name, field in schema["fields"].items():
                if tags := tags_of(field):
                    found[name] = tags
        for part in schema.values():
            found |= unions_in(part)
    elif isinstance(schema, list):
        for part in schema:
            found |= unions_in(part)
    return found


def tags_of(schema: Any) -> set[str]:
    if isinstance(schema, list):
        return set().union(*map(tags_of, schema))
    if not isinstance(schema, dict) or schema.get("type") == "model":
        return set()
    if schema.get("type") == "tagged-union":
        return set(schema["choices"])
    return set().union(*map(tags_of, schema.values()))


def test_the_tags_that_paths_leave_out_are_those_of_the_contracts() -> None:
    found: dict[str, set[str]] = {}
    for contract in (SectioningRequest, VotingRequest, MapReduceRequest):
        contract.model_rebuild()
        found |= unions_in(contract.__pydantic_core_schema__)
    json_values = [field for field, tags in found.items() if "dict" in tags]

    assert json_values in ([], ["output_schema"])
    assert {field: tags for field, tags in found.items() if field not in json_values} == {
        field: set(tags) for field, tags in UNION_TAGS.items()
    }
