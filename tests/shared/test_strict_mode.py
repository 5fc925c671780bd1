"""Which schemas strict mode takes, in which form, and that the offline model, which refuses what it refuses, agrees."""

from __future__ import annotations

import copy
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from local_host.offline.errors import ApiError
from local_host.offline.strictness import check_strict
from shared.contracts.ballots import (
    ApprovalBallot,
    Ballot,
    BooleanBallot,
    ChoiceBallot,
    FreeBallot,
    NumberBallot,
    RankingBallot,
    ScoreBallot,
    ballot_schema,
)
from shared.schemas import check_output_schema
from shared.strict_mode import MAX_STRICT_DEPTH, MAX_STRICT_PROPERTIES, TOLD_KEYWORDS, is_strict, strict_form

BOUNDS: dict[str, Any] = {
    "minimum": 0,
    "maximum": 9,
    "exclusiveMinimum": -1,
    "exclusiveMaximum": 10,
    "multipleOf": 2,
    "minLength": 1,
    "maxLength": 9,
    "pattern": r"\S",
    "format": "date",
    "minItems": 1,
    "maxItems": 3,
    "uniqueItems": True,
}
OPTIONS = ["approve", "reject", "not sure"]
BALLOTS: list[Ballot] = [
    filled
    for abstain in (True, False)
    for filled in (
        ChoiceBallot(options=OPTIONS, abstain=abstain),
        ApprovalBallot(options=OPTIONS, abstain=abstain),
        RankingBallot(options=OPTIONS, abstain=abstain),
        RankingBallot(options=OPTIONS, complete=False, abstain=abstain),
        ScoreBallot(criteria=["speed", "risk"], abstain=abstain),  # pyright: ignore[reportArgumentType]
        NumberBallot(minimum=0, maximum=100, unit="days", abstain=abstain),
        NumberBallot(abstain=abstain),
        BooleanBallot(abstain=abstain),
        FreeBallot(max_chars=300, abstain=abstain),
    )
]


def an_object(**properties: Any) -> dict[str, Any]:
    return {"type": "object", "properties": properties}


def closed(**properties: Any) -> dict[str, Any]:
    return {**an_object(**properties), "required": list(properties), "additionalProperties": False}


@pytest.mark.parametrize(
    "schema",
    [
        closed(),
        closed(a={"type": "string"}),
        closed(a={"type": ["string", "null"], "enum": ["x", None], "description": "d", "title": "t"}),
        closed(a=closed(b={"type": "array", "items": closed(c={"type": "number"})})),
        closed(a={"anyOf": [{"type": "string"}, closed()]}),
        {**closed(a={"$ref": "#/$defs/a"}), "$defs": {"a": {"type": "string"}}},
        closed(properties={"type": "string"}, required={"type": "string"}, type={"type": "string"}),
        closed(minimum={"type": "number"}, pattern={"type": "string"}, items={"type": "string"}),
    ],
)
def test_a_closed_schema_of_plain_keywords_is_its_own_strict_form(schema: dict[str, Any]) -> None:
    assert check_output_schema(schema)
    assert is_strict(schema)
    assert strict_form(schema) == schema


@pytest.mark.parametrize(
    "schema",
    [
        {"type": "object"},
        an_object(a={"type": "string"}),
        {**closed(a={"type": "string"}), "required": []},
        {**closed(a={"type": "string"}), "additionalProperties": True},
        {**closed(a={"type": "string"}), "additionalProperties": {"type": "string"}},
        closed(a=an_object()),
        closed(a={"type": "array", "items": an_object()}),
        closed(a={"type": "array"}),
        closed(a={"type": "array", "items": True, "minItems": 1}),
        closed(a={"anyOf": [{"type": "string"}, an_object()]}),
        closed(a={"type": ["object", "null"]}),
        {**closed(), "$defs": {"a": an_object()}},
        {**closed(a={"$ref": "#/$defs/a", "minLength": 1}), "$defs": {"a": {"type": "string"}}},
        {**closed(), "anyOf": [closed()]},
        closed(a={}),
        closed(a={"minLength": 1}),
        closed(a=True),
        *(
            closed(a={"type": "string", keyword: value})
            for keyword, value in {"allOf": [], "not": {"type": "null"}, "default": "x", "contains": {}}.items()
        ),
        closed(a={**closed(), "minProperties": 1}),
    ],
)
def test_what_strict_mode_would_reject_for_more_than_bounds_has_no_strict_form(schema: dict[str, Any]) -> None:
    assert not is_strict(schema)
    assert strict_form(schema) is None


