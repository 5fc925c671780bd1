"""Cancelling a run by the idempotency key of its start: what is there to cancel, and what is not."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import azure.functions as func
import pytest

import triggers.idempotency
from activities.names import CANCEL_EVENT, RUN_STARTED_EVENT, claim_instance_id
from shared.task_hub import ENDED
from tests.triggers.hub import Hub, keyed
from tests.triggers.requests import HOST, RpcFailure, is_absolute, json_of, paths_of, problem_of, result, sections
from triggers.cancellation import cancel_run_of_key
from triggers.idempotency import digest_of
from triggers.runs import start_sectioning


@dataclass
class CancellableHub(Hub):
    """A hub that also takes events, for instances that go on; with `ends_first` a run ends just before."""

    events: list[tuple[str, str]] = field(default_factory=list[tuple[str, str]])
    ends_first: bool = False

    async def raise_orchestration_event(self, instance_id: str, event_name: str) -> None:
        if event_name == RUN_STARTED_EVENT:
            return await super().raise_orchestration_event(instance_id, event_name)
        if self.ends_first:
            self.end(instance_id, result())
        if self.rows[instance_id].runtime_status.name in ENDED:
            raise RpcFailure("FAILED_PRECONDITION")
        self.events.append((instance_id, event_name))
        return None


async def cancel(hub: Any, **query: str) -> func.HttpResponse:
    return await cancel_run_of_key(func.HttpRequest("DELETE", f"{HOST}/api/runs", params=query, body=b""), hub)


async def started(hub: Any, key: str = "a-key", name: str = "a") -> str:
    return json_of(await start_sectioning(keyed(key, sections(name)), hub))["id"]


async def test_the_run_of_the_key_is_told_to_end_and_no_other() -> None:
    hub: Any = CancellableHub.of()
    run_id, _ = await started(hub), await started(hub, "another", "b")

    answer = await cancel(hub, idempotency_key="a-key")

    assert answer.status_code == 202
    assert json_of(answer)["status"] == "cancelling"
    assert json_of(answer)["id"] == run_id
    assert is_absolute(answer.headers["Location"])
    assert hub.events == [(run_id, CANCEL_EVENT)]


async def test_a_run_that_has_ended_is_left_as_it_is_and_told_of() -> None:
    hub: Any = CancellableHub.of()
    run_id = await started(hub)
    hub.end(run_id, result())

    answer = await cancel(hub, idempotency_key="a-key")

    assert answer.status_code == 200
    assert (json_of(answer)["id"], json_of(answer)["status"]) == (run_id, result()["status"])
    assert hub.events == []


async def test_a_run_that_ends_meanwhile_is_no_error_either() -> None:
    hub: Any = CancellableHub.of()
    run_id = await started(hub)
    hub.ends_first = True

    answer = await cancel(hub, idempotency_key="a-key")

    assert (answer.status_code, json_of(answer)["id"]) == (200, run_id)


@pytest.mark.parametrize("key", ["unknown", "A-KEY"])
async def test_a_key_that_started_nothing_is_not_found(key: str) -> None:
    hub: Any = CancellableHub.of()
    await started(hub)

    problem_of(await cancel(hub, idempotency_key=key), 404, "run_not_found")
    assert hub.events == []


async def test_a_key_whose_time_is_over_is_not_found() -> None:
    hub: Any = CancellableHub.of()
    await started(hub)
    hub.end(claim_instance_id(digest_of("a-key", "idempotency_key")))

    problem_of(await cancel(hub, idempotency_key="a-key"), 404, "run_not_found")


async def test_a_claim_whose_run_never_came_is_not_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(triggers.idempotency, "APPEARS_WITHIN_S", 0.0)
    hub: Any = CancellableHub.of()
    del hub.rows[await started(hub)]

    problem_of(await cancel(hub, idempotency_key="a-key"), 404, "run_not_found")


@pytest.mark.parametrize(
    "query", [{}, {"idempotency_key": ""}, {"idempotency_key": "two words"}, {"status": "running"}]
)
async def test_without_a_key_nothing_is_cancelled(query: dict[str, str]) -> None:
    hub: Any = CancellableHub.of()
    await started(hub)

    body = problem_of(await cancel(hub, **query), 400, "invalid_parameter")

    assert paths_of(body) == ["idempotency_key"]
    assert hub.events == []
