"""Looking at runs and cancelling them, in every state that an orchestration can be in."""

from __future__ import annotations

import json
from typing import Any

import azure.functions as func
import pytest

from shared.contracts.run import RunResult
from tests.triggers.handlers import HANDLERS, ask
from tests.triggers.requests import (
    HOST,
    RUN_ID,
    FakeClient,
    RpcFailure,
    child,
    json_of,
    on_run,
    orchestration,
    problem_of,
    result,
)
from triggers.runs import cancel_run, get_run

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
        f"~{RUN_ID}:a",
        f"~{RUN_ID}:~synthesis",
        f"~claim:{RUN_ID}",
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

    answer = await ask(method, client=client, run_id=run_id)

    body = problem_of(answer, 404, "run_not_found")
    assert "status_url" in body["detail"]
    assert (client.raised, client.started) == ([], [])


@pytest.mark.parametrize("method", HANDLERS)
@pytest.mark.parametrize("name", ["agent_attempt", "somebody_else_s", ""])
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


@pytest.mark.parametrize("method", HANDLERS)
async def test_no_answer_about_a_run_is_cached(method: str) -> None:
    for state in (orchestration("RUNNING"), orchestration("COMPLETED", output=result())):
        assert (await ask(method, state)).headers["Cache-Control"] == "no-store"


def test_the_result_used_here_is_one() -> None:
    assert RunResult.model_validate_json(json.dumps(result())).missing == ["b"]


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
