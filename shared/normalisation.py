"""When two answers are the same answer."""

from __future__ import annotations

import unicodedata


def normalised(answer: str) -> str:
    """`answer` without what does not make it another answer: case, runs of white space, punctuation.

    Apostrophes vanish ("don't" = "dont"); other punctuation separates words ("not-safe" = "not safe").
    An answer of punctuation alone stays as it is, so that "+" and "-" differ; so do signs and decimal points
    of numbers.
    """
    folded = unicodedata.normalize("NFKC", answer).casefold().strip()
    try:
        return format(float(folded), "g") if folded and folded[0] in "+-.0123456789" else _words(folded)
    except ValueError:
        return _words(folded)


def _words(text: str) -> str:
    apostrophes = str.maketrans("", "", "'’`")
    spaced = "".join(
        character if character.isalnum() or unicodedata.category(character) in {"Mn", "Mc"} else " "
        for character in text.translate(apostrophes)
    )
    return " ".join(spaced.split()) or " ".join(text.split())
