"""The pool with real worker processes, and what becomes of invocations when one dies."""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import os
import signal
import socket
import time
import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from local_host import worker_process, worker_slot
from local_host.messages import (
    AppLoadError,
    HttpRequestValue,
    HttpResponseValue,
    Invocation,
    InvocationLost,
    InvocationResult,
    LoadedFunction,
    Value,
)
from local_host.quarantine import ALONE_AFTER_LOSSES, COMPANY, SUSPECT_AFTER_LOSSES
from local_host.worker_pool import WorkerPool
from tests.local_host.processes import has_ended, times_begun, until, watch

APP = Path(__file__).parent / "apps" / "mortal"
HEAD = "import os, time\nimport azure.durable_functions as df\napp = df.DFApp()\n"
FUNCTION = "@app.activity_trigger(input_name='value')\ndef {0}(value):\n    return '{0}'\n"


class App:
    """A pool that has loaded an app, its functions callable by name."""

    def __init__(self, pool: WorkerPool, functions: list[LoadedFunction]) -> None:
        self.pool = pool
        self.functions = {function.name: function for function in functions}

    def invocation(self, name: str, value: Any, losses: int = 0) -> Invocation:
        function = self.functions[name]
        inputs = ((str(function.trigger["name"]), value),)
        return Invocation(str(uuid.uuid4()), function.function_id, inputs, losses=losses)

    async def result(self, name: str, argument: Any = None, *, losses: int = 0) -> InvocationResult:
        return await self.pool.invoke(self.invocation(name, Value("json", json.dumps(argument)), losses))

    async def call(self, name: str, argument: Any = None, *, losses: int = 0) -> Any:
        result = await self.result(name, argument, losses=losses)
        assert isinstance(result.return_value, Value), result
        return json.loads(result.return_value.data)

    async def http(self, name: str, body: bytes = b"", **query: str) -> HttpResponseValue:
        request = HttpRequestValue("POST", f"http://localhost/api/{name}", {}, query, {}, body)
        result = await self.pool.invoke(self.invocation(name, request))
        assert isinstance(result.return_value, HttpResponseValue), result
        return result.return_value

    def begin(self, name: str, argument: Any, *, losses: int = 0) -> asyncio.Task[Any]:
        return asyncio.create_task(self.call(name, argument, losses=losses))


@asynccontextmanager
async def running(count: int = 1, folder: Path = APP) -> AsyncIterator[App]:
    pool = WorkerPool(count, {}, verbose=False)
    try:
        yield App(pool, await pool.load(str(folder)))
    finally:
        await pool.close()


def replaced(app: App, pid: int) -> Any:
    return until(lambda: pid not in app.pool.pids and app.pool.pids)


async def lost(call: asyncio.Task[Any]) -> InvocationLost:
    with pytest.raises(InvocationLost) as error:
        await call
    return error.value


def written(folder: Path, code: str) -> Path:
    (folder / "function_app.py").write_text(HEAD + code)
    return folder


# --- Work -----------------------------------------------------------------------------------------------------


async def test_every_process_loads_the_app_and_the_least_busy_one_gets_the_call(tmp_path: Path) -> None:
    async with running(3) as app:
        assert len(set(app.pool.pids)) == 3
        held = [app.begin("waits_for", str(tmp_path / "go")) for _ in range(2)]
        free = {await app.call("pid") for _ in range(5)}
        assert len(free) == 1
        (tmp_path / "go").touch()
        assert await asyncio.gather(*held) == ["went on"] * 2
        assert {await app.call("pid") for _ in range(12)} == set(app.pool.pids)


async def test_many_calls_at_once_get_each_its_own_answer() -> None:
    async with running(2) as app:
        assert await asyncio.gather(*(app.call("same", n) for n in range(500))) == list(range(500))


async def test_bodies_of_many_megabytes_come_back_byte_for_byte() -> None:
    body = os.urandom(1 << 20) * 24
    async with running() as app:
        answers = await asyncio.gather(app.http("echo", body), app.http("echo", body[1:]), app.call("same", 1))
    assert (answers[0].body, answers[1].body, answers[2]) == (body, body[1:], 1)


