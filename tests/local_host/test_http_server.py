"""The HTTP server with a worker that answers from a table."""

import asyncio
import logging
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import pytest
from aiohttp import web

from local_host.app_functions import sort_functions
from local_host.cors import CorsPolicy
from local_host.host_pages import HostPages
from local_host.http_server import HttpServer, path_segments, query_parameters
from local_host.invoker import Invoker
from local_host.messages import (
    Failure,
    HttpRequestValue,
    HttpResponseValue,
    Invocation,
    InvocationResult,
    LoadedFunction,
    Value,
)
from local_host.settings import Cors, HostSettings
from tests.local_host.calls import Answer, call

type Reply = Callable[[HttpRequestValue], InvocationResult]


class TableWorker:
    """Answers each function with its reply and remembers the requests."""

    def __init__(self, replies: dict[str, Reply]) -> None:
        self.replies = replies
        self.invocations: list[Invocation] = []

    async def load(self, app_dir: str) -> list[LoadedFunction]:
        raise NotImplementedError

    async def invoke(self, invocation: Invocation) -> InvocationResult:
        self.invocations.append(invocation)
        request = invocation.inputs[0][1]
        assert isinstance(request, HttpRequestValue)
        return self.replies[invocation.function_id](request)

    async def close(self) -> None: ...


class NoManagement:
    async def handle(self, request: web.Request, path: object) -> web.StreamResponse:
        return web.json_response(path)


def function(name: str, *extra: dict, **trigger: object) -> LoadedFunction:
    http = {"type": "httpTrigger", "direction": "IN", "name": "req", **trigger}
    return LoadedFunction(name, name, (http, {"type": "http", "direction": "OUT", "name": "$return"}, *extra))


def text(body: str, status: int = 200, **headers: str) -> InvocationResult:
    return InvocationResult(HttpResponseValue(status, headers, body.encode()))


@asynccontextmanager
async def serving(
    functions: list[LoadedFunction], worker: TableWorker
) -> AsyncIterator[Callable[..., Awaitable[Answer]]]:
    app = sort_functions(functions, HostSettings())
    invoker = Invoker(worker, lambda binding: f"client of {binding['name']}")
    server = HttpServer(app, invoker, NoManagement(), HostPages(app, invoker, 0.0), CorsPolicy(Cors()))
    listener = socket.create_server(("127.0.0.1", 0))
    base_url = f"http://127.0.0.1:{listener.getsockname()[1]}"
    await server.start(listener)
    try:
        yield lambda method, path, *rest: asyncio.to_thread(call, method, base_url + path, *rest)
    finally:
        await server.stop()


async def test_a_function_that_returns_nothing_is_204():
    worker = TableWorker({"quiet": lambda _: InvocationResult()})
    async with serving([function("quiet")], worker) as client:
        assert (await client("GET", "/api/quiet")).status == 204


async def test_the_response_may_come_from_a_named_output():
    reply = InvocationResult(outputs=(("other", Value("string", "x")), ("res", HttpResponseValue(418, {}, b"tea"))))
    async with serving([function("pot")], TableWorker({"pot": lambda _: reply})) as client:
        answer = await client("GET", "/api/pot")
    assert (answer.status, answer.text) == (418, "tea")


async def test_a_failure_is_an_empty_500():
    reply = InvocationResult(failure=Failure("ValueError", "secret reason", "trace"))
    async with serving([function("bad")], TableWorker({"bad": lambda _: reply})) as client:
        answer = await client("GET", "/api/bad")
    assert (answer.status, answer.body) == (500, b"")


async def test_a_defect_of_the_worker_is_a_500_and_logged(caplog):
    async with serving([function("bad")], TableWorker({})) as client:
        with caplog.at_level(logging.ERROR):
            assert (await client("GET", "/api/bad")).status == 500
    assert "GET /api/bad could not be answered" in caplog.text
    assert "KeyError" in caplog.text


async def test_framing_headers_of_the_function_do_not_break_the_answer():
    reply = text("12345", **{"Content-Length": "3", "Transfer-Encoding": "chunked", "X-Kept": "1"})
    async with serving([function("odd")], TableWorker({"odd": lambda _: reply})) as client:
        answer = await client("GET", "/api/odd")
    assert (answer.text, answer.headers["Content-Length"], answer.headers["X-Kept"]) == ("12345", "5", "1")


