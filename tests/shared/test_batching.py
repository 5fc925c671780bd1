from __future__ import annotations

import json
from collections import Counter
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from pydantic import JsonValue

from shared.batching import batch_agent, batch_prompt, batch_schema, envelope_violation, matched
from shared.contracts.agent import AgentSpec
from shared.contracts.work import DocumentWork, TextPlace
from shared.prompts import numbered, work_prompt
from shared.schemas import check_output_schema, first_violation
from shared.strict_mode import strict_form
from tests.shared.strategies import JSON_VALUES

COUNT: dict[str, Any] = {"type": "object", "properties": {"n": {"type": "integer"}}, "required": ["n"]}
CLOSED: dict[str, Any] = {**COUNT, "additionalProperties": False}
LIST: dict[str, Any] = {
    "$schema": "https://json-schema.org/draft/2020-12/schema",
    "type": "object",
    "properties": {
        "value": {"$ref": "#/$defs/answer"},
        "next": {"anyOf": [{"$ref": "#"}, {"type": "null"}]},
        "same": {"$ref": "#/properties/value"},
        "odd": {"$ref": "#/%24defs/answer"},
        "named": {"$ref": "#number"},
    },
    "required": ["value", "next"],
    "additionalProperties": False,
    "$defs": {"answer": {"type": "integer", "minimum": 1, "$anchor": "number"}},
}
"""Refers to its root, to a part of itself, and to a definition that has the name which a batch gives to the schema."""
DEEP: dict[str, Any] = {
    "type": "object",
    "properties": {"a": {"type": "array", "items": {"type": "object", "properties": {"b": {"type": "string"}}}}},
}


def closed(schema: Any) -> Any:
    """A schema with every object closed, as strict mode wants it."""
    if not isinstance(schema, dict):
        return schema
    inner = {key: closed(value) if key == "items" else value for key, value in schema.items()}
    if "properties" in schema:
        inner["properties"] = {name: closed(child) for name, child in schema["properties"].items()}
        inner |= {"required": list(schema["properties"]), "additionalProperties": False}
    return inner


def answers(*items: tuple[Any, Any]) -> dict[str, JsonValue]:
    return {"answers": [{"number": number, "answer": answer} for number, answer in items]}


# The agent and its schema


@pytest.mark.parametrize("schema", [None, CLOSED, closed(DEEP)])
def test_a_batch_is_in_strict_mode_if_its_agent_is(schema: Any) -> None:
    assert schema is None or strict_form(schema) is not None
    assert strict_form(batch_schema(schema, 3)) is not None


@pytest.mark.parametrize("schema", [None, COUNT, CLOSED, LIST, DEEP])
def test_a_batch_s_schema_is_one_that_is_accepted(schema: Any) -> None:
    check_output_schema(batch_schema(schema, 100))


@pytest.mark.parametrize(
    "value",
    [
        {"value": 1, "next": None},
        {"value": 1, "next": {"value": 2, "next": None, "same": 3}},
        {"value": 1, "next": {"value": 0, "next": None}},
        {"value": 1, "next": {"value": 2, "next": {"value": 3}}},
        {"value": 1, "next": None, "same": "x"},
        {"value": 1, "next": None, "odd": 0},
        {"value": 1, "next": None, "named": 0},
        {"value": 1, "next": None, "named": 2, "odd": 2},
        {"value": 1, "next": None, "else": 1},
    ],
)
def test_references_lead_where_they_led_alone(value: Any) -> None:
    alone = first_violation(value, LIST)
    within = first_violation(answers((1, value)), batch_schema(LIST, 1))

    assert (alone is None) == (within is None)
    assert within is None or "refers to" not in within


def test_what_only_looks_like_a_reference_stays() -> None:
    schema = {"type": "object", "properties": {"$ref": {"const": {"$ref": "#"}}}, "required": ["$ref"]}

    assert first_violation(answers((1, {"$ref": {"$ref": "#"}})), batch_schema(schema, 1)) is None


def test_an_agent_s_schema_is_not_changed() -> None:
    before = json.dumps(LIST)
    batch_schema(LIST, 2)
    assert json.dumps(LIST) == before


def test_each_document_may_have_as_long_an_answer_as_alone() -> None:
    agent = AgentSpec(instructions="Count.", max_output_tokens=1_000)

    assert batch_agent(agent, 10).max_output_tokens == 10_160
    assert batch_agent(agent.model_copy(update={"max_output_tokens": 100_000}), 10).max_output_tokens == 200_000
    assert batch_agent(AgentSpec(instructions="Count."), 10).max_output_tokens is None


def test_the_agent_is_told_how_many_documents_there_are_after_its_own_instructions() -> None:
    agent = batch_agent(AgentSpec(instructions="Count {braces}."), 7)

    assert agent.instructions.startswith("Count {braces}.\n\nThe user message has 7 documents")


