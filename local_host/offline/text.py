"""Text: words reduced to stems, and units (sentences, or lines of a log or of code) to choose from."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from functools import lru_cache

from local_host.offline.words import word_set

WORD = re.compile(r"[^\W\d_]+(?:'[^\W\d_]+)?")
STOPWORDS = word_set(
    "a about above after again all also am an and any are as at be because been before being below "
    "between both but by can could did do does doing down during each either else ever every few for "
    "from further had has have having he her here hers him his how i if in into is it its itself just "
    "let like may me might more most must my no nor not now of off on once one only or other our out "
    "over own per same shall she should so some such than that the their them then there these they "
    "this those through thus to too two under until up upon us very was we well were what when where "
    "whether which while who whom whose why will with within without would yet you your"
)
ABBREVIATIONS = word_set(
    "e.g i.e etc vs cf approx mr mrs ms dr prof sr jr st no nos fig figs sec eq inc ltd corp co dept "
    "est al ca resp jan feb mar apr jun jul aug sep sept oct nov dec a.m p.m u.s"
)
SENTENCE_END = re.compile(r"(?:(?<=[.!?…])|(?<=[.!?…][\"'”’)\]]))\s+(?=[\"'“‘(\[]?[^\W_a-z])|(?<=[。！？])")
BULLET = re.compile(r"^\s*(?:[-*•+]|\d{1,3}[.)])\s+")
# A number at the start of a wrapped line is no list item: only the first, or one after another, is.
NUMBERED = re.compile(r"\s*(?!1[.)])\d")
HEADING = re.compile(r"\s*#{1,6}\s+\S|\s*[=\-~*_]{3,}\s*$")
LOG_LINE = re.compile(
    r"\s*(?:\[?\d{4}-\d\d-\d\d[T ]|\[?\d\d:\d\d:\d\d|\w{3} +\d{1,2} \d\d:\d\d"
    r"|\[?(?:TRACE|DEBUG|INFO|NOTICE|WARN|WARNING|ERROR|CRITICAL|FATAL)\b|\d{1,3}(?:\.\d{1,3}){3} )"
)
CODE_LINE = re.compile(
    r".*[{};]\s*(?:(?://|#).*)?$|\s*(?:def|class|import|from|return|if|elif|else|for|while|with|try|except|raise|"
    r"function|const|let|var|public|private|static|using|namespace|package|func|struct|SELECT|INSERT|UPDATE|DELETE)\b"
    r".*(?:[:(){}=;]|\bimport\b).*$|\s*(?://|/\*|\*/|#!|@\w)|\s*[\w.\[\]'\"]+\s*(?:[-+*/|&]?=|:=)\s*\S|\s*[\w.]+\(.*\)?$"
)
SHORT_PARAGRAPH_WORDS = 8
MIN_STEM = 3
SENTENCE_MARKS = tuple(".!?…:;)\"'”。！？")


@dataclass(slots=True)
class Unit:
    """A sentence with the heading above it, or a line with its number in its block (from 1); its place in the whole."""

    text: str
    is_line: bool = False
    block: str = ""
    position: int = 0
    line: int = 0
    heading: str = ""
    stems: frozenset[str] = field(default_factory=frozenset)


@lru_cache(maxsize=20_000)
def stem(word: str) -> str:
    """Cuts the commonest English endings, so that `injections`, `injected` and `injection` meet."""
    word = word.lower().removesuffix("'s").removesuffix("’s")
    for ending, rest in (
        ("ations", "at"), ("ation", "at"), ("ingly", ""), ("ities", "ity"), ("iness", "y"), ("ments", "ment"),
        ("ions", ""), ("ing", ""), ("ies", "y"), ("ied", "y"), ("edly", ""), ("ion", ""), ("ers", ""), ("ed", ""),
        ("er", ""), ("ly", ""), ("es", ""), ("s", ""), ("e", ""),
    ):  # fmt: skip
        if word.endswith(ending) and len(word) - len(ending) >= MIN_STEM and not word.endswith(("ss", "us")):
            return word.removesuffix(ending) + rest
    return word


@lru_cache(maxsize=4_000)
def stems(text: str) -> tuple[str, ...]:
    """The stems of the words that carry meaning, in order."""
    return tuple(stem(word) for word in WORD.findall(text) if word.lower() not in STOPWORDS and len(word) > 1)


def content_stems(text: str) -> frozenset[str]:
    """The set of stems of a text of any length (not remembered, unlike `stems`)."""
    return frozenset(stem(word) for word in WORD.findall(text) if word.lower() not in STOPWORDS and len(word) > 1)


def split_units(text: str, block: str = "") -> list[Unit]:
    """The sentences of prose, without headings, or the lines of a log or of code; in order."""
    lines = [line.rstrip() for line in text.splitlines()]
    if is_line_document(lines):
        return [
            Unit(BULLET.sub("", line, count=1).strip(), True, block, line=number, stems=content_stems(line))
            for number, line in enumerate(lines, 1)
            if WORD.search(line)
        ]
    found = [
        Unit(said, block=block, heading=heading, stems=content_stems(said))
        for heading, paragraph in _paragraphs(lines)
        for said in _sentences(paragraph)
    ]
    texts = [line.strip(" #*_") for line in lines if WORD.search(line)]
    return found or [Unit(said, block=block, stems=content_stems(said)) for said in texts]


def is_line_document(lines: list[str]) -> bool:
    """Whether most lines look like a log's or like code, so that the line is what carries meaning."""
    filled = [BULLET.sub("", line, count=1) for line in lines if line.strip()]
    if len(filled) == 1:
        return bool(LOG_LINE.match(filled[0]))
    telling = sum(1 for line in filled if LOG_LINE.match(line) or CODE_LINE.match(line[:400]))
    return bool(filled) and telling * 2 >= len(filled)


