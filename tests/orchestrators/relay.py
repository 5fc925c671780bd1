"""Stages on the in-memory engine: pages of small units, and scripted activities that note when they were called."""

from __future__ import annotations

import json
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass
from typing import Any, override

from azure.durable_functions.internal.compat.orchestration_context import wrap_orchestrator
from durabletask.internal import orchestrator_service_pb2 as pb

from activities.names import CANCEL_EVENT, CLOSE_PAGE, OPEN_PAGE, READ_DOCUMENTS, shard_instance_id, unit_call_id
from orchestrators.run import Run
from orchestrators.stage import run_stage
from shared.contracts.policy import RunPolicy
from shared.contracts.work import ClosePage, OpenedPage, OpenPage, RunFolder, Stage, Unit, UnitCall, Work
from tests.orchestrators.durable import LIMIT_S, Durable
from tests.orchestrators.fake_context import JSON

STAGED = "staged"
FOLDER = RunFolder(container="runs", name="out/run-1/", run_id="run-1")
THREADS = 100
"""Each call holds one."""
ANSWERED: JSON = {
    "error": None,
    "retry_after_s": None,
    "usage": {"model_calls": 1, "input_tokens": 10, "output_tokens": 5, "total_tokens": 15},
    "unanswered": [],
}


def staged(context: Any) -> Generator[Any, Any, Any]:
    """A run of one stage, which returns the stage's outcome."""
    given = context.get_input()
    run = Run.start(context, "map_reduce", RunPolicy(**given["policy"]), None)
    outcome = yield from run_stage(run, Stage.model_validate(given["stage"]))
    run.deadline_timer.cancel()  # type: ignore[attr-defined]
    tally = outcome.tally.model_dump(mode="json")
    return {**tally, "missing": outcome.missing, "interruption": outcome.interruption, "spent": run.budget.spent}


def refusal(code: str, *, retriable: bool = False, retry_after_s: float | None = None) -> JSON:
    """A `UnitReply` with an error."""
    usage = {"model_calls": 1, "input_tokens": 0, "output_tokens": 0, "total_tokens": 0}
    error = {"code": code, "message": f"{code}!", "retriable": retriable}
    return {"error": error, "retry_after_s": retry_after_s, "usage": usage, "unanswered": []}


def unit(name: str, *works: str) -> Unit:
    """A unit of these works, or of one that has its name."""
    return Unit(name=name, works=[Work(name=work, tokens=10, place=None) for work in works or [f"d{name}"]])


def singles(pages: int, per_page: int) -> list[list[Unit]]:
    """`pages` pages of units `1.1`, `1.2`, … of one work each."""
    return [[unit(f"{page}.{number}") for number in range(1, per_page + 1)] for page in range(1, pages + 1)]


@dataclass(slots=True)
class Reading:
    """A call of the stage's activity, in seconds of the machine's clock."""

    unit: str
    attempt: int
    shard: str
    began: float
    ended: float | None = None


