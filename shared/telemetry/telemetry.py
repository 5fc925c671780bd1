"""`Telemetry`: what the app tells of its work. `current()` is that of the process; it tells nobody until one is set.

Whoever calls it may rely on this: nothing here fails a call or a run, and without telemetry it costs next to nothing.
"""

from __future__ import annotations

import logging
from collections.abc import Generator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from shared.telemetry.facts import AnswerFacts, AttemptFacts, ChatFacts, ChatTexts, RunFacts

LOG = logging.getLogger("chorus.telemetry")


class AttemptUnderWay(Protocol):
    """An attempt that has begun."""

    def failed(self, code: str) -> None:
        """Its reply has an error with this code."""
        ...


class ChatUnderWay(Protocol):
    """A call to a model that has begun."""

    def ended(self, answer: AnswerFacts, texts: ChatTexts) -> None:
        """There is an answer, or an error. A call that was given up never gets so far."""
        ...


class Telemetry(Protocol):
    """Where the app tells of attempts, calls to models and runs."""

    def attempt(self, facts: AttemptFacts) -> AbstractContextManager[AttemptUnderWay]:
        """For as long as the block takes. The calls to models within belong to it."""
        ...

    def chat(self, facts: ChatFacts) -> AbstractContextManager[ChatUnderWay]:
        """For as long as the block takes."""
        ...

    def run_ended(self, facts: RunFacts) -> None:
        """Once for each run, in the turn of its orchestration that ends it."""
        ...


class Silent:
    """Tells nobody."""

    def failed(self, code: str) -> None:
        """Of an attempt."""

    def ended(self, answer: AnswerFacts, texts: ChatTexts) -> None:
        """Of a call to a model."""


SILENT = Silent()

_current: list[Telemetry] = []


def tell_by(telemetry: Telemetry | None) -> None:
    """Set the telemetry of this process; None for none."""
    _current[:] = [] if telemetry is None else [telemetry]


def is_on() -> bool:
    """Whether anybody is told."""
    return bool(_current)


def attempt(facts: AttemptFacts) -> AbstractContextManager[AttemptUnderWay]:
    """An attempt, for as long as the block takes."""
    return _current[0].attempt(facts) if _current else nullcontext(SILENT)


def chat(facts: ChatFacts) -> AbstractContextManager[ChatUnderWay]:
    """A call to a model, for as long as the block takes."""
    return _current[0].chat(facts) if _current else nullcontext(SILENT)


def run_ended(result: Mapping[str, Any]) -> None:
    """Tell of a run by its `RunResult`. What goes wrong here must not reach the orchestration, whose history it is."""
    if not _current:
        return
    from shared.telemetry.facts import run_facts

    with unharmed():
        _current[0].run_ended(run_facts(result))


@contextmanager
def unharmed() -> Generator[None]:
    """What fails within is logged, by its type alone, and nothing more comes of it."""
    try:
        yield
    except Exception as exc:  # noqa: BLE001 - the work that is told of has succeeded
        LOG.warning("Telemetry was lost: %s", type(exc).__name__)
