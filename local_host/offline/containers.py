"""Containers: candidate objects and arrays of a structured answer, built of their parts' candidates."""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import islice
from typing import Any, Protocol

from local_host.offline.evidence import Evidence, Place
from local_host.offline.scalars import Bounds, Conjuncts
from local_host.offline.words import word_set

ITEMS = 3
ITEMS_IN_RECURSION = 1
FINDING_WORDS = word_set("findings issues points risks vulnerabilities problems events errors recommendations")
FINDINGS = 5
FREE_NAMES = ("summary", "details", "note")
OTHER_VALUES = 4
CANDIDATES_AN_ITEM = 40


class Values(Protocol):
    """What containers ask of the filler: candidates for a part."""

    evidence: Evidence

    def values(self, schemas: list[Any], place: Place) -> Iterator[Any]:
        """Candidates for a place at which all the schemas hold."""
        ...


def objects(conjuncts: Conjuncts, place: Place, filler: Values) -> Iterator[dict[str, Any]]:
    """Objects with every property that can be filled; then with fewer, and with other values."""
    required = list(dict.fromkeys(name for c in conjuncts for name in c.get("required", ())))
    names = list(dict.fromkeys([*(name for c in conjuncts for name in c.get("properties", ())), *required]))
    names += _more_names(conjuncts, names, place, filler)
    whole: dict[str, Any] = {}
    others: dict[str, Iterator[Any]] = {}
    for name in names:
        schemas = _property_schemas(conjuncts, name)
        candidates = filler.values(schemas, place.field(name, _hint(schemas), len(whole)))
        first = list(islice(candidates, 1))
        if first:
            whole[name] = first[0]
            others[name] = islice(candidates, OTHER_VALUES)
        elif name in required:
            return
    yield from _with_fewer(whole, required, Bounds.of(conjuncts, "Properties").high)
    for name, candidates in others.items():
        yield from ({**whole, name: value} for value in candidates)


def _with_fewer(whole: dict[str, Any], required: list[str], most: float) -> Iterator[dict[str, Any]]:
    """As many properties as are allowed, then without each optional one, then the required ones alone."""
    optional = [name for name in whole if name not in required]
    room = max(0, int(min(most, len(whole))) - len(required))
    kept = {name: value for name, value in whole.items() if name in required or name in optional[:room]}
    yield kept
    for left_out in optional[:room]:
        yield {name: value for name, value in kept.items() if name != left_out}
    yield {name: whole[name] for name in required}


def _property_schemas(conjuncts: Conjuncts, name: str) -> list[Any]:
    """What every conjunct says of one property."""
    schemas: list[Any] = []
    for conjunct in conjuncts:
        own = [conjunct["properties"][name]] if name in conjunct.get("properties", {}) else []
        own += [schema for pattern, schema in conjunct.get("patternProperties", {}).items() if re.search(pattern, name)]
        schemas += own or [conjunct.get("additionalProperties", True)]
    return schemas


def _more_names(conjuncts: Conjuncts, names: list[str], place: Place, filler: Values) -> list[str]:
    """Names for an object that is a map, or that wants more properties than it names."""
    low = Bounds.of(conjuncts, "Properties").low
    is_map = any(isinstance(c.get("additionalProperties"), dict) for c in conjuncts)
    patterns = [pattern for c in conjuncts for pattern in c.get("patternProperties", ())]
    rules = [c["propertyNames"] for c in conjuncts if "propertyNames" in c]
    wanted = max(low - len(names), 0)
    if not names and not place.refs:
        wanted = max(wanted, 2 if is_map or patterns else 1)
    if wanted == 0:
        return []
    candidates: list[str] = []
    for rule in [[*rules, {"type": "string", "pattern": pattern}] for pattern in patterns] or (
        [rules] if rules else []
    ):
        candidates += islice(filler.values([{"type": "string"}, *rule], place), CANDIDATES_AN_ITEM)
    if not rules:
        candidates += [term.lower() for term in filler.evidence.terms[:12]] if is_map else []
        candidates += [*FREE_NAMES, *(f"field_{number}" for number in range(1, wanted + 1))]
    fresh = [name for name in dict.fromkeys(candidates) if name not in names]
    return [name for name in fresh if False not in _property_schemas(conjuncts, name)][:wanted]


def arrays(conjuncts: Conjuncts, place: Place, filler: Values) -> Iterator[list[Any]]:
    """Arrays of a natural length, then of other allowed lengths."""
    bounds = Bounds.of(conjuncts, "Items")
    natural = FINDINGS if FINDING_WORDS & set(place.words) else ITEMS
    if place.refs:
        natural = ITEMS_IN_RECURSION
    if place.focus is None:
        natural = min(natural, max(1, len(filler.evidence.findings)))
    natural = max(natural, *(len(c.get("prefixItems", ())) for c in conjuncts), _wanted_matches(conjuncts))
    length = int(min(max(natural, bounds.low), bounds.high))
    lengths = dict.fromkeys([length, bounds.low, *range(length - 1, bounds.low, -1), *range(length + 1, length + 4)])
    seen: set[int] = set()
    for wanted in lengths:
        if not bounds.low <= wanted <= bounds.high:
            continue
        items = _items(conjuncts, place, filler, wanted)
        if len(items) >= bounds.low and len(items) not in seen:
            seen.add(len(items))
            yield items


def _items(conjuncts: Conjuncts, place: Place, filler: Values, length: int) -> list[Any]:
    """Up to `length` items; fewer where there are no more candidates."""
    unique = any(c.get("uniqueItems") for c in conjuncts)
    matches = _wanted_matches(conjuncts)
    items: list[Any] = []
    for index in range(length):
        schemas = [_item_schema(conjunct, index) for conjunct in conjuncts]
        wanted = [c["contains"] for c in conjuncts if "contains" in c]
        if index < matches:
            schemas += wanted
        elif any("maxContains" in c for c in conjuncts):
            schemas += [{"not": schema} for schema in wanted]
        candidates = islice(filler.values(schemas, place.item(index)), CANDIDATES_AN_ITEM)
        fresh = next(([value] for value in candidates if not (unique and _contains(items, value))), None)
        if fresh is None:
            break
        items += fresh
    return items


def _item_schema(conjunct: dict[str, Any], index: int) -> Any:
    prefix, rest = conjunct.get("prefixItems", ()), conjunct.get("items", True)
    if isinstance(rest, list):
        prefix, rest = rest, conjunct.get("additionalItems", True)
    return prefix[index] if index < len(prefix) else rest


def _wanted_matches(conjuncts: Conjuncts) -> int:
    return max((c.get("minContains", 1) for c in conjuncts if "contains" in c), default=0)


def _contains(items: list[Any], value: Any) -> bool:
    """JSON's equality, which `uniqueItems` means: 1 and 1.0 are the same, 1 and true are not."""
    return any(_same(item, value) for item in items)


def _same(left: Any, right: Any) -> bool:
    if isinstance(left, bool) or isinstance(right, bool):
        return left is right
    if isinstance(left, list) and isinstance(right, list):
        return len(left) == len(right) and all(map(_same, left, right))
    if isinstance(left, dict) and isinstance(right, dict):
        return left.keys() == right.keys() and all(_same(left[key], right[key]) for key in left)
    return left == right


def _hint(schemas: list[Any]) -> str:
    return " ".join(str(s["description"]) for s in schemas if isinstance(s, dict) and "description" in s)
