"""Ballots: the shape of a vote, as what a request asks for and as the JSON Schema that holds the model to it."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from typing import Annotated, Literal, Self, cast
from unicodedata import category

from pydantic import AfterValidator, Field, JsonValue, StringConstraints, ValidationInfo, model_validator
from pydantic_core import PydanticCustomError

from shared.contracts.base import TRUSTED, Contract, by_name, misfit, repeated
from shared.normalisation import normalised
from shared.schemas import MAX_SCHEMA_BYTES

MAX_OPTIONS = 50
MAX_CRITERIA = 20
MAX_ANSWER_CHARS = 20_000
USUAL_ANSWER_CHARS = 2_000

MAX_NUMBER = 1e100
"""Of an answer, where the ballot has no bounds: the squares of larger ones would soon be no finite floats."""

LINE_BREAKING = {"Cc", "Zl", "Zp"}
"""Unicode's controls and separators of lines and paragraphs."""


def _one_line(text: str, info: ValidationInfo) -> str:
    """A prompt lists options line by line."""
    if info.context is not TRUSTED and any(category(character) in LINE_BREAKING for character in text):
        raise PydanticCustomError("one_line", "must be one line, without tabs and other control characters")
    return text


def _has_a_word(text: str, info: ValidationInfo) -> str:
    if info.context is not TRUSTED and not re.search(r"\w", text):
        raise PydanticCustomError("word", "needs a letter or a digit")
    return text


def _plain_key(name: str, info: ValidationInfo) -> str:
    """Strict modes take no property name that JSON would have to escape."""
    if info.context is not TRUSTED and re.search(r'["\\]', name):
        raise PydanticCustomError(
            "plain_key", "is a key of the voter's JSON answer: without quotation mark and backslash"
        )
    return name


Option = Annotated[
    str, StringConstraints(min_length=1, max_length=200), AfterValidator(_has_a_word), AfterValidator(_one_line)
]
Bound = Annotated[float, Field(ge=-1e15, le=1e15)]
Weight = Annotated[float, Field(ge=0.001, le=1_000)]
"""A share relative to the others'; no two are so far apart that a sum loses the smaller."""


def _same_to_a_reader(texts: Sequence[str]) -> list[str]:
    """The texts that occur more than once, normalised; a joiner or a direction mark makes no difference."""
    return repeated([normalised("".join(c for c in text if category(c) != "Cf")) for text in texts])


class BallotBase(Contract):
    """What all ballots share: with `abstain`, a voter who cannot judge answers null, which is counted apart."""

    abstain: bool = True


class OptionsBallot(BallotBase):
    """Options to choose from. With `shuffle`, each voter sees them in another order, against position bias."""

    options: Annotated[list[Option], Field(min_length=2, max_length=MAX_OPTIONS)]
    shuffle: bool = True

    @model_validator(mode="after")
    def _is_consistent(self, info: ValidationInfo) -> Self:
        if info.context is TRUSTED:
            return self
        if twice := _same_to_a_reader(self.options):
            raise misfit("options", f"options must differ in more than case, space and punctuation: {', '.join(twice)}")
        _check_size(self, "options")
        return self


class ChoiceBallot(OptionsBallot):
    """One of a closed list of options."""

    type: Literal["choice"] = "choice"


class ApprovalBallot(OptionsBallot):
    """Any number of a closed list of options: those that the voter can live with."""

    type: Literal["approval"] = "approval"


class RankingBallot(OptionsBallot):
    """The options from best to worst: all of them, or with `complete: false` as many as the voter cares to rank."""

    type: Literal["ranking"] = "ranking"
    complete: bool = True


class Criterion(Contract):
    """One thing to score. `weight` is its share in the overall score, relative to the others'."""

    name: Annotated[Option, AfterValidator(_plain_key)]
    description: Annotated[str, StringConstraints(min_length=1, max_length=1_000, pattern=r"\S")] | None = None
    weight: Weight = 1.0


class ScoreBallot(BallotBase):
    """A score for each criterion, from `minimum` to `maximum`. A criterion may be given as its name alone."""

    type: Literal["score"] = "score"
    criteria: Annotated[list[Annotated[Criterion, by_name("name")]], Field(min_length=1, max_length=MAX_CRITERIA)]
    minimum: Bound = 1.0
    maximum: Bound = 5.0

    @model_validator(mode="after")
    def _is_consistent(self, info: ValidationInfo) -> Self:
        if info.context is TRUSTED:
            return self
        if twice := _same_to_a_reader([criterion.name for criterion in self.criteria]):
            raise misfit("criteria", f"criteria must have different names; repeated: {', '.join(twice)}")
        _check_bounds(self.minimum, self.maximum)
        _check_size(self, "criteria")
        return self


