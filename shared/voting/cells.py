"""Texts of callers and models as Markdown that shows them and does nothing else.

A report is read on GitHub, in a mail or in a chat, and its texts come from anybody. None of them may end a table cell,
open a heading, a list or HTML, load an image, become a link, or call somebody by an @.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping

ELLIPSIS = "…"

BREAK = "\u200b"
"""A zero-width space: after it, readers that make links of bare text see none."""

JOINERS = ("\u200c", "\u200d")
"""The invisible characters that change what is seen: Persian words and emoji are made with them."""

ENTITIES: Mapping[str, str] = {
    "&": "&amp;",
    "<": "&lt;",
    ">": "&gt;",
    "|": "&#124;",
    "\\": "&#92;",
    "`": "&#96;",
    "$": "&#36;",
}
"""Characters for which a backslash is not enough: tables are cut at pipes, and code at backticks, before it counts."""

BACKSLASHED = "*_~[#"
"""Neither `!` nor `]` needs one: without a `[` there is no link and no image."""
ESCAPES = str.maketrans({**ENTITIES, **{character: f"\\{character}" for character in BACKSLASHED}})

LINKING = re.compile(r"(?<=:)(?=//)|(?<=@)|(?<=\\#)(?=\d)|(?i:(?<=www)(?=\.))")
"""Where text becomes a link by itself: addresses, mail, mentions and numbers of issues."""

BLOCK_MARK = re.compile(r"^(\d{0,9})([-+=.)])")
"""What opens a list or underlines a heading, at the start of a line."""


def cell(text: str, most: int) -> str:
    """`text` as one line of Markdown that reads as it did, with at most `most` of its characters.

    It is safe in a table's cell, in a quote, in a heading and at the start of a line. White space is single spaces,
    and characters that are not seen, or turn the direction of what follows, are left out.
    """
    escaped = LINKING.sub(BREAK, shortened(one_line(text), most).translate(ESCAPES))
    return BLOCK_MARK.sub(r"\1\\\2", escaped)


def one_line(text: str) -> str:
    """`text` on one line, of characters that can be seen."""
    words = [word if word.isprintable() else "".join(map(_visible, word)) for word in text.split()]
    return " ".join(" ".join(words).split())


def shortened(text: str, most: int) -> str:
    """At most `most` characters of `text`, the last of them an ellipsis if some were left out."""
    return text if len(text) <= most else text[: most - 1].rstrip() + ELLIPSIS


def _visible(character: str) -> str:
    category = unicodedata.category(character)
    if category == "Cc":
        return " "
    return "" if category in {"Cf", "Cs"} and character not in JOINERS else character
