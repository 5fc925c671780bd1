"""The worker against the real worker library and a real app."""

from __future__ import annotations

import asyncio
import json
import logging
import signal
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from local_host.in_process_worker import InProcessWorker
from local_host.messages import (
    AppLoadError,
    Failure,
    HttpRequestValue,
    HttpResponseValue,
    Invocation,
    InvocationResult,
    LoadedFunction,
    Value,
)

APPS = Path(__file__).parent / "apps"


class App:
    """The loaded app, its functions callable by name."""

    def __init__(self) -> None:
        self.worker = InProcessWorker()
        self.functions: dict[str, LoadedFunction] = {}

    def load(self, folder: Path) -> None:
        self.functions = {f.name: f for f in asyncio.run(self.worker.load(str(folder)))}

    async def call(self, name: str, value: Any, **more: Value) -> InvocationResult:
        function = self.functions[name]
        inputs = ((str(function.trigger["name"]), value), *more.items())
        return await self.worker.invoke(Invocation("an-id", function.function_id, inputs))

    async def activity(self, name: str, argument: Any) -> Any:
        result = await self.call(name, Value("json", json.dumps(argument)))
        assert result.failure is None, result.failure
        assert isinstance(result.return_value, Value)
        return json.loads(result.return_value.data)

    async def failure(self, name: str, argument: Any) -> Failure:
        result = await self.call(name, Value("json", json.dumps(argument)))
        assert result.failure is not None
        return result.failure

    async def http(self, name: str, body: bytes = b"") -> InvocationResult:
        request = HttpRequestValue(
            method="POST",
            url=f"http://localhost/api/{name}?q=1",
            headers={"x-a": "header"},
            query={"q": "1"},
            route_params={"id": "7"},
            body=body,
        )
        return await self.call(name, request)


@pytest.fixture(scope="module")
def app(fresh_app_module: None) -> Iterator[App]:
    app = App()
    app.load(APPS / "functions")
    yield app
    asyncio.run(app.worker.close())
    assert not [thread for thread in threading.enumerate() if thread.name == "app"]


def response_of(result: InvocationResult) -> HttpResponseValue:
    assert isinstance(result.return_value, HttpResponseValue), result
    return result.return_value


async def test_an_app_lists_its_functions_with_their_bindings(app: App) -> None:
    assert app.functions["text"].trigger["type"] == "httpTrigger"
    assert app.functions["same"].trigger["name"] == "value"
    assert len({f.function_id for f in app.functions.values()}) == len(app.functions)


async def test_an_http_function_sees_the_whole_request_and_may_return_text(app: App) -> None:
    response = response_of(await app.http("text"))
    assert response == HttpResponseValue(200, {"content-type": "text/plain; charset=utf-8"}, b"POST 1 7 header")


async def test_binary_bodies_pass_unchanged(app: App) -> None:
    body = bytes(range(256))
    response = response_of(await app.http("echo", body))
    assert (response.status, response.body) == (201, body)
    assert response.headers["content-type"] == "application/octet-stream"


async def test_cookies_keep_all_their_attributes(app: App) -> None:
    response = response_of(await app.http("cookies"))
    assert [sorted(cookie.split("; ")) for cookie in response.cookies] == [
        ["HttpOnly", "Path=/x", "SameSite=Lax", "Secure", "a=1"],
        ["Max-Age=60", "b=2", "expires=Wed, 21 Oct 2037 07:28:00 GMT"],
    ]
    assert "set-cookie" not in {name.lower() for name in response.headers}


async def test_an_http_function_that_returns_nothing_fails_as_on_the_real_host(app: App) -> None:
    failure = (await app.http("nothing")).failure
    assert failure is not None
    assert "NoneType" in failure.message


@pytest.mark.parametrize("value", [None, 0, "", "text", "ä€", [1, None], {"a": {"b": False}}])
async def test_activity_values_pass_unchanged(app: App, value: Any) -> None:
    assert await app.activity("same", value) == value


