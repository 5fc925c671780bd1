"""Voting: the same question to several voters, decided by a rule."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import Discriminator, Field, JsonValue, StringConstraints, Tag, ValidationInfo, model_validator

from shared.contracts.agent import AgentDefaults, AgentSpec
from shared.contracts.base import MAX_RUN_CHARS, Contract, Name, Text, misfit, repeated
from shared.contracts.policy import RunPolicy, check_policy
from shared.normalisation import normalised

MAX_VOTERS = 200
MAX_OPTIONS = 50
MAX_ANSWER_CHARS = 2_000

DEFAULT_VOTER_INSTRUCTIONS = (
    "You are one of several independent voters. Weigh the question and the material on their merits, "
    "decide for yourself, and give the reason for your answer in one or two sentences."
)

Option = Annotated[str, StringConstraints(min_length=1, max_length=200, pattern=r"\w")]


class ChoiceBallot(Contract):
    """One of a closed list of options."""

    type: Literal["choice"] = "choice"
    options: Annotated[list[Option], Field(min_length=2, max_length=MAX_OPTIONS)]

    @model_validator(mode="after")
    def _options_differ(self) -> Self:
        if twice := repeated([normalised(option) for option in self.options]):
            raise misfit("options", f"options must differ in more than case, space and punctuation: {', '.join(twice)}")
        return self


class FreeBallot(Contract):
    """A short answer in the voter's own words."""

    type: Literal["free"] = "free"


Ballot = Annotated[ChoiceBallot | FreeBallot, Field(discriminator="type")]


VoterCount = Annotated[int, Field(ge=1, le=MAX_VOTERS)]
Jury = Annotated[list[AgentSpec], Field(min_length=1, max_length=MAX_VOTERS)]
Voters = Annotated[
    Annotated[VoterCount, Tag("count")] | Annotated[Jury, Tag("jury")],
    Discriminator(lambda value: "jury" if isinstance(value, list) else "count"),
]


class VotingRequest(Contract):
    """`POST /api/voting`.

    `voters` is a number of equal voters, or a list of agents with perspectives of their own. The ballot gives
    a vote its shape, so voters have no `output_schema`. `context` is material for the question.
    """

    question: Text
    context: Text | None = None
    voters: Voters = 5
    ballot: Ballot = FreeBallot()
    defaults: AgentDefaults = AgentDefaults()
    policy: RunPolicy = RunPolicy()

    @model_validator(mode="after")
    def _is_consistent(self, info: ValidationInfo) -> Self:
        agents = self.agents()
        if twice := repeated([agent.name for agent in agents]):
            raise misfit("voters", f"voters must have unique names; repeated: {', '.join(twice)}")
        if shaped := [agent.name for agent in agents if agent.output_schema is not None]:
            raise misfit(
                "voters", f"voters take no 'output_schema' (the ballot is it); remove it from: {', '.join(shaped)}"
            )
        material = (len(self.question) + len(self.context or "")) * len(agents)
        if material > MAX_RUN_CHARS:
            raise misfit(
                "context" if self.context else "question",
                f"question and context have {material:,} characters over all voters; "
                f"at most {MAX_RUN_CHARS:,} are accepted",
            )
        check_policy(self.policy, len(agents), info)
        return self

    def agents(self) -> list[AgentSpec]:
        """One agent a voter, in voter order, with the run's defaults."""
        if isinstance(self.voters, int):
            named = [
                AgentSpec(name=f"voter-{number}", instructions=DEFAULT_VOTER_INSTRUCTIONS)
                for number in range(1, self.voters + 1)
            ]
        else:
            named = self.voters
        return [agent.with_defaults(self.defaults) for agent in named]


class Vote(Contract):
    """One counted vote, as the voter spelled it."""

    voter: Name
    answer: str
    reasoning: str = ""


class TallyLine(Contract):
    """An answer, in its most used spelling, and who gave it."""

    answer: str
    votes: int
    share: float
    voters: list[Name]


class VotingOutput(Contract):
    """The decision by majority.

    `decided`: one answer has more than half of the votes counted, and is `decision`. `tie`: two or more
    answers share the lead. `no_majority`: one leads with half of the votes or less. In the last two
    `decision` is null and `leaders` has the leading answers. `tally` is ordered by votes, then by the order
    of the options (or of first mention).
    """

    kind: Literal["decision"] = "decision"
    outcome: Literal["decided", "tie", "no_majority"]
    decision: str | None
    leaders: list[str]
    tally: list[TallyLine]
    votes: list[Vote]
    asked: int
    counted: int


def ballot_schema(ballot: Ballot) -> dict[str, JsonValue]:
    """The JSON Schema that a vote on `ballot` must fit."""
    answer: dict[str, JsonValue] = {"type": "string", "minLength": 1, "maxLength": MAX_ANSWER_CHARS}
    if isinstance(ballot, ChoiceBallot):
        answer = {"type": "string", "enum": list(ballot.options)}
    return {
        "type": "object",
        "properties": {"reasoning": {"type": "string"}, "answer": answer},
        "required": ["reasoning", "answer"],
        "additionalProperties": False,
    }
