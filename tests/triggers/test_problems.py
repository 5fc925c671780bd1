from __future__ import annotations

from typing import Any

import pytest

from shared.contracts.map_reduce import MapReduceRequest
from shared.contracts.sectioning import SectioningRequest
from shared.contracts.voting import VotingRequest
from triggers.problems import UNION_TAGS, field_path


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
        (("ballot", "choice", "choice"), {"ballot": {"choice": 1}}, "ballot.choice"),
        (("ballot", "choice", "options"), {"ballot": {"choice": []}}, "ballot.options"),
        (("count",), {"count": 1}, "count"),
        (("schema", "dict", "max", "float"), {"schema": {"max": 1.0}}, "schema.max"),
        (("a", "b"), None, "$"),
    ],
)
def test_a_location_becomes_a_path_into_the_body(location: tuple[Any, ...], body: Any, path: str) -> None:
    assert field_path(location, body) == path


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
