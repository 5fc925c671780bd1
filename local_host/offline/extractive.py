"""Extractive: ranks the material's own sentences by the task, and answers with the best of them in their order.

The score joins the centroid method (the words that the whole material is about), the words shared with the task and
its domain, and cue words such as a log's levels; sentences that repeat a chosen one give way to others.
"""

from __future__ import annotations

import heapq
import math
import re
from collections import Counter
from dataclasses import dataclass

from local_host.offline.lexicon import COMFORTS, CONCERNS, DOMAINS, LOG_LEVELS, domains_of
from local_host.offline.material import Material
from local_host.offline.smells import Smell, smells_of
from local_host.offline.text import LOG_LINE, WORD, Unit, content_stems, stems

NOTHING = "The input holds no text to work on."
DEFAULT_SENTENCES = 4
DEFAULT_POINTS = 5
MAX_UNITS = 40
CANDIDATES = 120
REPETITION_WEIGHT = 0.7
FEW_SHARED_WORDS, ENOUGH_SHARED_WORDS = 1.5, 4.0
SAME = 0.9
HEADING_WEIGHT = 0.5
SMELL_WEIGHT = 0.5
SHORT_WORDS, LONG_WORDS = 4, 45
# Words by which prompts speak about the work itself; they say nothing about what is relevant.
PROMPT_WORDS = content_stems(
    "you agent assistant summarise summarize summary write answer reply respond text input document "
    "documents section sections give list point points sentence sentences short concise brief clear "
    "following below use using return report say focus only role task expert reviewer review analyse "
    "analyze analysis extract find read provide identify describe coherent finding findings matters "
    "explain agents answers agree contradict drop repetition add listed output format json plain "
    "words combine merge single one final result results material data between tags treat instruction "
    "instructions never inside content question option options choose decide vote voter"
)
WANTS_POINTS = re.compile(
    r"\b(?:points?|bullets?|lists?|risks?|findings?|issues?|vulnerabilit\w+|weakness\w*|recommendations?|action items|"
    r"pros|cons|concerns?|problems?|takeaways?|strengths|advantages|disadvantages|drawbacks|defects?)\b",
    re.IGNORECASE,
)
NUMBER_WORDS = {
    "one": 1, "a single": 1, "single": 1, "two": 2, "three": 3, "four": 4, "five": 5, "six": 6, "seven": 7, "eight": 8,
    "nine": 9, "ten": 10,
}  # fmt: skip
WANTED_COUNT = re.compile(
    rf"\b(?P<count>\d{{1,2}}|{'|'.join(NUMBER_WORDS)})\s+(?:[a-z-]+\s+){{0,2}}?"
    r"(?:sentences?|points?|bullets?|items?|risks?|findings?|lines?|takeaways?|issues?|recommendations?)\b",
    re.IGNORECASE,
)
WANTED_WORDS = re.compile(r"\b(?P<count>\d{1,4})\s+words\b", re.IGNORECASE)


# A block of this name is an answer that was made from others, which it names: `a to f`, with `c: …` in it.
RANGE_NAME = re.compile(r"\S+ to \S+")
NAMED = re.compile(r"(?:\S+ to )?\S+: ")


@dataclass(frozen=True, slots=True)
class Wish:
    """The form that the task asks for."""

    points: bool
    count: int | None
    max_words: int | None


def read_wish(task: str) -> Wish:
    """List or paragraph, how many sentences, how many words: what the task says, else None."""
    count, words = WANTED_COUNT.search(task), WANTED_WORDS.search(task)
    number = None
    if count:
        said = count["count"].lower()
        number = int(said) if said.isdigit() else NUMBER_WORDS[said]
    return Wish(bool(WANTS_POINTS.search(task)), number or None, int(words["count"]) if words else None)


def summarise(material: Material) -> str:
    """The text answer: sentences of every block, as a list when the task asks for points."""
    wish = read_wish(material.task)
    chosen = choose_units(material, wish)
    if not chosen:
        return NOTHING
    said = (
        "\n".join(f"- {_labelled(unit, material)}" for unit in chosen) if wish.points else _paragraphs(chosen, material)
    )
    return f"{said}\n\nMissing: {', '.join(material.missing)}." if material.missing else said


def choose_units(material: Material, wish: Wish) -> list[Unit]:
    """The most telling units, in original order, at least one of every block."""
    by_block: dict[str, list[Unit]] = {}
    scores = rank(material.units, f"{material.task}\n{material.question}")
    for unit in material.units:
        by_block.setdefault(unit.block, []).append(unit)
    if not by_block:
        return []
    total = wish.count or (DEFAULT_POINTS if wish.points else DEFAULT_SENTENCES)
    share = max(1, math.ceil(total / len(by_block)))
    chosen: list[Unit] = []
    for units in by_block.values():
        chosen += pick(units, scores, share, already=chosen)
    if wish.count and len(chosen) > max(wish.count, len(by_block)):
        chosen = heapq.nlargest(max(wish.count, len(by_block)), chosen, key=lambda unit: scores[unit.position])
    if len(chosen) > MAX_UNITS:
        chosen = heapq.nlargest(MAX_UNITS, chosen, key=lambda unit: scores[unit.position])
    chosen.sort(key=lambda unit: unit.position)
    return _within_words(chosen, wish.max_words)


