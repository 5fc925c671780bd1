"""Structured outputs joined field by field."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Collection, Hashable, Mapping, Sequence
from dataclasses import dataclass, field
from math import fsum
from typing import Any, cast

from pydantic import JsonValue

from shared.contracts.branch import NamedOutput
from shared.contracts.sectioning import MergeConflict

Named = Sequence[tuple[str, JsonValue]]
NamedLists = Sequence[tuple[str, list[JsonValue]]]


def merged(
    outcomes: Sequence[NamedOutput],
    *,
    key: str | None = None,
    sums: Collection[str] = (),
    keep_repeated: bool = False,
) -> tuple[JsonValue, list[MergeConflict]]:
    """One object from all outputs, and the places where they disagree.

    Objects join key by key. Lists come one after the other; an item that an earlier outcome's list has is not
    listed again unless `keep_repeated`, one that repeats within its own list is. Items of lists that are objects with
    the same value in the field `key` are joined to one, also within a list, where the first stands. Numbers in fields
    named in `sums`, at any depth, are added up. Where other values differ the first outcome's stands and the conflict
    is listed; null is no value to a field of `sums`. An output that is no object goes under its branch's name.
    """
    named: Named = [(o.name, o.output if isinstance(o.output, Mapping) else {o.name: o.output}) for o in outcomes]
    merge = _Merge(key, sums, keep_repeated)
    return merge.join(named, "$"), merge.conflicts


@dataclass(frozen=True, slots=True)
class _Merge:
    key: str | None
    sums: Collection[str]
    keep_repeated: bool
    conflicts: list[MergeConflict] = field(default_factory=list[MergeConflict])

    def join(self, values: Named, path: str) -> JsonValue:
        first_name, first = values[0] if values else ("", cast(JsonValue, {}))
        if all(isinstance(value, dict) for _, value in values):
            return self._join_objects(cast(Any, values), path)
        if all(isinstance(value, list) for _, value in values):
            return self._join_lists(cast(Any, values), path)
        if any(identity_of(value) != identity_of(first) for _, value in values):
            self.conflicts.append(MergeConflict(path=path, kept=first_name, values=by_name(values)))
        return first

    def _join_objects(self, values: Sequence[tuple[str, dict[str, JsonValue]]], path: str) -> dict[str, JsonValue]:
        names = dict.fromkeys(name for _, value in values for name in value)
        fields = {name: [(branch, value[name]) for branch, value in values if name in value] for name in names}
        return {name: self._join_field(name, told, f"{path}.{name}") for name, told in fields.items()}

    def _join_field(self, name: str, values: Named, path: str) -> JsonValue:
        if name not in self.sums:
            return self.join(values, path)
        try:
            total = summed([value for _, value in values])
        except OverflowError:
            self.conflicts.append(MergeConflict(path=path, kept=values[0][0], values=by_name(values)))
            return values[0][1]
        return self.join(values, path) if total is None else total

    def _join_lists(self, values: NamedLists, path: str) -> list[JsonValue]:
        if self.key is not None:
            values = self._with_records_joined(self.key, values, path)
        if self.keep_repeated:
            return [item for _, items in values for item in items]
        return _without_repeated(values)

    def _with_records_joined(self, key: str, values: NamedLists, path: str) -> NamedLists:
        """Each record in the place of its first mention, joined with all later ones."""
        mentions: dict[Hashable, list[tuple[str, JsonValue]]] = {}
        for name, items in values:
            for item in items:
                if (identity := record_identity(item, key)) is not None:
                    mentions.setdefault(identity, []).append((name, item))
        records = {
            identity: self.join(told, f"{path}[{key}={shown_key(told[0][1], key)}]")
            for identity, told in mentions.items()
        }
        joined: list[tuple[str, list[JsonValue]]] = []
        for name, items in values:
            own: list[JsonValue] = []
            for item in items:
                identity = record_identity(item, key)
                if identity is None:
                    own.append(item)
                elif identity in records:
                    own.append(records.pop(identity))
            joined.append((name, own))
        return joined


def summed(values: Sequence[JsonValue]) -> int | float | None:
    """The sum of numbers and nulls, exact for whole numbers; None if anything else is among them, or no number.

    OverflowError when it is no finite number.
    """
    numbers = [value for value in values if isinstance(value, int | float) and not isinstance(value, bool)]
    if not numbers or len(numbers) + values.count(None) != len(values):
        return None
    if all(isinstance(number, int) for number in numbers):
        return sum(numbers)
    return fsum(numbers)


def record_identity(item: JsonValue, key: str) -> Hashable:
    """What tells a record from others; None for what is no record."""
    value = item.get(key) if isinstance(item, dict) else None
    return None if value is None else ("record", identity_of(value))


def shown_key(record: JsonValue, key: str) -> str:
    """What a record has in the field `key`, as paths tell it."""
    return json.dumps(cast(dict[str, JsonValue], record)[key], ensure_ascii=False)


def by_name(values: Named) -> dict[str, JsonValue]:
    """Values under the names of their branches; a further one of the same branch has its number behind."""
    named: dict[str, JsonValue] = {}
    told: Counter[str] = Counter()
    for name, value in values:
        told[name] += 1
        named[name if told[name] == 1 else f"{name} ({told[name]})"] = value
    return named


def _without_repeated(values: NamedLists) -> list[JsonValue]:
    joined: list[JsonValue] = []
    listed: Counter[Hashable] = Counter()
    for _, items in values:
        own: Counter[Hashable] = Counter()
        for item in items:
            key = identity_of(item)
            own[key] += 1
            if own[key] > listed[key]:
                joined.append(item)
        listed |= own
    return joined


def identity_of(value: JsonValue) -> Hashable:
    """A key that is equal for equal JSON values: Python holds True and 1 for equal, JSON does not."""
    if isinstance(value, bool):
        return "boolean", value
    if isinstance(value, dict):
        return "object", frozenset((key, identity_of(member)) for key, member in value.items())
    if isinstance(value, list):
        return "array", tuple(identity_of(item) for item in value)
    return value