@pytest.mark.parametrize("name", ["fails", "fails_async"])
@pytest.mark.parametrize(
    ("kind", "error_type", "message"),
    [
        ("lines", "ValueError", "first line\nLooksLike: another error\n  third line"),
        ("chained", "RuntimeError", "outer"),
        ("notes", "ValueError", "with notes"),
        ("silent", "TimeoutError", "TimeoutError"),
        ("mute", "Mute", "Mute"),
        ("group", "ExceptionGroup", "several (2 sub-exceptions)"),
        ("exit", "SystemExit", "3"),
        ("interrupt", "KeyboardInterrupt", "KeyboardInterrupt"),
        ("cancelled", "CancelledError", "CancelledError"),
    ],
)
async def test_a_failure_tells_type_and_message(app: App, name: str, kind: str, error_type: str, message: str) -> None:
    failure = await app.failure(name, kind)
    assert (failure.error_type, failure.message) == (error_type, message)
    assert "raise_one" in failure.traceback
    assert "native_invocation" not in failure.traceback
    assert await app.activity("same", "still there") == "still there"


async def test_a_failure_keeps_its_cause_and_its_notes(app: App) -> None:
    assert "KeyError: 'inner'" in (await app.failure("fails", "chained")).traceback
    assert "Note: not the message" in (await app.failure("fails", "notes")).traceback


@pytest.mark.parametrize("name", ["fails", "fails_async"])
async def test_a_stop_iteration_is_a_failure_too(app: App, name: str) -> None:
    assert (await app.failure(name, "stop")).message


async def test_a_result_that_is_no_json_is_a_failure(app: App) -> None:
    failure = await app.failure("unserializable", None)
    assert failure.error_type == "ValueError"
    assert "json serializable" in failure.message


async def test_one_failure_gives_one_log_record(app: App, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO):
        await app.failure("fails", "chained")
    (record,) = [record for record in caplog.records if record.levelno >= logging.WARNING]
    text = record.getMessage()
    assert text.startswith("Function 'fails' failed.\n")
    assert text.endswith("RuntimeError: outer")


async def test_failures_are_told_apart_when_many_run_at_once(app: App) -> None:
    kinds = ["lines", "chained", "silent", "exit"] * 10
    failures = await asyncio.gather(*(app.failure("fails", kind) for kind in kinds))
    assert [f.error_type for f in failures] == ["ValueError", "RuntimeError", "TimeoutError", "SystemExit"] * 10


async def test_a_function_that_blocks_its_loop_does_not_block_the_hosts(app: App) -> None:
    call = asyncio.create_task(app.activity("blocks_its_loop", 0.3))
    turns = 0
    while not call.done():
        await asyncio.sleep(0.005)
        turns += 1
    assert await call == "done"
    assert turns > 10


async def test_more_blocking_functions_run_at_once_than_a_small_machine_has_threads(app: App) -> None:
    module = sys.modules["function_app"]
    barrier = threading.Barrier(20, timeout=10)
    module.raise_one, original = lambda kind: barrier.wait(), module.raise_one
    try:
        await asyncio.gather(*(app.activity("fails", "together") for _ in range(20)))
    finally:
        module.raise_one = original


async def test_a_background_task_that_exits_does_not_take_the_worker_along(
    app: App, caplog: pytest.LogCaptureFixture
) -> None:
    assert await app.activity("leaves_a_bomb", None) == "left"
    assert await asyncio.wait_for(app.activity("same", 1), 5) == 1
    assert "tried to end the process" in caplog.text
    with pytest.raises(SystemExit):
        sys.modules["function_app"].BACKGROUND.pop().result()


async def test_functions_receive_their_context(app: App) -> None:
    assert await app.activity("knows_its_name", None) == "knows_its_name an-id"


async def test_an_unknown_function_is_a_failure(app: App) -> None:
    result = await app.worker.invoke(Invocation("an-id", "no-such-id", ()))
    assert result.failure is not None
    assert "no-such-id" in result.failure.message


async def test_an_unknown_parameter_is_a_failure(app: App) -> None:
    result = await app.call("same", Value("json", "1"), other=Value("json", "1"))
    assert result.failure is not None
    assert "other" in result.failure.message


