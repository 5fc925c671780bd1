"""Log records of the app, told with the run, branch and attempt that they are about.

A record that is logged outside of an attempt names its run by `extra={"run_id": …}`.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import TYPE_CHECKING, override

from opentelemetry._logs import LogRecord, SeverityNumber

if TYPE_CHECKING:
    from collections.abc import Callable

    from opentelemetry._logs import LoggerProvider

    from shared.telemetry.facts import Value

SEVERITIES = (
    (logging.CRITICAL, SeverityNumber.FATAL),
    (logging.ERROR, SeverityNumber.ERROR),
    (logging.WARNING, SeverityNumber.WARN),
    (logging.INFO, SeverityNumber.INFO),
)
"""The first whose level a record reaches."""


class LogHandler(logging.Handler):
    """Tells `provider` of what is logged; `context` is what it is about, of the task that logs."""

    def __init__(self, provider: LoggerProvider, context: Callable[[], Mapping[str, Value]]) -> None:
        super().__init__(logging.INFO)  # at DEBUG the app logs words of prompts and answers
        self._provider = provider
        self._context = context

    @override
    def emit(self, record: logging.LogRecord) -> None:
        try:
            self._provider.get_logger(record.name).emit(
                LogRecord(
                    timestamp=int(record.created * 1_000_000_000),
                    severity_text=record.levelname,
                    severity_number=severity_of(record.levelno),
                    body=record.getMessage(),
                    attributes={
                        "code.function.name": f"{record.module}.{record.funcName}",
                        **run_named_by(record),
                        **self._context(),
                    },
                )
            )
        except Exception:  # noqa: BLE001 - as the handlers of the standard library
            self.handleError(record)


def run_named_by(record: logging.LogRecord) -> dict[str, Value]:
    """The run that the record names, if it does."""
    run_id = getattr(record, "run_id", None)
    return {} if run_id is None else {"chorus.run_id": str(run_id)}


def severity_of(level: int) -> SeverityNumber:
    """The severity of a level."""
    return next((severity for least, severity in SEVERITIES if level >= least), SeverityNumber.DEBUG)
