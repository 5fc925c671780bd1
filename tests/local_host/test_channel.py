"""Messages between host and worker process, over a real pair of sockets."""

from __future__ import annotations

import asyncio
import pickle
import socket
import struct
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from enum import IntEnum, StrEnum
from typing import Any

import pytest

from local_host.channel import Channel, UnsendableError, frame
from local_host.messages import Answer, HttpResponseValue, Invocation, InvocationResult, Value

LIMIT_S = 10


class Colour(StrEnum):
    RED = "red"


class Size(IntEnum):
    BIG = 3


class Headers(dict):
    """A dictionary with more to it."""


class Text(str):
    def __str__(self) -> str:
        return "another text"


class Bytes(bytes):
    """Bytes with more to them."""


@dataclass
class End:
    """One end of a channel, and what came in."""

    channel: Channel = field(init=False)
    arrived: asyncio.Queue[Any] = field(default_factory=asyncio.Queue)
    lost: asyncio.Event = field(default_factory=asyncio.Event)

    def __post_init__(self) -> None:
        self.channel = Channel(self.arrived.put_nowait, self.lost.set)

    async def connect(self, end: socket.socket) -> None:
        await asyncio.get_running_loop().create_connection(lambda: self.channel, sock=end)

    async def next(self) -> Any:
        return await asyncio.wait_for(self.arrived.get(), LIMIT_S)


@asynccontextmanager
async def ends() -> AsyncIterator[tuple[End, End]]:
    first, second = End(), End()
    for end, connection in zip((first, second), socket.socketpair(), strict=True):
        await end.connect(connection)
    try:
        yield first, second
    finally:
        for end in (first, second):
            end.channel.close()
        await asyncio.wait_for(asyncio.gather(first.lost.wait(), second.lost.wait()), LIMIT_S)


@asynccontextmanager
async def end_and_socket() -> AsyncIterator[tuple[End, socket.socket]]:
    ours, theirs = socket.socketpair()
    end = End()
    await end.connect(ours)
    with theirs:
        theirs.setblocking(False)
        yield end, theirs
        end.channel.close()
        await asyncio.wait_for(end.lost.wait(), LIMIT_S)


def call(number: int, data: Any = None) -> Invocation:
    return Invocation(str(number), "f", (("value", Value("json", data)),))


def answer(data: Any) -> Answer:
    return Answer("1", InvocationResult(Value("json", data)))


async def test_messages_arrive_in_order_both_ways() -> None:
    async with ends() as (host, worker):
        for number in range(500):
            host.channel.send(call(number))
            worker.channel.send(answer(number))
        assert [await worker.next() for _ in range(500)] == [call(number) for number in range(500)]
        assert [await host.next() for _ in range(500)] == [answer(number) for number in range(500)]


async def test_messages_of_many_megabytes_pass_each_other() -> None:
    big, large = bytes(range(256)) * (40 << 12), "ä€" * (6 << 20)
    async with ends() as (host, worker):
        host.channel.send(call(1, large))
        host.channel.send(call(2))
        worker.channel.send(answer(HttpResponseValue(200, {}, big)))
        assert (await host.next()).result.return_value.data.body == big
        assert dict((await worker.next()).inputs)["value"].data == large
        assert (await worker.next()).invocation_id == "2"


async def test_a_message_may_arrive_in_any_pieces() -> None:
    stream = b"".join(frame(call(number, "x" * number)) for number in (0, 1, 300, 2))
    for size in (1, 7, len(frame(call(0, ""))), len(stream)):
        end = End()
        for start in range(0, len(stream), size):
            end.channel.data_received(stream[start : start + size])
        assert [(await end.next()).invocation_id for _ in range(4)] == ["0", "1", "300", "2"]
        assert end.arrived.empty()


@pytest.mark.parametrize(
    ("value", "plain"),
    [
        (Colour.RED, "red"),
        (Text("the text"), "the text"),
        (Size.BIG, 3),
        (Bytes(b"abc"), b"abc"),
        (Headers(a=Colour.RED), {"a": "red"}),
        ([{"nested": (Colour.RED, None, True, 1.5)}], [{"nested": ("red", None, True, 1.5)}]),
        (bytearray(b"abc"), bytearray(b"abc")),
    ],
)
async def test_values_of_the_apps_own_classes_arrive_as_what_they_are_made_of(value: Any, plain: Any) -> None:
    async with ends() as (host, worker):
        worker.channel.send(answer(value))
        data = (await host.next()).result.return_value.data
    assert data == plain
    assert type(data) is type(plain)
    if isinstance(data, dict):
        assert type(data["a"]) is str


@pytest.mark.parametrize("value", [object(), lambda: None, Colour, ValueError("x"), answer])
def test_other_values_are_refused_by_the_name_of_their_type(value: Any) -> None:
    with pytest.raises(UnsendableError, match=r"type .*(object|function|EnumType|ValueError) cannot leave"):
        frame(answer(value))


def test_a_value_that_is_nested_too_deep_is_refused() -> None:
    nested: list[Any] = []
    for _ in range(100_000):
        nested = [nested]
    try:
        with pytest.raises(UnsendableError, match="nested"):
            frame(answer(nested))
    finally:
        while nested:
            nested = nested.pop()


class Intruder:
    """Calls a function when it is read back."""

    def __reduce__(self) -> Any:
        return exec, ("raise SystemExit('read back')",)


@pytest.mark.parametrize("body", [pickle.dumps(Intruder()), pickle.dumps(Colour.RED), b"no pickle at all"])
async def test_what_is_no_message_ends_the_channel_and_calls_nothing(
    body: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    async with end_and_socket() as (end, other):
        await asyncio.get_running_loop().sock_sendall(other, struct.pack("!Q", len(body)) + body)
        await asyncio.wait_for(end.lost.wait(), LIMIT_S)
        assert end.arrived.empty()
    assert "the channel is given up" in caplog.text


async def test_half_a_message_is_none_when_the_other_end_closes() -> None:
    async with end_and_socket() as (end, other):
        whole, half = frame(call(1)), frame(call(2))[:-1]
        await asyncio.get_running_loop().sock_sendall(other, whole + half)
        other.shutdown(socket.SHUT_WR)
        await asyncio.wait_for(end.lost.wait(), LIMIT_S)
        assert end.arrived.qsize() == 1
        end.channel.send(call(3))  # into the void, without an error
