"""The merge of `shared/aggregation/merge.py`, one output after the other: what it holds grows with what it has joined,
and not with how many outputs there were.

Content and the places of conflicts are those of `merged(…, keep_repeated=True)`. A conflict lists the value that stands
and the first few that differ from it.
"""

from __future__ import annotations

from collections.abc import Collection, Hashable, Iterator
from dataclasses import dataclass
from fractions import Fraction

from pydantic import JsonValue

from shared.aggregation.merge import by_name, identity_of, record_identity, shown_key
from shared.contracts.sectioning import MergeConflict

MAX_TOLD_VALUES = 10
"""Of a conflict."""


class RunningMerge:
    """Objects joined field by field, with `key` and `sums` as `merged` has them."""

    def __init__(self, key: str | None = None, sums: Collection[str] = ()) -> None:
        self._root = Node(How(key, frozenset(sums)))

    def add(self, name: str, output: JsonValue) -> None:
        """Join the next output; one that is no object goes under its name."""
        self._root.add(name, output if isinstance(output, dict) else {name: output})

    @property
    def content(self) -> JsonValue:
        """All outputs in one."""
        return self._root.content if self._root.count else {}

    def conflicts(self) -> Iterator[MergeConflict]:
        """Where they disagree."""
        yield from self._root.conflicts("$")


@dataclass(frozen=True, slots=True)
class How:
    """What the nodes of a merge share."""

    key: str | None
    sums: frozenset[str]


class Node:
    """All values of one place. As long as all are objects, or all lists, they are joined; else the first stands."""

    def __init__(self, how: How) -> None:
        self.count = 0
        self._how = how
        self._name = ""
        self._first: JsonValue = None
        self._joined: Fields | Items | None = None
        self._others: list[tuple[str, JsonValue]] = []

    def add(self, name: str, value: JsonValue) -> None:
        """Take the next value, of the output `name`."""
        self.count += 1
        if self.count == 1:
            self._name, self._first = name, value
            self._joined = _joined_like(value, self._how)
        if self._joined is not None and self._joined.take(name, value):
            return
        self._joined = None
        if len(self._others) < MAX_TOLD_VALUES - 1 and identity_of(value) != identity_of(self._first):
            self._others.append((name, value))

    @property
    def content(self) -> JsonValue:
        """What stands here."""
        return self._first if self._joined is None else self._joined.content

    def conflicts(self, path: str) -> Iterator[MergeConflict]:
        """Where values disagree, here and below."""
        if self._joined is not None:
            yield from self._joined.conflicts(path)
        elif self._others:
            values = by_name([(self._name, self._first), *self._others])
            yield MergeConflict(path=path, kept=self._name, values=values)


class Fields:
    """Objects joined field by field."""

    def __init__(self, how: How) -> None:
        self._how = how
        self._fields: dict[str, Node | Sum] = {}

    def take(self, name: str, value: JsonValue) -> bool:
        """Join the next value; False if it is no object."""
        if not isinstance(value, dict):
            return False
        for field, member in value.items():
            if field not in self._fields:
                self._fields[field] = Sum(self._how) if field in self._how.sums else Node(self._how)
            self._fields[field].add(name, member)
        return True

    @property
    def content(self) -> JsonValue:
        """All of them in one."""
        return {field: node.content for field, node in self._fields.items()}

    def conflicts(self, path: str) -> Iterator[MergeConflict]:
        """Where fields disagree."""
        for field, node in self._fields.items():
            yield from node.conflicts(f"{path}.{field}")


class Items:
    """Lists one after the other; records with the same value in the field `key` are one, where the first stands."""

    def __init__(self, how: How) -> None:
        self._how = how
        self._items: list[JsonValue | Node] = []
        self._records: dict[Hashable, Node] = {}
        self._shown: list[str] = []

    def take(self, name: str, value: JsonValue) -> bool:
        """Join the next value; False if it is no list."""
        if not isinstance(value, list):
            return False
        for item in value:
            self._take_item(name, item)
        return True

    def _take_item(self, name: str, item: JsonValue) -> None:
        key = self._how.key
        identity = None if key is None else record_identity(item, key)
        if key is None or identity is None:
            self._items.append(item)
            return
        if identity not in self._records:
            self._records[identity] = Node(self._how)
            self._shown.append(f"{key}={shown_key(item, key)}")
            self._items.append(self._records[identity])
        self._records[identity].add(name, item)

    @property
    def content(self) -> JsonValue:
        """All of them in one."""
        return [item.content if isinstance(item, Node) else item for item in self._items]

    def conflicts(self, path: str) -> Iterator[MergeConflict]:
        """Where records disagree."""
        for shown, node in zip(self._shown, self._records.values(), strict=True):
            yield from node.conflicts(f"{path}[{shown}]")


class Sum:
    """Numbers added up, exactly; what is not all numbers and nulls is joined like any other field."""

    def __init__(self, how: How) -> None:
        self._node = Node(how)
        self._named: list[tuple[str, JsonValue]] = []
        self._is_summed = True
        self._has_number = False
        self._is_whole = True
        self._whole = 0
        self._broken = Fraction(0)
        self._is_finite = True

    def add(self, name: str, value: JsonValue) -> None:
        """Take the next value, of the output `name`."""
        self._node.add(name, value)
        if len(self._named) < MAX_TOLD_VALUES:
            self._named.append((name, value))
        if isinstance(value, bool) or not isinstance(value, int | float | None):
            self._is_summed = False
        elif value is not None:
            self._add_number(value)

    def _add_number(self, number: float) -> None:
        self._has_number = True
        if isinstance(number, int):
            self._whole += number
        else:
            self._is_whole = False
        try:
            self._broken += Fraction(float(number))
        except OverflowError:
            self._is_finite = False

    @property
    def _total(self) -> int | float | None:
        """The sum; None if there is none to make, OverflowError if it is no finite number."""
        if not self._is_summed or not self._has_number:
            return None
        if self._is_whole:
            return self._whole
        if not self._is_finite:
            raise OverflowError
        return float(self._broken)

    @property
    def content(self) -> JsonValue:
        """The sum; the first value if that is no finite number."""
        try:
            total = self._total
        except OverflowError:
            return self._named[0][1]
        return self._node.content if total is None else total

    def conflicts(self, path: str) -> Iterator[MergeConflict]:
        """Of numbers, only that there is no finite sum; else those of the field."""
        try:
            total = self._total
        except OverflowError:
            yield MergeConflict(path=path, kept=self._named[0][0], values=by_name(self._named))
            return
        if total is None:
            yield from self._node.conflicts(path)


def _joined_like(value: JsonValue, how: How) -> Fields | Items | None:
    if isinstance(value, dict):
        return Fields(how)
    return Items(how) if isinstance(value, list) else None
