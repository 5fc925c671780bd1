"""A branch: one agent call with a stable name, what it is given, and what came of it."""

from __future__ import annotations

from collections.abc import Sequence, Sized
from datetime import datetime
from typing import Annotated, Literal, Protocol, Self

from pydantic import Field, JsonValue, StringConstraints, model_validator

from shared.contracts.agent import AgentSpec
from shared.contracts.base import MAX_NAME_CHARS, Contract
from shared.token_estimate import estimated_input_tokens

BranchName = Annotated[
    str,
    StringConstraints(
        pattern=r"^~?[A-Za-z0-9][A-Za-z0-9._-]*(\+[1-9][0-9]*|:[A-Za-z0-9][A-Za-z0-9._-]*)?$",
        max_length=MAX_NAME_CHARS + 5,
    ),
]
"""A caller's `Name`, one with the number of a part (`log+2`), two of them (`section:voter`), or one of ours (`~`).

A caller's has neither `+` nor `:` nor `~`, so none collides with another.
"""

JUDGE = "~judge"
"""What the names of calls to the judge of a vote start with."""
LONGEST_JUDGE = "~judge-grouping"


def nested_name(section: str, name: str) -> str:
    """The name of a branch of a section's vote: a voter's is `section:voter`, a judge's `~judge-1:section`."""
    return f"{name}:{section}" if name.startswith("~") else f"{section}:{name}"


BATCH_PREFIX = "~batch-"
"""What the names of calls for several branches start with."""

BranchStatus = Literal["succeeded", "failed", "timed_out", "cancelled"]


class Usage(Contract):
    """Calls to the model and the tokens that it counted for them."""

    model_calls: int = 0
    input_tokens: int = 0
    output_tokens: int = 0
    total_tokens: int = 0

    def __add__(self, other: Usage) -> Usage:
        return Usage(
            model_calls=self.model_calls + other.model_calls,
            input_tokens=self.input_tokens + other.input_tokens,
            output_tokens=self.output_tokens + other.output_tokens,
            total_tokens=self.total_tokens + other.total_tokens,
        )

    def __sub__(self, other: Usage) -> Usage:
        return Usage(
            model_calls=self.model_calls - other.model_calls,
            input_tokens=self.input_tokens - other.input_tokens,
            output_tokens=self.output_tokens - other.output_tokens,
            total_tokens=self.total_tokens - other.total_tokens,
        )

    def shares(self, count: int) -> list[Usage]:
        """What each of `count` cost of what was spent for all of them: nearly alike, and the sum is exact.

        What cannot be divided is the first one's.
        """
        rest = self.total_tokens - self.input_tokens - self.output_tokens
        calls, inputs = _divided(self.model_calls, count), _divided(self.input_tokens, count)
        outputs, others = _divided(self.output_tokens, count), _divided(rest, count)
        return [
            Usage(model_calls=call, input_tokens=said, output_tokens=told, total_tokens=said + told + other)
            for call, said, told, other in zip(calls, inputs, outputs, others, strict=True)
        ]


def _divided(amount: int, count: int) -> Sequence[int]:
    share, rest = divmod(amount, count)
    return [share + rest, *[share] * (count - 1)]


def costs_of_batch(names: Sequence[str], answered: Sequence[str], answering: Usage, others: Usage) -> dict[str, Usage]:
    """What each of a batch's branches has cost: the `answering` call those that it `answered`, the `others` all."""
    costs = dict(zip(names, others.shares(len(names)), strict=True))
    for name, share in zip(answered, answering.shares(len(answered)) if answered else [], strict=True):
        costs[name] += share
    return costs


def is_empty(value: Sized) -> bool:
    """Whether something is left out of the JSON: what only batches have, other branches do not speak of."""
    return not value


def is_none(value: object) -> bool:
    """The same for a value."""
    return value is None


def is_not(value: bool) -> bool:
    """The same for what is said only when it is so."""
    return not value


class BranchError(Contract):
    """Why a call or a branch did not succeed. `code` is stable; see `shared/errors.py` for all of them."""

    code: str
    message: str
    retriable: bool
    http_status: int | None = None


