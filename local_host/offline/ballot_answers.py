"""Ballot answers: a vote as a ballot's schema asks for it: an answer, the reasoning, quotes for it, and a confidence.

A schema is a ballot by its shape: an object of `answer`, `reasoning` and perhaps `evidence` and `confidence`. All four
tell of one decision: the quotes are the sentences that speak for the answer, the reasoning is about them, and the
confidence is how far the answer is ahead of the next one. Nobody abstains.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from local_host.offline.evidence import NUMBER, Evidence, Place
from local_host.offline.extractive import NOTHING, PROMPT_WORDS
from local_host.offline.lexicon import CONCERNS, domains_of
from local_host.offline.scalars import BAD_WORDS, Bounds, fitted, numeric_bounds, snapped
from local_host.offline.text import WORD, Unit, content_stems, stem
from local_host.offline.votes import (
    Ballot,
    Weight,
    acceptable,
    certainty,
    clarity,
    concern,
    last_question,
    leaning,
    rank_options,
    support_for,
    text_vote,
)
from local_host.offline.words import word_set

type Schema = dict[str, Any]

PARTS = word_set("answer reasoning evidence confidence")
NEEDED_PARTS = word_set("answer reasoning")
ANSWER = Place(words=("answer",))
MAX_QUOTES = 2
SHOWN_OPTIONS = 3
LEAST_CONFIDENCE, MOST_CONFIDENCE = 0.4, 0.98
YES_AND_NO = ("yes", "no")


@dataclass(frozen=True, slots=True)
class Decision:
    """An answer, what to call it, how clear it is from 0 to 1, and how strongly a unit speaks for it."""

    answer: Any
    said: str
    clarity: float
    weight: Weight


def vote(schema: Any, evidence: Evidence) -> dict[str, Any] | None:
    """The vote on a ballot; None where the schema is none."""
    parts = schema.get("properties") if isinstance(schema, dict) else None
    if (
        not isinstance(parts, dict)
        or not NEEDED_PARTS <= parts.keys() <= PARTS
        or not isinstance(parts["answer"], dict)
    ):
        return None
    decision = _decide(parts["answer"], evidence)
    if decision is None:
        return None
    units = _grounds(decision, evidence)
    whole = {
        "reasoning": _reasoning(decision, units),
        "evidence": [unit.text for unit in units],
        "answer": decision.answer,
        "confidence": _confidence(decision.clarity if units else 0.0),
    }
    return {name: whole[name] for name in parts}


def _decide(schema: Schema, evidence: Evidence) -> Decision | None:
    options = [option for option in schema.get("enum", ()) if option is not None]
    if options:
        return _choice(options, evidence)
    stated = schema.get("type")
    kinds = [kind for kind in (stated if isinstance(stated, list) else [stated]) if kind != "null"]
    deciders: dict[str | None, Callable[[Schema, Evidence], Decision | None]] = {
        "boolean": _yes_or_no,
        "array": _list,
        "object": _scores,
        "number": _number,
        "integer": _number,
        "string": _free,
    }
    decide = deciders.get(kinds[0]) if len(kinds) == 1 else None
    return decide(schema, evidence) if decide else None


def _confidence(clear: float) -> float:
    return round(LEAST_CONFIDENCE + (MOST_CONFIDENCE - LEAST_CONFIDENCE) * min(1.0, clear), 2)


def _grounds(decision: Decision, evidence: Evidence) -> list[Unit]:
    """The units to quote: those that speak for the answer, the strongest first; the most telling one if none does."""
    units = {unit.text: unit for unit in reversed(_quotable(evidence))}.values()
    ranked = sorted(units, key=lambda unit: (-decision.weight(unit), -evidence.scores[unit.position], unit.position))
    return [unit for unit in ranked[:MAX_QUOTES] if decision.weight(unit) > 0] or ranked[:1]


def _quotable(evidence: Evidence) -> list[Unit]:
    return [] if evidence.material.is_bare else [unit for unit in evidence.units if not unit.text.endswith("?")]


def _reasoning(decision: Decision, units: list[Unit]) -> str:
    if not units:
        return f"The question alone leads to {decision.said}; there is no material to quote."
    speaks = decision.weight(units[0]) > 0
    return f"{'What speaks' if speaks else 'Little speaks'} for {decision.said}: {units[0].text}"


def _said(options: list[str]) -> str:
    shown = ", ".join(map(repr, options[:SHOWN_OPTIONS]))
    return f"{shown}, …" if len(options) > SHOWN_OPTIONS else shown


def _choice(options: list[Any], evidence: Evidence) -> Decision:
    names = [option if isinstance(option, str) else json.dumps(option) for option in options]
    ballot = evidence.ballot(ANSWER)
    chosen = evidence.preferred(names, ANSWER)[0]
    is_voted = chosen == rank_options(names, ballot)[0]
    clear = clarity(names, ballot) if is_voted else 1.0  # the material itself states another one outright
    return Decision(options[chosen], repr(names[chosen]), clear, support_for(names[chosen], names, ballot))


def _yes_or_no(schema: Schema, evidence: Evidence) -> Decision:
    del schema
    ballot, options = evidence.ballot(ANSWER), [*YES_AND_NO]
    said = options[rank_options(options, ballot)[0]]
    return Decision(said == "yes", repr(said), clarity(options, ballot), support_for(said, options, ballot))


def _list(schema: Schema, evidence: Evidence) -> Decision | None:
    """As many options as must be listed, and all others that are acceptable; the best first."""
    items = schema.get("items")
    options = items.get("enum") if isinstance(items, dict) else None
    if not options or not all(isinstance(option, str) for option in options):
        return None
    ballot, bounds = evidence.ballot(ANSWER), Bounds.of([schema], "Items")
    ranked, count = rank_options(options, ballot), max(bounds.low, len(acceptable(options, ballot)))
    listed = [options[index] for index in ranked[: int(min(count, bounds.high, len(options)))]]
    if not listed:
        return None
    clear = clarity(options, ballot, len(listed) if len(listed) < len(options) else 1)
    return Decision(listed, _said(listed), clear, support_for(listed[0], options, ballot))


def _scores(schema: Schema, evidence: Evidence) -> Decision | None:
    """Each criterion's score: high for good material, or for bad where the criterion names something bad."""
    criteria = schema.get("properties", {})
    if not criteria or not all(
        isinstance(c, dict) and c.get("type") in ("number", "integer") for c in criteria.values()
    ):
        return None
    ballots = {name: _ballot_of(name, evidence) for name in criteria}
    scores = {name: _score(criterion, name, ballots[name]) for name, criterion in criteria.items()}
    clear = math.fsum(abs(concern(b)) * certainty(b) for b in ballots.values()) / len(ballots)
    whole, named = evidence.ballot(ANSWER), content_stems(" ".join(criteria))
    found, side = leaning(whole), math.copysign(1.0, concern(whole))
    said = ", ".join(f"{name} {score:g}" for name, score in scores.items())
    return Decision(scores, said, clear, lambda unit: max(0.0, side * found(unit)) + len(unit.stems & named))


