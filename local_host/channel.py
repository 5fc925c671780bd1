"""`Channel`: whole messages over a private socket, between the host and one of its worker processes.

A message is one of the classes of `local_host.messages`, pickled, after its length. Nothing else is pickled or read
back: a class of the app must neither be imported by the host nor keep an answer from arriving.
"""

from __future__ import annotations

import asyncio
import io
import logging
import pickle
import struct
from collections.abc import Callable
from typing import Any, cast, override

from local_host import messages

_LOGGER = logging.getLogger(__name__)
_LENGTH = struct.Struct("!Q")
_CLASSES = frozenset(
    {
        *(messages.AppToLoad, messages.LoadedApp, messages.LoadedFunction),
        *(messages.Invocation, messages.Value, messages.HttpRequestValue),
        *(messages.Answer, messages.InvocationResult, messages.HttpResponseValue, messages.Failure),
    }
)
_PLAIN: dict[type, Callable[[Any], Any]] = {
    str: str.__str__,
    bytes: lambda value: bytes(memoryview(value)),
    int: int.__int__,
    float: float.__float__,
    dict: dict,
    list: list,
    tuple: tuple,
}
"""What may stand in a message, and what makes the plain value of a subclass, such as a member of a StrEnum."""
_SENDABLE = frozenset((*_CLASSES, *_PLAIN))
_BY_NAME = {(kind.__module__, kind.__qualname__): kind for kind in _SENDABLE}


class UnsendableError(Exception):
    """A message holds a value that cannot go to another process; the message names its type."""


class _Pickler(pickle.Pickler):
    @override
    def reducer_override(self, value: Any, /) -> Any:
        kind = type(value)
        if kind in _CLASSES or (kind is type and value in _SENDABLE):
            return NotImplemented
        for plain, make in _PLAIN.items():
            if isinstance(value, plain):
                return plain, (make(value),)
        raise UnsendableError(f"A value of the type {kind.__module__}.{kind.__qualname__} cannot leave its process.")


class _Unpickler(pickle.Unpickler):
    @override
    def find_class(self, module: str, name: str, /) -> Any:
        try:
            return _BY_NAME[module, name]
        except KeyError:
            raise pickle.UnpicklingError(f"{module}.{name} is no part of a message") from None


def frame(message: object) -> bytes:
    """Return a message as it goes over the channel; raise `UnsendableError` when it cannot."""
    buffer = io.BytesIO()
    buffer.write(bytes(_LENGTH.size))
    try:
        _Pickler(buffer, pickle.HIGHEST_PROTOCOL).dump(message)
    except RecursionError as error:
        raise UnsendableError("A value that is nested this deep cannot leave its process.") from error
    length = buffer.tell() - _LENGTH.size
    buffer.seek(0)
    buffer.write(_LENGTH.pack(length))
    return buffer.getvalue()


class Channel(asyncio.Protocol):
    """One end of the socket, on the event loop of whoever connects it."""

    def __init__(self, on_message: Callable[[Any], None], on_lost: Callable[[], None]) -> None:
        self._on_message = on_message
        self._on_lost = on_lost
        self._transport: asyncio.Transport | None = None
        self._buffer = bytearray()
        self._wanted = _LENGTH.size

    def send(self, message: object) -> None:
        """Send a message; raise `UnsendableError` when it cannot go. After the channel is lost, do nothing."""
        self.write(frame(message))

    def write(self, framed: bytes) -> None:
        """Send what `frame` has made."""
        if self._transport is not None and not self._transport.is_closing():
            self._transport.write(framed)

    def close(self) -> None:
        """Give up the channel at once; the other end notices."""
        if self._transport is not None:
            self._transport.abort()

    @override
    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)

    @override
    def data_received(self, data: bytes) -> None:
        self._buffer += data
        if len(self._buffer) < self._wanted:
            return
        try:
            self._take_messages()
        except Exception:
            _LOGGER.exception("What came from the other process is no message: the channel is given up")
            self.close()

    @override
    def connection_lost(self, exc: Exception | None) -> None:
        self._on_lost()

    def _take_messages(self) -> None:
        start = 0
        with memoryview(self._buffer) as view:
            while (first := start + _LENGTH.size) <= len(view):
                (length,) = _LENGTH.unpack_from(view, start)
                if first + length > len(view):
                    break
                self._on_message(_Unpickler(io.BytesIO(view[first : first + length])).load())
                start = first + length
        del self._buffer[:start]
        enough = len(self._buffer) >= _LENGTH.size
        self._wanted = _LENGTH.size + (_LENGTH.unpack_from(self._buffer)[0] if enough else 0)