def _paragraphs(lines: list[str]) -> list[tuple[str, str]]:
    """(heading, paragraph) pairs: wrapped lines are joined again, and each list item is a paragraph."""
    paragraphs: list[tuple[str, str]] = []
    heading, is_open, in_list = "", False, False
    for line in lines:
        said = line.strip()
        if not said or HEADING.match(line):
            heading = said.strip("#=-~*_ ") or heading
            is_open = False
        elif is_open and not (BULLET.match(line) and (in_list or not NUMBERED.match(line))):
            paragraphs[-1] = (heading, f"{paragraphs[-1][1]} {said}")
        else:
            paragraphs.append((heading, BULLET.sub("", line, count=1).strip()))
            is_open, in_list = True, bool(BULLET.match(line))
    return _without_titles(paragraphs)


def _without_titles(paragraphs: list[tuple[str, str]]) -> list[tuple[str, str]]:
    """A short paragraph that ends like no sentence is a title, unless everything here is short."""
    whole = [
        (heading, said)
        for heading, said in paragraphs
        if said[-1:] in SENTENCE_MARKS or len(said.split()) > SHORT_PARAGRAPH_WORDS
    ]
    return whole or paragraphs


def _sentences(paragraph: str) -> list[str]:
    sentences: list[str] = []
    for piece in SENTENCE_END.split(paragraph):
        if not piece.strip():
            continue
        if sentences and _ends_in_abbreviation(sentences[-1]):
            sentences[-1] += " " + piece.strip()
        else:
            sentences.append(piece.strip())
    return [sentence for sentence in sentences if WORD.search(sentence)]


def _ends_in_abbreviation(sentence: str) -> bool:
    if not sentence.endswith("."):
        return False
    last = sentence[:-1].rsplit(None, 1)[-1].lstrip("(\"'").lower()
    return last in ABBREVIATIONS or (len(last) == 1 and last.isalpha() and last != "i")
