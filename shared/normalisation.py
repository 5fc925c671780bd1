"""When two answers are the same answer."""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache

NUMBER = re.compile(r"(?<![^\W_])[+\-−]?(?:\d+(?:\.\d+)*|(?<!\.)\.\d+)")
"""A number in a text, with its sign and decimal point; a hyphen after a word or a digit is no sign."""

SYMBOLS = {"Sm", "Sc"}
"""Mathematical signs and currencies: "x > 5" is not "x < 5", "C++" is not "C"."""

APOSTROPHES = str.maketrans("", "", "'’`")

REMEMBERED = 512
"""Answers whose normal form is kept: every wave and every replay asks for those of all voters so far once more."""


@lru_cache(maxsize=REMEMBERED)
def normalised(answer: str) -> str:
    """`answer` without what does not make it another answer: case, runs of white space, punctuation.

    Apostrophes vanish ("don't" = "dont"); other punctuation separates words ("not-safe" = "not safe").
    Numbers keep their sign and decimal point ("-5 %" is not "5 %") and lose trailing zeros ("3.50" = "3.5").
    An answer of punctuation alone stays as it is, so that "+" and "-" differ.
    """
    folded = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", answer).casefold())
    return unicodedata.normalize("NFKC", _words(folded) or " ".join(folded.split()))


def _words(text: str) -> str:
    parts: list[str] = []
    joined = text.translate(APOSTROPHES)
    end = 0
    for number in NUMBER.finditer(joined):
        parts += [_without_punctuation(joined[end : number.start()]), _plain(number[0])]
        end = number.end()
    parts.append(_without_punctuation(joined[end:]))
    return " ".join(part for part in parts if part)


def _plain(number: str) -> str:
    """`number` without plus sign and trailing zeros; digits separated by several points are no decimal."""
    sign, digits = ("-" if number[0] in "-−" else ""), number.lstrip("+-−")
    whole, _, fraction = digits.partition(".")
    if "." in fraction:
        return sign + digits
    fraction = fraction.rstrip("0")
    plain = f"{whole or '0'}.{fraction}" if fraction else whole or "0"
    return plain if not plain.strip("0.") else sign + plain


def _without_punctuation(text: str) -> str:
    """Letters, digits, symbols and the marks on them; a mark of its own, such as a variation selector, is none."""
    kept: list[str] = []
    for character in text:
        category = unicodedata.category(character)
        on_a_letter = bool(kept) and kept[-1] != " " and category in {"Mn", "Mc"}
        kept.append(character if character.isalnum() or category in SYMBOLS or on_a_letter else " ")
    return " ".join("".join(kept).split())
