from __future__ import annotations

import asyncio
import logging
from dataclasses import dataclass
from typing import Any

import grpc
import pytest
from durabletask.client import OrchestrationQuery, OrchestrationStatus
from pydantic import ValidationError

from activities.in_flight import IN_FLIGHT, CallGivenUpError
from activities.names import (
    STOP_EVENT,
    attempt_instance_id,
    attempt_of,
    children_prefix,
    run_of,
    shard_instance_id,
    unit_call_id,
)
from activities.stop_calls import MAX_AT_ONCE, stop_calls
from shared.contracts.stop import StopCalls, StopShards


class RpcError(Exception):
    """A refusal as the durable client passes it on."""

    def __init__(self, code: grpc.StatusCode) -> None:
        super().__init__(code.name)
        self._code = code

    def code(self) -> grpc.StatusCode:
        return self._code


@dataclass(frozen=True)
class State:
    instance_id: str
    runtime_status: OrchestrationStatus = OrchestrationStatus.RUNNING


class FakeClient:
    """As much of the durable client as the activity uses; `broken` says which instances refuse, and how."""

    def __init__(
        self, *states: State, broken: dict[str, Exception] | None = None, hub: Exception | None = None
    ) -> None:
        self.raised: list[tuple[str, str]] = []
        self.reasons: list[str] = []
        self.queries: list[OrchestrationQuery] = []
        self.most_at_once = 0
        self._states = states
        self._broken = broken or {}
        self._hub = hub
        self._at_once = 0

    async def get_all_orchestration_states(self, query: OrchestrationQuery) -> list[State]:
        self.queries.append(query)
        if self._hub is not None:
            raise self._hub
        prefix, wanted = query.instance_id_prefix, query.runtime_status
        assert prefix is not None
        assert wanted is not None
        return [s for s in self._states if s.instance_id.startswith(prefix) and s.runtime_status in wanted]

    async def raise_orchestration_event(self, instance_id: str, event_name: str, *, data: Any = None) -> None:
        self._at_once += 1
        self.most_at_once = max(self.most_at_once, self._at_once)
        await asyncio.sleep(0)  # the others get a turn
        self._at_once -= 1
        if instance_id in self._broken:
            raise self._broken[instance_id]
        self.raised.append((instance_id, event_name))
        self.reasons += [data] if data else []


async def stop(client: FakeClient, **given: Any) -> int:
    """The activity, with an input as history has it."""
    stub: Any = client
    return await stop_calls(StopCalls(**given).model_dump(mode="json"), stub)


async def test_calls_are_told_by_their_names() -> None:
    client = FakeClient()

    assert await stop(client, instances=["r:a", "r:b~2h"]) == 2
    assert client.raised == [("r:a", STOP_EVENT), ("r:b~2h", STOP_EVENT)]
    assert client.queries == []


async def test_by_prefix_every_call_that_has_not_ended_is_told() -> None:
    states = [State(f"r:{status.name}", status) for status in OrchestrationStatus]
    client = FakeClient(*states, State("r2:a"), State("r"))

    assert await stop(client, prefix="r:") == 3
    assert client.raised == [("r:RUNNING", STOP_EVENT), ("r:PENDING", STOP_EVENT), ("r:SUSPENDED", STOP_EVENT)]


async def test_the_task_hub_filters_and_sends_no_payloads() -> None:
    client = FakeClient(State("r:a"))

    await stop(client, prefix="r:")

    [query] = client.queries
    assert query.instance_id_prefix == "r:"
    assert set(query.runtime_status or []) == {
        OrchestrationStatus.PENDING,
        OrchestrationStatus.RUNNING,
        OrchestrationStatus.SUSPENDED,
    }
    assert not query.fetch_inputs_and_outputs


async def test_a_prefix_under_which_nothing_runs_is_no_work() -> None:
    client = FakeClient(State("r:a", OrchestrationStatus.COMPLETED))

    assert await stop(client, prefix="r:") == 0
    assert client.raised == []


@pytest.mark.parametrize("code", [grpc.StatusCode.NOT_FOUND, grpc.StatusCode.FAILED_PRECONDITION])
async def test_one_that_is_gone_has_stopped(code: grpc.StatusCode, caplog: pytest.LogCaptureFixture) -> None:
    client = FakeClient(broken={"r:a": RpcError(code)})

    with caplog.at_level(logging.WARNING):
        assert await stop(client, instances=["r:a", "r:b"]) == 2

    assert [instance for instance, _ in client.raised] == ["r:b"]
    assert caplog.text == ""


@pytest.mark.parametrize("error", [RpcError(grpc.StatusCode.UNAVAILABLE), OSError("cut off")])
async def test_one_that_cannot_be_reached_keeps_no_other_from_it(
    error: Exception, caplog: pytest.LogCaptureFixture
) -> None:
    client = FakeClient(broken={"r:a": error})

    with caplog.at_level(logging.WARNING):
        assert await stop(client, instances=["r:a", "r:b", "r:c"]) == 2

    assert [instance for instance, _ in client.raised] == ["r:b", "r:c"]
    assert "Could not stop 1 of 3 calls" in caplog.text
    assert type(error).__name__ in caplog.text
    assert "cut off" not in caplog.text


