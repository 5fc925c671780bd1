"""Fixtures of the durable side: the engine, and the SDK's own worker and client connected to it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from durabletask.client import TaskHubGrpcClient
from durabletask.grpc_options import GrpcChannelOptions
from durabletask.worker import TaskHubGrpcWorker

from local_host.engine import LocalEngine

_UNLIMITED = GrpcChannelOptions(max_receive_message_length=-1, max_send_message_length=-1)


@dataclass
class Hub:
    """A running engine with the SDK's client and worker connected over gRPC."""

    engine: LocalEngine
    client: TaskHubGrpcClient
    address: str

    def run(self, orchestrator: Any, **settings: Any) -> Any:
        """Run an orchestration to its end and return its state."""
        instance_id = self.client.schedule_new_orchestration(orchestrator, **settings)
        return self.end_of(instance_id)

    def end_of(self, instance_id: str) -> Any:
        state = self.client.wait_for_orchestration_completion(instance_id, timeout=15)
        assert state is not None, f"{instance_id!r} is unknown"
        return state


@pytest.fixture
def engine() -> Iterator[LocalEngine]:
    """An engine that serves no one yet."""
    engine = LocalEngine()
    yield engine
    engine.stop()


@pytest.fixture(scope="module")
def hub_of() -> Iterator[Callable[..., Hub]]:
    """Make a `Hub` whose worker knows the given orchestrators, activities and entities."""
    running: list[tuple[LocalEngine, TaskHubGrpcClient, TaskHubGrpcWorker]] = []

    def make(*, orchestrators: Any = (), activities: Any = (), entities: Any = ()) -> Hub:
        engine = LocalEngine()
        address = engine.start()
        worker = TaskHubGrpcWorker(host_address=address, channel_options=_UNLIMITED)
        for function in orchestrators:
            worker.add_orchestrator(function)
        for function in activities:
            worker.add_activity(function)
        for function in entities:
            worker.add_entity(function)
        worker.start()
        client = TaskHubGrpcClient(host_address=address, channel_options=_UNLIMITED)
        running.append((engine, client, worker))
        return Hub(engine, client, address)

    yield make
    for engine, client, worker in running:
        worker.stop()
        client.close()
        engine.stop()
