"""Telemetry by OpenTelemetry, after its semantic conventions for generative AI.

A run's trace: `invoke_workflow NAME` (the run, by its recipe or its pattern), below it an `invoke_agent NAME` for each
attempt, and below that a `chat MODEL` for each call to a model. Where the host gives a trace, an attempt is a child of
the host's span of its activity, and the run one of its orchestration; where it gives none, the run's id makes one
(`ids`).

The providers are this module's own and not the process's: other libraries, whose spans may have prompts in them, do not
find them.
"""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import datetime
from typing import TYPE_CHECKING

from opentelemetry import trace
from opentelemetry.sdk._logs import LoggerProvider
from opentelemetry.sdk._logs.export import BatchLogRecordProcessor
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import PeriodicExportingMetricReader
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.trace import NonRecordingSpan, Span, SpanContext, SpanKind, Status, StatusCode, TraceFlags

from shared.telemetry.exporters import Exporters, exporters_for
from shared.telemetry.facts import AnswerFacts, AttemptFacts, Attributes, ChatFacts, ChatTexts, RunFacts, of_error
from shared.telemetry.ids import RunIds, ids_of, span_id_of, trace_id_of
from shared.telemetry.instruments import Instruments
from shared.telemetry.log_records import LogHandler
from shared.telemetry.telemetry import AttemptUnderWay, ChatUnderWay, unharmed

if TYPE_CHECKING:
    from collections.abc import MutableMapping

    from opentelemetry.context import Context

    from shared.settings import TelemetrySettings

SCOPE = "chorus"
GIVEN_UP = "given_up"
"""The `error.type` of a call that nobody waited for any more."""


def started(settings: TelemetrySettings, env: MutableMapping[str, str]) -> OpenTelemetry:
    """Telemetry to the destinations of `settings`, which also takes what the app logs. `env` is the process's."""
    resource = Resource.create({"service.name": settings.service_name})
    telemetry = OpenTelemetry(exporters_for(settings, env), resource, with_content=settings.with_content)
    logging.getLogger(SCOPE).addHandler(telemetry.log_handler)
    return telemetry


