"""The words of the definitions: what a property is called, and what it means."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from functools import cache
from pathlib import Path

EVERYWHERE = "*"
ITSELF = "."
FULL_WORDS: Mapping[str, str] = {"id": "ID", "max": "Maximum", "min": "Minimum", "url": "URL", "http": "HTTP"}
SECONDS = "_s"


@cache
def wording() -> Mapping[str, Mapping[str, str]]:
    """The meanings of properties, by contract and name; `wording.toml` says how."""
    return tomllib.loads(Path(__file__).with_suffix(".toml").read_text("utf-8"))


def meaning_of(contract: str, name: str) -> str | None:
    """What the property `name` of `contract` means; None if nobody wrote it down."""
    words = wording()
    return words.get(contract, {}).get(name) or words[EVERYWHERE].get(name)


def summary_of(contract: str, docstring: str) -> str:
    """What `contract` is, by its own entry or its docstring, as paragraphs of one line each."""
    return unwrapped(wording().get(contract, {}).get(ITSELF, docstring))


def title_of(name: str) -> str:
    """A property's name for people: `branch_timeout_s` is `Branch timeout (seconds)`."""
    bare = name.removesuffix(SECONDS)
    words = [FULL_WORDS.get(word, word) for word in re.split(r"[_-]", bare) if word]
    words = [words[0][:1].upper() + words[0][1:], *(word if word.isupper() else word.lower() for word in words[1:])]
    return " ".join(words) + (" (seconds)" if bare != name else "")


def unwrapped(docstring: str) -> str:
    """A docstring as paragraphs of one line each."""
    paragraphs = re.split(r"\n\s*\n", docstring.strip())
    return "\n\n".join(" ".join(paragraph.split()) for paragraph in paragraphs)
