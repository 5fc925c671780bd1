"""Votes: the choice among options, a pure function of the question, the material and the voter's perspective.

Options that say how bad things are (`safe`, `reject`, `high`, and `yes` or `no` by what was asked) stand on one scale,
and the material's signs of worry and of comfort are put on the same scale. Other options are compared by their words.
A perspective shifts the choice by its domain (a security voter heeds signs of its domain more) and by its temper
(strict, lenient); names, numbers and seeds shift nothing.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache

from local_host.offline.extractive import PROMPT_WORDS, heeded_smells, pick, rank
from local_host.offline.lexicon import (
    COMFORTS,
    CONCERNS,
    CONNOTATIONS,
    DOMAIN_NAMES,
    DOMAINS,
    LENIENT,
    LEVELS,
    NEGATIONS,
    NO,
    STRICT,
    YES,
    domains_of,
)
from local_host.offline.material import Material
from local_host.offline.text import WORD, Unit, content_stems, stem, stems

NEGATION_REACH = 3
OTHER_DOMAIN_WEIGHT = 0.35
STRICT_FACTOR = 2.0
YES_LEVEL = 0.8
# Of the words of a question of fact, as many must be in the material for a yes.
MENTIONED_SHARE = 0.6
# An option nearer to the middle of the scale takes its grounds from both sides.
CLEAR_LEVEL = 0.3
CLEAR_BALANCE = 0.5
YES_NO_QUESTION = re.compile(
    r"^\s*(?:is|are|was|were|does|do|did|can|could|should|shall|will|would|may|must|has|have|had)\b", re.IGNORECASE
)
SEEKS_APPROVAL = re.compile(
    r"\b(?:should|proceed|deploy|release|good|okay|ok|fit|meets?|comply|complies|well|adequate|sufficient|sound)\b",
    re.IGNORECASE,
)
BRIEF = re.compile(r"\b(?:one word|single word|only|few words|as short|just)\b", re.IGNORECASE)
NEGATING = frozenset({"not", "no", "non", "never", "un"})


type Weight = Callable[[Unit], float]


@dataclass(frozen=True, slots=True)
class Ballot:
    """One choice to make: the question, what to judge, and the voter's perspective."""

    question: str
    units: Sequence[Unit]
    perspective: str


def text_vote(material: Material) -> str | None:
    """The answer to a ballot in plain text, or None where the prompt is none."""
    ballot = Ballot(material.question, material.units, material.task)
    if material.options:
        return material.options[rank_options(material.options, ballot)[0]]
    if not (material.is_ballot and YES_NO_QUESTION.match(last_question(material.question))):
        return None
    said = "No" if rank_options(("yes", "no"), ballot)[0] else "Yes"
    if BRIEF.search(f"{material.task}\n{material.question}"):
        return said
    scores = rank(material.units, f"{material.task}\n{material.question}")
    others = [unit for unit in material.units if not unit.text.endswith("?")]
    evidence = pick(others, scores, 1)
    return f"{said}. {evidence[0].text}" if evidence else f"{said}."


def rank_options(options: Sequence[str], ballot: Ballot) -> list[int]:
    """The indexes of the options, the chosen one first; equals by their text, so that their order plays no part."""
    fits = fits_of(options, ballot)
    return sorted(range(len(options)), key=lambda index: (-fits[index], options[index].casefold(), options[index]))


def fits_of(options: Sequence[str], ballot: Ballot) -> list[float]:
    """How well each option fits the material, more is better: its nearness on the scale, or its likeness in words."""
    levels = levels_of(options, ballot)
    if levels is None:
        return _likenesses(options, ballot)
    found = concern(ballot)
    return [-math.inf if level is None else -abs(level - found) for level in levels]


def acceptable(options: Sequence[str], ballot: Ballot) -> list[int]:
    """The indexes of the options that a voter can live with, best first, at least one.

    They lie within half of the scale from where the material does, or have half the likeness of the best.
    """
    ranked, fits = rank_options(options, ballot), fits_of(options, ballot)
    levels = levels_of(options, ballot)
    if levels is None:
        least = fits[ranked[0]] / 2 or math.inf
    else:
        known = [level for level in levels if level is not None]
        least = (min(known) - max(known)) / 2
    return ranked[:1] + [index for index in ranked[1:] if fits[index] >= least]


