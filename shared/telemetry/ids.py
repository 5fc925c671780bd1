"""The ids of a run's trace, made of the run's id.

Where the host gives no trace, every process that works for a run finds the same one, and the span of the run, which is
made last, has the id that all others have named as their parent. Told twice, it is the same span.
"""

from __future__ import annotations

import hashlib
from collections.abc import Generator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import override

from opentelemetry.sdk.trace.id_generator import RandomIdGenerator

TRACE_ID_BYTES = 16
SPAN_ID_BYTES = 8

_run: ContextVar[str | None] = ContextVar("chorus_run_of_ids", default=None)


def trace_id_of(run_id: str) -> int:
    """128 bits, never 0."""
    return _bits(f"trace {run_id}", TRACE_ID_BYTES)


def span_id_of(run_id: str) -> int:
    """64 bits, never 0."""
    return _bits(f"span {run_id}", SPAN_ID_BYTES)


def _bits(text: str, count: int) -> int:
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:count]) or 1


class RunIds(RandomIdGenerator):
    """Random ids, but for the span of a run."""

    @override
    def generate_trace_id(self) -> int:
        run_id = _run.get()
        return super().generate_trace_id() if run_id is None else trace_id_of(run_id)

    @override
    def generate_span_id(self) -> int:
        run_id = _run.get()
        return super().generate_span_id() if run_id is None else span_id_of(run_id)


@contextmanager
def ids_of(run_id: str) -> Generator[None]:
    """A span that starts within has the ids of the run."""
    token = _run.set(run_id)
    try:
        yield
    finally:
        _run.reset(token)
