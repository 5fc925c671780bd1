"""Recorded histories: how they are stored, and the turns that they consist of."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from durabletask.internal import orchestrator_service_pb2 as pb
from google.protobuf import json_format

FOLDER = Path(__file__).parent / "histories"

DECISIONS = {"timerCreated", "taskScheduled", "subOrchestrationInstanceCreated", "eventSent"}
"""The events that an orchestrator's decisions leave in its history; all others come to it from outside."""


@dataclass(frozen=True, slots=True)
class Turn:
    """One waking of an orchestrator: what it knew, what was new, and what it decided."""

    past: list[pb.HistoryEvent]
    new: list[pb.HistoryEvent]
    decided: list[pb.HistoryEvent]


@dataclass(frozen=True, slots=True)
class History:
    """The whole history of one orchestration that has ended."""

    name: str
    orchestrator: str
    instance_id: str
    events: list[pb.HistoryEvent]

    @classmethod
    def load(cls, path: Path) -> History:
        stored = json.loads(path.read_text())
        events = [json_format.ParseDict(event, pb.HistoryEvent()) for event in stored["events"]]
        return cls(path.stem, stored["orchestrator"], stored["instance_id"], events)

    @property
    def path(self) -> Path:
        """Its file."""
        return FOLDER / f"{self.name}.json"

    @property
    def version(self) -> str | None:
        """Of the orchestration: `defaultVersion` of host.json when it was recorded; None if there was none yet."""
        started = next(event.executionStarted for event in self.events if event.HasField("executionStarted"))
        return started.version.value if started.HasField("version") else None

    def of_version(self, version: str | None) -> History:
        """The same history, as if the run were of this version."""
        events = [_of_version(event, version) for event in self.events]
        return History(self.name, self.orchestrator, self.instance_id, events)

    def save(self) -> Path:
        """Write the history to its file and return its path."""
        stored = {
            "orchestrator": self.orchestrator,
            "instance_id": self.instance_id,
            "events": [json_format.MessageToDict(_without_stack(event)) for event in self.events],
        }
        self.path.write_text(json.dumps(stored, indent=1, ensure_ascii=False) + "\n")
        return self.path

    def turns(self) -> Iterator[Turn]:
        """The turns in their order: each from `orchestratorStarted` up to the next."""
        starts = [index for index, event in enumerate(self.events) if event.HasField("orchestratorStarted")]
        for start, end in zip(starts, [*starts[1:], len(self.events)], strict=True):
            turn = self.events[start:end]
            decided = [event for event in turn if event.WhichOneof("eventType") in {*DECISIONS, "executionCompleted"}]
            framed = {*DECISIONS, "executionCompleted", "orchestratorCompleted"}
            new = [event for event in turn if event.WhichOneof("eventType") not in framed]
            yield Turn(self.events[:start], new, decided)

    def result(self) -> Any:
        """What the orchestration returned."""
        return json.loads(self.events[-1].executionCompleted.result.value)


def _of_version(event: pb.HistoryEvent, version: str | None) -> pb.HistoryEvent:
    if not event.HasField("executionStarted"):
        return event
    copy = pb.HistoryEvent()
    copy.CopyFrom(event)
    copy.executionStarted.ClearField("version")
    if version is not None:
        copy.executionStarted.version.value = version
    return copy


def _without_stack(event: pb.HistoryEvent) -> pb.HistoryEvent:
    """A copy without stack traces: orchestrators do not see them, and they name files of one machine."""
    copy = pb.HistoryEvent()
    copy.CopyFrom(event)
    failed = getattr(copy, copy.WhichOneof("eventType") or "")
    if hasattr(failed, "failureDetails"):
        failed.failureDetails.ClearField("stackTrace")
    return copy


def recorded() -> list[History]:
    """All recorded histories, by name."""
    return [History.load(path) for path in sorted(FOLDER.glob("*.json"))]


def history(name: str) -> History:
    """A recorded history."""
    return History.load(FOLDER / f"{name}.json")