async def test_closing_gives_up_the_functions_that_still_run(fresh_app_process: None) -> None:
    worker = InProcessWorker()
    functions = {f.name: f for f in await worker.load(str(APPS / "functions"))}
    waiting = functions["waits_for_ever"]
    call = asyncio.create_task(
        worker.invoke(Invocation("an-id", waiting.function_id, (("value", Value("json", "1")),)))
    )
    await asyncio.wait([call], timeout=0.05)
    started = time.monotonic()
    await worker.close()
    await worker.close()
    assert time.monotonic() - started < 2
    result = await asyncio.wait_for(call, 1)
    assert result.failure is not None
    assert result.failure.error_type == "CancelledError"
    refused = await worker.invoke(Invocation("an-id", waiting.function_id, ()))
    assert refused.failure == Failure("WorkerClosed", "The worker takes no more calls", "")


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("def broken(:\n", "SyntaxError"),
        ("import no_such_module_anywhere\n", "No module named 'no_such_module_anywhere'"),
        ("answer = 42\n", "Could not find top level function app instances"),
        ("import sys\nsys.exit('not today')\n", "SystemExit: not today"),
        (
            "import azure.functions as func\napp = func.FunctionApp()\n"
            "@app.route(route='x')\ndef x(req: func.HttpRequest, other: str) -> str:\n    return other\n",
            "other",
        ),
    ],
)
async def test_an_app_that_does_not_load_says_why(
    tmp_path: Path, source: str, expected: str, fresh_app_process: None
) -> None:
    (tmp_path / "function_app.py").write_text(source)
    text = await failed_load(tmp_path)
    assert "Traceback (most recent call last)" in text
    assert expected in text


async def failed_load(folder: Path) -> str:
    worker = InProcessWorker()
    try:
        with pytest.raises(AppLoadError) as error:
            await worker.load(str(folder))
    finally:
        await worker.close()
    return str(error.value)


async def test_the_traceback_of_a_failed_import_begins_in_the_app_and_is_told_once(
    tmp_path: Path, fresh_app_process: None
) -> None:
    (tmp_path / "function_app.py").write_text("def needs():\n    import no_such_module_anywhere\n\nneeds()\n")
    lines = (await failed_load(tmp_path)).splitlines()
    assert lines[:2] == [
        "Traceback (most recent call last):",
        f'  File "{tmp_path / "function_app.py"}", line 4, in <module>',
    ]
    assert lines[-2] == "ModuleNotFoundError: No module named 'no_such_module_anywhere'"
    assert "requirements.txt" in lines[-1]
    assert len([line for line in lines if "No module named" in line]) == 1


async def test_what_the_app_itself_says_about_a_failed_import_is_told_with_its_cause(
    tmp_path: Path, fresh_app_process: None
) -> None:
    (tmp_path / "function_app.py").write_text(
        "try:\n    import no_such_module_anywhere\nexcept ImportError as error:\n"
        "    raise ImportError('install the extras') from error\n"
    )
    text = await failed_load(tmp_path)
    assert text.count("ImportError: install the extras") == 1
    assert text.count("No module named 'no_such_module_anywhere'") == 1


async def test_an_app_that_sets_signal_handlers_loads_with_one_warning_and_the_host_keeps_its_own(
    tmp_path: Path, fresh_app_process: None, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "function_app.py").write_text(
        "import signal\nfrom signal import signal as keep\nimport azure.functions as func\n"
        "def handler(*_): ...\n"
        "BEFORE = signal.signal(signal.SIGTERM, handler)\nsignal.signal(signal.SIGTERM, handler)\n"
        "signal.signal(signal.SIGINT, handler)\napp = func.FunctionApp()\n"
        "@app.route(route='late')\ndef late(req: func.HttpRequest) -> str:\n"
        "    keep(signal.SIGTERM, handler)\n    return 'set'\n"
    )
    handlers = [signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)]
    app = App()
    try:
        app.functions = {f.name: f for f in await app.worker.load(str(tmp_path))}
        refused = (await app.http("late")).failure
    finally:
        await app.worker.close()
    (warning,) = [record.getMessage() for record in caplog.records if "signals" in record.getMessage()]
    assert warning.startswith("The app sets a handler for SIGTERM, SIGINT: ")
    assert [signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)] == handlers
    assert handlers[0] == sys.modules["function_app"].BEFORE
    assert refused is not None
    assert "main thread" in refused.message
    signal.signal(signal.SIGTERM, handlers[0])  # as ever on the main thread


async def test_a_folder_without_an_app_is_named(tmp_path: Path) -> None:
    worker = InProcessWorker()
    try:
        with pytest.raises(AppLoadError, match=r"No function_app\.py in") as error:
            await worker.load(str(tmp_path))
    finally:
        await worker.close()
    assert str(tmp_path) in str(error.value)
