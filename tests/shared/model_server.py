"""A server that writes down what it was asked and answers what the test tells it to."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web

JSON = dict[str, Any]
Answer = Callable[[web.Request], Awaitable[web.StreamResponse]]


@dataclass
class Asked:
    path: str
    headers: dict[str, str]
    body: JSON
    connection: Any


@dataclass
class ModelServer:
    """`answers` are given in turn, the last one for ever."""

    answers: list[Answer]
    url: str = ""
    asked: list[Asked] = field(default_factory=list[Asked])

    async def handle(self, request: web.Request) -> web.StreamResponse:
        headers = {name.lower(): value for name, value in request.headers.items()}
        peer = request.transport.get_extra_info("peername") if request.transport else None
        self.asked.append(Asked(request.path, headers, await request.json(), peer))
        answer = self.answers[min(len(self.asked), len(self.answers)) - 1]
        return await answer(request)


@asynccontextmanager
async def serving(*answers: Answer) -> AsyncIterator[ModelServer]:
    server = ModelServer(list(answers))
    application = web.Application()
    application.router.add_post("/{path:.*}", server.handle)
    runner = web.AppRunner(application, access_log=None, handler_cancellation=True, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    server.url = "http://127.0.0.1:{1}".format(*runner.addresses[0])
    try:
        yield server
    finally:
        await runner.cleanup()


def says(body: Any, status: int = 200, **headers: str) -> Answer:
    named = {name.replace("_", "-"): value for name, value in headers.items()}

    async def answer(_: web.Request) -> web.Response:
        return web.json_response(body, status=status, headers=named)

    return answer


def says_raw(raw: str, content_type: str = "application/json", status: int = 200) -> Answer:
    async def answer(_: web.Request) -> web.Response:
        return web.Response(text=raw, content_type=content_type, status=status)

    return answer


def response_body(text: str = "fine", **fields: Any) -> JSON:
    """An answer of the Responses API."""
    content = [{"type": "output_text", "text": text, "annotations": []}]
    return {
        "id": "resp_1",
        "object": "response",
        "created_at": 1,
        "status": "completed",
        "model": "the-model",
        "output": [
            {"id": "r1", "type": "reasoning", "summary": []},
            {"id": "m1", "type": "message", "role": "assistant", "status": "completed", "content": content},
        ],
        "usage": {"input_tokens": 7, "output_tokens": 5, "total_tokens": 12},
        **fields,
    }


def chat_body(text: str | None = "fine", finish_reason: str = "stop", **fields: Any) -> JSON:
    """An answer of the Chat Completions API."""
    message = {"role": "assistant", "content": text, "refusal": None}
    return {
        "id": "chat_1",
        "object": "chat.completion",
        "created": 1,
        "model": "the-model",
        "choices": [{"index": 0, "message": message, "finish_reason": finish_reason}],
        "usage": {"prompt_tokens": 7, "completion_tokens": 5, "total_tokens": 12},
        **fields,
    }


def error_body(message: str = "no", code: str | None = None) -> JSON:
    return {"error": {"message": message, "type": "t", "param": None, "code": code}}
