"""The orchestrators under the SDK's own worker, on the in-memory engine, with a scripted `call_agent`."""

from __future__ import annotations

import asyncio
import logging
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Coroutine, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Self, cast

from azure.durable_functions.internal.compat.orchestration_context import wrap_orchestrator
from azure.durable_functions.internal.serialization import DEFAULT_FUNCTIONS_DATA_CONVERTER
from durabletask.client import AsyncTaskHubGrpcClient, TaskHubGrpcClient
from durabletask.grpc_options import GrpcChannelOptions
from durabletask.internal import orchestrator_service_pb2 as pb
from durabletask.worker import ConcurrencyOptions, TaskHubGrpcWorker

from activities.announce_end import announce_end
from activities.look_for_end import look_for_end
from activities.names import (
    AGENT_ATTEMPT,
    ANNOUNCE_END,
    CALL_AGENT,
    CANCEL_EVENT,
    DELIVER_RESULT,
    DELIVERY,
    LOOK_FOR_END,
    MAP_REDUCE,
    SECTIONING,
    SHARD,
    STOP_CALLS,
    VOTING,
    children_prefix,
)
from activities.stop_calls import stop_calls
from local_host.engine import LocalEngine
from orchestrators.agent_attempt import agent_attempt
from orchestrators.delivery import delivery
from orchestrators.map_reduce import map_reduce
from orchestrators.sectioning import sectioning
from orchestrators.shard import shard
from orchestrators.voting import voting
from tests.orchestrators.fake_context import APP_VERSION, JSON, Orchestrator
from tests.orchestrators.given import replied, run_input

ORCHESTRATORS: dict[str, Orchestrator] = {
    SECTIONING: sectioning,
    VOTING: voting,
    MAP_REDUCE: map_reduce,
    AGENT_ATTEMPT: agent_attempt,
    SHARD: shard,
    DELIVERY: delivery,
}
LIMIT_S = 60.0
"""How long anything here is waited for."""

_UNLIMITED = GrpcChannelOptions(max_receive_message_length=-1, max_send_message_length=-1)
_QUIET = logging.getLogger("tests.durable")
_QUIET.setLevel(logging.ERROR)
# A call that hangs holds a worker thread.
_WORKER_THREADS = 24

Answer = Callable[[JSON], JSON]
ClientActivity = Callable[[JSON, Any], Coroutine[Any, Any, Any]]


class Agents:
    """The scripted `call_agent`: an answer for each branch, which may wait to be let go.

    Held are all calls for a branch `a`, or one by its number: `a~1`, `a~2`.
    """

    def __init__(self) -> None:
        self.calls: list[JSON] = []
        self.most_threads = 0
        self._answers: dict[str, Answer] = {}
        self._gates: dict[str, threading.Event] = defaultdict(threading.Event)
        self._held: set[str] = set()
        self._changed = threading.Condition()

    def answer(self, branch: str, *replies: JSON | Exception) -> None:
        """Let call number n of `branch` end with the n-th of `replies`."""

        def answer(call: JSON) -> JSON:
            reply = replies[call["attempt"] - 1]
            if isinstance(reply, Exception):
                raise reply
            return reply

        self._answers[branch] = answer

    def hold(self, *calls: str) -> None:
        """Let these calls wait until they are let go."""
        self._held.update(calls)

    def let_go(self, call: str) -> None:
        """Let a held call, or a held branch, answer."""
        self._gates[call].set()

    def let_all_go(self) -> None:
        for call in self._held:
            self.let_go(call)

    def wait_for_calls(self, count: int) -> None:
        """Wait until so many calls have been made."""
        with self._changed:
            assert self._changed.wait_for(lambda: len(self.calls) >= count, LIMIT_S), self.calls

    def __call__(self, call: JSON) -> JSON:
        with self._changed:
            self.calls.append(call)
            self.most_threads = max(self.most_threads, threading.active_count())
            self._changed.notify_all()
        branch = call["branch"]
        for name in (branch, f"{branch}~{call['attempt']}"):
            if name in self._held:
                assert self._gates[name].wait(LIMIT_S), f"nobody let {name!r} go"
        answer = self._answers.get(branch)
        return answer(call) if answer else replied(f"output of {branch}")


