from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from opentelemetry.sdk._logs.export import InMemoryLogRecordExporter
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import (
    HistogramDataPoint,
    InMemoryMetricReader,
    Metric,
    MetricExporter,
    MetricExportResult,
    MetricsData,
)
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.semconv._incubating.attributes import gen_ai_attributes
from opentelemetry.semconv._incubating.metrics import gen_ai_metrics
from opentelemetry.trace import SpanKind

from shared.contracts.agent import AgentSpec
from shared.contracts.branch import Usage
from shared.errors import AgentError, ContentFiltered, RateLimited
from shared.model_client import Completion
from shared.settings import ModelSettings
from shared.telemetry import telemetry
from shared.telemetry.exporters import Exporters
from shared.telemetry.facts import AnswerFacts, AttemptFacts, ChatFacts, ChatTexts, RunFacts
from shared.telemetry.ids import span_id_of, trace_id_of
from shared.telemetry.instruments import Instruments
from shared.telemetry.open_telemetry import OpenTelemetry, content_of
from shared.telemetry.told_model import ToldModel

SETTINGS = ModelSettings("azure", "my-gpt", "responses", "https://res.openai.azure.com/openai/v1/", "the-key")
AGENT = AgentSpec(name="auditor", instructions="Secret instructions", temperature=0.5, max_output_tokens=64)
ATTEMPT = AttemptFacts(run_id="run-1", branch="gaps", number=2, agent="auditor", recipe="research")
SPENT = Usage(model_calls=1, input_tokens=7, output_tokens=3, total_tokens=10)
COMPLETION = Completion("Secret answer", SPENT, "gpt-x")
BEGAN = datetime(2030, 1, 1, tzinfo=UTC)
RUN = RunFacts("run-1", "sectioning", "partial", "all_completed", BEGAN, BEGAN + timedelta(seconds=3))


class Answers:
    """A model that gives one answer, or fails with an error, or never answers."""

    def __init__(self, answer: Completion | AgentError | None) -> None:
        self.answer = answer

    async def complete(self, agent: AgentSpec, prompt: str, timeout_s: float) -> Completion:
        if self.answer is None:
            await asyncio.Event().wait()
        if isinstance(self.answer, AgentError):
            raise self.answer
        assert self.answer is not None
        return self.answer


class NoMetrics(MetricExporter):
    def export(self, metrics_data: MetricsData, timeout_millis: float = 0, **kwargs: object) -> MetricExportResult:
        return MetricExportResult.SUCCESS

    def force_flush(self, timeout_millis: float = 0) -> bool:
        return True

    def shutdown(self, timeout_millis: float = 0, **kwargs: object) -> None:
        pass


class Told:
    def __init__(self, *, with_content: bool = False) -> None:
        self._spans = InMemorySpanExporter()
        self._logs = InMemoryLogRecordExporter()
        exporters = Exporters(self._spans, NoMetrics(), self._logs)
        self.telemetry = OpenTelemetry([exporters], with_content=with_content)

    @property
    def spans(self) -> dict[str, ReadableSpan]:
        self.telemetry.flush()
        return {span.name: span for span in self._spans.get_finished_spans()}

    @property
    def logs(self) -> list[tuple[object, dict[str, object]]]:
        self.telemetry.flush()
        found = [told.log_record for told in self._logs.get_finished_logs()]
        return [(record.body, dict(record.attributes or {})) for record in found]


@pytest.fixture
def told(request: pytest.FixtureRequest) -> Iterator[Told]:
    """Telemetry of this process, kept in memory."""
    told = Told(with_content=getattr(request, "param", False))
    telemetry.tell_by(told.telemetry)
    yield told
    telemetry.tell_by(None)
    told.telemetry.close()


async def call(answer: Completion | AgentError | None) -> None:
    with telemetry.attempt(ATTEMPT):
        await ToldModel(Answers(answer), SETTINGS).complete(AGENT, "Secret prompt", 5.0)


async def test_a_call_is_told_by_the_names_of_the_conventions(told: Told) -> None:
    await call(COMPLETION)

    assert dict(told.spans["chat my-gpt"].attributes or {}) == {
        "gen_ai.operation.name": "chat",
        "gen_ai.provider.name": "azure.ai.openai",
        "gen_ai.request.model": "my-gpt",
        "gen_ai.request.temperature": 0.5,
        "gen_ai.request.max_tokens": 64,
        "gen_ai.output.type": "text",
        "gen_ai.response.model": "gpt-x",
        "gen_ai.response.finish_reasons": ("stop",),
        "gen_ai.usage.input_tokens": 7,
        "gen_ai.usage.output_tokens": 3,
        "server.address": "res.openai.azure.com",
        "server.port": 443,
        "chorus.run_id": "run-1",
        "chorus.branch": "gaps",
        "chorus.attempt": 2,
        "chorus.recipe": "research",
    }


