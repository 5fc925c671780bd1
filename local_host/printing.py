"""Texts of models as a terminal may show them, and the box around them."""

from __future__ import annotations

import json
import unicodedata

from pydantic import JsonValue
from rich import box
from rich.console import RenderableType
from rich.panel import Panel
from rich.text import Text


def titled(title: str, content: JsonValue, weight: int = 0, subtitle: str | None = None) -> RenderableType:
    """A box with a title; a heavier one with a `weight`."""
    return Panel(
        Text(as_text(content)),
        title=Text(title, style="bold"),
        title_align="left",
        subtitle=None if subtitle is None else Text(subtitle),
        subtitle_align="right",
        box=box.HEAVY if weight else box.ROUNDED,
        padding=(0, 1),
    )


def as_text(value: JsonValue) -> str:
    """A text as it is, anything else as JSON; without control characters."""
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, indent=2)
    return clean(text.strip())


def clean(text: str) -> str:
    """A model's text without control characters, which a terminal would obey."""
    return "".join(c for c in text if c in "\n\t" or unicodedata.category(c) not in {"Cc", "Cf"})