async def test_values_of_the_apps_own_classes_arrive_without_the_app() -> None:
    async with running() as app:
        response = await app.http("coloured")
    assert (response.body, response.headers["x-colour"]) == (b"red", "red")
    assert type(response.headers["x-colour"]) is str


async def test_an_unknown_function_is_a_failure() -> None:
    async with running() as app:
        result = await app.pool.invoke(Invocation("1", "no-such-id", ()))
    assert result.failure is not None
    assert "no-such-id" in result.failure.message


async def test_the_processes_that_an_app_starts_get_interrupts_and_no_channel() -> None:
    async with running() as app:
        assert await app.call("asks_a_child_about_signals") == "True set()"
        assert await app.call("open_sockets_of_a_child") == 0


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
async def test_signals_to_the_group_are_left_to_the_host_from_the_first_moment_on(number: int) -> None:
    pool = WorkerPool(1, {})
    try:
        pool.begin(str(APP))
        process = pool._slots[0].process
        assert process is not None
        os.kill(process.pid, number)
        app = App(pool, await pool.load(str(APP)))
        os.kill(process.pid, number)
        assert await app.call("pid") == process.pid
    finally:
        await pool.close()


async def test_no_process_can_be_started_at_all(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: Any, **__: Any) -> None:
        raise BlockingIOError(11, "Resource temporarily unavailable")

    monkeypatch.setattr("local_host.worker_process.subprocess.Popen", refuse)
    pool = WorkerPool(2, {})
    with pytest.raises(AppLoadError, match=r"could not be started: .* temporarily unavailable"):
        await pool.load(str(APP))
    await pool.close()


