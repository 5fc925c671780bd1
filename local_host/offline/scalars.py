"""Scalars: candidate strings, numbers and booleans for one place of a structured answer, the most fitting first."""

from __future__ import annotations

import hashlib
import math
import re
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import chain
from typing import Any

from local_host.offline.evidence import Evidence, Place
from local_host.offline.extractive import NOTHING
from local_host.offline.patterns import texts_for
from local_host.offline.words import word_set

type Conjuncts = list[dict[str, Any]]

PHRASE_WORDS = word_set("title name label headline subject heading topic theme caption short")
TERM_WORDS = word_set("keyword keywords tag tags term terms topics entity entities categories themes labels")
NAME_WORDS = word_set("id ids source sources document file filename path section author owner service component")
SUMMARY_WORDS = word_set("summary overview synthesis report conclusion abstract analysis description text content")
CONFIDENCE_WORDS = word_set("confidence probability certainty likelihood")
SCORE_WORDS = word_set("score rating grade quality rank points stars")
COUNT_WORDS = word_set("count total number num amount occurrences")
BAD_WORDS = word_set("risk severity danger toxicity harm impact threat priority urgency")
TOKENS_TRIED = 400
FOUND_BY_FORMAT: dict[str, re.Pattern[str]] = {
    "date": re.compile(r"\b\d{4}-(?:0[1-9]|1[0-2])-(?:0[1-9]|[12]\d|3[01])\b"),
    "date-time": re.compile(r"\b\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?(?:Z|[+-]\d\d:\d\d)"),
    "time": re.compile(r"\b\d\d:\d\d:\d\d(?:Z|[+-]\d\d:\d\d)"),
    "email": re.compile(r"\b[\w.+-]+@[\w-]+(?:\.[\w-]+)+\b"),
    "uri": re.compile(r"\bhttps?://[^\s<>\"'`)]+"),
    "ipv4": re.compile(r"\b(?:(?:25[0-5]|2[0-4]\d|1?\d?\d)\.){3}(?:25[0-5]|2[0-4]\d|1?\d?\d)\b"),
    "uuid": re.compile(r"\b[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}\b"),
}
DATE_AND_TIME = re.compile(r"\b(\d{4}-\d\d-\d\d)[T ](\d\d:\d\d:\d\d)")
# What stands in where the material holds none: plainly made up, and valid.
PLACEHOLDERS = {
    "date": "1970-01-01",
    "date-time": "1970-01-01T00:00:00Z",
    "time": "00:00:00Z",
    "duration": "PT0S",
    "email": "unknown@example.com",
    "idn-email": "unknown@example.com",
    "uri": "https://example.com/",
    "iri": "https://example.com/",
    "uri-reference": "/",
    "iri-reference": "/",
    "uri-template": "https://example.com/{id}",
    "hostname": "example.com",
    "idn-hostname": "example.com",
    "ipv4": "192.0.2.1",
    "ipv6": "2001:db8::1",
    "json-pointer": "/0",
    "relative-json-pointer": "0",
    "regex": ".*",
}


@dataclass(frozen=True, slots=True)
class Bounds:
    """The lengths of a string or array, or of an object's property list, as all conjuncts together allow."""

    low: int
    high: float

    @classmethod
    def of(cls, conjuncts: Conjuncts, noun: str) -> Bounds:
        """Reads `minX` and `maxX`, e.g. of noun `Length`."""
        return cls(
            max((math.ceil(c[f"min{noun}"]) for c in conjuncts if f"min{noun}" in c), default=0),
            min((c[f"max{noun}"] for c in conjuncts if f"max{noun}" in c), default=math.inf),
        )


def strings(conjuncts: Conjuncts, place: Place, evidence: Evidence) -> Iterator[str]:
    """Texts for a place; with patterns and formats each still wants a check."""
    bounds = Bounds.of(conjuncts, "Length")
    if bounds.low > bounds.high:
        return
    formats = [c["format"] for c in conjuncts if "format" in c]
    patterns = [c["pattern"] for c in conjuncts if "pattern" in c]
    for name in formats:
        yield from _formatted(name, place, evidence)
    if patterns:
        yield from _spelt(patterns, bounds, evidence)
    for text in chain(evidence.on_form(place), _told(place, evidence)):
        yield fitted(text, bounds)
    yield from (fitted(sentence, bounds) for sentence in evidence.sentences(place)[:12])
    stamp = hashlib.sha256(repr(place.words).encode()).hexdigest()
    yield from (fitted(f"{stamp[:6]}-{number}", bounds) for number in range(1, 40))


def numbers(conjuncts: Conjuncts, place: Place, evidence: Evidence, *, whole: bool) -> Iterator[int | float]:
    """Numbers for a place, moved into the bounds and onto the multiples."""
    low, high = numeric_bounds(conjuncts)
    steps = [c["multipleOf"] for c in conjuncts if "multipleOf" in c]
    step = max(steps, default=1 if whole else None)
    if whole and isinstance(step, float) and not step.is_integer():
        step = 1
    wanted = list(_wanted_numbers(place, evidence, low, high))
    inside = [number for number in wanted if low <= number <= high]
    for number in [*inside, *wanted, *_edges(low, high)]:
        moved = snapped(min(max(number, low), high), step, whole=whole)
        yield moved
        for away in range(1, 4):
            yield snapped(moved + away * (step or 1), step, whole=whole)
            yield snapped(moved - away * (step or 1), step, whole=whole)
    if steps:
        yield from _multiples(steps, low, whole=whole)