async def test_an_attempt_is_told_by_the_names_of_the_conventions(told: Told) -> None:
    await call(COMPLETION)

    span = told.spans["invoke_agent auditor"]
    assert span.kind is SpanKind.INTERNAL
    assert dict(span.attributes or {}) == {
        "gen_ai.operation.name": "invoke_agent",
        "gen_ai.agent.name": "auditor",
        "gen_ai.provider.name": "azure.ai.openai",
        "gen_ai.request.model": "my-gpt",
        "chorus.run_id": "run-1",
        "chorus.branch": "gaps",
        "chorus.attempt": 2,
        "chorus.recipe": "research",
    }


@pytest.mark.parametrize(("recipe", "workflow"), [(None, "sectioning"), ("research", "research")])
def test_a_run_is_named_after_its_workflow_the_recipe_or_the_pattern(
    told: Told, recipe: str | None, workflow: str
) -> None:
    told.telemetry.run_ended(replace(RUN, recipe=recipe))

    span = told.spans[f"invoke_workflow {workflow}"]
    assert span.kind is SpanKind.INTERNAL
    assert (span.attributes or {})["gen_ai.workflow.name"] == workflow


async def test_what_is_told_in_the_name_of_the_conventions_is_in_them(told: Told) -> None:
    await call(COMPLETION)
    told.telemetry.run_ended(RUN)

    theirs = {value for name, value in vars(gen_ai_attributes).items() if name.startswith("GEN_AI_")}
    names = {name for span in told.spans.values() for name in span.attributes or {} if name.startswith("gen_ai.")}
    names |= set(content_of(ChatTexts("i", "p", "a"), "stop"))
    assert names
    assert names <= theirs


def test_the_metrics_of_the_conventions_have_their_units_and_buckets() -> None:
    reader = InMemoryMetricReader()
    meters = MeterProvider([reader])
    Instruments(meters.get_meter("test")).count_call(
        ChatFacts("openai", "m", "host"), AnswerFacts("m", 1, 1, "stop"), 1.0, None
    )
    data = reader.get_metrics_data()
    assert data is not None
    told = {metric.name: metric for metric in data.resource_metrics[0].scope_metrics[0].metrics}
    meters.shutdown()

    assert set(told) == {gen_ai_metrics.GEN_AI_CLIENT_TOKEN_USAGE, gen_ai_metrics.GEN_AI_CLIENT_OPERATION_DURATION}
    assert {name: (metric.unit, bounds(metric)[0], bounds(metric)[-1]) for name, metric in told.items()} == {
        "gen_ai.client.token.usage": ("{token}", 1, 67_108_864),
        "gen_ai.client.operation.duration": ("s", 0.01, 81.92),
    }
    assert [len(bounds(metric)) for metric in told.values()] == [14, 14]


def bounds(metric: Metric) -> tuple[float, ...]:
    point = next(iter(metric.data.data_points))
    assert isinstance(point, HistogramDataPoint)
    return tuple(point.explicit_bounds)


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (
            RateLimited("Secret words", http_status=429),
            {"error.type": "rate_limited", "chorus.error_code": "rate_limited", "http.response.status_code": 429},
        ),
        (
            ContentFiltered("Secret words", usage=SPENT),
            {"error.type": "content_filtered", "gen_ai.usage.input_tokens": 7},
        ),
    ],
)
async def test_a_call_that_fails_is_told_by_its_code_and_not_by_its_words(
    told: Told, error: AgentError, expected: dict[str, object]
) -> None:
    with pytest.raises(type(error)):
        await call(error)

    span = told.spans["chat my-gpt"]
    assert not span.status.is_ok
    assert expected.items() <= dict(span.attributes or {}).items()
    assert "Secret" not in "".join(span.to_json() for span in told.spans.values())


async def test_a_call_that_is_given_up_is_told_as_such(told: Told) -> None:
    going = asyncio.create_task(call(None))
    await asyncio.sleep(0)
    going.cancel()
    with pytest.raises(asyncio.CancelledError):
        await going

    assert (told.spans["chat my-gpt"].attributes or {})["error.type"] == "given_up"


async def test_a_model_that_counts_no_tokens_is_told_without_any(told: Told) -> None:
    await call(replace(COMPLETION, usage=Usage(model_calls=1)))

    assert not [name for name in told.spans["chat my-gpt"].attributes or {} if "usage" in name]


