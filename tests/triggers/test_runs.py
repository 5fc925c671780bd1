"""Looking at runs and cancelling them, in every state that an orchestration can be in."""

from __future__ import annotations

import json
import time
from datetime import timedelta, timezone
from types import SimpleNamespace
from typing import Any

import azure.functions as func
import pytest

from shared.contracts.run import RunResult, RunView
from tests.triggers.requests import (
    CREATED,
    HOST,
    JSON,
    RUN_ID,
    FakeClient,
    json_of,
    on_run,
    orchestration,
    problem_of,
)
from triggers.runs import cancel_run, get_run, view_run
from triggers.views import utc

HANDLERS: dict[str, Any] = {"GET": get_run, "VIEW": view_run, "DELETE": cancel_run}
STARTED_AT, ENDED_AT = "2026-01-01T12:00:00Z", "2026-01-01T12:00:05Z"
USAGE = {"model_calls": 1, "input_tokens": 10, "output_tokens": 5, "total_tokens": 15}


def outcome(name: str, status: str = "succeeded", **fields: Any) -> JSON:
    error = None if status == "succeeded" else {"code": "c", "message": "m", "retriable": False}
    return {
        "name": name,
        "status": status,
        "output": "PRIVATE OUTPUT" if error is None else None,
        "error": error,
        "attempts": 1,
        "usage": USAGE,
        "started_at": STARTED_AT,
        "ended_at": ENDED_AT,
        **fields,
    }


def result(**fields: Any) -> JSON:
    total = {name: count * 3 for name, count in USAGE.items()}
    return {
        "id": RUN_ID,
        "pattern": "sectioning",
        "status": "partial",
        "completion_reason": "all_completed",
        "output": {"kind": "sections", "aggregation": "synthesize", "requested": "synthesize", "content": "text"},
        "missing": ["b"],
        "outcomes": [outcome("a"), outcome("b", "timed_out")],
        "aggregation": outcome("~synthesis"),
        "usage": total,
        "started_at": STARTED_AT,
        "ended_at": ENDED_AT,
        **fields,
    }


def child(name: str, status: str, after_s: float = 0, **fields: Any) -> Any:
    created = CREATED + timedelta(seconds=after_s)
    return orchestration(status, instance_id=f"{RUN_ID}:{name}", name="agent_branch", created=created, **fields)


async def ask(method: str, *states: Any, **request: Any) -> func.HttpResponse:
    client = FakeClient(list(states))
    return await HANDLERS[method](on_run("DELETE" if method == "DELETE" else "GET", **request), client)


# Not found


@pytest.mark.parametrize("method", HANDLERS)
@pytest.mark.parametrize(
    "run_id",
    [
        "f" * 32,
        "",
        "x",
        RUN_ID.upper(),
        RUN_ID[:-1],
        f"{RUN_ID}0",
        f"{RUN_ID}\n",
        f" {RUN_ID}",
        f"{RUN_ID}:a",
        f"{RUN_ID}:~synthesis",
        "../health",
        "%00",
        "é" * 32,
        "١" * 32,
        "x" * 10_000,
    ],
)
async def test_an_id_that_is_no_run_is_404(method: str, run_id: str) -> None:
    known = [orchestration("RUNNING"), child("a", "RUNNING"), child("~synthesis", "RUNNING")]
    odd = [] if run_id == "f" * 32 else [orchestration("RUNNING", instance_id=run_id, name="voting")]
    client = FakeClient([*known, *odd])

    answer = await HANDLERS[method](on_run("GET", run_id), client)

    body = problem_of(answer, 404, "run_not_found")
    assert "status_url" in body["detail"]
    assert client.raised == []


@pytest.mark.parametrize("method", HANDLERS)
@pytest.mark.parametrize("name", ["agent_branch", "somebody_else_s", ""])
async def test_an_orchestration_that_is_no_run_is_404_also_under_such_an_id(method: str, name: str) -> None:
    problem_of(await ask(method, orchestration("RUNNING", name=name)), 404, "run_not_found")


async def test_a_request_without_the_route_s_id_is_404() -> None:
    request = func.HttpRequest("GET", f"{HOST}/api/runs/", body=b"")

    problem_of(await get_run(request, FakeClient()), 404, "run_not_found")  # type: ignore[arg-type]


# Status


@pytest.mark.parametrize(("state", "stage"), [("PENDING", "pending"), ("RUNNING", "running"), ("SUSPENDED", "running")])
@pytest.mark.parametrize("pattern", ["sectioning", "voting", "map_reduce"])
async def test_a_run_that_goes_on_is_202_with_where_and_when_to_ask_again(state: str, stage: str, pattern: str) -> None:
    answer = await ask("GET", orchestration(state, name=pattern))

    url = f"{HOST}/api/runs/{RUN_ID}"
    assert answer.status_code == 202
    assert json_of(answer) == {"id": RUN_ID, "pattern": pattern, "status": stage, "status_url": url}
    assert answer.headers["Location"] == url
    assert int(answer.headers["Retry-After"]) > 0


