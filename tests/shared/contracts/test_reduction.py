"""Ways to reduce: every spelling, and what does not fit."""

from __future__ import annotations

from typing import Any

import pytest

from shared.contracts.base import restored
from shared.contracts.map_reduce import MapReduceRequest
from shared.contracts.reduction import USUAL_MAX_INPUT_TOKENS, TreeReduction
from tests.shared.contracts.rejection import accepted, rejection

AGENT = {"instructions": "read"}
LIST = {"type": "array", "items": {"type": "string"}}
SHAPED = {**AGENT, "output_schema": {"type": "object", "properties": {"found": LIST, "n": {"type": "integer"}}}}
DOCUMENTS = [{"id": "one", "content": "text"}]


def body(reduce: Any, agent: Any = SHAPED) -> dict[str, Any]:
    return {"documents": DOCUMENTS, "map": agent, "reduce": reduce}


def test_an_agent_alone_is_a_tree_of_the_usual_budget() -> None:
    request = accepted(MapReduceRequest, body(AGENT))

    assert isinstance(request.reduction, TreeReduction)
    assert (request.reduction.agent.instructions, request.reduction.max_fan_in) == ("read", None)
    assert request.reduction.max_input_tokens == USUAL_MAX_INPUT_TOKENS
    assert request.model_dump(mode="json")["reduce"] == {**AGENT, "name": "agent"} | dict.fromkeys(
        ["model", "temperature", "max_output_tokens", "output_schema"]
    )


def test_the_largest_agent_alone_has_room_to_read_in() -> None:
    schema = {"type": "object", "description": "é" * 5_000}
    request = accepted(MapReduceRequest, body({"instructions": "𝔘" * 20_000, "output_schema": schema}))

    assert request.reduction.type == "tree"


@pytest.mark.parametrize(
    ("reduce", "kind"),
    [
        ({"type": "tree", "agent": AGENT}, "tree"),
        ({"type": "tree", "agent": AGENT, "max_input_tokens": 2_000, "max_fan_in": 2}, "tree"),
        ({"type": "refine", "agent": AGENT}, "refine"),
        ("concatenate", "concatenate"),
        ("merge", "merge"),
        ({"type": "merge", "key": "id", "sum": ["n"]}, "merge"),
        ("table", "table"),
        ({"type": "table", "format": "csv", "records": "found", "columns": ["a"]}, "table"),
    ],
)
def test_each_way_is_accepted_and_the_same_after_history(reduce: Any, kind: str) -> None:
    request = accepted(MapReduceRequest, body(reduce))

    assert request.reduction.type == kind
    assert restored(MapReduceRequest, request.model_dump(mode="json")) == request


@pytest.mark.parametrize(
    ("reduce", "where", "told"),
    [
        ("forest", "reduce", "whose type is tree, refine, concatenate, merge or table"),
        ({"type": 5}, "reduce", "whose type is tree, refine"),
        (7, "reduce", "give its name"),
        ("tree", "reduce.tree.agent", "required"),
        ({"type": "tree", "agent": AGENT, "max_fan_in": 1}, "reduce.tree.max_fan_in", "greater than or equal to 2"),
        ({"type": "refine", "agent": AGENT, "max_input_tokens": 999}, "reduce.refine.max_input_tokens", "2000"),
        ({"type": "refine", "agent": AGENT, "max_fan_in": 2}, "reduce.refine.max_fan_in", "not permitted"),
        ({"type": "table", "format": "xlsx"}, "reduce.table.format", "'jsonl' or 'csv'"),
        ({"type": "table", "columns": []}, "reduce.table.columns", "at least 1"),
    ],
)
def test_what_does_not_fit_is_rejected_by_its_path(reduce: Any, where: str, told: str) -> None:
    [(path, message)] = rejection(MapReduceRequest, body(reduce))

    assert path == where
    assert told in message


@pytest.mark.parametrize(
    ("reduce", "agent", "told"),
    [
        ("merge", AGENT, "give the map agent an output_schema, or choose 'concatenate'"),
        ("table", AGENT, "give the map agent an output_schema"),
        ({"type": "table", "records": "rows"}, SHAPED, "has no property 'rows'"),
        ({"type": "table", "records": "n"}, SHAPED, "is of type 'integer'"),
        ({"type": "table", "columns": ["a", "b", "a"]}, SHAPED, "repeated: a"),
        (
            {"type": "tree", "agent": {"instructions": "x" * 8_000}, "max_input_tokens": 2_000},
            AGENT,
            "no room to read in; give at least 3,0",
        ),
    ],
)
def test_what_could_not_work_is_rejected_with_what_to_do(reduce: Any, agent: Any, told: str) -> None:
    [(_, message)] = rejection(MapReduceRequest, body(reduce, agent))

    assert told in message


def test_records_are_not_looked_for_where_a_schema_is_put_together() -> None:
    combined = {"type": "object", "properties": {}, "allOf": [{"properties": {"rows": LIST}}]}

    accepted(MapReduceRequest, body({"type": "table", "records": "rows"}, {**AGENT, "output_schema": combined}))