async def test_a_start_that_the_system_refuses_is_tried_again(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    start, refusals = worker_process._start, [True]

    def refuse_once(channel: socket.socket) -> Any:
        if refusals and refusals.pop():
            raise BlockingIOError(11, "Resource temporarily unavailable")
        return start(channel)

    async with running() as app:
        pid = app.pool.pids[0]
        monkeypatch.setattr(worker_process, "_start", refuse_once)
        os.kill(pid, signal.SIGKILL)
        await replaced(app, pid)
        assert await app.call("same", 1) == 1
    assert "temporarily unavailable\nAnother worker process is started." in caplog.text


# --- Loading --------------------------------------------------------------------------------------------------


async def test_an_app_that_does_not_load_says_why_once_and_is_not_tried_again(tmp_path: Path) -> None:
    loads = tmp_path / "loads"
    code = f"open({str(loads)!r}, 'a').write('x')\nimport no_such_module_anywhere\n"
    pool = WorkerPool(2, {})
    try:
        with pytest.raises(AppLoadError) as error:
            await pool.load(str(written(tmp_path, code)))
    finally:
        await pool.close()
    text = str(error.value)
    assert text.startswith("Traceback (most recent call last):\n  File ")
    assert text.count("No module named 'no_such_module_anywhere'") == 1
    assert loads.read_text() == "xx"


async def test_a_process_that_dies_while_loading_is_reported_and_not_started_for_ever(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    loads = tmp_path / "loads"
    monkeypatch.setenv("APP_LOADS", str(loads))
    monkeypatch.setenv("APP_DIES", "3")
    pool = WorkerPool(1, {})
    try:
        with pytest.raises(AppLoadError, match=r"Worker process \d+ ended with exit code 3 while it loaded the app\."):
            await pool.load(str(APP))
        await asyncio.wait_for(pool.gone(), 1)
    finally:
        await pool.close()
    starts = loads.read_text().split()
    assert len(starts) == worker_slot.MOST_FAILED_STARTS
    assert [pid in caplog.text for pid in starts] == [True] * len(starts)
    assert capfd.readouterr().out.count("about to die") == len(starts)


async def test_one_that_is_killed_before_it_has_loaded_is_replaced(caplog: pytest.LogCaptureFixture) -> None:
    pool = WorkerPool(2, {})
    try:
        pool.begin(str(APP))
        process = pool._slots[0].process
        assert process is not None
        os.kill(process.pid, signal.SIGKILL)
        await pool.load(str(APP))
        assert len(pool.pids) == 2
        assert process.pid not in pool.pids
    finally:
        await pool.close()
    assert f"Worker process {process.pid} was killed by SIGKILL while it loaded the app." in caplog.text


async def test_an_app_that_no_longer_loads_is_given_up_and_calls_that_wait_fail(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async with running(1, written(tmp_path, FUNCTION.format("one"))) as app:
        assert await app.call("one") == "one"
        written(tmp_path, "import no_such_module_anywhere\n")
        os.kill(app.pool.pids[0], signal.SIGKILL)
        await until(lambda: not app.pool.pids)
        call = asyncio.create_task(app.result("one"))
        await asyncio.wait_for(app.pool.gone(), 15)
        result = await call
    assert result.failure is not None
    assert "no worker process" in result.failure.message
    assert caplog.text.count("No module named 'no_such_module_anywhere'") == worker_slot.MOST_FAILED_STARTS
    assert "places left: 0" in caplog.text


async def test_a_process_that_has_loaded_a_changed_app_runs_what_is_still_there(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async with running(1, written(tmp_path, FUNCTION.format("one") + FUNCTION.format("two"))) as app:
        written(tmp_path, FUNCTION.format("two"))
        pid = app.pool.pids[0]
        os.kill(pid, signal.SIGKILL)
        await replaced(app, pid)
        assert await app.call("two") == "two"
        missing = (await app.result("one")).failure
    assert "has no function named 'one'" in caplog.text
    assert missing is not None
    assert "one" in missing.message


async def test_functions_are_called_by_the_id_that_they_have_in_their_process() -> None:
    async with running() as app:
        process = app.pool._ready[0]
        others = [
            LoadedFunction(f"other-{f.function_id}", f.name, f.bindings) for f in reversed(app.functions.values())
        ]
        assert process.answer_to(others) == []
        app.functions = {function.name: function for function in others}
        assert await app.call("same", "by name") == "by name"
        assert await app.call("pid") == process.pid


# --- Death ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("function", "argument", "how"),
    [
        ("ends_its_process", 13, "ended with exit code 13"),
        ("ends_its_process", 0, "ended with exit code 0"),
        ("kills_itself", int(signal.SIGKILL), "was killed by SIGKILL"),
        ("kills_itself", int(signal.SIGSEGV), "was killed by SIGSEGV"),
    ],
)
async def test_what_was_in_a_dead_process_is_lost_and_another_takes_over(
    function: str, argument: Any, how: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async with running() as app:
        pid = app.pool.pids[0]
        held = app.begin("waits_for", str(tmp_path / "never"))
        await until(lambda: times_begun(tmp_path / "never"))
        request = asyncio.create_task(app.http("wait", path=str(tmp_path / "never")))
        await until(lambda: times_begun(tmp_path / "never") == 2)
        deadly = app.begin(function, argument)
        for call in (held, request, deadly):
            assert str(await lost(call)) == f"Worker process {pid} {how}."
        assert await app.call("pid") != pid
    assert f"Worker process {pid} {how}. Work items handed out again: 2, other calls lost: 1." in caplog.text


async def test_a_process_whose_app_closes_every_file_is_replaced() -> None:
    async with running() as app:
        pid = app.pool.pids[0]
        reason = str(await lost(app.begin("closes_every_file", None)))
        assert reason in {f"Worker process {pid} {how}." for how in ("ended with exit code 1", "was killed by SIGKILL")}
        assert await app.call("pid") != pid


async def test_every_call_is_answered_or_lost_and_none_is_both(caplog: pytest.LogCaptureFixture) -> None:
    async with running() as app:
        calls = [app.begin("same", n) for n in range(200)]
        await asyncio.wait(calls, return_when=asyncio.FIRST_COMPLETED)
        os.kill(app.pool.pids[0], signal.SIGKILL)
        ends = await asyncio.gather(*calls, return_exceptions=True)
    losses = [end for end in ends if isinstance(end, InvocationLost)]
    assert all(end == n or end in losses for n, end in enumerate(ends))
    assert 0 < len(losses) < 200
    assert f"Work items handed out again: {len(losses)}, other calls lost: 0." in caplog.text


async def test_only_the_dead_ones_calls_are_lost(tmp_path: Path) -> None:
    async with running(2) as app:
        held = [app.begin("waits_for", str(tmp_path / name)) for name in "ab"]
        await until(lambda: times_begun(tmp_path / "a") and times_begun(tmp_path / "b"))
        dead = app.pool._ready[0]
        os.kill(dead.pid, signal.SIGKILL)
        done, _ = await asyncio.wait(held, return_when=asyncio.FIRST_COMPLETED, timeout=15)
        (first,) = done
        assert isinstance(first.exception(), InvocationLost)
        for name in "ab":
            (tmp_path / name).touch()
        (other,) = set(held) - done
        assert await other == "went on"


async def test_an_idle_process_that_dies_again_and_again_is_replaced_ever_more_slowly(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(worker_slot, "_WAIT_S", 0.01)
    monkeypatch.setattr(worker_slot, "_LONGEST_WAIT_S", 0.04)
    waits: list[float] = []
    async with running() as app:
        slot = app.pool._slots[0]
        for _ in range(5):
            pid = app.pool.pids[0]
            os.kill(pid, signal.SIGKILL)
            await until(lambda pid=pid: pid not in app.pool.pids)
            waits.append(slot._wait_s())
            await until(lambda: app.pool.pids)
        assert waits == [0.01, 0.02, 0.04, 0.04, 0.04]
        await app.call("same")
        pid = app.pool.pids[0]
        os.kill(pid, signal.SIGKILL)
        await until(lambda: pid not in app.pool.pids)
        assert slot._wait_s() == 0


async def test_a_process_that_the_app_forked_does_not_hide_the_death_of_the_worker() -> None:
    async with running() as app:
        pid, child = app.pool.pids[0], await app.call("forks")
        try:
            held = app.begin("waits_for", "/nonexistent/never")
            os.kill(pid, signal.SIGKILL)
            await lost(held)
            await replaced(app, pid)
            assert await app.call("same", 1) == 1
            ended = watch(child)
            os.kill(child, signal.SIGTERM)
            assert await asyncio.to_thread(has_ended, ended, 5.0)
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.kill(child, signal.SIGKILL)


# --- Suspects -------------------------------------------------------------------------------------------------


async def test_suspects_run_apart_from_everything_else_until_there_are_none(tmp_path: Path) -> None:
    async with running() as app:
        first = app.begin("waits_for", str(tmp_path / "go"), losses=SUSPECT_AFTER_LOSSES)
        apart = await app.call("pid", losses=SUSPECT_AFTER_LOSSES)
        assert apart not in app.pool.pids
        assert await app.call("pid", losses=SUSPECT_AFTER_LOSSES - 1) in app.pool.pids
        ended = watch(apart)
        (tmp_path / "go").touch()
        assert await first == "went on"
        assert await asyncio.to_thread(has_ended, ended)
        again = await app.call("pid", losses=SUSPECT_AFTER_LOSSES)
        assert again not in {apart, *app.pool.pids}


async def test_only_one_that_was_alone_is_to_blame(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    async with running() as app:
        held = app.begin("waits_for", str(tmp_path / "never"), losses=SUSPECT_AFTER_LOSSES)
        await until(lambda: times_begun(tmp_path / "never"))
        together = app.begin("ends_its_process", 9, losses=SUSPECT_AFTER_LOSSES)
        assert [(await lost(call)).alone for call in (held, together)] == [False, False]
        assert (await lost(app.begin("ends_its_process", 9, losses=ALONE_AFTER_LOSSES))).alone
        assert len(app.pool.pids) == 1
    assert "ended with exit code 9. Work items handed out again: 2, other calls lost: 0." in caplog.text
    assert "ended with exit code 9. Work items handed out again: 0, other calls lost: 1." in caplog.text


async def test_the_more_losses_the_fewer_run_together_and_the_others_go_on(tmp_path: Path) -> None:
    assert list(COMPANY.values()) == sorted(COMPANY.values(), reverse=True)
    assert COMPANY[ALONE_AFTER_LOSSES] == 1
    async with running() as app:
        held: list[asyncio.Task[Any]] = []
        for losses, places in COMPANY.items():
            path = tmp_path / str(losses)
            held += [app.begin("waits_for", str(path), losses=losses) for _ in range(places + 1)]
            await until(lambda path=path, places=places: times_begun(path) == places)
        assert await app.call("same", "meanwhile") == "meanwhile"
        assert [times_begun(tmp_path / str(losses)) for losses in COMPANY] == list(COMPANY.values())
        for losses in COMPANY:
            (tmp_path / str(losses)).touch()
        assert set(await asyncio.gather(*held)) == {"went on"}
        assert [times_begun(tmp_path / str(losses)) for losses in COMPANY] == [n + 1 for n in COMPANY.values()]


async def test_a_process_for_suspects_that_dies_while_loading_is_reported_and_replaced(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    loads = tmp_path / "loads"
    count = f"with open({str(loads)!r}, 'a') as file:\n    file.write('x')\n    loads = file.tell()\n"
    dies = f"{count}if loads == 2:\n    os._exit(5)\n"
    async with running(1, written(tmp_path, dies + FUNCTION.format("one"))) as app:
        assert await app.call("one", losses=SUSPECT_AFTER_LOSSES) == "one"
    assert loads.read_text() == "xxx"
    assert "ended with exit code 5 while it loaded the app.\nAnother worker process is started." in caplog.text


async def test_a_suspect_that_no_process_can_be_started_for_fails(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async with running(1, written(tmp_path, FUNCTION.format("one"))) as app:
        written(tmp_path, "os._exit(5)\n")
        result = await app.result("one", losses=SUSPECT_AFTER_LOSSES)
        assert await app.call("one") == "one"
    assert result.failure is not None
    assert "none could be started to run it apart" in result.failure.message
    assert "ended with exit code 5 while it loaded the app" in result.failure.message


# --- The end --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["waits_for", "blocks_a_thread", "blocks_the_loop"])
async def test_closing_while_busy_leaves_no_process(
    name: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async with running(2) as app:
        watched = [watch(pid) for pid in app.pool.pids]
        calls = [app.begin(name, str(tmp_path / "never")) for _ in range(2)]
        await until(lambda: Path(f"{tmp_path / 'never'}.began").exists())
        began = time.monotonic()
        await app.pool.close()
        assert time.monotonic() - began < 2
        assert [has_ended(each, 0) for each in watched] == [True, True]
        for call in calls:
            with pytest.raises((InvocationLost, AssertionError)):
                await call
        late = await app.result("same")
    assert late.failure is not None
    assert late.failure.error_type == "WorkerClosed"
    assert [record for record in caplog.records if record.levelno >= logging.WARNING] == []


async def test_closing_while_loading_leaves_no_process(tmp_path: Path) -> None:
    pool = WorkerPool(1, {})
    folder = written(tmp_path, f"open({str(tmp_path / 'began')!r}, 'w').close()\ntime.sleep(60)\n")
    loading = asyncio.create_task(pool.load(str(folder)))
    await until((tmp_path / "began").exists)
    process = pool._slots[0].process
    assert process is not None
    ended = watch(process.pid)
    loading.cancel()
    await asyncio.wait([loading])
    await asyncio.wait_for(pool.close(), 2)
    assert has_ended(ended, 0)


async def test_closing_before_loading_leaves_no_process() -> None:
    pool = WorkerPool(1, {})
    pool.begin(str(APP))
    process = pool._slots[0].process
    assert process is not None
    ended = watch(process.pid)
    await pool.close()
    assert has_ended(ended, 0)