@pytest.mark.parametrize("given", [{"instances": ["r:a", "r:b"]}, {"prefix": "r:"}])
async def test_calls_of_this_process_are_given_up_at_once_whether_they_could_be_told_or_not(
    given: dict[str, Any],
) -> None:
    client = FakeClient(State("r:a"), State("r:b"), State("r2:c"), broken={"r:b": OSError("cut off")})
    calls = {name: asyncio.ensure_future(in_flight(name)) for name in ("r:a", "r:b", "r2:c")}
    await asyncio.sleep(0)

    await stop(client, **given)

    for name in ("r:a", "r:b"):
        with pytest.raises(CallGivenUpError, match=name):
            await calls[name]
    assert not calls["r2:c"].done()
    calls["r2:c"].cancel()


async def in_flight(instance: str) -> None:
    """A call that would never be answered, for the orchestration `instance`."""

    async def is_wanted() -> bool:
        return True

    await IN_FLIGHT.answer(instance, asyncio.Event().wait(), is_wanted)


async def test_a_task_hub_that_does_not_answer_fails_the_activity_which_nobody_waits_for() -> None:
    with pytest.raises(RpcError, match="UNAVAILABLE"):
        await stop(FakeClient(hub=RpcError(grpc.StatusCode.UNAVAILABLE)), prefix="r:")


async def test_so_many_events_and_no_more_are_on_their_way_at_a_time() -> None:
    client = FakeClient(*(State(f"r:d{number}") for number in range(MAX_AT_ONCE * 3)))

    assert await stop(client, prefix="r:") == MAX_AT_ONCE * 3
    assert client.most_at_once == MAX_AT_ONCE
    assert len(client.raised) == MAX_AT_ONCE * 3


@pytest.mark.parametrize("given", [{}, {"prefix": "r:", "instances": ["r:a"]}, {"instances": "r:a"}, {"prefix": 7}])
async def test_an_input_that_names_nothing_or_both_is_a_defect_and_raises(given: dict[str, Any]) -> None:
    client: Any = FakeClient(State("r:a"))

    with pytest.raises(ValidationError):
        await stop_calls(given, client)
    assert client.raised == []


# --- The names of calls ---


@pytest.mark.parametrize(
    ("branch", "number", "is_hedge", "instance_id"),
    [
        ("a.b", 1, False, "run:a.b"),
        ("a", 2, False, "run:a~2"),
        ("a", 2, True, "run:a~2h"),
        ("~synthesis", 1, False, "run:~synthesis"),
        ("~synthesis", 3, True, "run:~synthesis~3h"),
        ("h", 10, False, "run:h~10"),
        ("2h", 1, False, "run:2h"),
        ("log+2", 1, False, "run:log+2"),
        ("log+10", 2, True, "run:log+10~2h"),
    ],
)
def test_the_instance_id_of_a_call_tells_its_branch_and_whether_it_is_a_hedge(
    branch: str, number: int, is_hedge: bool, instance_id: str
) -> None:
    assert attempt_instance_id("run", branch, number, is_hedge=is_hedge) == instance_id
    assert attempt_of(instance_id) == (branch, is_hedge)
    assert run_of(instance_id) == "run"
    assert instance_id.startswith(children_prefix("run"))


NEW_ID = "fe6188f3a2c00123456789abcdef0123"
OLD_ID = "98f51d75cfbb42daaa57b5e1841474df"


def test_the_children_of_a_run_are_not_listed_among_the_runs() -> None:
    call = attempt_instance_id(NEW_ID, "a", 2)

    assert call == f"~{NEW_ID}:a~2"
    assert attempt_of(call) == ("a", False)
    assert run_of(call) == NEW_ID
    assert shard_instance_id(NEW_ID, "map", 2) == f"~{NEW_ID}:~map-00002"
    assert call > "f" * 32


def test_the_children_of_a_run_from_before_ids_had_an_order_keep_their_names() -> None:
    assert attempt_instance_id(OLD_ID, "a", 1) == f"{OLD_ID}:a"
    assert children_prefix(OLD_ID) == f"{OLD_ID}:"


def test_the_calls_of_another_run_have_another_prefix() -> None:
    assert not attempt_instance_id("run1", "a", 1).startswith(children_prefix("run"))


async def test_shards_are_told_why_they_stop() -> None:
    client: Any = FakeClient(State("run:~map-00001"), State("run:~reduce-1-00001"))
    asked = StopShards(prefix="run:~map-", reason="failure_tolerance_exceeded")
    assert await stop_calls(asked.model_dump(mode="json"), client) == 1
    assert (client.raised, client.reasons) == ([("run:~map-00001", "stop")], ["failure_tolerance_exceeded"])


async def test_a_shard_s_call_is_given_up_here_and_no_event_is_sent_for_it() -> None:
    client, call = FakeClient(), unit_call_id("run:~map-00001", "3.1", 1)
    waiting = asyncio.create_task(in_flight(call))
    await asyncio.sleep(0)
    await stop(client, instances=[call])
    with pytest.raises(CallGivenUpError):
        await waiting
    assert client.raised == []
