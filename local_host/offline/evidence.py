"""Evidence: what the material offers to one field of a structured answer, by the field's name and place."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cached_property

from local_host.offline.extractive import NOTHING, PROMPT_WORDS, heeded_smells, pick, rank
from local_host.offline.forms import NUMBER_WORDS, PARTIES, Forms
from local_host.offline.lexicon import domains_of
from local_host.offline.material import Material
from local_host.offline.text import STOPWORDS, WORD, Unit, content_stems, stem, stems
from local_host.offline.votes import Ballot, concern, rank_options
from local_host.offline.words import word_set

MAX_FINDINGS = 16
SUMMARY_SENTENCES = 3
NEIGHBOURS = 4
# Fields of a finding that are to hold its very sentence.
QUOTING_WORDS = word_set(
    "evidence quote excerpt description finding issue risk problem text detail details event point "
    "claim statement what reason rationale reasoning summary"
)
MAX_PHRASE_WORDS = 8
MIN_TERM_LENGTH = 3
NUMBER = re.compile(r"(?<![\w.-])-?\d+(?:[.,]\d{3})*(?:\.\d+)?(?![\w-])")
ISO_DATE = "YYYY-MM-DD"
CLAUSE_END = re.compile(r"[,;:](?=\s|$)|[()—–]|\s-\s|\b(?:because|which|while|although|whereas|when|so that)\b")
SPLIT_NAME = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|[_\W]+")


@dataclass(frozen=True, slots=True)
class Place:
    """Where in the answer a value stands: its property's words, the item of the list around it, the refs passed."""

    words: tuple[str, ...] = ()
    hint: str = ""
    focus: int | None = None
    sibling: int = 0
    refs: tuple[str, ...] = ()
    depth: int = 0

    def field(self, name: str, hint: str, sibling: int) -> Place:
        """The place of a property of an object that stands here."""
        words = tuple(word.lower() for word in SPLIT_NAME.split(name) if word)
        return replace(self, words=words, hint=hint, sibling=sibling, depth=self.depth + 1)

    def item(self, index: int) -> Place:
        """The place of an item of an array that stands here; a nested list goes on from its outer finding."""
        focus = index if self.focus is None else self.focus + index
        return replace(self, focus=focus, depth=self.depth + 1)

    @property
    def label(self) -> str:
        """The property's words as a phrase."""
        return " ".join(self.words)


