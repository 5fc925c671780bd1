"""The pool with real worker processes: calls, loading, and the end."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import socket
import time
from pathlib import Path
from typing import Any

import pytest

from local_host import worker_process, worker_slot
from local_host.messages import (
    AppLoadError,
    Invocation,
    InvocationLost,
    LoadedFunction,
)
from local_host.worker_pool import WorkerPool
from tests.local_host.pool_given import APP, FUNCTION, App, replaced, running, written
from tests.local_host.processes import has_ended, until, watch

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
