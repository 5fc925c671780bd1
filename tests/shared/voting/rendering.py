"""Markdown as a reader sees it, by an independent parser of CommonMark and GitHub's tables."""

from __future__ import annotations

from markdown_it import MarkdownIt
from markdown_it.token import Token

PARSER = MarkdownIt("commonmark", {"html": True}).enable(["table", "strikethrough"])


def structure(markdown: str) -> list[str]:
    """Every element of the document, in order, without its text."""
    return [kind for token in PARSER.parse(markdown) for kind in _kinds(token)]


def _kinds(token: Token) -> list[str]:
    if token.type != "inline":
        return [f"{token.type} {token.tag}"]
    return [f"{child.type} {child.tag}" for child in token.children or [] if child.type != "text"]


def text_of(markdown: str) -> str:
    """What a reader reads."""
    return "\n".join(
        "".join(child.content for child in token.children or [])
        for token in PARSER.parse(markdown)
        if token.type == "inline"
    )


def rows_of(markdown: str, heading: str) -> list[list[str]]:
    """The rows of the table under a heading, its header first."""
    rows: list[list[str]] = []
    under = False
    tokens = PARSER.parse(markdown)
    for place, token in enumerate(tokens):
        if token.type == "heading_open":
            under = tokens[place + 1].content == heading
        elif under and token.type == "tr_open":
            rows.append([])
        elif under and token.type in {"td_open", "th_open"}:
            rows[-1].append("".join(child.content for child in tokens[place + 1].children or []))
    return rows
