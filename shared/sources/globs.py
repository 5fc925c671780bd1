"""Patterns for names of blobs: `*` and `?` within a folder, `**` across folders."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any, cast

PIECE = re.compile(r"\*\*/|\*{2,}|\*|\?|[^*?]+")
MEANINGS = {"**/": "(?:.*/)?", "*": "[^/]*", "?": "[^/]"}


def matcher(glob: str | None) -> Callable[[str], bool]:
    """Whether a name fits `glob` as a whole, in time linear in its length; without a glob every name does.

    `**/` is any number of folders, also none; `[` and all other characters mean themselves.
    """
    if glob is None:
        return lambda _: True
    import re2  # pyright: ignore[reportMissingTypeStubs]

    engine = cast(Any, re2)
    meant = "".join(MEANINGS.get(piece) or _other(piece, engine) for piece in PIECE.findall(glob))
    options = engine.Options()
    options.dot_nl = True
    options.never_capture = True
    pattern = engine.compile(meant, options)
    return lambda name: pattern.fullmatch(name) is not None


def _other(piece: str, engine: Any) -> str:
    return ".*" if piece.startswith("**") else cast(str, engine.escape(piece))