async def test_a_declared_head_reaches_its_own_function():
    functions = [function("head", route="x", methods=["HEAD"]), function("get", route="x", methods=["GET"])]
    worker = TableWorker({"head": lambda r: text("", 201), "get": lambda r: text(r.method)})
    async with serving(functions, worker) as client:
        assert (await client("HEAD", "/api/x")).status == 201
        assert (await client("GET", "/api/x")).text == "GET"


async def test_head_on_a_get_route_runs_the_function_as_get():
    worker = TableWorker({"get": lambda r: text(r.method)})
    async with serving([function("get", methods=["GET"])], worker) as client:
        assert (await client("HEAD", "/api/get")).headers["Content-Length"] == "3"
    sent = worker.invocations[0].inputs[0][1]
    assert isinstance(sent, HttpRequestValue)
    assert sent.method == "GET"


async def test_every_durable_client_of_a_function_is_bound():
    clients = [{"type": "durableClient", "direction": "IN", "name": name} for name in ("one", "two")]
    worker = TableWorker({"start": lambda _: text("")})
    async with serving([function("start", *clients)], worker) as client:
        await client("POST", "/api/start")
    bound = {name: value.data for name, value in worker.invocations[0].inputs[1:] if isinstance(value, Value)}
    assert bound == {"one": "client of one", "two": "client of two"}


async def test_repeated_headers_are_joined_and_in_lower_case():
    worker = TableWorker({"f": lambda r: text(r.headers["x-tag"])})
    async with serving([function("f")], worker) as client:
        assert (await client("GET", "/api/f", None, {"X-Tag": "a", "x-tag": "b"})).text == "a,b"


@pytest.mark.parametrize("host", ["[::1", "a]b[", "a b", 'a"b<c>', "h:port", "user@h", "a/b"])
async def test_a_host_that_kestrel_refuses_reaches_no_function(host: str):
    worker = TableWorker({"f": lambda r: text(r.url)})
    async with serving([function("f")], worker) as client:
        assert (await client("GET", "/api/f", None, {"Host": host})).status == 400
    assert worker.invocations == []


@pytest.mark.parametrize("host", ["localhost", "app.azurewebsites.net:8443", "[::1]:7071", "127.0.0.1:7071"])
async def test_a_host_is_part_of_the_url_that_a_function_gets(host: str):
    worker = TableWorker({"f": lambda r: text(r.url)})
    async with serving([function("f")], worker) as client:
        assert (await client("GET", "/api/f", None, {"Host": host})).text == f"http://{host}/api/f"


async def test_paths_of_the_management_api_go_there_in_any_case():
    async with serving([function("all", route="{*rest}")], TableWorker({})) as client:
        answer = await client("GET", "/Runtime/WebHooks/DurableTask/instances/a%2Fb/")
    assert answer.json() == ["instances", "a/b"]


@pytest.mark.parametrize(
    ("raw", "path"),
    [
        ("/", []),
        ("/a/b?x=/y", ["a", "b"]),
        ("/a//b", ["a", "", "b"]),
        ("http://h:1/a%20b/", ["a%20b"]),
        ("http://h", []),
    ],
)
def test_a_path_is_cut_into_segments(raw, path):
    assert path_segments(raw) == path


@pytest.mark.parametrize(
    ("path", "value"),
    [("a%2Fb", "a%2Fb"), ("a%2fb%20c", "a%2fb c"), ("a/b%2Fc", "a/b%2Fc"), ("%C3%A9", "é"), ("100%25", "100%")],
)
async def test_a_route_value_is_decoded_but_for_its_slashes(path, value):
    worker = TableWorker({"all": lambda r: text(r.route_params["rest"])})
    async with serving([function("all", route="files/{*rest}")], worker) as client:
        assert (await client("GET", f"/api/files/{path}")).text == value


@pytest.mark.parametrize("status", [100, 101, 199, 0, -1, 1000])
async def test_a_status_with_which_no_response_ends_is_a_500_and_logged_once(status, caplog):
    worker = TableWorker({"odd": lambda _: text("body", status)})
    async with serving([function("odd")], worker) as client:
        answer = await client("GET", "/api/odd")
    assert (answer.status, answer.body) == (500, b"")
    (record,) = [record for record in caplog.records if record.levelno >= logging.WARNING]
    assert "'odd'" in record.getMessage()
    assert str(status) in record.getMessage()


def test_query_parameters_of_equal_names_are_joined_in_any_case():
    assert query_parameters("/x?Tag=a&tag=b+c&n=%26&e=") == {"Tag": "a,b c", "n": "&", "e": ""}
