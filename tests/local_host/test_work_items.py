"""The engine's work items, taken and completed by hand in an order that no real worker could be made to keep."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import grpc
import pytest
from durabletask.internal import helpers
from durabletask.internal import orchestrator_service_pb2 as pb

from local_host.direct_call import DirectCall, EngineRefusedError
from local_host.engine import LocalEngine

DIRECT = DirectCall().context


class Hand:
    """Does a worker's job step by step."""

    def __init__(self, engine: LocalEngine) -> None:
        self.engine = engine
        self.call = DirectCall()
        self.items: Iterator[pb.WorkItem] = engine.work_items(self.call)

    def start(self, instance_id: str, name: str = "any") -> None:
        self.engine.StartInstance(pb.CreateInstanceRequest(instanceId=instance_id, name=name), DIRECT)

    def take(self) -> pb.WorkItem:
        """Return the next work item; fail if the engine goes to sleep first."""
        waits: list[float | None] = []
        self.engine._work_available.wait = lambda timeout=None: self._slept(waits, timeout)  # type: ignore[method-assign]
        return next(self.items)

    def _slept(self, waits: list[float | None], timeout: float | None) -> bool:
        waits.append(timeout)
        if len(waits) > 1:  # the first look after a wake-up may find what was there before
            self.call.cancel()
        return True

    def decide(self, item: pb.WorkItem, *actions: pb.OrchestratorAction) -> None:
        response = pb.OrchestratorResponse(
            instanceId=item.orchestratorRequest.instanceId, completionToken=item.completionToken, actions=actions
        )
        self.engine.CompleteOrchestratorTask(response, DIRECT)

    def answer(self, item: pb.WorkItem, result: Any) -> None:
        request = item.activityRequest
        response = pb.ActivityResponse(
            instanceId=request.orchestrationInstance.instanceId,
            taskId=request.taskId,
            completionToken=item.completionToken,
            result=helpers.get_string_value(json.dumps(result)),
        )
        self.engine.CompleteActivityTask(response, DIRECT)

    def new_events(self, instance_id: str) -> list[str]:
        """Take the next orchestrator item and return the kinds of its new events."""
        item = self.take()
        assert item.orchestratorRequest.instanceId == instance_id
        return [event.WhichOneof("eventType") or "" for event in item.orchestratorRequest.newEvents]


@pytest.fixture
def hand(engine: LocalEngine) -> Hand:
    return Hand(engine)


def schedule(task_id: int) -> pb.OrchestratorAction:
    return helpers.new_schedule_task_action(task_id, "work", None, None)


def complete(status: Any = pb.ORCHESTRATION_STATUS_COMPLETED) -> pb.OrchestratorAction:
    return helpers.new_complete_orchestration_action(99, status, '"result"')


CONTINUE = pb.ORCHESTRATION_STATUS_CONTINUED_AS_NEW


def raise_event(engine: LocalEngine, instance_id: str) -> None:
    engine.RaiseEvent(pb.RaiseEventRequest(instanceId=instance_id, name="go"), DIRECT)


def results(item: pb.WorkItem) -> list[str]:
    events = item.orchestratorRequest.newEvents
    return [event.taskCompleted.result.value for event in events if event.HasField("taskCompleted")]


def test_a_result_for_an_earlier_execution_is_dropped(hand: Hand) -> None:
    hand.start("a")
    hand.decide(hand.take(), schedule(1), complete(CONTINUE))
    first, second = hand.take(), hand.take()
    stale, continued = (first, second) if first.HasField("activityRequest") else (second, first)
    hand.decide(continued, schedule(1))
    fresh = hand.take()
    hand.answer(stale, "old")
    hand.answer(fresh, "new")
    assert results(hand.take()) == ['"new"']


@pytest.mark.parametrize("anew", ["restart", "purge", "start"])
def test_a_result_for_an_instance_that_was_made_anew_is_dropped(hand: Hand, anew: str) -> None:
    hand.start("a")
    hand.decide(hand.take(), schedule(1), complete())
    stale = hand.take()
    if anew == "restart":
        hand.engine.RestartInstance(pb.RestartInstanceRequest(instanceId="a"), DIRECT)
    elif anew == "purge":
        hand.engine.PurgeInstances(pb.PurgeInstancesRequest(instanceId="a"), DIRECT)
        hand.answer(stale, "nobody is there")
        hand.start("a")
    else:
        hand.start("a")
    hand.decide(hand.take(), schedule(1))
    fresh = hand.take()
    hand.answer(stale, "old")
    hand.answer(fresh, "new")
    assert results(hand.take()) == ['"new"']


