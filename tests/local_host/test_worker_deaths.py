"""What becomes of invocations when a worker process dies, and of those that are suspected of it."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
from pathlib import Path
from typing import Any

import pytest

from local_host import worker_slot
from local_host.messages import InvocationLost
from local_host.quarantine import ALONE_AFTER_LOSSES, COMPANY, SUSPECT_AFTER_LOSSES
from tests.local_host.pool_given import FUNCTION, lost, replaced, running, written
from tests.local_host.processes import has_ended, times_begun, until, watch

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


async def test_a_suspect_that_no_process_can_be_started_for_fails(tmp_path: Path) -> None:
    async with running(1, written(tmp_path, FUNCTION.format("one"))) as app:
        written(tmp_path, "os._exit(5)\n")
        result = await app.result("one", losses=SUSPECT_AFTER_LOSSES)
        assert await app.call("one") == "one"
    assert result.failure is not None
    assert "none could be started to run it apart" in result.failure.message
    assert "ended with exit code 5 while it loaded the app" in result.failure.message