def rank(units: list[Unit], task: str) -> list[float]:
    """The score of each unit, by its place in the material."""
    if not units:
        return []
    frequency = Counter(word for unit in units for word in unit.stems)
    rarity = {word: math.log(1 + len(units) / count) for word, count in frequency.items()}
    centroid = {word: count * rarity[word] for word, count in frequency.items()}
    centroid_size = math.sqrt(math.fsum(weight * weight for weight in centroid.values())) or 1.0
    wanted = query_weights(task)
    reachable = math.fsum(weight for word, weight in wanted.items() if word in frequency)
    enough = max(FEW_SHARED_WORDS, min(reachable, ENOUGH_SHARED_WORDS))
    scores, domains = [], domains_of(content_stems(task))
    for unit in units:
        words = sorted(unit.stems)
        size = math.sqrt(sum(rarity[word] ** 2 for word in words)) or 1.0
        central = sum(rarity[word] * centroid[word] for word in words) / (size * centroid_size)
        asked = sum(wanted.get(word, 0.0) for word in words)
        asked += HEADING_WEIGHT * sum(wanted.get(word, 0.0) for word in stems(unit.heading))
        scores.append(_score(unit, central, min(1.0, asked / enough), domains))
    return scores


def query_weights(task: str) -> dict[str, float]:
    """The words that the task is about: its own, and more weakly those of the domains that it names."""
    own = content_stems(task) - PROMPT_WORDS
    weights = dict.fromkeys(sorted(own), 1.0)
    for domain in domains_of(own):
        for word in DOMAINS[domain]:
            weights.setdefault(word, 0.7)
    return weights


def pick(units: list[Unit], scores: list[float], count: int, already: list[Unit] | None = None) -> list[Unit]:
    """The best `count` units, each as unlike the ones before it as its score allows."""
    candidates = heapq.nlargest(CANDIDATES, units, key=lambda unit: (scores[unit.position], -unit.position))
    chosen: list[Unit] = []
    likeness = {unit.position: 0.0 for unit in candidates}
    for other in (already or [])[-CANDIDATES:]:
        _raise_likeness(likeness, candidates, other)
    while candidates and len(chosen) < count:
        best = max(
            candidates,
            key=lambda unit: scores[unit.position] * (1 - REPETITION_WEIGHT * likeness[unit.position]),
        )
        if chosen and likeness[best.position] > SAME:
            break
        candidates.remove(best)
        chosen.append(best)
        _raise_likeness(likeness, candidates, best)
    return chosen


def _raise_likeness(likeness: dict[int, float], candidates: list[Unit], other: Unit) -> None:
    for unit in candidates:
        union = len(unit.stems | other.stems) or 1
        likeness[unit.position] = max(likeness[unit.position], len(unit.stems & other.stems) / union)


def _score(unit: Unit, central: float, relevance: float, domains: list[str]) -> float:
    score = 0.5 * central + relevance + cue(unit, domains) + (0.1 if unit.position == 0 and not unit.is_line else 0.0)
    length = len(unit.text.split())
    if length < SHORT_WORDS:
        return 0.6 * score
    return 0.8 * score if length > LONG_WORDS and not unit.is_line else score


def cue(unit: Unit, domains: list[str]) -> float:
    """How telling a unit is by its own words: log levels for lines, signs of worry or comfort for prose."""
    signs = sum(CONCERNS.get(word, 0) + COMFORTS.get(word, 0) for word in unit.stems)
    weight = min(signs, 4) * 0.08
    if unit.is_line:
        weight += SMELL_WEIGHT * sum(smell.weight for smell in heeded_smells(unit, domains))
    if unit.is_line and LOG_LINE.match(unit.text):
        words = {word.lower() for word in WORD.findall(unit.text)}
        weight += max((LOG_LEVELS[word] for word in words if word in LOG_LEVELS), default=0.0)
    return weight


def heeded_smells(unit: Unit, domains: list[str]) -> list[Smell]:
    """The weaknesses of a line of code that a reader of these domains heeds; with no domain, all."""
    if not unit.is_line:
        return []
    found = smells_of(unit.text)
    return [smell for smell in found if smell.domain in domains] if domains else list(found)


def _within_words(units: list[Unit], max_words: int | None) -> list[Unit]:
    if max_words is None:
        return units
    kept, words = [], 0
    for unit in units:
        words += len(unit.text.split())
        if kept and words > max_words:
            break
        kept.append(unit)
    return kept


def _labelled(unit: Unit, material: Material) -> str:
    label = _label(unit, material)
    smells = heeded_smells(unit, domains_of(content_stems(material.task)))
    if smells and "`" not in unit.text:
        return f"{label}{smells[0].label} (line {unit.line}): `{unit.text}`"
    return label + unit.text


def _label(unit: Unit, material: Material) -> str:
    """The name of the block that a unit is from, unless there is one block only, or the unit tells where it is from."""
    if not unit.block or len(material.blocks) == 1 or (RANGE_NAME.fullmatch(unit.block) and NAMED.match(unit.text)):
        return ""
    return f"{unit.block}: "


def _paragraphs(units: list[Unit], material: Material) -> str:
    by_block: dict[str, list[Unit]] = {}
    for unit in units:
        by_block.setdefault(unit.block, []).append(unit)
    paragraphs = []
    for said in by_block.values():
        glue = "\n" if said[0].is_line else " "
        paragraphs.append(_label(said[0], material) + glue.join(unit.text for unit in said))
    return "\n\n".join(paragraphs)
