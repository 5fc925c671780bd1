"""`Section`: one object of a settings file, which knows its place when it has to say what is wrong there."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


class SettingsError(Exception):
    """A settings file is missing or wrong; the message says which, where and what to do."""


@dataclass(frozen=True, slots=True)
class Section:
    """Values by name, found regardless of case as in .NET. A value that is absent or null is None."""

    file: str
    values: Mapping[str, Any] = field(default_factory=dict[str, Any])
    path: tuple[str, ...] = ()

    def get(self, name: str) -> Any:
        """Return a value of any type."""
        return self.values.get(spelling(self.values, name))

    def section(self, name: str) -> Section:
        """Return the object of that name; an empty one when it is absent."""
        value = self.get(name)
        if not isinstance(value, dict | None):
            raise self.wrong(name, "an object")
        return Section(self.file, value or {}, (*self.path, name))

    def text(self, name: str) -> str | None:
        """Return a value as text."""
        value = self.get(name)
        if isinstance(value, dict | list):
            raise self.wrong(name, "a text")
        return None if value is None else str(value)

    def flag(self, name: str) -> bool:
        """Return whether a value is true."""
        text = (self.text(name) or "false").lower()
        if text not in {"true", "false"}:
            raise self.wrong(name, "true or false")
        return text == "true"

    def whole_number(self, name: str, *, at_least: int) -> int | None:
        """Return a number, which may stand there as a text, as an environment variable puts it."""
        value = self.get(name)
        if value is None:
            return None
        try:
            number = int(value) if isinstance(value, int | str) and not isinstance(value, bool) else None
        except ValueError:
            number = None
        if number is None or number < at_least:
            raise self.wrong(name, f"a whole number, {at_least} or more")
        return number

    def wrong(self, name: str, wanted: str) -> SettingsError:
        """Return the error that a value is not what it must be."""
        place = ".".join((*self.path, name))
        return SettingsError(f"{place} of {self.file!r} is {self.get(name)!r}; it must be {wanted}.")


def spelling(values: Mapping[str, Any], name: str) -> str:
    """Return the spelling that a name has among the values."""
    return next((key for key in values if key.lower() == name.lower()), name)