def test_documents_have_numbers_and_keep_their_ids() -> None:
    works = [
        DocumentWork(text=TextPlace(blob="b"), document="reports/a.txt"),
        DocumentWork(text=TextPlace(blob="b"), document="b", part=2, of=3, first_line=7, last_line=9),
    ]
    prompts = [numbered(work_prompt(f"text {number}", work), number) for number, work in enumerate(works, start=1)]

    assert batch_prompt(prompts) == (
        '<document number="1" id="reports/a.txt">\ntext 1\n</document>\n\n'
        '<document number="2" id="b" part="2 of 3" lines="7-9">\ntext 2\n</document>'
    )


# What was answered


def test_answers_are_matched_by_number_in_any_order() -> None:
    found = matched(3, answers((3, {"n": 30}), (1, {"n": 10}), (2, {"n": 20})), COUNT)

    assert list(found.answers.items()) == [(1, {"n": 10}), (2, {"n": 20}), (3, {"n": 30})]
    assert (found.unanswered, found.notes) == ({}, [])


def test_an_answer_that_is_missing_costs_its_document_only() -> None:
    found = matched(3, answers((1, {"n": 1}), (3, {"n": 3})), COUNT)

    assert found.answers == {1: {"n": 1}, 3: {"n": 3}}
    assert found.unanswered == {2: "the batch's answer lacks it"}


@pytest.mark.parametrize("second", [{"n": 2}, {"n": 1}])
def test_a_document_that_is_answered_twice_is_not_answered(second: Any) -> None:
    found = matched(2, answers((1, {"n": 1}), (2, {"n": 2}), (1, second)), COUNT)

    assert found.answers == {2: {"n": 2}}
    assert found.unanswered == {1: "the batch's answer has it 2 times"}


def test_an_answer_that_nobody_asked_for_is_noted() -> None:
    found = matched(1, answers((1, {"n": 1}), (2, {"n": 2}), (0, {"n": 0}), (-1, {"n": 0}), (True, {"n": 3})), COUNT)

    assert found.answers == {1: {"n": 1}}
    assert len(found.notes) == 4
    assert found.notes[0] == "an answer that nobody asked for: number 2"


def test_an_answer_that_does_not_fit_costs_its_document_only() -> None:
    found = matched(3, answers((1, {"n": 1}), (2, {"n": "two"}), (3, {"n": float("inf")})), COUNT)

    assert found.answers == {1: {"n": 1}}
    assert "does not fit the output schema: $.n: 'two' is not of type 'integer'" in found.unanswered[2]
    assert "not finite" in found.unanswered[3]


@pytest.mark.parametrize("answer", ["", " \n", None, 5, {"text": "x"}, ["x"]])
def test_an_answer_in_text_is_text_and_not_blank(answer: Any) -> None:
    assert matched(2, answers((1, answer), (2, "fine")), None).answers == {2: "fine"}


def test_a_number_may_be_written_as_text() -> None:
    assert matched(3, answers(("1", "a"), ("02", "b"), ("٣", "c")), None).answers == {1: "a", 2: "b"}


def test_half_of_a_surrogate_pair_costs_its_document_only() -> None:
    assert matched(2, answers((1, "\ud800"), (2, "fine")), None).answers == {2: "fine"}


@given(st.integers(1, 6), JSON_VALUES | st.lists(JSON_VALUES).map(lambda items: {"answers": items}))
@example(1, {"answers": [{"number": 1}]})
@example(1, {"answers": [{"answer": "x"}, None, 1, [], {"number": None, "answer": "x"}]})
@example(1, {"answers": [{"number": 10**400, "answer": "x"}]})
@example(1, {"answers": [{"number": "9" * 10_000, "answer": "x"}]})
def test_whatever_is_answered_every_document_is_answered_or_not(count: int, output: JsonValue) -> None:
    found = matched(count, output, None)

    assert sorted([*found.answers, *found.unanswered]) == list(range(1, count + 1))


@given(st.integers(1, 8), st.data())
def test_exactly_those_answered_once_are_answered(count: int, data: st.DataObject) -> None:
    numbers = data.draw(st.lists(st.integers(-1, count + 2), max_size=20))
    times = Counter(numbers)

    found = matched(count, answers(*[(number, f"about {number}") for number in numbers]), None)

    once = [number for number in range(1, count + 1) if times[number] == 1]
    assert found.answers == {number: f"about {number}" for number in once}
    assert bool(found.notes) == any(not 1 <= number <= count for number in numbers)


@pytest.mark.parametrize(
    ("output", "fits"),
    [
        (answers((1, None)), True),
        ({"answers": [None, {"number": "2", "answer": 1}]}, True),
        ({"answers": []}, False),
        ({"answers": [{"number": 1}]}, False),
        ({"answers": {"1": "x"}}, False),
        ([{"number": 1, "answer": "x"}], False),
        ("text", False),
        (None, False),
    ],
)
def test_only_what_is_no_list_of_numbered_answers_is_to_be_repaired(output: Any, fits: bool) -> None:
    assert (envelope_violation(output) is None) == fits
