"""What receivers of telemetry on this machine have in common: a server, and waiting for what comes."""

from __future__ import annotations

import gzip
import threading
from collections.abc import Callable
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, ClassVar, Self

WAIT_LIMIT_S = 20.0
WITHOUT_DELAY = {
    "OTEL_BSP_SCHEDULE_DELAY": "50",
    "OTEL_BLRP_SCHEDULE_DELAY": "50",
    "OTEL_METRIC_EXPORT_INTERVAL": "200",
}


@dataclass
class TelemetryReceiver:
    """Serves from entering to leaving it. `raw` are the bytes that came, unpacked."""

    PACKED: ClassVar[bool]
    raw: bytes = b""

    def take(self, path: str, body: bytes) -> bytes:
        """Keep what came, under the lock; the body of the answer, which is JSON if there is any."""
        raise NotImplementedError

    def came(self) -> object:
        """What came so far, in short, for who waited for something else."""
        raise NotImplementedError

    def __enter__(self) -> Self:
        self._changed = threading.Condition()
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                packed = self.headers.get("Content-Encoding") == "gzip"
                if packed and not receiver.PACKED:
                    raise AssertionError("the exporter compresses nothing by default")
                answer = receiver._take(self.path, gzip.decompress(body) if packed else body)
                self.send_response(200)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(answer)))
                self.end_headers()
                self.wfile.write(answer)

            def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the name of the base
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, name="telemetry-receiver", daemon=True)
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_port}"

    def wait_until(self, condition: Callable[[], Any]) -> None:
        """Wait until `condition()` holds; it is looked at whenever something comes."""
        with self._changed:
            assert self._changed.wait_for(condition, WAIT_LIMIT_S), f"only came: {self.came()}"

    def _take(self, path: str, body: bytes) -> bytes:
        with self._changed:
            self.raw += body
            answer = self.take(path, body)
            self._changed.notify_all()
            return answer