class NumberBallot(BallotBase):
    """A number, in `unit` if one is stated."""

    type: Literal["number"] = "number"
    minimum: Bound | None = None
    maximum: Bound | None = None
    unit: (
        Annotated[str, StringConstraints(min_length=1, max_length=60, pattern=r"\S"), AfterValidator(_one_line)] | None
    ) = None

    @model_validator(mode="after")
    def _is_consistent(self, info: ValidationInfo) -> Self:
        if info.context is not TRUSTED and self.minimum is not None and self.maximum is not None:
            _check_bounds(self.minimum, self.maximum)
        return self


class BooleanBallot(BallotBase):
    """Yes (true) or no (false)."""

    type: Literal["boolean"] = "boolean"


class FreeBallot(BallotBase):
    """An answer in the voter's own words, of at most `max_chars` characters."""

    type: Literal["free"] = "free"
    max_chars: Annotated[int, Field(ge=1, le=MAX_ANSWER_CHARS)] = USUAL_ANSWER_CHARS


Ballot = Annotated[
    ChoiceBallot | ApprovalBallot | RankingBallot | ScoreBallot | NumberBallot | BooleanBallot | FreeBallot,
    Field(discriminator="type"),
]


def _check_bounds(minimum: float, maximum: float) -> None:
    if minimum >= maximum:
        raise misfit("maximum", f"maximum is {maximum:.15g}; it must be above minimum, which is {minimum:.15g}")


def _check_size(ballot: BallotBase, field: str) -> None:
    """A vote's schema is under the limit of any agent's."""
    size = len(json.dumps(ballot_schema(cast(Ballot, ballot))))
    if size > MAX_SCHEMA_BYTES:
        told = f"the {field} make a schema of {size:,} bytes; at most {MAX_SCHEMA_BYTES:,} are accepted"
        raise misfit(field, f"{told}: give fewer or shorter ones")


def ballot_schema(ballot: Ballot, options: list[str] | None = None) -> dict[str, JsonValue]:
    """The JSON Schema that a vote on `ballot` must fit; `options` is the order in which this voter sees them.

    `answer` is null for an abstention. `evidence` may be empty. `confidence` is the voter's own, from 0 to 1.
    """
    answer = _answer_schema(ballot, options)
    if ballot.abstain:
        answer = _or_null(answer)
    return {
        "type": "object",
        "properties": {
            "reasoning": {"type": "string"},
            "evidence": {"type": "array", "items": {"type": "string"}},
            "answer": answer,
            "confidence": {"type": "number", "minimum": 0, "maximum": 1},
        },
        "required": ["reasoning", "evidence", "answer", "confidence"],
        "additionalProperties": False,
    }


def _or_null(schema: dict[str, JsonValue]) -> dict[str, JsonValue]:
    nullable: dict[str, JsonValue] = {**schema, "type": [schema["type"], "null"]}
    if isinstance(listed := schema.get("enum"), list):
        nullable["enum"] = [*listed, None]
    return nullable


def _answer_schema(ballot: Ballot, options: list[str] | None) -> dict[str, JsonValue]:
    match ballot:
        case ChoiceBallot():
            return {"type": "string", "enum": list(options or ballot.options)}
        case ApprovalBallot() | RankingBallot():
            return _options_schema(ballot, options or ballot.options)
        case ScoreBallot():
            return _scores_schema(ballot)
        case NumberBallot():
            low = -MAX_NUMBER if ballot.minimum is None else ballot.minimum
            high = MAX_NUMBER if ballot.maximum is None else ballot.maximum
            return {"type": "number", "minimum": low, "maximum": high}
        case BooleanBallot():
            return {"type": "boolean"}
        case FreeBallot():
            return {"type": "string", "minLength": 1, "maxLength": ballot.max_chars, "pattern": r"\S"}


def _options_schema(ballot: ApprovalBallot | RankingBallot, options: list[str]) -> dict[str, JsonValue]:
    listed: dict[str, JsonValue] = {
        "type": "array",
        "items": {"type": "string", "enum": list(options)},
        "uniqueItems": True,
    }
    if isinstance(ballot, RankingBallot):
        listed["minItems"] = len(options) if ballot.complete else 1
    return listed


def _scores_schema(ballot: ScoreBallot) -> dict[str, JsonValue]:
    names = [criterion.name for criterion in ballot.criteria]
    score: dict[str, JsonValue] = {"type": "number", "minimum": ballot.minimum, "maximum": ballot.maximum}
    return {
        "type": "object",
        "properties": {name: dict(score) for name in names},
        "required": list(names),
        "additionalProperties": False,
    }
