"""Voting: the same question to voters, wave after wave until enough is known, then a count.

1. Voters are asked in waves: each is a fan-out. The votes so far say who is asked next, or that nobody is.
2. The rule counts. Where it takes a judge, or a tie does, the judge is called.
3. The result has the decision, every ballot, and how far they can be trusted.
"""

from __future__ import annotations

from collections.abc import Generator
from typing import TYPE_CHECKING, Any

from orchestrators.announced import announced
from orchestrators.fan_out import fan_out_in_waves
from orchestrators.judges import consult
from orchestrators.run import FannedOut, Run
from shared.contracts.base import restored
from shared.contracts.branch import Branch, BranchOutcome
from shared.contracts.run import RunInput
from shared.contracts.voting import VotingRequest
from shared.voting.counting import Counting
from shared.voting.decision import voting_output
from shared.voting.polling import Polling

if TYPE_CHECKING:
    from collections.abc import Sequence

    from azure.durable_functions import DurableOrchestrationContext
    from durabletask.task import Task


@announced
def voting(context: DurableOrchestrationContext) -> Generator[Task[Any], Any, dict[str, Any]]:
    """Run a `VotingRequest`, which comes in a `RunInput`, to its `RunResult`."""
    given = restored(RunInput, context.get_input())
    request = restored(VotingRequest, given.request)
    run = Run.start(context, "voting", request.policy, given.redrive, given.recipe)
    polling = Polling(request)
    asked = yield from ask(run, polling)
    if not run.wants_answer(asked):
        return run.end(asked, output=None)
    counting = Counting(polling.box(asked.outcomes))
    judges = FannedOut([])
    if run.may_call(asked):
        [counting], judges = yield from consult(run, [counting], total=len(asked.outcomes))
    reason = "interrupted" if asked.interruption else polling.reason(asked.outcomes)
    return run.end(asked, voting_output(counting, reason), judges=judges)


def ask(run: Run, polling: Polling) -> Generator[Task[Any], Any, FannedOut]:
    """Ask voters until enough is known."""

    def next_wave(outcomes: Sequence[BranchOutcome]) -> list[Branch]:
        voters = polling.next_wave(outcomes)
        if voters:
            run.enter("branches", total=len(outcomes) + len(voters))
        return voters

    return (yield from fan_out_in_waves(run, polling.most, next_wave))
