"""Outputs one after the other, under their names."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from pydantic import JsonValue

from shared.contracts.branch import NamedOutput
from shared.prompts import as_text

BETWEEN = "\n\n"


def concatenated(outcomes: Sequence[NamedOutput]) -> str:
    """Markdown: a heading for each outcome's name, then its output (JSON for structured ones)."""
    return under_headings((outcome.name, outcome.output) for outcome in outcomes)


def under_headings(outputs: Iterable[tuple[str, JsonValue]]) -> str:
    """The same for outputs with headings of any kind."""
    return BETWEEN.join(under_heading(heading, output) for heading, output in outputs)


def under_heading(heading: str, output: JsonValue) -> str:
    """One of them."""
    return f"## {heading}\n\n{as_text(output).strip()}"
