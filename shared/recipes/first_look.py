"""A first look at a recipe's text, which costs a quarter of parsing it and no import of a parser.

What does not look sound may still be: then it is parsed. What looks sound may still be broken: it is parsed and
checked on its first use.
"""

from __future__ import annotations

import re

LITERALS = re.compile(r"""'{3}.*?'{3,5}|"{3}.*?"{3,5}|"(?:[^"\\\n]|\\.)*"|'[^'\n]*'|\#[^\n]*""", re.DOTALL)
LINE = re.compile(r"\s*|\[\[?[\w.-]+\]\]?\s*|[\w.-]+\s*=\s*[\w\[{+-].*")
PATTERN = re.compile(r'^pattern\s*=\s*"(?:sectioning|voting|map_reduce)"\s*$', re.MULTILINE)
NEEDED = ("title", "description", "[parameters.", "[request]")


def looks_sound(text: str) -> bool:
    """Whether every line is of the usual form, strings and brackets close, and what a recipe needs is there."""
    bare = LITERALS.sub(_as_a_word, text)
    if '"' in bare or "'" in bare or not PATTERN.search(text):
        return False
    open_brackets = 0
    for line in bare.splitlines():
        if open_brackets == 0 and not LINE.fullmatch(line):
            return False
        open_brackets += sum(map(line.count, "[{")) - sum(map(line.count, "]}"))
        if open_brackets < 0:
            return False
    lines = f"\n{bare}"
    return open_brackets == 0 and all(f"\n{needed}" in lines for needed in NEEDED)


def _as_a_word(found: re.Match[str]) -> str:
    return "" if found[0].startswith("#") else "x"
