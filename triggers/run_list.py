"""`GET /api/runs`: runs, newest first, a page at a time.

A page without filters, or with filters for what the task hub itself knows, costs one query. What a run came to, and its
recipe, are in its custom status, which comes with the query; inputs and outputs are not asked for.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence
from datetime import UTC, datetime
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

import azure.functions as func
from pydantic import ValidationError

from shared.contracts.base import Contract, restored
from shared.contracts.run import CompletionReason, RunStatus
from shared.contracts.run_list import ListedRun, RunList
from shared.run_ids import is_time_ordered
from triggers.answers import answer, answering_problems, api_root
from triggers.calls import utc
from triggers.continuation import unwrapped, wrapped
from triggers.instance_pages import TokenRefusedError, page_of
from triggers.parameters import misfit_parameter, query_of
from triggers.run_filters import RunFilters, limit_of
from triggers.views import RunState

if TYPE_CHECKING:
    from azure.durable_functions import DurableFunctionsClient
    from durabletask.client import OrchestrationState

MAX_QUERIES = 10
"""Of one request, while the filters leave the page unfilled."""
MAX_AT_ONCE = 8
"""Runs that are read one by one at a time, because the page does not tell how they stand."""
PAGE = "continuation_token"


class LastWord(Contract):
    """What a run says of itself in its custom status; what it has not said is None."""

    status: RunStatus | None = None
    completion_reason: CompletionReason | None = None
    recipe: str | None = None

    @classmethod
    def told_in(cls, text: str | None) -> LastWord:
        """What this custom status or result says, as far as this version can read it."""
        try:
            return restored(cls, json.loads(text or "null") or {})
        except ValidationError:
            return cls()


@answering_problems
async def list_runs(req: func.HttpRequest, client: DurableFunctionsClient) -> func.HttpResponse:
    """`GET /api/runs`: 200 with a `RunList`."""
    query = query_of(req)
    filters, limit = RunFilters.of(query), limit_of(query)
    given = query.get(PAGE)
    token = None if given is None else unwrapped(given, filters.text())
    if given is not None and token is None:
        raise _no_token(given)
    try:
        runs, token = await _page(client, filters, limit, token, api_root(req, "runs"))
    except TokenRefusedError:
        raise _no_token(given or "") from None
    return answer(
        HTTPStatus.OK, RunList(runs=runs, continuation_token=wrapped(token, filters.text()) if token else None)
    )


async def _page(
    client: DurableFunctionsClient, filters: RunFilters, limit: int, token: str | None, root: str
) -> tuple[list[ListedRun], str | None]:
    """At most `limit` runs that the filters let pass, and the task hub's token of what follows them."""
    runs: list[ListedRun] = []
    prefix = filters.id_prefix(datetime.now(UTC))
    if prefix is None:
        return runs, None
    for _ in range(MAX_QUERIES):
        page = await page_of(client, _query(filters, prefix, limit - len(runs)), token)
        runs += [run for run in await listed(client, page.states, root) if filters.let_pass(run)]
        token = page.token
        if token is None or len(runs) >= limit:
            break
    return runs, token


def _query(filters: RunFilters, prefix: str, count: int) -> Any:
    from durabletask.client import OrchestrationQuery, OrchestrationStatus

    names = filters.runtime_statuses
    return OrchestrationQuery(
        created_time_from=filters.created_after,
        created_time_to=filters.created_before,
        runtime_status=None if names is None else [OrchestrationStatus[name] for name in names],
        max_instance_count=count,
        instance_id_prefix=prefix,
    )


async def listed(client: DurableFunctionsClient, states: Sequence[OrchestrationState], root: str) -> list[ListedRun]:
    """The runs among these instances, which may have come without payloads; `root` is our API's URL."""
    found = [run for run in map(RunState.of, states) if run is not None and is_time_ordered(run.id)]
    places = asyncio.Semaphore(MAX_AT_ONCE)

    async def told(run: RunState) -> ListedRun | None:
        if _says_enough(run):
            return _listed(run, root)
        async with places:
            whole = RunState.of(await client.get_orchestration_state(run.id))
        return _listed(whole, root) if whole else None

    return [run for run in await asyncio.gather(*map(told, found)) if run is not None]


def _says_enough(run: RunState) -> bool:
    """Not one that waits for its turn, which has no custom status yet, nor one that has ended without a last word."""
    word = run.state.serialized_custom_status
    if run.state.runtime_status.name == "COMPLETED":
        return LastWord.told_in(word).status is not None
    return word is not None


def _listed(run: RunState, root: str) -> ListedRun:
    word = LastWord.told_in(run.state.serialized_custom_status)
    if run.state.runtime_status.name == "COMPLETED" and word.status is None:
        word = LastWord.told_in(run.state.serialized_output)
    status, reason = _standing(run, word)
    return ListedRun(
        id=run.id,
        pattern=run.pattern,
        recipe=word.recipe or run.recipe,
        status=status,
        completion_reason=reason,
        started_at=utc(run.state.created_at),
        updated_at=utc(run.state.last_updated_at),
        status_url=f"{root}/runs/{run.id}",
        view_url=f"{root}/runs/{run.id}/view",
    )


def _standing(run: RunState, word: LastWord) -> tuple[Any, CompletionReason | None]:
    """How a run stands, and why it has ended; the same as its result says, also where it could not write its own."""
    match run.state.runtime_status.name:
        case "COMPLETED":
            return (word.status, word.completion_reason) if word.status else ("failed", "internal_error")
        case "FAILED":
            return "failed", "internal_error"
        case "TERMINATED":
            return "cancelled", "cancelled"
        case _:
            return run.stage, None


def _no_token(given: str) -> Exception:
    wanted = "send the continuation_token of an answer to the same filters, as it was, or none for the first page"
    return misfit_parameter(PAGE, given, wanted)