def test_strict_mode_s_limits_hold() -> None:
    assert is_strict(closed(**{f"p{number}": {"type": "string"} for number in range(MAX_STRICT_PROPERTIES)}))
    assert not is_strict(closed(**{f"p{number}": {"type": "string"} for number in range(MAX_STRICT_PROPERTIES + 1)}))

    schema = closed()
    for _ in range(MAX_STRICT_DEPTH - 1):
        schema = closed(a=schema)
    assert is_strict(schema)
    assert not is_strict(closed(a=schema))


def test_every_bound_is_told_instead_of_sent() -> None:
    assert list(BOUNDS) == list(TOLD_KEYWORDS)
    for keyword, value in BOUNDS.items():
        schema = closed(a={"type": "string", keyword: value})
        assert check_output_schema(schema)
        assert not is_strict(schema)
        told = json.dumps({keyword: value})
        assert strict_form(schema) == closed(a={"type": "string", "description": f"Must also fit {told}."})


def test_bounds_are_told_after_what_the_description_says_and_wherever_they_stand() -> None:
    low, told = {"type": "number", "minimum": 3}, {"type": "number", "description": 'Must also fit {"minimum": 3}.'}
    schema = {
        **closed(
            days={"type": ["integer", "null"], "description": "In whole days.", "maximum": 9, "minimum": 1},
            items={"type": "array", "items": low, "uniqueItems": True},
            minimum={"anyOf": [low, {"type": "null"}]},
            part={"$ref": "#/$defs/part"},
        ),
        "$defs": {"part": closed(score=low)},
    }
    assert strict_form(schema) == {
        **closed(
            days={
                "type": ["integer", "null"],
                "description": 'In whole days. Must also fit {"minimum": 1, "maximum": 9}.',
            },
            items={"type": "array", "items": told, "description": 'Must also fit {"uniqueItems": true}.'},
            minimum={"anyOf": [told, {"type": "null"}]},
            part={"$ref": "#/$defs/part"},
        ),
        "$defs": {"part": closed(score=told)},
    }


def test_a_value_that_looks_like_a_bounded_schema_stays_a_value() -> None:
    schema = closed(a={"type": "object", "properties": {}, "required": [], "additionalProperties": False})
    schema["properties"]["a"]["enum"] = [{"minimum": 1}]
    assert strict_form(schema) == schema


@pytest.mark.parametrize("ballot", BALLOTS, ids=lambda ballot: f"{ballot.type}-{ballot.abstain}")
def test_every_ballot_has_a_strict_form_and_the_offline_model_takes_it(ballot: Ballot) -> None:
    schema = ballot_schema(ballot)
    assert check_output_schema(schema)
    form = strict_form(schema)
    assert form is not None
    check_strict(form, "ballot")


@pytest.mark.parametrize("keyword", TOLD_KEYWORDS)
def test_the_offline_model_refuses_bounds_in_strict_mode_as_azure_openai_does(keyword: str) -> None:
    with pytest.raises(ApiError, match=f"'{keyword}' is not permitted"):
        check_strict(closed(a={"type": "string", keyword: BOUNDS[keyword]}), "x")


def test_the_offline_model_refuses_a_listed_value_of_another_type() -> None:
    with pytest.raises(ApiError, match="enum value None does not validate"):
        check_strict(closed(a={"type": "string", "enum": ["x", None]}), "x")


LEAVES = st.builds(
    lambda kind, bounds: {"type": kind, **{keyword: BOUNDS[keyword] for keyword in bounds}},
    st.sampled_from(["string", "number", ["integer", "null"], "boolean"]),
    st.lists(st.sampled_from([*TOLD_KEYWORDS]), unique=True, max_size=3),
)
SCHEMAS = st.recursive(
    LEAVES,
    lambda inner: st.one_of(
        st.dictionaries(st.sampled_from(["a", "items", "minimum", "enum"]), inner, max_size=3).map(
            lambda properties: closed(**properties)
        ),
        inner.map(lambda item: {"type": "array", "items": item, "minItems": 1}),
        inner.map(lambda item: {"anyOf": [item, {"type": "null"}]}),
        inner.map(lambda item: an_object(a=item)),
    ),
    max_leaves=8,
)


@given(schema=SCHEMAS.map(lambda part: closed(part=part)))
def test_a_strict_form_is_strict_and_final_and_the_original_is_untouched(schema: dict[str, Any]) -> None:
    before = copy.deepcopy(schema)
    form = strict_form(schema)
    assert schema == before
    if form is not None:
        assert is_strict(form)
        assert strict_form(form) == form
        check_strict(form, "x")