@pytest.mark.parametrize(
    ("url", "root"),
    [
        (f"https://h/runs/{RUN_ID}", "https://h"),
        (f"https://h/api/runs/{RUN_ID}/", "https://h/api"),
        (f"https://h/deep/prefix/Runs/{RUN_ID}?code=SECRET", "https://h/deep/prefix"),
        ("https://h/api/runs/" + "".join(f"%{ord(digit):x}" for digit in RUN_ID), "https://h/api"),
    ],
)
@pytest.mark.parametrize("method", ["GET", "DELETE"])
async def test_the_status_url_follows_the_app_s_route_prefix(method: str, url: str, root: str) -> None:
    answer = await ask(method, orchestration("RUNNING"), url=url)

    assert json_of(answer)["status_url"] == answer.headers["Location"] == f"{root}/runs/{RUN_ID}"


async def test_an_ended_run_is_200_with_its_result_as_the_orchestration_wrote_it() -> None:
    answer = await ask("GET", orchestration("COMPLETED", output=result()))

    assert answer.status_code == 200
    assert json_of(answer) == result()
    assert "Location" not in answer.headers


@pytest.mark.parametrize(
    ("state", "status", "reason", "code"),
    [
        (orchestration("FAILED", error="ValueError"), "failed", "internal_error", "internal_error"),
        (orchestration("FAILED"), "failed", "internal_error", "internal_error"),
        (orchestration("TERMINATED", output="by hand"), "cancelled", "cancelled", "terminated"),
        (orchestration("TERMINATED"), "cancelled", "cancelled", "terminated"),
        (orchestration("COMPLETED"), "failed", "internal_error", "internal_error"),
    ],
)
async def test_a_run_that_died_answers_in_the_shape_of_a_result(
    state: Any, status: str, reason: str, code: str
) -> None:
    answer = await ask("GET", state)

    assert answer.status_code == 200
    found = RunResult.model_validate(json_of(answer))
    assert (found.id, found.status, found.completion_reason) == (RUN_ID, status, reason)
    assert found.error is not None
    assert found.error.code == code
    assert found.started_at.isoformat() == "2026-01-01T12:00:00+00:00"
    assert b"secret" not in answer.get_body()
    assert b"by hand" not in answer.get_body()


# View


async def test_a_pending_run_s_view_says_so() -> None:
    answer = await ask("VIEW", orchestration("PENDING", name="voting"))

    assert answer.status_code == 200
    view = RunView.model_validate(json_of(answer))
    assert (view.status, view.phase, view.pattern, view.branches) == ("pending", "pending", "voting", [])
    assert view.progress.model_dump() == {"total": 0, "done": 0, "succeeded": 0, "failed": 0, "running": 0}


async def test_a_running_run_s_view_counts_its_branches() -> None:
    answer = await ask(
        "VIEW",
        orchestration("RUNNING", custom_status={"phase": "branches", "total": 7}),
        child("late", "RUNNING", 3, custom_status={"attempt": 2}),
        child("queued", "PENDING", 4),
        child("good", "COMPLETED", 0, output=outcome("good")),
        child("bad", "COMPLETED", 1, output=outcome("bad", "failed")),
        child("broken", "FAILED", 1.5, error="ValueError"),
        child("stopped", "TERMINATED", 2, output="stopped"),
        orchestration("RUNNING", instance_id="f" * 32),
    )

    view = RunView.model_validate(json_of(answer))
    assert (view.status, view.phase, view.completion_reason) == ("running", "branches", None)
    assert view.progress.model_dump() == {"total": 7, "done": 4, "succeeded": 1, "failed": 3, "running": 2}
    assert [(branch.name, branch.status, branch.attempts) for branch in view.branches] == [
        ("good", "succeeded", 1),
        ("bad", "failed", 1),
        ("broken", "failed", 0),
        ("stopped", "cancelled", 0),
        ("late", "running", 2),
        ("queued", "pending", 0),
    ]
    assert view.usage.total_tokens == 30
    assert view.updated_at.isoformat() == "2026-01-01T12:00:05+00:00"
    assert b"PRIVATE" not in answer.get_body()
    assert b"secret" not in answer.get_body()


async def test_the_aggregation_is_shown_and_not_counted_as_a_branch() -> None:
    answer = await ask(
        "VIEW",
        orchestration("RUNNING", custom_status={"phase": "aggregation", "total": 1}),
        child("a", "COMPLETED", 0, output=outcome("a")),
        child("~synthesis", "RUNNING", 1),
    )

    view = RunView.model_validate(json_of(answer))
    assert view.phase == "aggregation"
    assert view.progress.model_dump() == {"total": 1, "done": 1, "succeeded": 1, "failed": 0, "running": 0}
    assert [branch.name for branch in view.branches] == ["a", "~synthesis"]