def clarity(options: Sequence[str], ballot: Ballot, chosen: int = 1) -> float:
    """How far the worst of the `chosen` best options is ahead of the next one, from 0 to 1.

    It is near 0 where the material gives few signs.
    """
    if _asks_a_fact(options, ballot):
        return min(1.0, abs(_coverage(ballot) - MENTIONED_SHARE) / MENTIONED_SHARE)
    fits = [*sorted(fits_of(options, ballot), reverse=True), -math.inf]
    last, following = fits[chosen - 1], fits[chosen]
    if levels_of(options, ballot) is None:
        return 0.0 if last <= 0 else (last - max(following, 0.0)) / fits[0] * (last / (last + 1.0))
    return 0.0 if last == -math.inf else min(1.0, last - following) * certainty(ballot)


def certainty(ballot: Ballot) -> float:
    """How much there is to go by, from 0 (no sign of worry or comfort) towards 1."""
    signs = sum(_weighed_signs(ballot))
    return signs / (signs + 1.5)


def concern(ballot: Ballot) -> float:
    """How bad the material looks from this perspective, from -1 (all comfort) to 1 (all worry)."""
    worry, comfort = _weighed_signs(ballot)
    return (worry - comfort - 0.5) / (worry + comfort + 1.5)


def support_for(answer: str, options: Sequence[str], ballot: Ballot) -> Weight:
    """How strongly a unit speaks for an answer among the options; 0 or less says that it does not."""
    levels = levels_of(options, ballot)
    level = levels[list(options).index(answer)] if levels else None
    if level is None:
        meant = _meant(content_stems(answer))
        return lambda unit: float(len(unit.stems & meant))
    if _asks_a_fact(options, ballot):
        asked = content_stems(last_question(ballot.question)) - PROMPT_WORDS if is_yes(answer) else frozenset[str]()
        return lambda unit: float(len(unit.stems & asked))
    found = leaning(ballot)
    if abs(level) < CLEAR_LEVEL:
        return lambda unit: abs(found(unit))
    return lambda unit: math.copysign(1.0, level) * found(unit)


def leaning(ballot: Ballot) -> Weight:
    """How much of worry (above 0) or of comfort (below) this perspective sees in a unit."""
    domains = domains_of(content_stems(ballot.perspective))

    def found(unit: Unit) -> float:
        worry, comfort = _signs(unit, domains)
        return (worry - comfort) * _heed(unit, domains)

    return found


def is_yes(option: str) -> bool:
    """Whether an option is a yes, however it is spelt."""
    return _lowered([option])[0] in YES


def temper(perspective: str) -> int:
    """1 for a strict voter, -1 for a lenient one, 0 for any other."""
    words = {word.lower() for word in WORD.findall(perspective)}
    strict, lenient = len(words & STRICT), len(words & LENIENT)
    return (strict > lenient) - (lenient > strict)


def last_question(text: str) -> str:
    """The sentence that asks: the last with a question mark, else the whole text."""
    asked = re.findall(r"[^.!?\n]*\?", text)
    return asked[-1].strip() if asked else text


def question_polarity(question: str) -> int:
    """1 where `yes` reports a problem (`Is it vulnerable?`), -1 where it reports none, 0 where it says neither."""
    asked = last_question(question)
    words = stems(asked)
    balance = sum(CONCERNS.get(word, 0) - COMFORTS.get(word, 0) for word in words)
    balance += sum(2 * LEVELS.get(word.lower(), 0.0) for word in WORD.findall(asked))
    if abs(balance) > CLEAR_BALANCE:
        return 1 if balance > 0 else -1
    return -1 if SEEKS_APPROVAL.search(asked) else 0


def _weighed_signs(ballot: Ballot) -> tuple[float, float]:
    """All signs of worry and of comfort, as this perspective weighs them."""
    domains = domains_of(content_stems(ballot.perspective))
    worry = comfort = 0.0
    for unit in ballot.units:
        unit_worry, unit_comfort = _signs(unit, domains)
        worry += _heed(unit, domains) * unit_worry
        comfort += _heed(unit, domains) * unit_comfort
    return worry * STRICT_FACTOR ** temper(ballot.perspective), comfort


def _heed(unit: Unit, domains: list[str]) -> float:
    return 1.0 if not domains or _in_domain(unit, domains) else OTHER_DOMAIN_WEIGHT


