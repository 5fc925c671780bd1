"""Names of works without an answer, where they go through history: the first of them, and not too long."""

from __future__ import annotations

from collections.abc import Iterable

MAX_MISSING = 1_000
"""Names that are told one by one."""
MAX_MISSING_CHARS = 50_000
"""Of them together: a blob's name may have a thousand."""


def first_names(names: Iterable[str]) -> list[str]:
    """As many of `names` as are told."""
    kept: list[str] = []
    chars = 0
    for name in names:
        chars += len(name)
        if len(kept) == MAX_MISSING or chars > MAX_MISSING_CHARS:
            break
        kept.append(name)
    return kept
