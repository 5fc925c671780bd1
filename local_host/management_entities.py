"""The part of the durable management API that is about entities."""

from __future__ import annotations

import json
from collections.abc import Callable, Coroutine, Sequence
from typing import Any, Protocol

from aiohttp import web
from azure.durable_functions.client import SyncDurableFunctionsClient
from durabletask.client import EntityQuery
from durabletask.entities import EntityInstanceId, EntityMetadata

from local_host.management_pages import CONTINUATION_HEADER, EnginePages
from local_host.management_requests import BadRequestError, Query, read_json, says_json

_PAGE_SIZE = 100


class _InThread(Protocol):
    def __call__[**P, R](
        self, call: Callable[P, R], /, *args: P.args, **kwargs: P.kwargs
    ) -> Coroutine[Any, Any, R]: ...


class EntityApi:
    """Answers the requests under `entities`."""

    def __init__(self, client: SyncDurableFunctionsClient, pages: EnginePages, in_thread: _InThread) -> None:
        self._client = client
        self._pages = pages
        self._in_thread = in_thread

    async def handle(self, request: web.Request, method: str, query: Query, path: Sequence[str]) -> web.Response:
        """Answer one request; `path` is the entity's name and key, as far as they are given."""
        match method, list(path):
            case "GET", [name, key]:
                return await self._read(_entity_id(name, key))
            case "GET", [*names] if len(names) <= 1:
                return await self._list(request, query, names[0] if names else None)
            case "POST", [name, key]:
                data = await (read_json(request) if says_json(request.headers) else request.text())
                return await self._signal(_entity_id(name, key), query.text("op") or "", data)
            case "DELETE", [name, key]:
                return await self._signal(_entity_id(name, key), "delete", None)
        return web.Response(status=404)

    async def _read(self, entity_id: EntityInstanceId) -> web.Response:
        entity = await self._in_thread(self._client.get_entity, entity_id)
        state = None if entity is None else entity.get_state()
        if not state:
            return web.Response(status=404)
        return web.Response(text=state, content_type="application/json")

    async def _signal(self, entity_id: EntityInstanceId, operation: str, data: Any) -> web.Response:
        await self._in_thread(self._client.signal_entity, entity_id, operation, input=data)
        return web.Response(status=202)

    async def _list(self, request: web.Request, query: Query, name: str | None) -> web.Response:
        fetch_state = query.flag("fetchState", default=False)
        wanted = EntityQuery(
            instance_id_starts_with=f"@{name.lower()}@" if name else None,
            last_modified_from=query.moment("lastOperationTimeFrom"),
            last_modified_to=query.moment("lastOperationTimeTo"),
            include_state=fetch_state,
            page_size=query.whole_number("top") or _PAGE_SIZE,
        )
        page = await self._in_thread(self._pages.entities, wanted, request.headers.get(CONTINUATION_HEADER))
        headers = {CONTINUATION_HEADER: page.continuation_token or ""}
        return web.json_response(
            [_entity_payload(entity, fetch_state=fetch_state) for entity in page.items], headers=headers
        )


def _entity_id(name: str, key: str) -> EntityInstanceId:
    try:
        return EntityInstanceId(name, key)
    except ValueError as error:
        raise BadRequestError(str(error)) from error


def _entity_payload(entity: EntityMetadata, *, fetch_state: bool) -> dict[str, Any]:
    payload: dict[str, Any] = {
        "entityId": {"name": entity.id.entity, "key": entity.id.key},
        "lastOperationTime": entity.last_modified.strftime("%Y-%m-%dT%H:%M:%S.%fZ"),
    }
    state = entity.get_state()
    if fetch_state and state:
        payload["state"] = json.loads(state)
    return payload
