"""The durable management API under `/runtime/webhooks/durabletask`: what the URLs that the SDK hands out lead to.

`ManagementApi` answers for orchestrations; `management_entities` answers for entities. Both speak to the engine
through the SDK's own client. Formats and status codes are those of the Durable Functions extension.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from typing import Any

import azure.functions as func
import grpc
from aiohttp import web
from azure.durable_functions.client import SyncDurableFunctionsClient
from azure.durable_functions.internal.compat.durable_orchestration_status import DurableOrchestrationStatus
from azure.durable_functions.internal.compat.history_projection import project_history
from durabletask.client import OrchestrationQuery, OrchestrationState, OrchestrationStatus
from durabletask.internal import orchestrator_service_pb2 as pb

from local_host.management_entities import EntityApi
from local_host.management_pages import CONTINUATION_HEADER, EnginePages
from local_host.management_requests import BadRequestError, Query, read_json, says_json

_LOGGER = logging.getLogger(__name__)
_THREADS = 64
_RETRY_AFTER_S = "5"
_PAGE_SIZE = 100
_ENDED = frozenset({OrchestrationStatus.COMPLETED, OrchestrationStatus.FAILED, OrchestrationStatus.TERMINATED})
_REPLACEABLE = pb.OrchestrationIdReusePolicy(
    replaceableStatus=[
        pb.ORCHESTRATION_STATUS_COMPLETED,
        pb.ORCHESTRATION_STATUS_FAILED,
        pb.ORCHESTRATION_STATUS_TERMINATED,
        pb.ORCHESTRATION_STATUS_CANCELED,
    ]
)
_CODES = {
    grpc.StatusCode.NOT_FOUND: 404,
    grpc.StatusCode.ALREADY_EXISTS: 409,
    grpc.StatusCode.FAILED_PRECONDITION: 410,
    grpc.StatusCode.INVALID_ARGUMENT: 400,
}
_WITHOUT_BODY = frozenset({404, 410})
_CODES_BY_OPERATION = {
    "rewind": {**_CODES, grpc.StatusCode.FAILED_PRECONDITION: 412},
    "restart": {**_CODES, grpc.StatusCode.FAILED_PRECONDITION: 409, grpc.StatusCode.NOT_FOUND: 400},
}


class ManagementApi:
    """Answers the requests under the management path."""

    def __init__(self, client_config: str, engine_address: str, orchestrators: Collection[str]) -> None:
        self._client = SyncDurableFunctionsClient(client_config)
        self._pages = EnginePages(engine_address)
        self._orchestrators = {name.lower(): name for name in orchestrators}
        self._threads = ThreadPoolExecutor(_THREADS, thread_name_prefix="management")
        self._entities = EntityApi(self._client, self._pages, self._in_thread)

    def close(self) -> None:
        """Give up the connections to the engine."""
        self._client.close()
        self._pages.close()
        self._threads.shutdown(wait=False, cancel_futures=True)

    async def handle(self, request: web.Request, path: Sequence[str]) -> web.StreamResponse:
        """Answer one request; `path` is what follows the management path, decoded."""
        try:
            return await self._route(request, path)
        except BadRequestError as error:
            return _error(400, str(error))
        except grpc.RpcError as error:
            status = _codes(path).get(_code(error))
            if status is None:
                return self._defect(request, error)
            return web.Response(status=status) if status in _WITHOUT_BODY else _error(status, _details(error))
        except Exception as error:  # noqa: BLE001 - the boundary of the API
            return self._defect(request, error)

    async def _route(self, request: web.Request, path: Sequence[str]) -> web.StreamResponse:
        query = Query(request.rel_url.raw_query_string)
        method = "GET" if request.method == "HEAD" else request.method
        answer: Awaitable[web.StreamResponse] | None = None
        match method, path[0].lower() if path else "", list(path[1:]):
            case "GET", "instances", []:
                answer = self._list(request, query)
            case "DELETE", "instances", []:
                answer = self._purge_by(query)
            case "GET", "instances", [instance_id]:
                answer = self._status(request, query, instance_id)
            case "DELETE", "instances", [instance_id]:
                answer = self._purge(instance_id)
            case "POST", "instances", [instance_id, operation]:
                answer = self._operate(request, query, instance_id, operation.lower())
            case "POST", "instances", [instance_id, operation, name] if operation.lower() == "raiseevent":
                answer = self._raise_event(request, instance_id, name)
            case "POST", "orchestrators", [name, *rest] if len(rest) <= 1:
                answer = self._start(request, query, name, rest[0] if rest else None)
            case _, "entities", rest:
                answer = self._entities.handle(request, method, query, rest)
            case _:
                pass
        return web.Response(status=404) if answer is None else await answer

    # --- One instance ---------------------------------------------------------------------------------------

    async def _status(self, request: web.Request, query: Query, instance_id: str) -> web.Response:
        state = await self._state(instance_id)
        if state is None:
            return web.Response(status=404)
        events = None
        if query.flag("showHistory", default=False):
            events = await self._history(state, query)
        body = _payload(state, show_input=query.flag("showInput", default=True), history=events)
        if state.runtime_status not in _ENDED:
            headers = {"Location": str(request.url), "Retry-After": _RETRY_AFTER_S}
            return web.json_response(body, status=202, headers=headers)
        failed = state.runtime_status is OrchestrationStatus.FAILED
        as_error = failed and query.flag("returnInternalServerErrorOnFailure", default=False)
        return web.json_response(body, status=500 if as_error else 200)

    async def _history(self, state: OrchestrationState, query: Query) -> list[Any]:
        if state.runtime_status is OrchestrationStatus.PENDING:
            return []
        events = await self._in_thread(self._client.get_orchestration_history, state.instance_id)
        return project_history(
            events,
            show_input=query.flag("showInput", default=True),
            show_history_output=query.flag("showHistoryOutput", default=False),
        )

    async def _operate(
        self, request: web.Request, query: Query, instance_id: str, operation: str
    ) -> web.StreamResponse:
        if operation == "restart":
            return await self._restart(request, query, instance_id)
        reason = query.text("reason")
        client = self._client
        act: Callable[[], Any] | None = {
            "terminate": lambda: client.terminate_orchestration(instance_id, output=reason),
            "suspend": lambda: client.suspend_orchestration(instance_id, reason=reason),
            "resume": lambda: client.resume_orchestration(instance_id, reason=reason),
            "rewind": lambda: client.rewind_orchestration(instance_id, reason=reason),
        }.get(operation)
        if act is None:
            return web.Response(status=404)
        await self._in_thread(act)
        return web.Response(status=202)

    async def _raise_event(self, request: web.Request, instance_id: str, name: str) -> web.Response:
        state = await self._state(instance_id)
        if state is None:
            return web.Response(status=404)
        if state.runtime_status in _ENDED:
            return web.Response(status=410)
        if not says_json(request.headers):
            raise BadRequestError("Only application/json request content is supported")
        data = await read_json(request)
        await self._in_thread(self._client.raise_orchestration_event, instance_id, name, data=data)
        return web.Response(status=202)

    async def _purge(self, instance_id: str) -> web.Response:
        state = await self._state(instance_id)
        if state is None:
            return web.Response(status=404)
        if state.runtime_status not in _ENDED:
            return _error(
                412, f"The instance {instance_id!r} has not ended ({state.runtime_status}): terminate it first."
            )
        return _deleted(await self._in_thread(self._client.purge_orchestration, instance_id))

    # --- New instances --------------------------------------------------------------------------------------

    async def _start(self, request: web.Request, query: Query, name: str, instance_id: str | None) -> web.Response:
        known = self._orchestrators.get(name.lower())
        if known is None:
            names = ", ".join(sorted(self._orchestrators.values())) or "none"
            return _error(400, f"The app has no orchestrator function {name!r}. It has: {names}.")
        started = await self._in_thread(
            self._client.schedule_new_orchestration,
            known,
            input=await read_json(request),
            instance_id=instance_id,
            version=query.text("version"),
            reuse_id_policy=_REPLACEABLE,
        )
        return await self._answer_new(request, query, started)

    async def _restart(self, request: web.Request, query: Query, instance_id: str) -> web.Response:
        fresh = query.flag("restartWithNewInstanceId", default=True)
        started = await self._in_thread(
            self._client.restart_orchestration, instance_id, restart_with_new_instance_id=fresh
        )
        return await self._answer_new(request, query, started)

    async def _answer_new(self, request: web.Request, query: Query, instance_id: str) -> web.Response:
        """Return the management URLs at once, or the result if `timeout` is given and it comes in time."""
        timeout = query.seconds("timeout")
        if timeout is not None:
            ended = await self._wait(instance_id, timeout)
            if ended is not None and ended.runtime_status is OrchestrationStatus.COMPLETED:
                return web.Response(text=ended.serialized_output or "null", content_type="application/json")
            if ended is not None and ended.runtime_status in _ENDED:
                return await self._status(request, query, instance_id)
        origin = func.HttpRequest(method=request.method, url=str(request.url), body=b"")
        links = self._client.create_http_management_payload(origin, instance_id)
        headers = {"Location": links["statusQueryGetUri"], "Retry-After": "10"}
        return web.json_response(links, status=202, headers=headers)

    async def _wait(self, instance_id: str, timeout: float) -> OrchestrationState | None:  # noqa: ASYNC109
        try:
            return await self._in_thread(self._client.wait_for_orchestration_completion, instance_id, timeout=timeout)
        except TimeoutError:
            return None

    # --- Many instances -------------------------------------------------------------------------------------

    async def _list(self, request: web.Request, query: Query) -> web.Response:
        statuses = query.statuses("runtimeStatus")
        if statuses == []:
            return web.json_response([])
        wanted = OrchestrationQuery(
            created_time_from=query.moment("createdTimeFrom"),
            created_time_to=query.moment("createdTimeTo"),
            runtime_status=statuses,
            max_instance_count=query.whole_number("top") or _PAGE_SIZE,
            fetch_inputs_and_outputs=True,
            instance_id_prefix=query.text("instanceIdPrefix"),
        )
        show_input = query.flag("showInput", default=True)
        page = await self._in_thread(self._pages.instances, wanted, request.headers.get(CONTINUATION_HEADER))
        headers = {CONTINUATION_HEADER: page.continuation_token or ""}
        return web.json_response([_payload(state, show_input=show_input) for state in page.items], headers=headers)

    async def _purge_by(self, query: Query) -> web.Response:
        created_from = query.moment("createdTimeFrom")
        if created_from is None:
            raise BadRequestError("Please provide value for 'createdTimeFrom' parameter.")
        statuses = query.statuses("runtimeStatus")
        if statuses == []:
            return web.Response(status=404)
        return _deleted(
            await self._in_thread(
                self._client.purge_orchestrations_by,
                created_time_from=created_from,
                created_time_to=query.moment("createdTimeTo"),
                runtime_status=statuses,
            )
        )

    # --- Below ----------------------------------------------------------------------------------------------

    async def _state(self, instance_id: str) -> OrchestrationState | None:
        return await self._in_thread(self._client.get_orchestration_state, instance_id)

    async def _in_thread[**P, R](self, call: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> R:
        # The SDK's asynchronous client would be a second gRPC event loop in a process whose functions may have
        # one already; gRPC for Python supports one.
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._threads, lambda: call(*args, **kwargs))

    def _defect(self, request: web.Request, error: Exception) -> web.Response:
        _LOGGER.error("%s %s could not be answered", request.method, request.path, exc_info=error)
        return web.json_response(
            {
                "message": "Something went wrong while processing your request",
                "exceptionMessage": str(error),
                "exceptionType": type(error).__name__,
            },
            status=500,
        )


def _payload(state: OrchestrationState, *, show_input: bool, history: list[Any] | None = None) -> dict[str, Any]:
    status = DurableOrchestrationStatus.from_orchestration_state(state, include_input=show_input, history=history)
    names = ("name", "instanceId", "runtimeStatus", "input", "customStatus", "output", "createdTime", "lastUpdatedTime")
    times = {"createdTime": _whole_seconds(state.created_at), "lastUpdatedTime": _whole_seconds(state.last_updated_at)}
    return dict.fromkeys(names) | status.to_json() | times


def _whole_seconds(moment: datetime) -> str:
    """Return a time as the extension writes it, without the fractions that the SDK's own form has."""
    return f"{moment:%Y-%m-%dT%H:%M:%SZ}"


def _deleted(result: Any) -> web.Response:
    if result.deleted_instance_count == 0:
        return web.Response(status=404)
    return web.json_response({"instancesDeleted": result.deleted_instance_count})


def _error(status: int, message: str) -> web.Response:
    return web.json_response({"message": message}, status=status)


def _codes(path: Sequence[str]) -> Mapping[grpc.StatusCode, int]:
    """Return which HTTP status stands for what the engine answers to the operation that the path names."""
    match path:
        case [instances, _, operation] if instances.lower() == "instances":
            return _CODES_BY_OPERATION.get(operation.lower(), _CODES)
    return _CODES


def _code(error: Any) -> grpc.StatusCode:
    return error.code() if hasattr(error, "code") else grpc.StatusCode.UNKNOWN


def _details(error: Any) -> str:
    return error.details() if hasattr(error, "details") else str(error)