def test_a_result_of_an_earlier_executions_child_is_dropped(hand: Hand) -> None:
    hand.start("a")
    hand.decide(
        hand.take(),
        helpers.new_create_sub_orchestration_action(1, "child", "a:old", None, None),
        complete(CONTINUE),
    )
    items = {item.orchestratorRequest.instanceId: item for item in (hand.take(), hand.take())}
    hand.decide(items["a"], helpers.new_create_sub_orchestration_action(1, "child", "a:new", None, None))
    hand.decide(items["a:old"], complete())
    fresh = hand.take()
    assert fresh.orchestratorRequest.instanceId == "a:new"
    hand.decide(fresh, complete())
    assert hand.new_events("a") == ["orchestratorStarted", "subOrchestrationInstanceCompleted"]


def test_an_instance_in_flight_does_not_hold_up_the_others(hand: Hand) -> None:
    hand.start("a")
    in_flight = hand.take()
    raise_event(hand.engine, "a")
    hand.start("b")
    assert hand.take().orchestratorRequest.instanceId == "b"
    hand.decide(in_flight)
    assert hand.new_events("a") == ["orchestratorStarted", "eventRaised"]


def test_a_stale_completion_does_not_lose_what_arrived_meanwhile(hand: Hand) -> None:
    hand.start("a")
    item = hand.take()
    raise_event(hand.engine, "a")
    late = pb.WorkItem()
    late.CopyFrom(item)
    late.completionToken = "0"
    hand.decide(late)
    assert hand.new_events("a") == ["eventRaised"]


def test_what_arrives_for_an_ended_instance_does_not_run_it_again(hand: Hand) -> None:
    hand.start("a")
    hand.decide(hand.take(), schedule(1), complete())
    hand.answer(hand.take(), "too late")
    hand.start("b")
    assert hand.take().orchestratorRequest.instanceId == "b"


def test_children_started_in_the_last_turn_of_a_terminated_parent_are_terminated_too(hand: Hand) -> None:
    hand.start("a")
    item = hand.take()
    hand.engine.TerminateInstance(pb.TerminateRequest(instanceId="a", recursive=True), DIRECT)
    hand.decide(item, helpers.new_create_sub_orchestration_action(1, "child", "a:child", None, None))
    items = {i.orchestratorRequest.instanceId: i for i in (hand.take(), hand.take())}
    hand.decide(items["a:child"])
    hand.decide(items["a"], complete(pb.ORCHESTRATION_STATUS_TERMINATED))
    assert hand.new_events("a:child") == ["orchestratorStarted", "executionTerminated"]


def test_histories_may_grow_beyond_ten_thousand_events(hand: Hand) -> None:
    hand.start("a")
    far = datetime.now(UTC) + timedelta(days=1)
    hand.decide(hand.take(), *(helpers.new_create_timer_action(n, far) for n in range(10_050)))
    raise_event(hand.engine, "a")
    hand.decide(hand.take(), complete())
    response = hand.engine.GetInstance(pb.GetInstanceRequest(instanceId="a"), DIRECT)
    assert response.orchestrationState.orchestrationStatus == pb.ORCHESTRATION_STATUS_COMPLETED


def test_work_that_is_handed_back_is_handed_out_again(hand: Hand) -> None:
    hand.start("a")
    lost = hand.take()
    hand.engine.hand_back(lost)
    raise_event(hand.engine, "a")
    again = hand.take()
    kinds = [event.WhichOneof("eventType") for event in again.orchestratorRequest.newEvents]
    assert kinds == ["orchestratorStarted", "executionStarted", "eventRaised"]
    hand.decide(lost, complete())
    assert hand.engine._instances["a"].status == pb.ORCHESTRATION_STATUS_PENDING
    hand.decide(again, schedule(1))
    activity = hand.take()
    hand.engine.hand_back(activity)
    assert hand.take() == activity


def test_an_entity_batch_that_is_handed_back_is_handed_out_again(hand: Hand) -> None:
    signal = pb.SignalEntityRequest(instanceId="@counter@1", name="add", requestId="r")
    hand.engine.SignalEntity(signal, DIRECT)
    batch = hand.take()
    hand.engine.hand_back(batch)
    assert hand.take().entityRequestV2 == batch.entityRequestV2


def test_a_direct_call_is_refused_with_the_code_that_grpc_would_answer(hand: Hand) -> None:
    with pytest.raises(EngineRefusedError, match="'nobody' not found") as refused:
        raise_event(hand.engine, "nobody")
    assert refused.value.code == grpc.StatusCode.NOT_FOUND


def test_a_cancelled_call_ends_the_stream_of_work_items(engine: LocalEngine) -> None:
    call = DirectCall()
    taken: list[pb.WorkItem] = []
    taker = threading.Thread(target=lambda: taken.extend(engine.work_items(call)))
    taker.start()
    call.cancel()
    engine.wake()
    taker.join(5)
    assert not taker.is_alive()
    assert taken == []
