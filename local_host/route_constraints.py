"""The inline route constraints of ASP.NET, such as `int`, `range(1,9)` and `regex(^[a-z]+$)`."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import datetime

type Constraint = Callable[[str], bool]

_INT32 = 2**31
_INT64 = 2**63
_INTEGER = re.compile(r"\s*[+-]?[0-9]+\s*", re.ASCII)
_NUMBER = re.compile(r"\s*[+-]?(?:[0-9][0-9,]*\.?[0-9]*|\.[0-9]+)\s*", re.ASCII)
_FLOAT = re.compile(
    r"\s*[+-]?(?:(?:[0-9][0-9,]*\.?[0-9]*|\.[0-9]+)(?:e[+-]?[0-9]+)?|nan|infinity|∞)\s*", re.I | re.ASCII
)
_HEX = "[0-9a-f]"
_DASHED = f"{_HEX}{{8}}-{_HEX}{{4}}-{_HEX}{{4}}-{_HEX}{{4}}-{_HEX}{{12}}"
_GUID = re.compile(rf"{_HEX}{{32}}|{_DASHED}|\{{{_DASHED}\}}|\({_DASHED}\)", re.I | re.ASCII)
_ALPHA = re.compile(r"[a-z]*", re.I | re.ASCII)
_DATES = ("%m-%d-%Y", "%m/%d/%Y", "%Y/%m/%d", "%d %b %Y", "%d %B %Y", "%b %d, %Y", "%B %d, %Y")
_TIMES = ("", " %H:%M", " %H:%M:%S", " %I:%M%p", " %I:%M %p", " %I:%M:%S %p")


def parse_constraint(text: str) -> Constraint:
    """Return the test of one constraint; raise `ValueError` when it does not exist or its arguments are wrong."""
    name, bracket, rest = text.partition("(")
    key = name.strip().lower()
    if bracket and not rest.endswith(")"):
        raise ValueError(f"the constraint {text!r} has no closing bracket")
    argument = rest[:-1] if bracket else None
    if key == "regex":
        return _regex(text, argument)
    arguments = () if argument is None else tuple(part.strip() for part in argument.split(","))
    maker = _MAKERS.get((key, len(arguments)))
    if maker is None:
        raise ValueError(f"the constraint {text!r} does not exist")
    try:
        return maker(*(int(part) for part in arguments))
    except ValueError:
        raise ValueError(f"the constraint {text!r} needs whole numbers in its brackets") from None


def _regex(text: str, pattern: str | None) -> Constraint:
    if not pattern:
        raise ValueError(f"the constraint {text!r} needs a pattern in its brackets")
    try:
        compiled = re.compile(pattern, re.IGNORECASE)
    except re.error as error:
        raise ValueError(f"the pattern of the constraint {text!r} is wrong: {error}") from error
    return lambda value: compiled.search(value) is not None


def _whole_number(value: str) -> int | None:
    return int(value) if _INTEGER.fullmatch(value) else None


def _between(low: int, high: int) -> Constraint:
    def test(value: str) -> bool:
        number = _whole_number(value)
        return number is not None and low <= number <= high

    return test


def _length(low: int, high: int) -> Constraint:
    return lambda value: low <= len(value) <= high


def _matches(pattern: re.Pattern[str]) -> Constraint:
    return lambda value: pattern.fullmatch(value) is not None


def _is_datetime(value: str) -> bool:
    text = value.strip()
    try:
        datetime.fromisoformat(text)
    except ValueError:
        return any(_parses(text, date + time) for date in _DATES for time in _TIMES)
    return True


def _parses(text: str, layout: str) -> bool:
    try:
        datetime.strptime(text, layout)  # noqa: DTZ007 - only whether it is a date
    except ValueError:
        return False
    return True


def _is_file_name(value: str) -> bool:
    """Whether the last part of a path has a dot with something after it, as ASP.NET's `file` asks."""
    last = value.rpartition("/")[2]
    return "." in last and not last.endswith(".")


_MAKERS: dict[tuple[str, int], Callable[..., Constraint]] = {
    ("int", 0): lambda: _between(-_INT32, _INT32 - 1),
    ("long", 0): lambda: _between(-_INT64, _INT64 - 1),
    ("guid", 0): lambda: _matches(_GUID),
    ("bool", 0): lambda: lambda value: value.strip().lower() in {"true", "false"},
    ("alpha", 0): lambda: _matches(_ALPHA),
    ("decimal", 0): lambda: _matches(_NUMBER),
    ("double", 0): lambda: _matches(_FLOAT),
    ("float", 0): lambda: _matches(_FLOAT),
    ("datetime", 0): lambda: _is_datetime,
    ("required", 0): lambda: lambda value: value != "",
    ("file", 0): lambda: _is_file_name,
    ("nonfile", 0): lambda: lambda value: not _is_file_name(value),
    ("min", 1): lambda low: _between(low, _INT64 - 1),
    ("max", 1): lambda high: _between(-_INT64, high),
    ("range", 2): _between,
    ("length", 1): lambda length: _length(length, length),
    ("length", 2): _length,
    ("minlength", 1): lambda low: _length(low, _INT64),
    ("maxlength", 1): lambda high: _length(0, high),
}
