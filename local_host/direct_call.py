"""`DirectCall`: the call context for calling the engine from the same process, with no gRPC in between."""

from __future__ import annotations

from collections.abc import Callable
from typing import NoReturn, cast

import grpc


class EngineRefusedError(Exception):
    """The engine refused a direct call; `code` is the gRPC status which it would have answered."""

    def __init__(self, code: grpc.StatusCode, details: str) -> None:
        super().__init__(details)
        self.code = code
        self.details = details


class DirectCall:
    """As much of `grpc.ServicerContext` as the engine asks of it."""

    def __init__(self) -> None:
        self._active = True

    @property
    def context(self) -> grpc.ServicerContext:
        """This call under the type that the engine's methods declare."""
        return cast("grpc.ServicerContext", self)

    def is_active(self) -> bool:
        """Whether the caller still wants an answer."""
        return self._active

    def cancel(self) -> None:
        """End a streaming call at its next turn."""
        self._active = False

    def time_remaining(self) -> float | None:
        """Return None: a direct call has no deadline."""
        return None

    def add_callback(self, callback: Callable[[], None]) -> bool:  # noqa: ARG002 - the gRPC signature
        """Take the callback, which is never called: a direct call does not lose its caller."""
        return True

    def abort(self, code: grpc.StatusCode, details: str) -> NoReturn:
        """Raise what gRPC would answer."""
        raise EngineRefusedError(code, details)
