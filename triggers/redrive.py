"""Running again what did not succeed."""

from __future__ import annotations

import asyncio
from http import HTTPStatus
from typing import TYPE_CHECKING

import azure.functions as func

from shared.branching import Request, branches_of
from shared.contracts.base import restored
from shared.contracts.map_reduce import MapReduceRequest
from shared.contracts.policy import RunPolicy
from shared.contracts.run import Planned, Redrive, RedriveRequest, RunInput, RunResult
from triggers.acceptance import accepted
from triggers.answers import answering_problems
from triggers.bodies import parsed
from triggers.callbacks import callback_for
from triggers.problems import FieldError, Problem
from triggers.results import result_of, unreadable
from triggers.runs import find
from triggers.storage import with_storage
from triggers.stored_runs import folder_of
from triggers.views import RunState

if TYPE_CHECKING:
    from azure.durable_functions import DurableFunctionsClient


@answering_problems
async def redrive_run(req: func.HttpRequest, client: DurableFunctionsClient) -> func.HttpResponse:
    """`POST /api/runs/{id}/redrive`: a new run that takes over what succeeded and runs the rest.

    The body may be empty, or a `RedriveRequest` with the new run's policy.
    """
    asked = await asyncio.to_thread(parsed, req, RedriveRequest) if req.get_body() else RedriveRequest()
    run = await find(req, client)
    if not run.ended:
        raise Problem(
            HTTPStatus.CONFLICT,
            "run_not_ended",
            f"Run {run.id!r} is still running. Wait for its end, or cancel it, before you redrive it.",
        )
    result = await result_of(client, run)
    if result.status == "succeeded":
        raise Problem(
            HTTPStatus.CONFLICT,
            "nothing_to_redrive",
            f"Run {run.id!r} succeeded with every branch; there is nothing to run again. Start a new run instead.",
        )
    callback = callback_for(asked.callback_url)
    given = await asyncio.to_thread(continued, run, result, asked.policy)
    given = given.model_copy(update={"callback": callback})
    return await accepted(req, client, run.pattern, given, route=f"runs/{run.id}/redrive")


def continued(run: RunState, result: RunResult, policy: RunPolicy | None) -> RunInput:
    """The input of the run that goes on where `run` ended, under the old policy or a new one."""
    if run.request is None:
        raise unreadable(run)
    request = run.request
    if policy is not None:
        check(policy, branches_in(request, result))
        request = request.model_copy(update={"policy": policy})
    redrive = taken_over(run, request, result)
    reused = result.counts.succeeded if result.counts else len(redrive.reused)
    check_goes_on(run, result, request.policy, reused)
    return RunInput(request=request.model_dump(mode="json"), redrive=redrive, recipe=run.recipe)


def branches_in(request: Request, result: RunResult) -> int:
    """How many branches a redrive has, or works in storage, as far as that is known."""
    if not isinstance(request, MapReduceRequest) or not request.in_storage:
        return len(branches_of(request))
    return result.counts.works if result.counts else request.most_branches


def taken_over(run: RunState, request: Request, result: RunResult) -> Redrive:
    """What the redrive takes over: outcomes, or in storage the folder that has them; raise the problem with its use.

    A redrive that ended before it had a plan has nothing of its own: what it was to take over is taken over.
    """
    if not isinstance(request, MapReduceRequest) or not request.in_storage:
        return Redrive(run_id=run.id, reused=[outcome for outcome in result.outcomes if outcome.succeeded])
    with_storage(request)
    if result.counts is not None:
        planned = restored(Planned, result.counts.model_dump())
        return Redrive(run_id=run.id, reused=[], folder=folder_of(run, request), planned=planned)
    earlier = run.redrive
    if earlier is None:
        return Redrive(run_id=run.id, reused=[])
    return Redrive(run_id=run.id, reused=[], folder=earlier.folder, planned=earlier.planned)


def check(policy: RunPolicy, branches: int) -> None:
    """Raise the problem with a policy that makes no sense for a run of so many branches."""
    errors = [FieldError(f"policy.{field}", reason) for field, reason in policy.contradictions(branches)]
    if errors:
        raise Problem(
            HTTPStatus.BAD_REQUEST,
            "invalid_request",
            f"The request does not fit its contract: {errors[0].path}: {errors[0].message}. Nothing was started.",
            errors,
        )


def check_goes_on(run: RunState, result: RunResult, policy: RunPolicy, reused: int) -> None:
    """Raise the problem with a run that stopped early, when its redrive under `policy` would stop as early."""
    enough = policy.stop_early and policy.min_successful is not None and reused >= policy.min_successful
    if enough and result.completion_reason == "min_successful_reached":
        raise Problem(
            HTTPStatus.CONFLICT,
            "nothing_to_redrive",
            f"Run {run.id!r} stopped once {policy.min_successful} branches had succeeded, and so would its redrive. "
            "Send a policy without stop_early, or with a higher min_successful, to run the rest.",
        )