class Branch(Contract):
    """One agent and the prompt that it gets.

    A call for several branches, a `batch`, is told of as if it were for one: `batch` has their names, in the order of
    the numbers that the prompt gives them, and `agent` is the agent of each.
    """

    name: BranchName
    agent: AgentSpec
    prompt: str
    batch: Annotated[list[BranchName], Field(exclude_if=is_empty)] = Field(default_factory=list[str])

    @property
    def weight(self) -> int:
        """How many it counts for in the policy's tolerances."""
        return 1

    @property
    def max_output_tokens(self) -> int | None:
        """The bound of its answer, if any."""
        return self.agent.max_output_tokens

    def estimated_input_tokens(self) -> int:
        """About how many input tokens a call for it has."""
        return estimated_input_tokens(self.agent, self.prompt)

    def within(self, section: str | None) -> Self:
        """The same in a vote that decides a section; None is a vote by itself."""
        return self if section is None else self.model_copy(update={"name": nested_name(section, self.name)})


class AttemptInput(Contract):
    """The input of the child orchestration `agent_attempt`: one call for a branch, to be over by `deadline`.

    `number` counts the branch's calls from 1, hedges too. `max_tokens` is what the run has left to spend. `recipe` is
    the run's, for telemetry.
    """

    run_id: str
    branch: Branch
    number: int
    deadline: datetime
    max_tokens: int | None = None
    recipe: Annotated[str | None, Field(exclude_if=is_none)] = None


class AttemptOutcome(Contract):
    """What came of one call for a branch; `retry_after_s` is the wait that the service asked for.

    A call that came back was in the worker for `worked_s`, of the time from `started_at` to `ended_at`.
    The output of a batch's call has the answers by the names of their branches, of those alone that it answered.
    """

    status: BranchStatus
    output: JsonValue = None
    error: BranchError | None = None
    retry_after_s: float | None = None
    usage: Usage = Usage()
    model: str | None = None
    truncated: bool = False
    worked_s: Annotated[float | None, Field(exclude_if=is_none)] = None
    started_at: datetime
    ended_at: datetime


class AgentCall(Contract):
    """The input of the activity `call_agent`: one attempt, to be over by `deadline`, for the orchestration `instance`.

    An answer that needs a repair gets none once it has cost `max_tokens`. `batch` is the branch's, `recipe` the run's.
    """

    run_id: str
    branch: str
    attempt: int
    instance: str
    agent: AgentSpec
    prompt: str
    deadline: datetime
    max_tokens: int | None = None
    recipe: Annotated[str | None, Field(exclude_if=is_none)] = None
    batch: Annotated[list[BranchName], Field(exclude_if=is_empty)] = Field(default_factory=list[str])


class AgentReply(Contract):
    """The output of the activity `call_agent`: an output or an error, and what it cost either way.

    The worker was at it for `worked_s`, without the queues before and after. For a batch, the output is that of an
    `AttemptOutcome`.
    """

    output: JsonValue = None
    error: BranchError | None = None
    retry_after_s: float | None = None
    usage: Usage = Usage()
    model: str | None = None
    truncated: bool = False
    worked_s: Annotated[float | None, Field(exclude_if=is_none)] = None

    @model_validator(mode="after")
    def _says_something(self) -> Self:
        if self.output is None and self.error is None:
            raise ValueError("a reply has an output or an error")
        return self


class NamedOutput(Protocol):
    """What aggregation reads of an outcome, or of something in its place."""

    @property
    def name(self) -> str:
        """Whose output it is."""
        ...

    @property
    def output(self) -> JsonValue:
        """Text, or any other value."""
        ...


class BranchOutcome(Contract):
    """What came of a branch: data, whether it succeeded or not.

    `output` is text, or a value that fits the agent's `output_schema`. `truncated` says that the text hit
    `max_output_tokens`. `attempts` counts the first call and its retries, `hedges` the calls beside them;
    `usage` counts them all. `batch` names the call that decided it together with other branches; of the usage of such
    calls it has a share, and the shares' sum is exact.
    """

    name: BranchName
    status: BranchStatus
    output: JsonValue = None
    error: BranchError | None = None
    attempts: Annotated[int, Field(ge=0)] = 0
    hedges: Annotated[int, Field(ge=0)] = 0
    usage: Usage = Usage()
    model: str | None = None
    truncated: bool = False
    started_at: datetime
    ended_at: datetime
    batch: Annotated[BranchName | None, Field(exclude_if=is_none)] = None

    @property
    def succeeded(self) -> bool:
        """Whether the branch has an output to aggregate."""
        return self.status == "succeeded"
