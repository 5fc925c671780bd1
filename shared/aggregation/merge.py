"""Structured outputs joined field by field."""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Mapping, Sequence
from typing import Any, cast

from pydantic import JsonValue

from shared.contracts.branch import BranchOutcome
from shared.contracts.sectioning import MergeConflict

Named = Sequence[tuple[str, JsonValue]]


def merged(outcomes: Sequence[BranchOutcome]) -> tuple[JsonValue, list[MergeConflict]]:
    """One object from all outputs, and the places where they disagree.

    Objects join key by key. Lists come one after the other; an item that an earlier outcome's list has is not
    listed again, one that repeats within its own list is. Where other values differ the first outcome's stands
    and the conflict is listed. An output that is no object goes under its branch's name.
    """
    conflicts: list[MergeConflict] = []
    named: Named = [(o.name, o.output if isinstance(o.output, Mapping) else {o.name: o.output}) for o in outcomes]
    return _join(named, "$", conflicts), conflicts


def _join(values: Named, path: str, conflicts: list[MergeConflict]) -> JsonValue:
    first_name, first = values[0] if values else ("", cast(JsonValue, {}))
    if all(isinstance(value, dict) for _, value in values):
        return _join_objects(cast(Any, values), path, conflicts)
    if all(isinstance(value, list) for _, value in values):
        return _join_lists(cast(Any, values))
    if any(_identity(value) != _identity(first) for _, value in values):
        conflicts.append(MergeConflict(path=path, kept=first_name, values=dict(values)))
    return first


def _join_objects(
    values: Sequence[tuple[str, dict[str, JsonValue]]], path: str, conflicts: list[MergeConflict]
) -> dict[str, JsonValue]:
    keys = dict.fromkeys(key for _, value in values for key in value)
    return {
        key: _join([(name, value[key]) for name, value in values if key in value], f"{path}.{key}", conflicts)
        for key in keys
    }


def _join_lists(values: Sequence[tuple[str, list[JsonValue]]]) -> list[JsonValue]:
    joined: list[JsonValue] = []
    listed: Counter[Hashable] = Counter()
    for _, items in values:
        own: Counter[Hashable] = Counter()
        for item in items:
            key = _identity(item)
            own[key] += 1
            if own[key] > listed[key]:
                joined.append(item)
        listed |= own
    return joined


def _identity(value: JsonValue) -> Hashable:
    """A key that is equal for equal JSON values: Python holds True and 1 for equal, JSON does not."""
    if isinstance(value, bool):
        return "boolean", value
    if isinstance(value, dict):
        return "object", frozenset((key, _identity(member)) for key, member in value.items())
    if isinstance(value, list):
        return "array", tuple(_identity(item) for item in value)
    return value