class Evidence:
    """The material, ranked once for the task, and looked up by place."""

    def __init__(self, material: Material) -> None:
        self.material = material
        self.units = material.units

    @cached_property
    def scores(self) -> list[float]:
        """The units' scores for the task."""
        return rank(self.units, f"{self.material.task}\n{self.material.question}")

    @cached_property
    def findings(self) -> list[Unit]:
        """The most telling units, unlike each other, best first."""
        return pick(self.units, self.scores, MAX_FINDINGS)

    @cached_property
    def forms(self) -> Forms:
        """The material as one that states values beside labels."""
        return Forms(self.material.text)

    @cached_property
    def terms(self) -> list[str]:
        """The words that the material is most about, spelt as it first spells them."""
        spelling: dict[str, str] = {}
        counts: Counter[str] = Counter()
        for unit in self.units:
            for word in WORD.findall(unit.text):
                root = stem(word)
                if word.lower() not in STOPWORDS and len(word) >= MIN_TERM_LENGTH and root not in PROMPT_WORDS:
                    spelling.setdefault(root, word)
                    counts[root] += 1
        return [spelling[root] for root, _ in sorted(counts.items(), key=lambda entry: -entry[1])]

    @cached_property
    def titles(self) -> list[str]:
        """The first heading of each block."""
        firsts = [re.search(r"(?m)^[ \t]*#{1,6}[ \t]+(\S.*)$", block.text) for block in self.material.blocks]
        return [found[1].strip("# ") for found in firsts if found]

    def unit(self, place: Place) -> Unit | None:
        """The unit that a place in a list is about."""
        if place.focus is None or not self.findings:
            return None
        return self.findings[place.focus % len(self.findings)]

    def sentences(self, place: Place) -> list[str]:
        """Sentences for this place, best first; one that says so when there is no material."""
        if not self.units:
            return [NOTHING]
        focus = self.unit(place)
        if focus is not None:
            texts = [unit.text for unit in self._around(focus)]
            return _turned(texts, 0 if QUOTING_WORDS & set(place.words) else place.sibling)
        wanted = content_stems(place.label) | (content_stems(place.hint) - PROMPT_WORDS)
        matching = [*self._under_heading(wanted), *(unit for unit in self.findings if unit.stems & wanted)]
        ordered = [*matching, *(unit for unit in self.findings if unit not in matching)]
        texts = list(dict.fromkeys(unit.text for unit in ordered))
        return _turned(texts, 0 if matching or QUOTING_WORDS & set(place.words) else place.sibling)

    def _around(self, focus: Unit) -> list[Unit]:
        """A unit and its neighbours in the block, the nearest first."""
        near = self.units[max(0, focus.position - NEIGHBOURS) : focus.position + NEIGHBOURS + 1]
        return sorted(
            (unit for unit in near if unit.block == focus.block),
            key=lambda unit: (abs(unit.position - focus.position), unit.position < focus.position),
        )

    def _under_heading(self, wanted: frozenset[str]) -> list[Unit]:
        """The units below a heading that is all about the wanted words, best first."""
        headings = {unit.heading: frozenset(stems(unit.heading)) for unit in self.units if unit.heading}
        named = {heading for heading, words in headings.items() if words and words <= wanted}
        below = [unit for unit in self.units if unit.heading in named]
        return sorted(below, key=lambda unit: -self.scores[unit.position])

    def summary(self) -> str:
        """The most telling sentences, in their own order."""
        best = sorted(self.findings[:SUMMARY_SENTENCES], key=lambda unit: unit.position)
        return " ".join(unit.text for unit in best)

    def phrases(self, place: Place) -> Iterator[str]:
        """Short phrases: the weaknesses that a line of code shows, else cut from the sentences of this place."""
        focus = self.unit(place)
        if focus is None:
            yield from self.titles
        else:
            yield from (smell.label for smell in heeded_smells(focus, domains_of(content_stems(self.material.task))))
        for sentence in self.sentences(place):
            clause = next((part for part in CLAUSE_END.split(sentence) if len(part.split()) > 1), sentence)
            yield " ".join(clause.split()[:MAX_PHRASE_WORDS]).strip(" .!?\"'")

    def stated(self, place: Place) -> Iterator[str]:
        """What the material states outright as `label: value`, up to the end of its sentence or line."""
        if not place.words:
            return
        label = r"[\s_-]+".join(map(re.escape, place.words))
        for found in re.findall(
            rf"(?im)(?:^|[\s\"*])(?:{label})\b[\"*]*[ \t]*[:=][ \t]*[\"*]*([^\n.,;\"*]+)", self.material.text
        )[:5]:
            if found.strip():
                yield found.strip()

    def on_form(self, place: Place) -> Iterator[str]:
        """What a form states beside a label for this place: a date, a company, a number of its own."""
        words = set(place.words)
        if place.focus is not None:
            return
        if "date" in words or ISO_DATE in place.hint:
            yield from self.forms.dates(place.words)
        elif words & PARTIES:
            yield from self.forms.parties(place.words)
        elif words & NUMBER_WORDS:
            yield from self.forms.identifiers(place.words)

    def amounts(self, place: Place) -> Iterator[float]:
        """Amounts that a form states beside a label for this place."""
        if place.focus is None:
            yield from self.forms.amounts(place.words)

    def names(self, place: Place) -> Iterator[str]:
        """Names of what a value comes from: the blocks' names, the one of this place first."""
        focus = self.unit(place)
        if focus is not None and focus.block:
            yield focus.block
        yield from (block.name for block in self.material.blocks if block.name)
        terms = self.terms or ["unknown"]
        start = (place.focus or 0) + place.sibling
        yield from (term.lower() for term in _turned(terms[:20], start))

    def numbers(self, place: Place) -> Iterator[float]:
        """Numbers of the material: first of sentences that share the property's words, then of the others."""
        wanted = content_stems(f"{place.label} {place.hint}")
        focus = self.unit(place)
        units = [focus] if focus is not None else self.units
        related = [unit for unit in units if unit.stems & wanted]
        for unit in [*related, *(unit for unit in units if unit not in related)][:60]:
            for found in NUMBER.findall(unit.text):
                yield float(found.replace(",", ""))

    def count(self, place: Place) -> int:
        """How many units speak of what the property names."""
        wanted = content_stems(f"{place.label} {place.hint}") - content_stems("count total number num amount how many")
        return sum(1 for unit in self.units if unit.stems & wanted) if wanted else len(self.units)

    def line_number(self, place: Place) -> int:
        """The line of its block on which the place's unit stands, from 1."""
        focus = self.unit(place) or (self.findings[0] if self.findings else None)
        if focus is None:
            return 1
        if focus.line:
            return focus.line
        text = next((block.text for block in self.material.blocks if block.name == focus.block), "")
        return text[: max(0, text.find(focus.text))].count("\n") + 1

    def tokens(self) -> Iterator[str]:
        """The material's words as written, for fields that want a certain spelling."""
        for unit in self.units:
            for token in unit.text.split():
                yield token
                stripped = token.strip(".,;:!?()[]{}<>\"'`")
                if stripped != token:
                    yield stripped

    def ballot(self, place: Place) -> Ballot:
        """The choice that an enumerated or yes/no field makes."""
        focus = self.unit(place)
        question = (
            f"{place.label}: {place.hint}"
            if focus is not None or not self.material.question
            else self.material.question
        )
        units = [focus] if focus is not None else self.units
        return Ballot(question, units, self.material.task)

    def preferred(self, options: list[str], place: Place) -> list[int]:
        """The indexes of the options, the chosen one first: the one that the material states, else by a vote."""
        ranked = rank_options(options, self.ballot(place))
        if place.focus is None:
            said = next(self.stated(place), "").casefold()
            if not said and "currency" in place.words:
                said = (self.forms.currency(options) or "").casefold()
            ranked.sort(key=lambda index: options[index].casefold() != said)
        return ranked

    def says_yes(self, place: Place) -> bool:
        """Whether a boolean property holds, its name and description being the question."""
        ballot = self.ballot(place)
        asked = Ballot(f"{place.label} {place.hint}", ballot.units, ballot.perspective)
        return rank_options(("yes", "no"), asked)[0] == 0

    def concern(self, place: Place) -> float:
        """How bad the material of this place looks, from -1 to 1."""
        return concern(self.ballot(place))


def _turned[T](items: list[T], by: int) -> list[T]:
    by %= len(items) or 1
    return [*items[by:], *items[:by]]