class Durable:
    """An engine, the SDK's worker with the app's orchestrators, and its client."""

    def __init__(self, threads: int = _WORKER_THREADS) -> None:
        self.run_id = "run-1"
        self.agents = Agents()
        self.delivery_replies: list[JSON] = []
        """What the attempts to deliver a callback bring, one after the other."""
        self.engine = LocalEngine(default_version=APP_VERSION)
        self._address = self.engine.start()
        self.client = TaskHubGrpcClient(host_address=self._address, channel_options=_UNLIMITED, logger=_QUIET)
        self._worker = TaskHubGrpcWorker(
            host_address=self._address,
            channel_options=_UNLIMITED,
            data_converter=DEFAULT_FUNCTIONS_DATA_CONVERTER,
            concurrency_options=ConcurrencyOptions(maximum_thread_pool_workers=threads),
            emit_trace_spans=False,
            logger=_QUIET,
        )
        registry = self._worker._registry
        for name, function in ORCHESTRATORS.items():
            registry.add_named_orchestrator(name, wrap_orchestrator(function))
        registry.add_named_activity(CALL_AGENT, self._call_agent)
        registry.add_named_activity(STOP_CALLS, self._stop_calls)
        registry.add_named_activity(ANNOUNCE_END, self._with_client(announce_end))
        registry.add_named_activity(LOOK_FOR_END, self._with_client(look_for_end))
        registry.add_named_activity(DELIVER_RESULT, lambda _, call: self.delivery_replies[call["number"] - 1])

    def __enter__(self) -> Self:
        self._worker.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.agents.let_all_go()
        self._worker.stop()
        self.client.close()
        self.engine.stop()

    def anew(self, run_id: str) -> None:
        """Let go what an earlier run has held, and begin with the run id and the agents of another."""
        self.agents.let_all_go()
        self.agents = Agents()
        self.run_id = run_id

    def start(self, name: str, request: JSON, *, reused: Sequence[JSON] | None = None, **fields: Any) -> None:
        """Start the run; with `reused` outcomes it is a redrive. `fields` are more of its `RunInput`."""
        given = run_input(request, reused=reused) | fields
        self.client.schedule_new_orchestration(name, input=given, instance_id=self.run_id)

    def result(self) -> JSON:
        """Wait for the run's end; it must have completed, whatever its result says."""
        state = self.client.wait_for_orchestration_completion(self.run_id, timeout=LIMIT_S)
        assert state is not None
        assert state.runtime_status.name == "COMPLETED", state.failure_details
        return DEFAULT_FUNCTIONS_DATA_CONVERTER.deserialize(state.serialized_output)

    def run(self, name: str, request: JSON, *, reused: Sequence[JSON] | None = None) -> JSON:
        """Start the run and wait for its end."""
        self.start(name, request, reused=reused)
        return self.result()

    def wait_until_noted(self, call: str) -> None:
        """Wait until the run has taken note of the end of this call."""
        wait_until(lambda: self._knows_the_end_of(call), f"the run {self.run_id!r} does not note the end of {call!r}")

    def wait_until_ended(self, call: str) -> JSON:
        """Wait for the end of the orchestration that makes this call; return the account that it gives."""
        state = self.client.wait_for_orchestration_completion(self.call_id(call), timeout=LIMIT_S)
        assert state is not None
        assert state.runtime_status.name == "COMPLETED", state.failure_details
        return DEFAULT_FUNCTIONS_DATA_CONVERTER.deserialize(state.serialized_output)

    def _knows_the_end_of(self, call: str) -> bool:
        history = self.history(self.run_id)
        created = {
            event.subOrchestrationInstanceCreated.instanceId: event.eventId
            for event in history
            if event.HasField("subOrchestrationInstanceCreated")
        }
        ended = {
            ending.taskScheduledId
            for event in history
            for ending in (event.subOrchestrationInstanceCompleted, event.subOrchestrationInstanceFailed)
        }
        return created.get(self.call_id(call)) in ended - {0}

    def cancel(self) -> None:
        self.client.raise_orchestration_event(self.run_id, CANCEL_EVENT)

    def call_id(self, call: str) -> str:
        """The instance id of a call by its name: `a` is the first for branch `a`, `a~2` a retry, `a~2h` a hedge."""
        return children_prefix(self.run_id) + call

    def status_of(self, call: str) -> str:
        """The runtime status of the orchestration that makes this call."""
        state = self.client.get_orchestration_state(self.call_id(call))
        return state.runtime_status.name if state else "UNKNOWN"

    def history(self, instance_id: str) -> list[pb.HistoryEvent]:
        """The events of an instance so far."""
        with self._locked():
            instance = self.engine._instances.get(instance_id)
            return list(instance.history) if instance else []

    @contextmanager
    def _locked(self) -> Iterator[None]:
        with self.engine._lock:
            yield

    def _call_agent(self, _: Any, call: JSON) -> JSON:
        return self.agents(call)

    def _stop_calls(self, _: Any, given: JSON) -> int:
        return self._with_client(stop_calls)(_, given)

    def _with_client(self, activity: ClientActivity) -> Callable[[Any, JSON], Any]:
        async def call(given: JSON) -> Any:
            client = AsyncTaskHubGrpcClient(host_address=self._address, channel_options=_UNLIMITED, logger=_QUIET)
            try:
                return await activity(given, cast(Any, client))
            finally:
                await client.close()

        return lambda _, given: asyncio.run(call(given))


def wait_until(holds: Callable[[], bool], otherwise: str) -> None:
    """Wait until `holds` does; the engine has nothing to wait on for what happens inside a run."""
    until = time.monotonic() + LIMIT_S
    while not holds():
        assert time.monotonic() < until, otherwise
        time.sleep(0.005)