@pytest.mark.parametrize("told", [False], indirect=True)
async def test_texts_are_not_told_unless_the_setting_says_so(told: Told) -> None:
    await call(COMPLETION)

    assert "Secret" not in "".join(span.to_json() for span in told.spans.values())


@pytest.mark.parametrize("told", [True], indirect=True)
async def test_texts_are_told_as_the_conventions_have_them_where_the_setting_says_so(told: Told) -> None:
    await call(COMPLETION)

    attributes = told.spans["chat my-gpt"].attributes or {}
    texts = {
        name.removeprefix("gen_ai."): json.loads(str(value))
        for name, value in attributes.items()
        if "Secret" in str(value)
    }
    assert texts == {
        "system_instructions": [{"type": "text", "content": "Secret instructions"}],
        "input.messages": [{"role": "user", "parts": [{"type": "text", "content": "Secret prompt"}]}],
        "output.messages": [
            {"role": "assistant", "parts": [{"type": "text", "content": "Secret answer"}], "finish_reason": "stop"}
        ],
    }


async def test_without_a_trace_of_the_host_the_runs_id_makes_one(told: Told) -> None:
    await call(COMPLETION)
    told.telemetry.run_ended(RUN)

    spans = told.spans
    run, attempt, chat = (spans[name] for name in ("invoke_workflow sectioning", "invoke_agent auditor", "chat my-gpt"))
    assert {span.context.trace_id for span in (run, attempt, chat) if span.context} == {trace_id_of("run-1")}
    assert run.parent is None
    assert run.context is not None
    assert run.context.span_id == span_id_of("run-1")
    assert [span.parent.span_id if span.parent else None for span in (attempt, chat)] == [
        span_id_of("run-1"),
        attempt.context.span_id if attempt.context else None,
    ]
    assert (run.end_time or 0) - (run.start_time or 0) == 3_000_000_000


async def test_calls_side_by_side_keep_apart(told: Told) -> None:
    async def one(number: int) -> None:
        with telemetry.attempt(replace(ATTEMPT, agent=f"a{number}", branch=f"b{number}")):
            await asyncio.sleep(0)
            model = ToldModel(Answers(COMPLETION), replace(SETTINGS, model=f"m{number}"))
            await model.complete(AGENT, "Secret prompt", 5.0)

    await asyncio.gather(*(one(number) for number in range(20)))

    spans = told.spans
    for number in range(20):
        chat, attempt = spans[f"chat m{number}"], spans[f"invoke_agent a{number}"]
        assert (chat.attributes or {})["chorus.branch"] == f"b{number}"
        assert chat.parent is not None
        assert attempt.context is not None
        assert chat.parent.span_id == attempt.context.span_id


async def test_the_sampler_of_the_environment_decides_for_a_run_as_a_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OTEL_TRACES_SAMPLER", "parentbased_traceidratio")
    monkeypatch.setenv("OTEL_TRACES_SAMPLER_ARG", "0.5")
    told = Told()
    runs = [f"run-{number}" for number in range(40)]
    for run_id in runs:
        with told.telemetry.attempt(replace(ATTEMPT, run_id=run_id, agent=run_id)):
            pass
        told.telemetry.run_ended(replace(RUN, run_id=run_id, pattern=run_id))

    whole = {name.partition(" ")[2] for name in told.spans}
    assert 0 < len(whole) < len(runs)
    assert len(told.spans) == 2 * len(whole)
    told.telemetry.close()


async def test_what_is_logged_during_an_attempt_has_its_run_and_branch(told: Told) -> None:
    log = logging.getLogger("chorus.test_telemetry")
    log.addHandler(told.telemetry.log_handler)
    try:
        with telemetry.attempt(ATTEMPT):
            log.warning("The answer %d was odd", 7)
            log.debug("Secret words")
    finally:
        log.removeHandler(told.telemetry.log_handler)

    [(body, attributes)] = told.logs
    assert body == "The answer 7 was odd"
    assert {
        "chorus.run_id": "run-1",
        "chorus.branch": "gaps",
        "chorus.recipe": "research",
    }.items() <= attributes.items()


def test_what_is_logged_outside_of_an_attempt_has_the_run_that_it_names(told: Told) -> None:
    log = logging.getLogger("chorus.test_telemetry")
    log.addHandler(told.telemetry.log_handler)
    try:
        log.warning("Callback of run %s", "run-1", extra={"run_id": "run-1"})
    finally:
        log.removeHandler(told.telemetry.log_handler)

    [(body, attributes)] = told.logs
    assert (body, attributes["chorus.run_id"]) == ("Callback of run run-1", "run-1")


def test_a_run_that_cannot_be_told_of_ends_all_the_same(told: Told) -> None:
    telemetry.run_ended({"id": "no result of a run"})

    assert told.spans == {}
