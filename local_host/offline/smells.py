"""Smells: patterns of weak code that show in a single line, each with the domain that looks for it."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache

SECURITY, PERFORMANCE, STYLE = "security", "performance", "style"


@dataclass(frozen=True, slots=True)
class Smell:
    """A weakness that a line shows; `weight` is in thirds of a sure sign, as in the lexicon's CONCERNS."""

    domain: str
    label: str
    weight: int
    pattern: re.Pattern[str]


SMELLS = tuple(
    Smell(domain, label, weight, re.compile(pattern))
    for domain, label, weight, pattern in (
        (
            SECURITY,
            "SQL built from strings",
            3,
            r"(?i)f[\"'](?:select|insert|update|delete)\b.*\{|[\"'](?:select|insert|update|delete)\b.*[\"']\s*(?:\+|%|\.format)",
        ),
        (SECURITY, "Unsafe deserialisation", 3, r"\b(?:pickle|marshal|shelve)\.loads?\s*\(|\byaml\.load\s*\("),
        (SECURITY, "Command run by a shell", 3, r"shell\s*=\s*True|\bos\.(?:system|popen)\s*\("),
        (SECURITY, "Code run from text", 3, r"(?<![\w.])(?:eval|exec)\s*\("),
        (
            SECURITY,
            "Secret in the code",
            3,
            r"(?i)\b\w*(?:password|passwd|secret|token|api_?key)\w*[\"']?\s*[:=]\s*f?[\"'][^\"'{]{4,}[\"']",
        ),
        (
            SECURITY,
            "Certificate not checked",
            2,
            r"verify\s*=\s*False|[\"']curl[\"'],\s*[\"'](?:-k|--insecure)[\"']|curl (?:-k|--insecure)",
        ),
        (SECURITY, "Weak hash", 2, r"\b(?:md5|sha1)\s*\("),
        (SECURITY, "Secret in a log or an address", 2, r"(?i)\b(?:log\w*|print)\b.*(?:password|card_number|secret)"),
        (SECURITY, "Password taken from the address", 2, r"args\.get\([\"']password"),
        (SECURITY, "Identity taken from a header", 2, r"(?i)headers(?:\.get\(|\[)[\"']x-user"),
        (SECURITY, "Debug mode on", 1, r"(?i)\bdebug\b[\"'\]]*\s*=\s*True"),
        (SECURITY, "Script injected into a page", 3, r"innerHTML\s*=|document\.write\("),
        (PERFORMANCE, "Every column is fetched", 1, r"(?i)select \*"),
        (PERFORMANCE, "A connection for every call", 2, r"\breturn \w+\.connect\("),
        (PERFORMANCE, "A query for a single row", 2, r"\.execute\(.*\.fetchone\("),
        (PERFORMANCE, "Everything is loaded at once", 2, r"\.fetchall\(|\.readlines\(\)|\breturn \w+\.read\(\)"),
        (PERFORMANCE, "A blocking wait", 2, r"\btime\.sleep\(|Thread\.sleep\("),
        (PERFORMANCE, "A loop without an end", 2, r"^\s*while (?:True|1)\b"),
        (PERFORMANCE, "A search through a list", 1, r"\bif .* not in \w+s:$|range\(len\("),
        (STYLE, "Broad exception", 2, r"^\s*except(?: (?:Base)?Exception\b.*)?:|catch\s*\(\s*(?:Exception|\.\.\.)"),
        (STYLE, "Swallowed exception", 2, r"^\s*pass$"),
        (STYLE, "Unclear name", 1, r"^\s*(?:for )?[a-z](?:, [a-z])? (?:=|in) |\bdef \w\("),
        (STYLE, "Global state", 1, r"^\s*global \w|^[a-z_]+ = (?:\{\}|\[\])$"),
        (STYLE, "Wildcard import", 1, r"\bimport \*"),
        (STYLE, "Work left open", 1, r"\b(?:TODO|FIXME|XXX|HACK)\b"),
    )
)


@lru_cache(maxsize=4_000)
def smells_of(line: str) -> tuple[Smell, ...]:
    """The weaknesses that a line of code shows."""
    return tuple(smell for smell in SMELLS if smell.pattern.search(line))
