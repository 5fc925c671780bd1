"""The service inside a worker process, between a real channel and a worker that is faked at the seam."""

from __future__ import annotations

import asyncio
import logging
import socket
from typing import Any

import pytest

from local_host.channel import Channel
from local_host.messages import Answer, AppToLoad, Invocation, InvocationResult, LoadedFunction, Value
from local_host.worker_main import _Service

LIMIT_S = 10


class Unreadable(dict[str, str]):
    def keys(self) -> Any:
        raise RuntimeError("not even the keys")

    __iter__ = keys


class OddWorker:
    """Returns what its functions are called with, or something that no other process can take."""

    def name_of(self, function_id: str) -> str:
        return f"the name of {function_id}"

    async def load_here(self, app_dir: str) -> list[LoadedFunction]:
        return [LoadedFunction("1", "odd", ({"name": "value", "default": object()},))]

    async def invoke_here(self, invocation: Invocation) -> InvocationResult:
        values = {"odd": object(), "unreadable": Unreadable()}
        return InvocationResult(Value("json", values.get(invocation.function_id, invocation.function_id)))


class Host:
    """The other end of the channel."""

    def __init__(self) -> None:
        self.arrived: asyncio.Queue[Any] = asyncio.Queue()
        self.lost = asyncio.Event()
        self.channel = Channel(self.arrived.put_nowait, self.lost.set)

    async def ask(self, message: Any) -> Any:
        self.channel.send(message)
        return await asyncio.wait_for(self.arrived.get(), LIMIT_S)


async def connected() -> tuple[Host, _Service]:
    ours, theirs = socket.socketpair()
    host, worker = Host(), OddWorker()
    service = _Service(worker, theirs.dup())  # type: ignore[arg-type]
    await service.connect(theirs)
    await asyncio.get_running_loop().create_connection(lambda: host.channel, sock=ours)
    return host, service


@pytest.mark.parametrize(("name", "why"), [("odd", "type builtins.object"), ("unreadable", "not even the keys")])
async def test_a_result_that_cannot_leave_the_process_is_a_failure_and_the_others_arrive(
    name: str, why: str, caplog: pytest.LogCaptureFixture
) -> None:
    host, service = await connected()
    answer = await host.ask(Invocation("call-1", name, ()))
    assert (answer.invocation_id, answer.result.failure.error_type) == ("call-1", "UnsendableResult")
    assert why in answer.result.failure.message
    assert f"What the function 'the name of {name}' returned is lost." in caplog.text
    plain = InvocationResult(Value("json", "plain"))
    assert await host.ask(Invocation("call-2", "plain", ())) == Answer("call-2", plain)
    host.channel.close()
    assert await asyncio.to_thread(service.wait_for_the_end)
    await asyncio.wait_for(host.lost.wait(), LIMIT_S)
    service._watched.close()


async def test_bindings_that_cannot_leave_the_process_are_an_app_that_does_not_load(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("local_host.worker_main.configure_logging", lambda *_, **__: None)
    host, service = await connected()
    loaded = await host.ask(AppToLoad("/nowhere", {}, verbose=False))
    assert loaded.functions == ()
    assert "bindings of the app's functions cannot be read: A value of the type builtins.object" in loaded.error
    host.channel.close()
    assert await asyncio.to_thread(service.wait_for_the_end)
    service._watched.close()


async def test_what_is_no_message_ends_the_service(caplog: pytest.LogCaptureFixture) -> None:
    host, service = await connected()
    host.channel.write(bytes(7) + b"\x01?")
    assert await asyncio.to_thread(service.wait_for_the_end)
    await asyncio.wait_for(host.lost.wait(), LIMIT_S)
    assert [record.levelno for record in caplog.records] == [logging.ERROR]
    service._watched.close()
