"""Structured outputs joined field by field."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, cast

from pydantic import JsonValue

from shared.contracts.branch import BranchOutcome
from shared.contracts.sectioning import MergeConflict

Named = Sequence[tuple[str, JsonValue]]


def merged(outcomes: Sequence[BranchOutcome]) -> tuple[JsonValue, list[MergeConflict]]:
    """One object from all outputs, and the places where they disagree.

    Objects join key by key, lists one after the other without repetition; where other values differ the
    first outcome's stands and the conflict is listed. An output that is no object goes under its branch's name.
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
    if any(not _same(value, first) for _, value in values):
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
    for _, items in values:
        for item in items:
            if not any(_same(item, known) for known in joined):
                joined.append(item)
    return joined


def _same(left: JsonValue, right: JsonValue) -> bool:
    """JSON equality: Python holds True and 1 for equal, JSON does not."""
    if isinstance(left, bool) or isinstance(right, bool):
        return left is right
    if isinstance(left, dict) and isinstance(right, dict):
        return left.keys() == right.keys() and all(_same(left[key], right[key]) for key in left)
    if isinstance(left, list) and isinstance(right, list):
        return len(left) == len(right) and all(_same(a, b) for a, b in zip(left, right, strict=True))
    return left == right
