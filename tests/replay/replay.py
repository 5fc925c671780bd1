"""Replays a recorded history through the SDK's executor and compares the decisions, turn by turn."""

from __future__ import annotations

import base64
import json
from collections.abc import Sequence
from itertools import zip_longest
from typing import Any, cast

from azure.durable_functions.worker import DurableFunctionsWorker
from durabletask.internal import orchestrator_service_pb2 as pb

from tests.orchestrators.fake_context import Orchestrator
from tests.replay.history import History, Turn

Decision = dict[str, Any]

BREAKS_RUNS = (
    "Runs that are under way when this is deployed would go astray or fail. Keep the old order of decisions for runs "
    "of the old version (`context.version`), and raise `defaultVersion` in host.json: docs/operations.md#upgrades"
)
SAFE_FOR_RUNS = (
    "Only payloads differ: runs under way go on, with the new payload for what they have not yet asked for. "
    "If that is intended, record the histories anew: python -m tests.replay.record"
)


class DivergedError(AssertionError):
    """The orchestrator decides otherwise than the history tells."""


def replay(history: History, orchestrator: Orchestrator) -> int:
    """Replay every turn of `history`; return their number. Raises `DivergedError` at the first other decision."""
    turns = list(history.turns())
    for number, turn in enumerate(turns, start=1):
        decided = [of_action(action) for action in execute(history.instance_id, turn, orchestrator)]
        before = [of_event(event) for event in turn.decided]
        if decided != before:
            raise DivergedError(explain(history.name, number, before, decided))
    return len(turns)


def strays(history: History, orchestrator: Orchestrator) -> str | None:
    """Where a run with this history would go astray: the first other decision, payloads apart; None if nowhere."""
    for number, turn in enumerate(history.turns(), start=1):
        decided = [of_action(action) for action in execute(history.instance_id, turn, orchestrator)]
        before = [of_event(event) for event in turn.decided]
        if _shapes(decided) != _shapes(before):
            return explain(history.name, number, before, decided)
    return None


def order_of(history: History) -> list[Decision]:
    """All decisions in their order, without payloads and times: what two recordings of the same code have in common."""
    decisions = [of_event(event) for turn in history.turns() for event in turn.decided]
    return [{key: value for key, value in each.items() if key != "fire_at"} for each in _shapes(decisions)]


def execute(instance_id: str, turn: Turn, orchestrator: Orchestrator) -> list[pb.OrchestratorAction]:
    """Let the SDK wake the orchestrator for this turn, as the Functions worker does, and return its actions."""
    request = pb.OrchestratorRequest(instanceId=instance_id, pastEvents=turn.past, newEvents=turn.new)
    body = base64.b64encode(request.SerializeToString()).decode()
    answer = DurableFunctionsWorker().execute_orchestration_request(cast(Any, orchestrator), body)
    response = pb.OrchestratorResponse()
    response.ParseFromString(base64.b64decode(answer))
    return list(response.actions)


def of_event(event: pb.HistoryEvent) -> Decision:
    """A decision as history tells it."""
    match event.WhichOneof("eventType"):
        case "timerCreated":
            return _timer(event.eventId, event.timerCreated)
        case "taskScheduled":
            return _call("activity", event.eventId, event.taskScheduled)
        case "subOrchestrationInstanceCreated":
            return _child(event.eventId, event.subOrchestrationInstanceCreated)
        case "eventSent":
            sent = event.eventSent
            return _sent(event.eventId, sent.instanceId, sent.name, sent.input.value)
        case "executionCompleted":
            return _end(event.executionCompleted)
        case other:
            return {"kind": other, "event": str(event)}


def of_action(action: pb.OrchestratorAction) -> Decision:
    """A decision as the SDK hands it to the host, in the same form."""
    match action.WhichOneof("orchestratorActionType"):
        case "createTimer":
            return _timer(action.id, action.createTimer)
        case "scheduleTask":
            return _call("activity", action.id, action.scheduleTask)
        case "createSubOrchestration":
            return _child(action.id, action.createSubOrchestration)
        case "sendEvent":
            send = action.sendEvent
            return _sent(action.id, send.instance.instanceId, send.name, send.data.value)
        case "completeOrchestration":
            return _end(action.completeOrchestration)
        case other:
            return {"kind": other, "action": str(action)}


def explain(name: str, number: int, before: Sequence[Decision], decided: Sequence[Decision]) -> str:
    """What differs, and what that means for runs that are under way."""
    advice = SAFE_FOR_RUNS if _shapes(before) == _shapes(decided) else BREAKS_RUNS
    pairs = [(old, new) for old, new in zip_longest(before, decided) if old != new]
    differences = "\n".join(f"  recorded {_line(old)}\n  now      {_line(new)}" for old, new in pairs)
    return f"{name}, turn {number}: it decides otherwise than recorded\n{differences}\n{advice}"


def _timer(task_id: int, timer: Any) -> Decision:
    return {"kind": "timer", "id": task_id, "fire_at": timer.fireAt.ToJsonString()}


def _call(kind: str, task_id: int, call: Any) -> Decision:
    return {"kind": kind, "id": task_id, "name": call.name, "payload": _json(call.input.value)}


def _child(task_id: int, child: Any) -> Decision:
    return _call("child", task_id, child) | {"instance_id": child.instanceId}


def _sent(task_id: int, instance_id: str, name: str, data: str) -> Decision:
    return {"kind": "event", "id": task_id, "instance_id": instance_id, "name": name, "payload": _json(data)}


def _end(end: Any) -> Decision:
    status = pb.OrchestrationStatus.Name(end.orchestrationStatus)
    failure = end.failureDetails.errorMessage
    return {"kind": "end", "status": status, "payload": _json(end.result.value), "failure": failure}


def _json(text: str) -> Any:
    return json.loads(text) if text else None


def _shapes(decisions: Sequence[Decision]) -> list[Decision]:
    return [{key: value for key, value in decision.items() if key != "payload"} for decision in decisions]


def _line(decision: Decision | None) -> str:
    return json.dumps(decision, ensure_ascii=False) if decision else "nothing"
