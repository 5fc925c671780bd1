"""Ballots: the shape of a vote, as what a request asks for and as the JSON Schema that holds the model to it."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import BeforeValidator, Field, JsonValue, StringConstraints, model_validator

from shared.contracts.base import Contract, misfit, repeated
from shared.normalisation import normalised

MAX_OPTIONS = 50
MAX_CRITERIA = 20
MAX_ANSWER_CHARS = 20_000
USUAL_ANSWER_CHARS = 2_000

Option = Annotated[str, StringConstraints(min_length=1, max_length=200, pattern=r"\w")]
Bound = Annotated[float, Field(ge=-1e15, le=1e15)]


class BallotBase(Contract):
    """What all ballots share: with `abstain`, a voter who cannot judge answers null, which is counted apart."""

    abstain: bool = True


class OptionsBallot(BallotBase):
    """Options to choose from. With `shuffle`, each voter sees them in another order, against position bias."""

    options: Annotated[list[Option], Field(min_length=2, max_length=MAX_OPTIONS)]
    shuffle: bool = True

    @model_validator(mode="after")
    def _options_differ(self) -> Self:
        if twice := repeated([normalised(option) for option in self.options]):
            raise misfit("options", f"options must differ in more than case, space and punctuation: {', '.join(twice)}")
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

    name: Option
    description: Annotated[str, StringConstraints(min_length=1, max_length=1_000)] | None = None
    weight: Annotated[float, Field(gt=0, le=1_000)] = 1.0


def _named(value: object) -> object:
    return {"name": value} if isinstance(value, str) else value


class ScoreBallot(BallotBase):
    """A score for each criterion, from `minimum` to `maximum`. A criterion may be given as its name alone."""

    type: Literal["score"] = "score"
    criteria: Annotated[
        list[Annotated[Criterion, BeforeValidator(_named)]], Field(min_length=1, max_length=MAX_CRITERIA)
    ]
    minimum: Bound = 1.0
    maximum: Bound = 5.0

    @model_validator(mode="after")
    def _is_consistent(self) -> Self:
        if twice := repeated([normalised(criterion.name) for criterion in self.criteria]):
            raise misfit("criteria", f"criteria must have different names; repeated: {', '.join(twice)}")
        if self.minimum >= self.maximum:
            raise misfit("maximum", f"maximum must be above minimum, which is {self.minimum:g}")
        return self


class NumberBallot(BallotBase):
    """A number, in `unit` if one is stated."""

    type: Literal["number"] = "number"
    minimum: Bound | None = None
    maximum: Bound | None = None
    unit: Annotated[str, StringConstraints(min_length=1, max_length=60)] | None = None

    @model_validator(mode="after")
    def _is_consistent(self) -> Self:
        if self.minimum is not None and self.maximum is not None and self.minimum >= self.maximum:
            raise misfit("maximum", f"maximum must be above minimum, which is {self.minimum:g}")
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
            bounds = {"minimum": ballot.minimum, "maximum": ballot.maximum}
            return {"type": "number", **{name: bound for name, bound in bounds.items() if bound is not None}}
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