def _signs(unit: Unit, domains: list[str]) -> tuple[float, float]:
    """The signs of worry and of comfort in a unit: those of its words and the smells of its code."""
    worry, comfort = _word_signs(unit.text)
    return worry + sum(smell.weight for smell in heeded_smells(unit, domains)), comfort


@lru_cache(maxsize=4_000)
def _word_signs(text: str) -> tuple[float, float]:
    """The signs of worry and of comfort in words; a negation turns those that follow it at once."""
    worry = comfort = 0.0
    negated_until = -1
    for index, word in enumerate(WORD.findall(text)):
        lowered = word.lower()
        if lowered in NEGATIONS or lowered.endswith("n't"):
            negated_until = index + NEGATION_REACH
            continue
        root = stem(word)
        bad, good = CONCERNS.get(root, 0), COMFORTS.get(root, 0)
        if index <= negated_until:
            bad, good = good, bad / 2
        worry += bad
        comfort += good
    return worry, comfort


def _in_domain(unit: Unit, domains: list[str]) -> bool:
    return bool(heeded_smells(unit, domains)) or any(unit.stems & DOMAINS[domain] for domain in domains)


def levels_of(options: Sequence[str], ballot: Ballot) -> list[float | None] | None:
    """Where each option stands on the scale, or None when the options are of another kind."""
    lowered = _lowered(options)
    if _are_yes_and_no(lowered):
        polarity = question_polarity(ballot.question) or _mentioned(ballot)
        return [
            polarity * YES_LEVEL if option in YES else -polarity * YES_LEVEL if option in NO else _level(option)
            for option in lowered
        ]
    levels = [_level(option) for option in lowered]
    known = [level for level in levels if level is not None]
    if len(set(known)) > 1 and len(known) * 2 >= len(levels):
        return levels
    return None


def _lowered(options: Sequence[str]) -> list[str]:
    return [option.strip().strip(".").lower() for option in options]


def _are_yes_and_no(lowered: Sequence[str]) -> bool:
    return any(option in YES for option in lowered) and any(option in NO for option in lowered)


def _asks_a_fact(options: Sequence[str], ballot: Ballot) -> bool:
    """Whether yes or no hangs on what the material speaks of, rather than on how bad things are."""
    return _are_yes_and_no(_lowered(options)) and question_polarity(ballot.question) == 0


def _level(option: str) -> float | None:
    words = re.findall(r"[^\W_]+", option)
    found = [LEVELS[word] for word in words if word in LEVELS]
    if not found:
        return None
    level = max(found, key=abs)
    negated = any(word in NEGATING for word in words[: words.index(next(w for w in words if w in LEVELS))])
    return -level if negated else level


def _mentioned(ballot: Ballot) -> int:
    """For a plain question of fact: which polarity makes `yes` the nearer answer when the material speaks of it."""
    worried = concern(ballot) > 0
    return 1 if (_coverage(ballot) >= MENTIONED_SHARE) == worried else -1


def _coverage(ballot: Ballot) -> float:
    """The share of the question's words that the material uses, too."""
    wanted = content_stems(last_question(ballot.question)) - PROMPT_WORDS
    said: set[str] = set()
    for unit in ballot.units:
        if not unit.text.endswith("?"):
            said |= unit.stems
    return len(wanted & said) / (len(wanted) or 1)


def _likenesses(options: Sequence[str], ballot: Ballot) -> list[float]:
    said = Counter(word for unit in ballot.units for word in unit.stems)
    perspective = content_stems(ballot.perspective)
    return [_likeness(content_stems(option), said, perspective) for option in options]


def _likeness(option: frozenset[str], said: Counter[str], perspective: frozenset[str]) -> float:
    own = sum(2 * math.log1p(said[word]) + (0.25 if word in perspective else 0) for word in sorted(option))
    return own / (len(option) or 1) + sum(math.log1p(said[word]) for word in sorted(_meant(option) - option))


def _meant(option: frozenset[str]) -> frozenset[str]:
    """An option's words and those that they stand for."""
    meant = set(option)
    for word in option:
        meant |= CONNOTATIONS.get(word, frozenset())
        meant |= DOMAINS.get(DOMAIN_NAMES.get(word, ""), frozenset())
    return frozenset(meant)
