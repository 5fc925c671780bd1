"""Attempts are told of by the activities that make them."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta

import pytest

from activities.call_agent import call_agent
from activities.unit_calls import reply_while_wanted
from shared.contracts.agent import AgentSpec
from shared.contracts.branch import AgentCall, BranchError
from shared.contracts.work import RunFolder, Unit, UnitCall, UnitReply, Work
from shared.telemetry import telemetry
from shared.telemetry.facts import AttemptFacts, ChatFacts, RunFacts
from shared.telemetry.telemetry import AttemptUnderWay, ChatUnderWay, Silent

NO_CLIENT = ""
DEADLINE = datetime.now(UTC) + timedelta(minutes=1)


class Heard:
    """A `Telemetry` that keeps attempts, and the codes of those that failed."""

    def __init__(self) -> None:
        self.attempts: list[AttemptFacts] = []
        self.codes: list[str] = []

    @contextmanager
    def attempt(self, facts: AttemptFacts) -> Generator[AttemptUnderWay]:
        self.attempts.append(facts)
        yield self

    def failed(self, code: str) -> None:
        self.codes.append(code)

    @contextmanager
    def chat(self, facts: ChatFacts) -> Generator[ChatUnderWay]:
        yield Silent()

    def run_ended(self, facts: RunFacts) -> None:
        raise AssertionError("activities tell of no runs")


@pytest.fixture
def heard() -> Iterator[Heard]:
    heard = Heard()
    telemetry.tell_by(heard)
    yield heard
    telemetry.tell_by(None)


def unit_call() -> UnitCall:
    return UnitCall(
        folder=RunFolder(container="c", name="run-1/", run_id="run-1"),
        stage="reduce-1",
        unit=Unit(name="3.17", works=[Work(name="w", place=None)]),
        attempt=2,
        instance="run-1:shard",
        deadline=DEADLINE,
        recipe="research",
    )


@pytest.mark.parametrize("code", [None, "document_gone"])
async def test_an_attempt_at_a_unit_is_told_by_its_unit_and_stage(heard: Heard, code: str | None) -> None:
    error = None if code is None else BranchError(code=code, message="Secret words", retriable=False)

    async def work() -> UnitReply:
        await asyncio.sleep(0.06)
        return UnitReply(error=error)

    began_s = time.monotonic()
    reply = await reply_while_wanted(NO_CLIENT, unit_call(), work())

    assert reply.error == error
    assert reply.worked_s is not None
    assert 0.05 <= reply.worked_s <= time.monotonic() - began_s + 0.001
    assert heard.attempts == [AttemptFacts("run-1", "3.17", 2, "reduce-1", "research")]
    assert heard.codes == ([] if code is None else [code])


async def test_an_attempt_that_could_not_even_call_its_model_is_told_as_failed(
    heard: Heard, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("AZURE_OPENAI_ENDPOINT", "OPENAI_API_KEY", "OPENAI_BASE_URL"):
        monkeypatch.delenv(name, raising=False)
    call = AgentCall(
        run_id="run-1",
        branch="gaps",
        attempt=1,
        instance="run-1:gaps",
        agent=AgentSpec(name="auditor", instructions="Look for gaps."),
        prompt="A policy.",
        deadline=DEADLINE,
    )

    await call_agent(call.model_dump(mode="json"), NO_CLIENT)

    assert heard.attempts == [AttemptFacts("run-1", "gaps", 1, "auditor")]
    assert heard.codes == ["not_configured"]
