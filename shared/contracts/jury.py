"""Who votes: voters of a kind, or a jury of different ones, asked all at once or in waves until enough is known."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import Discriminator, Field, StringConstraints, Tag, model_validator

from shared.contracts.agent import AgentSpec
from shared.contracts.ballots import Weight
from shared.contracts.base import Contract, Instructions, by_name, misfit, repeated

MAX_VOTERS = 200
USUAL_MIN = 3
USUAL_WAVE = 10

DEFAULT_VOTER_INSTRUCTIONS = (
    "You are one of several independent voters. Weigh the question and the material on their merits, "
    "decide for yourself, and give the reason for your answer in one or two sentences."
)

PerspectiveSet = Literal[
    "vulnerability_assessment",
    "content_appropriateness",
    "quality_assurance",
    "fact_check",
    "content_safety",
    "brainstorm",
]
"""Ready juries; `shared/contracts/perspectives.py` has their voters."""

VoterCount = Annotated[int, Field(ge=1, le=MAX_VOTERS)]


class Juror(AgentSpec):
    """A voter with a name, and what makes it another voter than the others: any of the fields below, and of an agent's.

    `persona` says who it is and goes before its instructions. `weight` counts in the rule `weighted`.
    """

    instructions: Instructions = DEFAULT_VOTER_INSTRUCTIONS
    persona: Annotated[str, StringConstraints(min_length=1, max_length=4_000, pattern=r"\S")] | None = None
    weight: Weight = 1.0


Jury = Annotated[list[Juror], Field(min_length=1, max_length=MAX_VOTERS)]


class VoterPlan(Contract):
    """At least `min` and at most `max` voters, in waves of at most `wave`.

    They are `jury`, in its order; or `max` voters who take turns with the `perspectives` of a ready jury; or equal
    ones. Without `max` there are as many as in the jury. A wave is smaller than `wave` when fewer could settle the
    vote, so that waves ask hardly more voters than asking them one by one would.
    """

    max: VoterCount | None = None
    min: VoterCount | None = None
    wave: VoterCount = USUAL_WAVE
    jury: Jury | None = None
    perspectives: PerspectiveSet | None = None

    @model_validator(mode="after")
    def _is_consistent(self) -> Self:
        if self.jury is not None and self.perspectives is not None:
            raise misfit("perspectives", "a jury has its own perspectives; give jury or perspectives, and not both")
        if self.max is None and self.jury is None:
            raise misfit("max", "say how many voters are asked at most")
        if self.jury is not None and self.max is not None and self.max > len(self.jury):
            raise misfit("max", f"max is {self.max}, but the jury has only {_voters(len(self.jury))}; lower max")
        if self.min is not None and self.min > self.most:
            raise misfit("min", f"min is {self.min}, but at most {_voters(self.most)} would be asked; lower min")
        return self

    @property
    def most(self) -> int:
        """How many voters are asked if nothing stops the vote."""
        return self.max or len(self.jury or [])

    @property
    def least(self) -> int:
        """How many voters are asked in any case."""
        return min(USUAL_MIN, self.most) if self.min is None else self.min


def equal_voter(number: int) -> str:
    """The name of the voter with this number, from 1, among equal ones."""
    return f"voter-{number}"


def _voters(number: int) -> str:
    return "1 voter" if number == 1 else f"{number} voters"


def _kind_of_voters(value: object) -> str | None:
    if isinstance(value, list):
        return "jury"
    if isinstance(value, dict | VoterPlan):
        return "plan"
    return "count" if isinstance(value, int) and not isinstance(value, bool) else None


Voters = Annotated[
    Annotated[VoterCount, Tag("count")] | Annotated[Jury, Tag("jury")] | Annotated[VoterPlan, Tag("plan")],
    Discriminator(
        _kind_of_voters,
        custom_error_type="voters",
        custom_error_message="give a whole number of voters, a list of them, or an object that says how many to ask",
    ),
]
"""A number of equal voters, a jury, or a plan."""


class StopFixed(Contract):
    """Ask all voters at once."""

    type: Literal["fixed"] = "fixed"


class StopDecided(Contract):
    """Stop when the voters who have not been asked can no longer change the decision."""

    type: Literal["decided"] = "decided"


class StopConfident(Contract):
    """Stop when, with at least this probability, the decision would stand after all voters had been asked."""

    type: Literal["confident"] = "confident"
    level: Annotated[float, Field(ge=0.5, lt=1)] = 0.95


AnyStop = StopFixed | StopDecided | StopConfident
Stop = Annotated[Annotated[AnyStop, Field(discriminator="type")], by_name("type")]
"""When no more voters are asked: a rule, or its name alone."""

TieBreak = Literal["none", "first", "judge", "chair"]
"""What decides between leaders: nothing, the order of the options, a judge, or the vote of the chair."""


def plan_of(voters: int | list[Juror] | VoterPlan) -> VoterPlan:
    """Any way to say who votes, as a plan."""
    if isinstance(voters, VoterPlan):
        return voters
    return VoterPlan(max=voters) if isinstance(voters, int) else VoterPlan(jury=voters)


def repeated_names(jury: list[Juror]) -> list[str]:
    """The names that more than one juror has."""
    return repeated([juror.name for juror in jury])
