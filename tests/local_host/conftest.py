"""Fixtures of the durable side: the engine, and the SDK's own worker and client connected to it."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
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

    def make(*, orchestrators: Any = (), activities: Any = (), entities: Any = (), **settings: Any) -> Hub:
        engine = LocalEngine(**settings)
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


@contextmanager
def _fresh_app() -> Iterator[None]:
    """Undo what loading an app does to the process: the folder, the path, the module `function_app`."""
    folder, path, module = Path.cwd(), list(sys.path), sys.modules.pop("function_app", None)
    yield
    os.chdir(folder)
    sys.path[:] = path
    sys.modules.pop("function_app", None)
    if module is not None:
        sys.modules["function_app"] = module


@pytest.fixture
def fresh_app_process() -> Iterator[None]:
    """Let one test load an app."""
    with _fresh_app():
        yield


@pytest.fixture(scope="module")
def fresh_app_module() -> Iterator[None]:
    """Let the tests of one module share a loaded app."""
    with _fresh_app():
        yield
