"""Server: the HTTP side of the offline model: routes, OpenAI's errors, and faults carried out on the wire."""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import uuid
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from http import HTTPStatus
from typing import Any, Self

from aiohttp import web

from local_host.offline.admission import Admission, OverLimit
from local_host.offline.answers import answer
from local_host.offline.asks import Ask, Json, parse_body, read_chat, read_responses
from local_host.offline.directed_answers import directed_answer
from local_host.offline.errors import ApiError, invalid_value, throttled
from local_host.offline.faults import DirectedFaults, Fault, Faults, without_markers
from local_host.offline.material import without_repair
from local_host.offline.replies import MODEL, MODEL_NAME, Reply, chat_body, count_tokens, fit, responses_body
from local_host.offline.statistics import Statistics

MAX_BODY_BYTES = 64 * 1024 * 1024
PREFIXES = ("/v1", "/openai/v1")
REFUSAL = "I cannot help with that request."
CLIENT_GONE = "client-gone"

type Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Api:
    """How one of the two APIs is read and answered."""

    read: Callable[[Json], Ask]
    body: Callable[[Ask, Reply, int], Json]


RESPONSES = Api(read_responses, responses_body)
CHAT = Api(read_chat, chat_body)


class OfflineModel:
    """An OpenAI-compatible server inside this process: `async with OfflineModel() as model: … model.base_url`.

    The same prompt gives the same text. `faults` are drawn by call number; with `directed_faults` the markers in
    prompts are obeyed too (see `local_host.offline.faults`), with `directed_answers` those that say what to answer
    (see `local_host.offline.directed_answers`). Port 0 takes a free one.
    """

    def __init__(
        self,
        *,
        faults: Faults | None = None,
        directed_faults: bool = False,
        directed_answers: bool = False,
        host: str = "127.0.0.1",
        port: int = 0,
    ) -> None:
        self._faults = faults or Faults()
        self._admission = Admission(self._faults)
        self.statistics = Statistics()
        self._directed = DirectedFaults() if directed_faults else None
        self._directed_answers = directed_answers
        self._host, self._port = host, port
        self._runner: web.AppRunner | None = None
        self._closing = asyncio.Event()

    @property
    def faults(self) -> Faults:
        """What calls suffer, and the limits; may be changed while the model serves."""
        return self._faults

    @faults.setter
    def faults(self, faults: Faults) -> None:
        self._faults = faults
        self._admission.obey(faults)

    @property
    def directed_faults(self) -> bool:
        """Whether markers in prompts are obeyed; may be changed while the model serves."""
        return self._directed is not None

    @directed_faults.setter
    def directed_faults(self, obeyed: bool) -> None:
        self._directed = DirectedFaults() if obeyed else None

    @property
    def base_url(self) -> str:
        """What to give to a client as its base URL."""
        return f"http://{self._host}:{self._port}/v1"

    @property
    def calls(self) -> int:
        """Model calls so far, whatever came of them."""
        return self.statistics.calls

    @property
    def tokens(self) -> int:
        """Input and output tokens of all answers so far."""
        return self.statistics.input_tokens + self.statistics.output_tokens

    @property
    def highest_concurrency(self) -> int:
        """The most model calls that were ever under way at one time."""
        return self.statistics.highest_concurrency

    def reset(self, seed: int | None = None) -> None:
        """Starts the counts, the call numbers, the counted markers and the limits again; `seed` draws other faults."""
        self.faults = self.faults if seed is None else replace(self.faults, seed=seed)
        self.statistics.reset()
        if self._directed:
            self._directed.reset()

    async def start(self) -> None:
        """Listens; `base_url` holds the real port from then on."""
        self._closing.clear()
        self._runner = web.AppRunner(
            self._application(), handler_cancellation=True, access_log=None, shutdown_timeout=1.0
        )
        await self._runner.setup()
        site = web.TCPSite(self._runner, self._host, self._port, backlog=1024)
        await site.start()
        self._port = self._runner.addresses[0][1]

    async def close(self) -> None:
        """Stops: calls that sleep or hang end with their connection."""
        self._closing.set()
        if self._runner:
            await self._runner.cleanup()
            self._runner = None

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    def _application(self) -> web.Application:
        application = web.Application(client_max_size=MAX_BODY_BYTES, middlewares=[self._as_openai])
        for prefix in PREFIXES:
            application.router.add_post(f"{prefix}/responses", self._generator(RESPONSES))
            application.router.add_post(f"{prefix}/chat/completions", self._generator(CHAT))
            application.router.add_get(f"{prefix}/models", self._list_models)
            application.router.add_get(f"{prefix}/models/{{id}}", self._show_model)
        application.router.add_get("/admin/stats", self._show_statistics)
        application.router.add_get("/admin/calls", self._show_calls)
        application.router.add_post("/admin/reset", self._reset_statistics)
        return application

    @web.middleware
    async def _as_openai(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        """Turns every failure into OpenAI's format, names the request and counts the answer."""
        route = f"{request.method} {request.path}"
        try:
            if not request.path.startswith("/admin/"):
                _check_authorization(request)
            response = await handler(request)
        except ApiError as exc:
            response = _error_response(exc)
        except web.HTTPException as exc:
            response = _error_response(_translate(exc, request))
        except asyncio.CancelledError:
            self.statistics.answers[route, CLIENT_GONE] += 1
            raise
        except Exception:
            logger.exception("The offline model failed on %s", route)
            response = _error_response(
                ApiError(500, "The offline model failed on this request; its log says why.", kind="server_error")
            )
        self.statistics.answers[route, str(response.status)] += 1
        if not response.prepared:
            response.headers["x-request-id"] = f"req_{uuid.uuid4().hex}"
        return response

    def _generator(self, api: Api) -> Handler:
        async def generate(request: web.Request) -> web.StreamResponse:
            arrived = asyncio.get_running_loop().time()
            call = self.statistics.begin()
            try:
                ask = api.read(parse_body(await request.read()))
                with self._admission.place():
                    self.statistics.admit(call)
                    return await self._generate(request, api, ask, call.number, arrived)
            except OverLimit as exc:
                self.statistics.refuse(call, exc.limit)
                raise
            finally:
                self.statistics.end(call)

        return generate

    async def _generate(
        self, request: web.Request, api: Api, ask: Ask, number: int, arrived: float
    ) -> web.StreamResponse:
        fault = self.faults.draw(number)
        instructions, said = ask.instructions, ask.input
        if self._directed:
            fault = self._directed.apply(f"{instructions}\n{without_repair(said)}", fault)
            instructions, said = without_markers(instructions), without_markers(said)
        self._count_fault(fault)
        _raise_immediate(fault)
        input_tokens = count_tokens(ask.prompt)
        if fault.kind == "refusal":
            reply = Reply(REFUSAL, input_tokens, count_tokens(REFUSAL), refused=True)
        else:
            directed = directed_answer(f"{instructions}\n{without_repair(said)}") if self._directed_answers else None
            text = answer(instructions, said, ask.output_format) if directed is None else directed
            if fault.kind == "malformed" and ask.output_format.kind != "text":
                text = text[: max(1, len(text) // 2)]
            reply = fit(text, input_tokens, ask.max_tokens)
        await self._wait_until(request, arrived + fault.delay_s)
        return await self._deliver(request, api.body(ask, reply, number), reply, fault)

    async def _deliver(self, request: web.Request, body: Json, reply: Reply, fault: Fault) -> web.StreamResponse:
        if fault.kind == "hang":
            await self._closing.wait()
            return _cut(request)
        if fault.kind == "error":
            raise ApiError(500, "The server had an error while processing your request.", kind="server_error")
        raw = json.dumps(body, ensure_ascii=False).encode()
        self.statistics.answered(reply.input_tokens, reply.output_tokens)
        if fault.kind == "cut":
            return await _cut_in_mid_answer(request, raw)
        if fault.kind == "broken-body":
            raw = raw[: len(raw) // 2]
        return web.Response(body=raw, content_type="application/json")

    async def _wait_until(self, request: web.Request, moment: float) -> None:
        remaining = moment - asyncio.get_running_loop().time()
        if remaining <= 0:
            return
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._closing.wait(), remaining)
            _cut(request)

    def _count_fault(self, fault: Fault) -> None:
        if fault.kind:
            self.statistics.faults[fault.kind] += 1
        if fault.straggles:
            self.statistics.faults["straggler"] += 1

    async def _list_models(self, _request: web.Request) -> web.Response:
        return web.json_response({"object": "list", "data": [MODEL]})

    async def _show_model(self, request: web.Request) -> web.Response:
        name = request.match_info["id"]
        if name != MODEL_NAME:
            raise ApiError(
                404, f"The model '{name}' does not exist; this server has '{MODEL_NAME}'.",
                param="model", code="model_not_found",
            )  # fmt: skip
        return web.json_response(MODEL)

    async def _show_statistics(self, _request: web.Request) -> web.Response:
        return web.json_response(self.statistics.as_json())

    async def _show_calls(self, _request: web.Request) -> web.Response:
        return web.json_response(self.statistics.calls_as_json())

    async def _reset_statistics(self, request: web.Request) -> web.Response:
        self.reset(_seed_of(request))
        return web.json_response(self.statistics.as_json())


def _seed_of(request: web.Request) -> int | None:
    seed = request.query.get("seed")
    try:
        return None if seed is None else int(seed)
    except ValueError:
        raise invalid_value("seed", f"{seed!r} is no whole number.") from None


def _raise_immediate(fault: Fault) -> None:
    """The refusals that a service gives at the door, before any work."""
    if fault.kind == "throttle":
        raise throttled(fault.retry_after_s)
    if fault.kind == "bad-request":
        raise ApiError(400, "The request was rejected as a directed fault.", code="invalid_value")
    if fault.kind == "content-filter":
        raise ApiError(
            400,
            "The response was filtered due to the prompt triggering the content management policy. "
            "Please modify your prompt and retry.",
            param="prompt",
            code="content_filter",
        )
    if fault.kind == "unauthorized":
        raise ApiError(401, "Incorrect API key provided.", code="invalid_api_key")


def _check_authorization(request: web.Request) -> None:
    scheme, _, key = request.headers.get("Authorization", "").partition(" ")
    if (scheme.lower() == "bearer" and key.strip()) or request.headers.get("api-key"):
        return
    raise ApiError(
        401,
        "You didn't provide an API key. You need to provide your API key in an Authorization header using Bearer auth "
        "(i.e. Authorization: Bearer YOUR_KEY). The offline model takes any key.",
    )


def _translate(exc: web.HTTPException, request: web.Request) -> ApiError:
    if exc.status == HTTPStatus.NOT_FOUND:
        return ApiError(404, f"Invalid URL ({request.method} {request.path})")
    if exc.status == HTTPStatus.METHOD_NOT_ALLOWED:
        allowed = exc.headers.get("Allow", "")
        return ApiError(
            405,
            f"Not allowed to {request.method} on {request.path}: use {allowed}.",
            code="method_not_supported",
            headers={"Allow": allowed},
        )
    return ApiError(exc.status, exc.text or exc.reason)


def _error_response(error: ApiError) -> web.Response:
    return web.json_response(error.body(), status=error.status, headers=error.headers)


def _cut(request: web.Request) -> web.Response:
    """Ends the connection without an answer."""
    if request.transport:
        request.transport.abort()
    raise asyncio.CancelledError


async def _cut_in_mid_answer(request: web.Request, raw: bytes) -> Any:
    response = web.StreamResponse()
    response.content_type = "application/json"
    response.content_length = len(raw)
    await response.prepare(request)
    await response.write(raw[: len(raw) // 2])
    return _cut(request)
