"""The metrics of the app."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from shared.telemetry.facts import AnswerFacts, ChatFacts, RunFacts, of_recipe

if TYPE_CHECKING:
    from opentelemetry.metrics import Meter

TOKEN_BOUNDS = tuple(4**power for power in range(14))
SECONDS_BOUNDS = tuple(0.01 * 2**power for power in range(14))
"""Both as the conventions say: 1 to 67 million tokens, and 0.01 to 81.92 s."""
RUN_SECONDS_BOUNDS = (1, 2, 5, 10, 20, 60, 120, 300, 600, 1_200, 3_600, 7_200, 21_600, 86_400)


class Instruments:
    """Counters and histograms. Runs count once, when they end; calls to models when they are made."""

    def __init__(self, meter: Meter) -> None:
        self._tokens = meter.create_histogram(
            "gen_ai.client.token.usage",
            "{token}",
            "Input and output tokens of a call to a model",
            explicit_bucket_boundaries_advisory=TOKEN_BOUNDS,
        )
        self._duration = meter.create_histogram(
            "gen_ai.client.operation.duration",
            "s",
            "Duration of a call to a model",
            explicit_bucket_boundaries_advisory=SECONDS_BOUNDS,
        )
        self._run_duration = meter.create_histogram(
            "chorus.run.duration",
            "s",
            "Duration of a run, from its start to its result",
            explicit_bucket_boundaries_advisory=RUN_SECONDS_BOUNDS,
        )
        self._branches = meter.create_counter("chorus.branches", "{branch}", "Branches of ended runs, by status")
        self._retries = meter.create_counter("chorus.retries", "{call}", "Calls after a branch's first, without hedges")
        self._hedges = meter.create_counter("chorus.hedges", "{call}", "Calls beside one that took long")
        self._saved = meter.create_counter("chorus.votes.saved", "{vote}", "Voters planned and not asked")

    def count_call(self, facts: ChatFacts, answer: AnswerFacts, seconds: float, recipe: str | None) -> None:
        """Count a call to a model."""
        dimensions = facts.dimensions | answer.dimensions | of_recipe(recipe)
        self._duration.record(seconds, dimensions)
        for kind, tokens in (("input", answer.input_tokens), ("output", answer.output_tokens)):
            if tokens is not None:
                self._tokens.record(tokens, dimensions | {"gen_ai.token.type": kind})

    def count_run(self, facts: RunFacts) -> None:
        """Count a run that has ended."""
        self._run_duration.record((facts.ended_at - facts.started_at).total_seconds(), facts.dimensions | facts.ending)
        branches: Mapping[tuple[str, str | None], int] = facts.branches or {}
        for (status, code), count in branches.items():
            why = {} if code is None else {"error.type": code}
            self._branches.add(count, {**facts.dimensions, "chorus.status": status, **why})
        for counter, count in ((self._retries, facts.retries), (self._hedges, facts.hedges)):
            counter.add(count, facts.dimensions)
        self._saved.add(facts.saved_votes, facts.dimensions)