def booleans(place: Place, evidence: Evidence) -> Iterator[bool]:
    """What the material says to the property's name, then the opposite."""
    says = evidence.says_yes(place)
    yield says
    yield not says


def _told(place: Place, evidence: Evidence) -> Iterator[str]:
    """Natural texts by the property's name."""
    words = set(place.words)
    teller: Callable[[], Iterator[str]] | None = None
    if words & TERM_WORDS:
        teller = lambda: iter(evidence.terms[place.focus or 0 :][:8])  # noqa: E731
    elif words & NAME_WORDS:
        teller = lambda: chain(evidence.stated(place), evidence.names(place))  # noqa: E731
    elif words & PHRASE_WORDS:
        teller = lambda: evidence.phrases(place)  # noqa: E731
    if teller is not None:
        yield from teller()
    elif words & SUMMARY_WORDS and place.focus is None:
        yield evidence.summary()


def _formatted(name: str, place: Place, evidence: Evidence) -> Iterator[str]:
    text = evidence.material.text
    if name == "date" and place.focus is None:
        yield from evidence.forms.dates(place.words)
    if name in FOUND_BY_FORMAT:
        yield from FOUND_BY_FORMAT[name].findall(text)[:8]
    if name == "date-time":
        yield from (f"{day}T{moment}Z" for day, moment in DATE_AND_TIME.findall(text)[:8])
    if name == "uuid":
        yield str(uuid.uuid5(uuid.NAMESPACE_OID, text))
    if name in PLACEHOLDERS:
        yield PLACEHOLDERS[name]


def _spelt(patterns: list[str], bounds: Bounds, evidence: Evidence) -> Iterator[str]:
    """Words of the material that match every pattern, then made-up texts."""
    try:
        compiled = [re.compile(pattern) for pattern in patterns]
    except re.error:
        return
    for token, _ in zip(evidence.tokens(), range(TOKENS_TRIED), strict=False):
        if bounds.low <= len(token) <= min(bounds.high, 100) and all(c.search(token) for c in compiled):
            yield token
    for pattern in patterns:
        yield from texts_for(pattern, bounds.low)
        yield from (fitted(text, bounds) for text in texts_for(pattern, 0))


def fitted(text: str, bounds: Bounds) -> str:
    """The text cut at a word's end, or said again, to be of an allowed length."""
    text = text or NOTHING
    if len(text) > bounds.high:
        cut = text[: int(bounds.high)]
        at_word = cut.rsplit(" ", 1)[0].rstrip(" ,;:")
        text = at_word if max(bounds.low, len(cut) // 2) <= len(at_word) else cut
    while len(text) < bounds.low:
        text = f"{text} {text}"[: max(bounds.low, 1)]
    return text


def numeric_bounds(conjuncts: Conjuncts) -> tuple[float, float]:
    """The least and the greatest number that all conjuncts allow; infinite where none is stated."""
    low = max((c[key] for c in conjuncts for key in ("minimum", "exclusiveMinimum") if key in c), default=-math.inf)
    high = min((c[key] for c in conjuncts for key in ("maximum", "exclusiveMaximum") if key in c), default=math.inf)
    return low, high


def _wanted_numbers(place: Place, evidence: Evidence, low: float, high: float) -> Iterator[float]:
    words = set(place.words)
    yield from evidence.amounts(place)
    bottom, top = (low if math.isfinite(low) else 0.0), (high if math.isfinite(high) else 1.0)
    if words & CONFIDENCE_WORDS:
        share = 0.5 + abs(evidence.concern(place)) / 2
        yield round(bottom + share * (top - bottom), 2)
    elif words & (SCORE_WORDS | BAD_WORDS):
        top = top if math.isfinite(high) else bottom + 10
        concern = evidence.concern(place)
        share = (1 + (concern if words & BAD_WORDS else -concern)) / 2
        yield round(bottom + share * (top - bottom), 2)
    elif "line" in words:
        yield evidence.line_number(place)
    elif words & COUNT_WORDS:
        yield evidence.count(place)
    yield from (number for number, _ in zip(evidence.numbers(place), range(20), strict=False))


def _edges(low: float, high: float) -> Iterator[float]:
    if low <= 0 <= high:
        yield 0
    if math.isfinite(low):
        yield low
    if math.isfinite(high):
        yield high
    if math.isfinite(low) and math.isfinite(high):
        yield (low + high) / 2
        yield low + (high - low) / 1024


def snapped(number: float, step: float | None, *, whole: bool) -> int | float:
    """The number moved onto a multiple of `step`, and as an integer where it is one."""
    if step:
        number = round(number / step) * step
    if whole:
        return round(number)
    return int(number) if isinstance(number, float) and number.is_integer() and abs(number) < 2**53 else number


def _multiples(steps: list[float], low: float, *, whole: bool) -> Iterator[int | float]:
    """Common multiples from the lower bound upwards, and downwards from there."""
    step: float = math.lcm(*(int(s) for s in steps)) if all(float(s).is_integer() for s in steps) else max(steps)
    start = math.floor(low / step) if math.isfinite(low) else 0
    for offset in range(60):
        yield snapped((start + offset) * step, None, whole=whole)
        yield snapped((start - offset) * step, None, whole=whole)
