"""`WeakLink`: a connection to a server on this machine that a test cuts, also in the middle of an answer."""

from __future__ import annotations

import asyncio
from types import TracebackType
from typing import Self

CHUNK_BYTES = 64 * 1024


class WeakLink:
    """Passes connections on to `port`. While it is cut, it resets those there are and all that come."""

    def __init__(self, port: int) -> None:
        self._target = port
        self._server: asyncio.Server | None = None
        self._writers: set[asyncio.StreamWriter] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._left: int | None = None
        self._outage_s = 0.0
        self._mending: asyncio.TimerHandle | None = None
        self._is_cut = False
        self.cut: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        """Done when the link has been cut."""
        self.port = 0
        self.refused = 0

    def cut_after(self, answered_bytes: int, *, for_s: float) -> None:
        """Cut the link once the server has answered this many bytes more."""
        self._left, self._outage_s = answered_bytes, for_s

    def cut_now(self, *, for_s: float) -> None:
        """Cut all connections, and those that come within `for_s`."""
        self._is_cut = True
        self._left = None
        self._mending = asyncio.get_running_loop().call_later(for_s, self.mend)
        for writer in self._writers:
            writer.transport.abort()
        if not self.cut.done():
            self.cut.set_result(None)

    def mend(self) -> None:
        """Let connections through again."""
        self._is_cut = False
        if self._mending is not None:
            self._mending.cancel()

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._connected, "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.mend()
        assert self._server is not None
        self._server.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        if self._is_cut:
            self.refused += 1
            writer.transport.abort()
            return
        from_server, to_server = await asyncio.open_connection("127.0.0.1", self._target)
        self._writers |= {writer, to_server}
        try:
            await asyncio.gather(self._pass(reader, to_server), self._pass(from_server, writer, counts=True))
        except OSError:
            pass
        finally:
            self._writers -= {writer, to_server}
            writer.transport.abort()
            to_server.transport.abort()

    async def _pass(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, *, counts: bool = False) -> None:
        while data := await reader.read(CHUNK_BYTES):
            if counts and self._left is not None:
                self._left -= len(data)
                if self._left <= 0:
                    self.cut_now(for_s=self._outage_s)
                    raise ConnectionResetError
            writer.write(data)
            await writer.drain()
        raise ConnectionResetError