async def test_an_ended_run_s_view_comes_from_its_result_alone() -> None:
    answer = await ask("VIEW", orchestration("COMPLETED", output=result()), child("gone", "RUNNING"))

    assert answer.status_code == 200
    view = RunView.model_validate(json_of(answer))
    assert (view.status, view.phase, view.completion_reason) == ("partial", "done", "all_completed")
    assert view.progress.model_dump() == {"total": 2, "done": 2, "succeeded": 1, "failed": 1, "running": 0}
    assert [branch.name for branch in view.branches] == ["a", "b", "~synthesis"]
    assert view.usage.total_tokens == 45
    assert b"PRIVATE" not in answer.get_body()


@pytest.mark.parametrize(("state", "status"), [("FAILED", "failed"), ("TERMINATED", "cancelled")])
async def test_the_view_of_a_run_that_died_is_200_too(state: str, status: str) -> None:
    answer = await ask("VIEW", orchestration(state, error="ValueError"))

    assert answer.status_code == 200
    view = RunView.model_validate(json_of(answer))
    assert (view.status, view.phase, view.branches) == (status, "done", [])


@pytest.mark.parametrize("name", ["a.b", "A-b_c", "x:y"])
async def test_a_branch_s_name_is_all_that_follows_the_run_s_id(name: str) -> None:
    answer = await ask("VIEW", orchestration("RUNNING"), child(name, "RUNNING"))

    assert [branch["name"] for branch in json_of(answer)["branches"]] == [name]


# Cancel


@pytest.mark.parametrize("state", ["PENDING", "RUNNING", "SUSPENDED"])
async def test_cancelling_a_run_raises_its_event_once_and_is_202(state: str) -> None:
    client = FakeClient([orchestration(state)])

    answer = await cancel_run(on_run("DELETE"), client)  # type: ignore[arg-type]

    assert answer.status_code == 202
    assert json_of(answer)["status"] == "cancelling"
    assert answer.headers["Location"] == f"{HOST}/api/runs/{RUN_ID}"
    assert client.raised == [(RUN_ID, "cancel")]


@pytest.mark.parametrize("state", ["COMPLETED", "FAILED", "TERMINATED"])
async def test_a_run_that_has_ended_cannot_be_cancelled(state: str) -> None:
    client = FakeClient([orchestration(state, output=result())])

    answer = await cancel_run(on_run("DELETE"), client)  # type: ignore[arg-type]

    body = problem_of(answer, 409, "run_already_ended")
    assert RUN_ID in body["detail"]
    assert client.raised == []


@pytest.mark.parametrize("zone", ["UTC", "America/New_York", "Asia/Kolkata"])
def test_the_sdk_s_times_are_read_as_utc_wherever_the_app_runs(zone: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TZ", zone)
    time.tzset()
    try:
        assert utc(CREATED).isoformat() == "2026-01-01T12:00:00+00:00"
        assert utc(CREATED.replace(tzinfo=timezone(timedelta(hours=2)))).isoformat() == "2026-01-01T10:00:00+00:00"
    finally:
        monkeypatch.undo()
        time.tzset()


@pytest.mark.parametrize("method", HANDLERS)
async def test_no_answer_about_a_run_is_cached(method: str) -> None:
    for state in (orchestration("RUNNING"), orchestration("COMPLETED", output=result())):
        assert (await ask(method, state)).headers["Cache-Control"] == "no-store"


def test_the_result_used_here_is_one() -> None:
    assert RunResult.model_validate_json(json.dumps(result())).missing == ["b"]


class RpcFailure(Exception):
    """As gRPC's errors: the status is behind a method."""

    def __init__(self, status: str) -> None:
        self.status = status

    def code(self) -> SimpleNamespace:
        return SimpleNamespace(name=self.status)


@pytest.mark.parametrize(
    ("status", "answered", "code"),
    [
        ("FAILED_PRECONDITION", 409, "run_already_ended"),
        ("NOT_FOUND", 409, "run_already_ended"),
        ("UNAVAILABLE", 503, "task_hub_unavailable"),
    ],
)
async def test_a_cancel_that_comes_too_late_or_not_through_is_told(status: str, answered: int, code: str) -> None:
    class Late(FakeClient):
        async def raise_orchestration_event(self, instance_id: str, event_name: str) -> None:
            raise RpcFailure(status)

    client: Any = Late([orchestration("RUNNING")])
    problem_of(await cancel_run(on_run("DELETE"), client), answered, code)