class Pages:
    """The scripted activities of a stage: `open_page`, `close_page`, and the call of a unit.

    A call takes `seconds` of its unit, waits if it is held, and ends with the next of the unit's answers.
    """

    def __init__(self, pages: Sequence[Sequence[Unit]] = ()) -> None:
        self.pages = pages
        self.readings: list[Reading] = []
        self.closed: dict[int, ClosePage] = {}
        self.opened: list[OpenPage] = []
        self.answered: set[str] = set()
        self.seconds: Callable[[str], float] = lambda _: 0.0
        self.most = 0
        self._running = 0
        self._answers: dict[str, Sequence[JSON | Exception]] = {}
        self._gates: dict[str, threading.Event] = defaultdict(threading.Event)
        self._given_up: dict[str, threading.Event] = {}
        self._held: set[str] = set()
        self.breaks_on: set[int] = set()
        self.closing_breaks: dict[int, int] = {}
        """How often the page with this number cannot be closed."""
        self.may_close = threading.Event()
        self.may_close.set()
        self._changed = threading.Condition()

    def answer(self, name: str, *replies: JSON | Exception) -> None:
        """Let call number n for a unit end with the n-th of `replies`, and later ones with the last."""
        self._answers[name] = replies

    def hold(self, *units: str) -> None:
        """Let the calls for these units wait until they are let go; `3.1~2` is the second call for `3.1`."""
        self._held.update(units)

    def let_go(self, name: str) -> None:
        self._gates[name].set()

    def let_all_go(self) -> None:
        self.may_close.set()
        for name in self._held:
            self.let_go(name)

    def wait_until(self, holds: Callable[[], bool]) -> None:
        """Wait until `holds` does; it is asked whenever a call begins or ends."""
        with self._changed:
            assert self._changed.wait_for(holds, LIMIT_S), self.readings[-5:]

    @property
    def running(self) -> int:
        return self._running

    def open_page(self, _: Any, given: JSON) -> JSON:
        asked = OpenPage.model_validate(given)
        self.opened.append(asked)
        if asked.number in self.breaks_on:
            raise RuntimeError("no such page")
        units, reused = list(self.pages[asked.number - 1]), list[str]()
        if asked.redrive_of is not None:
            reused = [work.name for one in units for work in one.works if work.name in self.answered]
            left = [(one, [work for work in one.works if work.name not in reused]) for one in units]
            units = [Unit(name=one.name, works=works) for one, works in left if works]
        return OpenedPage(units=units, reused=reused).model_dump(mode="json")

    def close_page(self, _: Any, given: JSON) -> JSON:
        asked = ClosePage.model_validate(given)
        assert self.may_close.wait(LIMIT_S), "nobody lets pages be closed"
        if left := self.closing_breaks.get(asked.number, 0):
            self.closing_breaks[asked.number] = left - 1
            raise RuntimeError("no such folder")
        with self._changed:
            self.closed[asked.number] = asked
            self._changed.notify_all()
        return {}

    def read(self, _: Any, given: JSON) -> JSON:
        call = UnitCall.model_validate(given)
        reading = Reading(call.unit.name, call.attempt, call.instance, time.monotonic())
        stopped = self._given_up.setdefault(
            unit_call_id(call.instance, call.unit.name, call.attempt), threading.Event()
        )
        with self._changed:
            self.readings.append(reading)
            self._running += 1
            self.most = max(self.most, self._running)
            self._changed.notify_all()
        try:
            return self._reply(call, stopped)
        finally:
            with self._changed:
                reading.ended = time.monotonic()
                self._running -= 1
                self._changed.notify_all()

    def _reply(self, call: UnitCall, stopped: threading.Event) -> JSON:
        if stopped.wait(self.seconds(call.unit.name)):
            return refusal("call_given_up", retriable=True)
        for name in (call.unit.name, f"{call.unit.name}~{call.attempt}"):
            until = time.monotonic() + LIMIT_S
            while name in self._held and not self._gates[name].wait(0.01):
                if stopped.is_set():
                    return refusal("call_given_up", retriable=True)
                assert time.monotonic() < until, f"nobody let {name!r} go"
        replies = self._answers.get(call.unit.name, [ANSWERED])
        reply = replies[min(call.attempt, len(replies)) - 1]
        if isinstance(reply, Exception):
            raise reply
        if reply["error"] is None:
            self.answered |= {work.name for work in call.unit.works} - {*reply["unanswered"]}
        return reply

    def give_up(self, prefix: str) -> None:
        """As `IN_FLIGHT` does it in a real worker."""
        for name, event in list(self._given_up.items()):
            if name.startswith(prefix):
                event.set()


class Stages(Durable):
    """`Durable` with a run of one stage."""

    def __init__(self, pages: Pages | None = None) -> None:
        self.pages = pages or Pages()
        super().__init__(threads=THREADS)
        registry = self._worker._registry
        registry.add_named_orchestrator(STAGED, wrap_orchestrator(staged))
        registry.add_named_activity(OPEN_PAGE, self.pages.open_page)
        registry.add_named_activity(CLOSE_PAGE, self.pages.close_page)
        registry.add_named_activity(READ_DOCUMENTS, self.pages.read)

    @override
    def __exit__(self, *exc: object) -> None:
        self.pages.let_all_go()
        super().__exit__(*exc)

    @override
    def _stop_calls(self, _: Any, given: JSON) -> int:
        told = super()._stop_calls(_, given)
        for prefix in [given["prefix"]] if given["prefix"] else given["instances"]:
            self.pages.give_up(prefix)
        return told

    def start_stage(
        self, pages: Sequence[Sequence[Unit]], *, max_output_tokens: int | None = None, **policy: Any
    ) -> None:
        """Start a run whose one stage has these pages."""
        self.pages.pages = pages
        works = sum(len(one.works) for page in pages for one in page)
        stage = Stage(
            name="map", call=READ_DOCUMENTS, folder=FOLDER, pages=len(pages), works=works,
            max_output_tokens=max_output_tokens,
        )  # fmt: skip
        given = {"stage": stage.model_dump(mode="json"), "policy": policy}
        self.client.schedule_new_orchestration(STAGED, input=given, instance_id=self.run_id)

    def told_by_shard(self, number: int) -> JSON | None:
        """The custom status of a shard of the stage."""
        state = self.client.get_orchestration_state(self.shard_id(number))
        return json.loads(state.serialized_custom_status or "null") if state else None

    def run_stage(self, pages: Sequence[Sequence[Unit]], **policy: Any) -> JSON:
        """Run it to its end."""
        self.start_stage(pages, **policy)
        return self.result()

    def shard_id(self, number: int, replacement: int = 0) -> str:
        return shard_instance_id(self.run_id, "map", number, replacement=replacement)

    def shard_history(self, number: int) -> list[pb.HistoryEvent]:
        return self.history(self.shard_id(number))

    def cancel(self) -> None:
        self.client.raise_orchestration_event(self.run_id, CANCEL_EVENT)
