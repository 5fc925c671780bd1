"""The base of every contract and the constrained types that they share."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, cast

from pydantic import BaseModel, BeforeValidator, ConfigDict, StringConstraints
from pydantic_core import PydanticCustomError

MAX_BODY_BYTES = 1_048_576
MAX_TEXT_CHARS = 200_000
MAX_INSTRUCTIONS_CHARS = 20_000
MAX_NAME_CHARS = 60
MAX_RUN_CHARS = 4_000_000
"""Of material in all prompts of a run together: history keeps a copy for each branch."""

Name = Annotated[
    str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$", min_length=1, max_length=MAX_NAME_CHARS)
]
"""A caller's name for a section, a voter or a document: it becomes part of instance ids and URLs."""

Text = Annotated[str, StringConstraints(min_length=1, max_length=MAX_TEXT_CHARS, pattern=r"\S")]
"""Material for an agent: not blank, at most `MAX_TEXT_CHARS` characters."""

Instructions = Annotated[str, StringConstraints(min_length=1, max_length=MAX_INSTRUCTIONS_CHARS, pattern=r"\S")]
"""What an agent is told to do."""


class Contract(BaseModel):
    """Immutable; unknown fields are errors; NaN and infinity are not numbers."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False, defer_build=True)


TRUSTED = {"trusted": True}
"""The validation context of data that was checked before it entered history."""


def restored[C: Contract](contract: type[C], data: object) -> C:
    """A contract read back from history: its shape is checked, its schemas are not checked once more.

    Fields that this version does not know are dropped: a newer one may have written them before a roll-back.
    Orchestrators do this at every replay, and checking a JSON Schema costs as much as a hundred other fields.
    """
    return contract.model_validate(data, context=TRUSTED, extra="ignore")


def misfit(path: str, message: str) -> PydanticCustomError:
    """The error of a model whose fields do not fit together, told at one of them: `path` is like `policy.attempts`."""
    return PydanticCustomError("misfit", "{message}", {"path": path, "message": message})


@dataclass(frozen=True, slots=True)
class SpelledOut:
    """From what may be the value of an object's `field` alone to the object."""

    field: str

    def __call__(self, value: object) -> object:
        """The object."""
        if isinstance(value, str):
            return {self.field: value}
        if not isinstance(value, dict | Contract):
            named = {"field": repr(self.field)}
            raise PydanticCustomError("by_name", "give its name, or an object with its {field}", named)
        return cast(object, value)


def by_name(field: str) -> BeforeValidator:
    """Lets a caller write an object whose other fields have defaults as its `field` alone."""
    return BeforeValidator(SpelledOut(field))


def repeated(names: list[str]) -> list[str]:
    """The names that occur more than once, in order of their first repetition."""
    seen: dict[str, int] = {}
    for name in names:
        seen[name] = seen.get(name, 0) + 1
    return [name for name, count in seen.items() if count > 1]
