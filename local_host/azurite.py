"""`running_azurite`: Azurite, the emulator of Azure Storage, as a process of its own, for tests and development."""

from __future__ import annotations

import asyncio
import os
import re
import shutil
import signal
import subprocess
import tempfile
import threading
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Self

from local_host.offline_child import past_proxies

ROOT = Path(__file__).resolve().parent.parent
AZURITE = ROOT / "node_modules" / "azurite" / "dist" / "src" / "blob" / "main.js"
END = ROOT / "local_host" / "azurite_end.mjs"
HOW_TO_INSTALL = "install Node.js 20 or newer (https://nodejs.org), which has npm, and run `make azurite`"

ACCOUNT = "devstoreaccount1"
ACCOUNT_KEY = "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw=="
"""The same for every emulator, and no secret."""

_READY = re.compile(r"successfully listens on http://[^:]+:(\d+)")
_START_LIMIT_S = 60.0
_STOP_LIMIT_S = 10.0


class AzuriteError(Exception):
    """Azurite is not installed, or did not start; says what to do."""


def installed_azurite() -> tuple[str, Path] | None:
    """Where Node.js and Azurite are, if both are there."""
    node = shutil.which("node")
    return (node, AZURITE) if node and AZURITE.is_file() else None


def azurite_settings(connection_string: str, environ: Mapping[str, str]) -> dict[str, str]:
    """Return what to add to an app's environment so that it uses Azurite, past any proxy."""
    return {
        "CHORUS_STORAGE": connection_string,
        "CHORUS_SOURCE_CONTAINERS": environ.get("CHORUS_SOURCE_CONTAINERS", "").strip() or "documents",
        "CHORUS_SINK_CONTAINERS": environ.get("CHORUS_SINK_CONTAINERS", "").strip() or "results",
        **past_proxies(environ),
    }


class running_azurite:  # noqa: N801 - used like a function: `with running_azurite() as azurite:`
    """Runs the blob service of Azurite on a free port, until the end of the block.

    Blobs are in a temporary folder, so that it may be stopped and started again within the block, on the same port and
    with the same blobs: an outage. With `in_memory` a stop loses them, and thousands of blobs cost it less: on disk it
    writes what it knows of all of them anew every few seconds. The process ends when this one does, however it ends.
    """

    def __init__(self, *, port: int = 0, in_memory: bool = False) -> None:
        self._port = port
        self._in_memory = in_memory
        self._process: subprocess.Popen[str] | None = None
        self._folder: tempfile.TemporaryDirectory[str] | None = None
        self._reader: threading.Thread | None = None
        self._changed = threading.Condition()
        self._ended = False
        self._lines: list[str] = []

    @property
    def url(self) -> str:
        """The account's URL."""
        return f"http://127.0.0.1:{self._port}/{ACCOUNT}"

    @property
    def connection_string(self) -> str:
        """What a client needs; the same after a stop and a start."""
        return f"DefaultEndpointsProtocol=http;AccountName={ACCOUNT};AccountKey={ACCOUNT_KEY};BlobEndpoint={self.url};"

    @property
    def port(self) -> int:
        """The port of the blob service."""
        return self._port

    @property
    def pid(self) -> int | None:
        """The process id, or None while it is stopped."""
        return None if self._process is None else self._process.pid

    def start(self) -> Self:
        """Start the process and wait until it serves."""
        if self._process is not None:
            return self
        if self._folder is None:
            self._folder = tempfile.TemporaryDirectory(prefix="azurite-", ignore_cleanup_errors=True)
        self._ended, self._lines = False, []
        self._process = subprocess.Popen(  # noqa: S603 - our own command line
            self._command(self._folder.name),
            cwd=self._folder.name,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            start_new_session=True,  # a Ctrl-C is for this process, which stops its children in order
        )
        self._reader = threading.Thread(target=self._read, args=(self._process,), name="azurite-output", daemon=True)
        self._reader.start()
        self._port = self._listening_port()
        return self

    def stop(self) -> None:
        """Stop the process; the blobs stay for a later `start`."""
        process, self._process = self._process, None
        if process is None:
            return
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(_STOP_LIMIT_S)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
        if process.stdin is not None:
            process.stdin.close()
        if self._reader is not None:
            self._reader.join(_STOP_LIMIT_S)

    def close(self) -> None:
        """Stop the process and delete its blobs."""
        self.stop()
        if self._folder is not None:
            self._folder.cleanup()
            self._folder = None

    def __enter__(self) -> Self:
        try:
            return self.start()
        except BaseException:
            self.close()
            raise

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    async def __aenter__(self) -> Self:
        return await asyncio.to_thread(self.__enter__)

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await asyncio.to_thread(self.close)

    def _command(self, folder: str) -> list[str]:
        found = installed_azurite()
        if found is None:
            raise AzuriteError(f"Azurite is not installed: {HOW_TO_INSTALL}.")
        node, script = found
        place = ["--inMemoryPersistence"] if self._in_memory else ["--location", folder]
        listen = ["--blobHost", "127.0.0.1", "--blobPort", str(self._port), *place]
        quiet = ["--silent", "--disableTelemetry", "--skipApiVersionCheck"]
        return [node, "--import", END.as_uri(), str(script), *listen, *quiet]

    def _listening_port(self) -> int:
        found: list[int] = []

        def look() -> bool:
            found.extend(int(match[1]) for line in self._lines if (match := _READY.search(line)))
            return bool(found) or self._ended

        with self._changed:
            self._changed.wait_for(look, _START_LIMIT_S)
        if not found:
            said = "\n".join(self._lines)
            raise AzuriteError(f"Azurite did not start ({HOW_TO_INSTALL}). It said:\n{said}")
        return found[0]

    def _read(self, process: subprocess.Popen[str]) -> None:
        if process.stdout is not None:
            with process.stdout as output:
                for line in output:
                    self._tell(line.rstrip("\n"))
        with self._changed:
            self._ended = True
            self._changed.notify_all()

    def _tell(self, line: str) -> None:
        with self._changed:
            self._lines.append(line)
            self._changed.notify_all()
