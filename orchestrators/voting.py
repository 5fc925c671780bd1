"""Voting: the same question to every voter, then a count."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from typing import TYPE_CHECKING, Any, cast

from orchestrators.fan_out import fan_out
from orchestrators.run import Run
from shared.aggregation.consensus import decide
from shared.branching import voter_branches
from shared.contracts.base import restored
from shared.contracts.branch import BranchOutcome
from shared.contracts.run import RunInput
from shared.contracts.voting import Vote, VotingRequest

if TYPE_CHECKING:
    from azure.durable_functions import DurableOrchestrationContext
    from durabletask.task import Task


def voting(context: DurableOrchestrationContext) -> Generator[Task[Any], Any, dict[str, Any]]:
    """Run a `VotingRequest`, which comes in a `RunInput`, to its `RunResult`."""
    given = restored(RunInput, context.get_input())
    request = restored(VotingRequest, given.request)
    run = Run.start(context, "voting", request.policy, given.redrive)
    voters = voter_branches(request)
    run.enter("branches", total=len(voters))
    ballots = yield from fan_out(run, voters)
    if not run.wants_answer(ballots):
        return run.end(ballots, output=None)
    return run.end(ballots, decide(votes_of(ballots.succeeded), request.ballot, asked=len(voters)))


def votes_of(outcomes: Sequence[BranchOutcome]) -> list[Vote]:
    """The votes cast, in voter order. Their shape was checked against the ballot when they came in."""
    votes: list[Vote] = []
    for outcome in outcomes:
        cast_vote = cast(dict[str, Any], outcome.output)
        votes.append(Vote(voter=outcome.name, answer=cast_vote["answer"], reasoning=cast_vote["reasoning"]))
    return votes