def _ballot_of(criterion: str, evidence: Evidence) -> Ballot:
    """The material as one who cares for the criterion's domain sees it; else what it says of the criterion itself."""
    whole, words = evidence.ballot(ANSWER), content_stems(criterion)
    if domains_of(words):
        return Ballot(criterion, whole.units, f"{whole.perspective}\n{criterion}")
    about = [unit for unit in whole.units if unit.stems & words]
    return Ballot(criterion, about or whole.units, whole.perspective)


def _score(schema: Schema, criterion: str, ballot: Ballot) -> float:
    words = content_stems(criterion)
    is_bad = any(CONCERNS.get(word) for word in words) or any(stem(word) in words for word in BAD_WORDS)
    found = concern(ballot)
    return _share_of_bounds(schema, (1 + (found if is_bad else -found)) / 2)


def _share_of_bounds(schema: Schema, share: float) -> float:
    """The number at a share of the way from the lower bound to the upper, as coarse as the way is long."""
    low, high = numeric_bounds([schema])
    low = low if math.isfinite(low) else min(0.0, high - 10)
    high = high if math.isfinite(high) else low + 10
    digits = 2 - math.ceil(math.log10(high - low)) if high > low else 0
    found = round(low + share * (high - low), digits)
    return snapped(min(max(found, low), high), None, whole=schema.get("type") == "integer")


def _number(schema: Schema, evidence: Evidence) -> Decision:
    """The number of the sentence that shares most words with the question, by preference one of what is asked for."""
    low, high = numeric_bounds([schema])
    ballot = evidence.ballot(ANSWER)
    wanted = content_stems(last_question(ballot.question)) - PROMPT_WORDS
    best: tuple[int, bool, float] | None = None
    for unit in _quotable(evidence):
        for number, is_counted in _numbers_in(unit.text, wanted):
            found = (len(unit.stems & wanted), is_counted, number)
            is_allowed = low <= number <= high and (schema.get("type") != "integer" or number.is_integer())
            if is_allowed and (best is None or found[:2] > best[:2]):
                best = found
    if best is None:
        guess = _share_of_bounds(schema, (1 + concern(ballot)) / 2)
        return Decision(guess, f"{guess:g}", 0.0, lambda unit: len(unit.stems & wanted))
    shared, is_counted, number = best
    clear = shared / (len(wanted) or 1) * (1.0 if is_counted else 0.5)
    answer = snapped(number, None, whole=False)
    return Decision(answer, f"{answer:g}", clear, lambda unit: _speaks_of(number, unit, wanted))


def _numbers_in(text: str, wanted: frozenset[str]) -> list[tuple[float, bool]]:
    """The numbers in a text, and whether the word after each is one of those wanted: "47 minutes"."""
    numbers: list[tuple[float, bool]] = []
    for found in NUMBER.finditer(text):
        after = WORD.search(text, found.end())
        numbers.append((float(found[0].replace(",", "")), after is not None and stem(after[0]) in wanted))
    return numbers


def _speaks_of(number: float, unit: Unit, wanted: frozenset[str]) -> float:
    says_it = any(said == number for said, _ in _numbers_in(unit.text, wanted))
    return 1.0 + len(unit.stems & wanted) if says_it else 0.0


def _free(schema: Schema, evidence: Evidence) -> Decision:
    """Yes or no with a reason, or an option, where that is asked; else the sentence that says most of what is asked."""
    material, ballot = evidence.material, evidence.ballot(ANSWER)
    best = sorted(_quotable(evidence), key=lambda unit: (-evidence.scores[unit.position], unit.position))[:1]
    voted = text_vote(material)
    text = voted or (best[0].text if best else NOTHING)
    wanted = content_stems(last_question(material.question)) - PROMPT_WORDS
    if voted:
        clear = clarity(material.options or YES_AND_NO, ballot)
    else:
        clear = len(best[0].stems & wanted) / (len(wanted) or 1) if best else 0.0
    answer = fitted(text, Bounds.of([schema], "Length"))
    return Decision(answer, "this answer", clear, lambda unit: float(unit.text in text))
