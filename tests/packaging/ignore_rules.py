"""Which paths a .funcignore leaves out, as each of the tools that deploy reads it."""

from __future__ import annotations

import re
from collections.abc import Callable

from pathspec import GitIgnoreSpec

LeavesOut = Callable[[str], bool]
"""Whether a path, relative to the app's folder and with slashes, stays out of the package."""

_ALWAYS_OUT_FOLDERS = {".git", ".vscode"}
_ALWAYS_OUT_FILES = {".funcignore", ".gitignore", "local.settings.json", "project.lock.json"}


def as_git_reads(text: str) -> LeavesOut:
    """The rules of .gitignore, which azd documents for .funcignore (service-packaging-ignore-files)."""
    return GitIgnoreSpec.from_lines(text.splitlines()).match_file


def as_core_tools_reads(text: str, *, whole_words: bool = True) -> LeavesOut:
    """The rules of Core Tools 4 (its GitIgnoreParser and FileSystemHelpers), which differ from git's.

    A line matches what a path begins with, so a name without `**/` stands at the top only; `*` and `**` take at least
    one character; `!` wins wherever it stands. `whole_words`: newer versions want the match to end where a word does,
    so that `node_modules/` leaves out `node_modules/a` and not `node_modules/@a`; older ones do not.
    """
    lines = [line.strip() for line in text.splitlines()]
    lines = [line for line in lines if line and not line.startswith("#")]
    out = _prefix([line for line in lines if not line.startswith("!")], whole_words=whole_words)
    kept = _prefix([line[1:] for line in lines if line.startswith("!")], whole_words=whole_words)

    def leaves_out(path: str) -> bool:
        *folders, name = path.split("/")
        if name.lower() in _ALWAYS_OUT_FILES or not _ALWAYS_OUT_FOLDERS.isdisjoint(map(str.lower, folders)):
            return True
        return bool(out.match(path)) and not kept.match(path)

    return leaves_out


def _prefix(lines: list[str], *, whole_words: bool) -> re.Pattern[str]:
    if not lines:
        return re.compile(r"(?!)")
    end = r"\b" if whole_words else ""
    return re.compile(f"(?:{'|'.join(map(_pattern, lines))}){end}", re.ASCII)


def _pattern(line: str) -> str:
    wild = {"**": ".+", "*": "[^/]+"}
    return "".join(wild.get(part) or re.escape(part) for part in re.split(r"(\*\*|\*)", line.removeprefix("/")))