class OpenTelemetry:
    """A `Telemetry`. With `with_content`, spans have the prompts and answers."""

    def __init__(
        self, exporters: Sequence[Exporters], resource: Resource | None = None, *, with_content: bool = False
    ) -> None:
        readers = [PeriodicExportingMetricReader(to.metrics) for to in exporters]
        self._meters = MeterProvider(metric_readers=readers, resource=resource)
        self._tracers = TracerProvider(resource=resource, id_generator=RunIds())
        self._logs = LoggerProvider(resource=resource)
        for to in exporters:
            self._tracers.add_span_processor(BatchSpanProcessor(to.spans))
            self._logs.add_log_record_processor(BatchLogRecordProcessor(to.logs))
        self._tracer = self._tracers.get_tracer(SCOPE)
        self._instruments = Instruments(self._meters.get_meter(SCOPE))
        self._attempt: ContextVar[AttemptFacts | None] = ContextVar("chorus_attempt", default=None)
        self._with_content = with_content
        self.log_handler = LogHandler(self._logs, self._about)

    @contextmanager
    def attempt(self, facts: AttemptFacts) -> Generator[AttemptUnderWay]:
        """A span `invoke_agent` around the block, which all that it starts knows of."""
        token = self._attempt.set(facts)
        attributes: Attributes = {"gen_ai.operation.name": "invoke_agent", "gen_ai.agent.name": facts.agent}
        span = self._tracer.start_span(
            f"invoke_agent {facts.agent}", self._parent(facts.run_id), attributes=attributes | facts.attributes
        )
        try:
            with trace.use_span(span, end_on_exit=True, record_exception=False, set_status_on_exception=False):
                yield _Attempt(span)
        finally:
            self._attempt.reset(token)

    @contextmanager
    def chat(self, facts: ChatFacts) -> Generator[ChatUnderWay]:
        """A span `chat` around the block. One without an answer at its end was given up, or failed of a defect."""
        began_s = time.perf_counter()
        attributes = facts.attributes | self._about()
        trace.get_current_span().set_attributes(facts.of_its_agent)  # the attempt's, which began without knowing them
        chat = _Chat(self._tracer.start_span(facts.name, kind=SpanKind.CLIENT, attributes=attributes))
        try:
            yield chat
        finally:
            about = self._attempt.get()
            chat.close(with_content=self._with_content)
            seconds = time.perf_counter() - began_s
            with unharmed():
                self._instruments.count_call(facts, chat.answer, seconds, about.recipe if about else None)

    def run_ended(self, facts: RunFacts) -> None:
        """A span `invoke_workflow` of the run's time, and its metrics."""
        began, ended = _nanoseconds(facts.started_at), _nanoseconds(facts.ended_at)
        if trace.get_current_span().get_span_context().is_valid:
            span = self._tracer.start_span(facts.name, attributes=facts.attributes, start_time=began)
        else:
            with ids_of(facts.run_id):
                span = self._tracer.start_span(facts.name, attributes=facts.attributes, start_time=began)
        if facts.status == "failed":
            span.set_attribute("error.type", facts.reason)
            span.set_status(Status(StatusCode.ERROR))
        span.end(ended)
        self._instruments.count_run(facts)

    def flush(self) -> None:
        """Send all that has been told so far, and wait for it."""
        self._tracers.force_flush()
        self._logs.force_flush()
        self._meters.force_flush()

    def close(self) -> None:
        """Send it, and tell of nothing more."""
        logging.getLogger(SCOPE).removeHandler(self.log_handler)
        for provider in (self._tracers, self._logs, self._meters):
            provider.shutdown()

    def _about(self) -> Attributes:
        facts = self._attempt.get()
        return {} if facts is None else facts.attributes

    def _parent(self, run_id: str) -> Context | None:
        """None for the span that is current: the host's. Without one, the run's own, sampled as that will be."""
        if trace.get_current_span().get_span_context().is_valid:
            return None
        trace_id = trace_id_of(run_id)
        is_sampled = self._tracers.sampler.should_sample(None, trace_id, SCOPE).decision.is_sampled()
        flags = TraceFlags(TraceFlags.SAMPLED if is_sampled else TraceFlags.DEFAULT)
        run = SpanContext(trace_id, span_id_of(run_id), is_remote=True, trace_flags=flags)
        return trace.set_span_in_context(NonRecordingSpan(run))


class _Attempt:
    def __init__(self, span: Span) -> None:
        self._span = span

    def failed(self, code: str) -> None:
        self._span.set_attributes(of_error(code))
        self._span.set_status(Status(StatusCode.ERROR))


class _Chat:
    def __init__(self, span: Span) -> None:
        self._span = span
        self._texts: ChatTexts | None = None
        self.answer = AnswerFacts(error=GIVEN_UP)

    def ended(self, answer: AnswerFacts, texts: ChatTexts) -> None:
        self.answer, self._texts = answer, texts

    def close(self, *, with_content: bool) -> None:
        with unharmed():
            self._span.set_attributes(self.answer.attributes)
            if self.answer.error is not None:
                self._span.set_status(Status(StatusCode.ERROR))
            if with_content and self._texts is not None:
                self._span.set_attributes(content_of(self._texts, self.answer.finish_reason))
            self._span.end()


def content_of(texts: ChatTexts, finish_reason: str | None) -> Attributes:
    """The texts of a call as the conventions' attributes, which are JSON."""
    system = [{"type": "text", "content": texts.instructions}]
    asked = [{"role": "user", "parts": [{"type": "text", "content": texts.prompt}]}]
    found: Attributes = {
        "gen_ai.system_instructions": json.dumps(system, ensure_ascii=False),
        "gen_ai.input.messages": json.dumps(asked, ensure_ascii=False),
    }
    if texts.answer is not None:
        parts = [{"type": "text", "content": texts.answer}]
        said = [{"role": "assistant", "parts": parts, "finish_reason": finish_reason}]
        found["gen_ai.output.messages"] = json.dumps(said, ensure_ascii=False)
    return found


def _nanoseconds(moment: datetime) -> int:
    return int(moment.timestamp() * 1_000_000) * 1_000
