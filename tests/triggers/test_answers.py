"""What every handler answers in the same way."""

from __future__ import annotations

import json
import re
from http import HTTPStatus
from typing import Any

import azure.functions as func
import pytest

from tests.triggers.handlers import HANDLERS, ask
from tests.triggers.requests import (
    HOST,
    RUN_ID,
    FakeClient,
    RpcFailure,
    json_of,
    orchestration,
    post,
    problem_of,
    result,
    run_input,
    sections,
)
from triggers.answers import answer, answering_problems, api_root
from triggers.runs import start_map_reduce, start_sectioning, start_voting

AGENT = {"instructions": "read"}
STARTS: dict[str, Any] = {"sectioning": start_sectioning, "voting": start_voting, "map-reduce": start_map_reduce}
BODIES: dict[str, Any] = {
    "sectioning": sections("a"),
    "voting": {"question": "Is it safe?"},
    "map-reduce": {"documents": [{"id": "one", "content": "text"}], "map": AGENT, "reduce": AGENT},
}


class Unreachable(FakeClient):
    """A task hub of which one method fails."""

    method = ""
    error: Exception = RpcFailure("UNAVAILABLE")

    def __getattribute__(self, name: str) -> Any:
        if name != "method" and name == self.method:
            raise self.error
        return super().__getattribute__(name)


def failing(method: str, error: Exception, *states: Any) -> Unreachable:
    client = Unreachable(list(states))
    client.method, client.error = method, error
    return client


PARTIAL = orchestration("COMPLETED", given=run_input(sections("a", "b")), output=result())
ASKED: list[tuple[str, str, Any]] = [
    *((name, "get_orchestration_state", orchestration("RUNNING")) for name in HANDLERS),
    ("VIEW", "get_all_orchestration_states", orchestration("RUNNING")),
    ("VIEW", "get_all_orchestration_states", orchestration("TERMINATED")),
    ("GET", "get_all_orchestration_states", orchestration("FAILED")),
    ("REDRIVE", "get_all_orchestration_states", orchestration("FAILED")),
    ("REDRIVE", "schedule_new_orchestration", PARTIAL),
    ("DELETE", "raise_orchestration_event", orchestration("RUNNING")),
]


@pytest.mark.parametrize("status", ["UNAVAILABLE", "DEADLINE_EXCEEDED", "RESOURCE_EXHAUSTED"])
@pytest.mark.parametrize(("name", "method", "state"), ASKED)
async def test_a_task_hub_that_does_not_answer_is_503(name: str, method: str, state: Any, status: str) -> None:
    client = failing(method, RpcFailure(status), state)

    body = problem_of(await ask(name, client=client), 503, "task_hub_unavailable")

    assert "Try again later" in body["detail"]
    assert client.started == []


@pytest.mark.parametrize("route", STARTS)
async def test_a_task_hub_that_does_not_take_a_start_is_503(route: str) -> None:
    client = failing("schedule_new_orchestration", RpcFailure("UNAVAILABLE"))

    problem_of(await STARTS[route](post(route, BODIES[route]), client), 503, "task_hub_unavailable")


@pytest.mark.parametrize("which", ["Sent", "Received", "SERVER: Received"])
@pytest.mark.parametrize(("name", "method", "state"), ASKED)
async def test_a_message_that_the_task_hub_does_not_take_is_told_apart_from_a_task_hub_that_is_busy(
    name: str, method: str, state: Any, which: str
) -> None:
    error = RpcFailure("RESOURCE_EXHAUSTED", f"{which} message larger than max (9000000 vs. 4194304)")

    body = problem_of(await ask(name, client=failing(method, error, state)), 500, "run_too_large")

    assert "trying again does not help" in body["detail"]


@pytest.mark.parametrize("error", [RpcFailure("INTERNAL"), ValueError("sk-PRIVATE of /home/site/wwwroot/x.py")])
@pytest.mark.parametrize(("name", "method", "state"), ASKED)
async def test_an_error_that_nobody_foresaw_is_500_and_its_cause_is_found_in_the_log_by_the_incident(
    name: str, method: str, state: Any, error: Exception, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")

    body = problem_of(await ask(name, client=failing(method, error, state)), 500, "internal_error")

    [incident] = re.findall(r"[0-9a-f]{32}", body["detail"])
    [record] = caplog.records
    assert record.levelname == "ERROR"
    assert f"(incident {incident}): {type(error).__name__}" in record.message
    assert " in triggers." in record.message
    assert record.exc_info is None
    for text in (json.dumps(body), caplog.text):
        assert "PRIVATE" not in text
        assert "wwwroot" not in text
        assert "Traceback" not in text


async def test_the_traceback_of_an_incident_is_in_the_log_at_debug(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("DEBUG", logger="chorus.triggers")

    await ask("GET", client=failing("get_orchestration_state", ValueError("the cause")))

    assert "ValueError: the cause" in caplog.text


def test_a_handler_keeps_its_name() -> None:
    assert {handler.__name__ for handler in (*HANDLERS.values(), *STARTS.values())} == {
        "get_run", "view_run", "cancel_run", "redrive_run", "start_sectioning", "start_voting", "start_map_reduce",
    }  # fmt: skip
    assert answering_problems(HANDLERS["GET"]).__doc__ == HANDLERS["GET"].__doc__


@pytest.mark.parametrize(
    ("url", "route", "root"),
    [
        (f"{HOST}/api/voting", "voting", f"{HOST}/api"),
        ("https://h/voting/", "voting", "https://h"),
        (f"https://h/api/runs/{RUN_ID}", "runs", "https://h/api"),
        (f"https://h/runs/runs/{RUN_ID}", "runs", "https://h/runs"),
        (f"https://h/api/runs/{RUN_ID}/redrive", f"runs/{RUN_ID}/redrive", "https://h/api"),
        (f"https://h/runs/{RUN_ID}/redrive", f"runs/{RUN_ID}/redrive", "https://h"),
        (f"https://h/RUNS/{RUN_ID}/Redrive/?code=SECRET", f"runs/{RUN_ID}/redrive", "https://h"),
        ("https://h/api/recipes/code%2Dreview", "recipes/code-review", "https://h/api"),
        ("https://h/my%20api/%72ecipes/code%2Dreview", "recipes/code-review", "https://h/my%20api"),
        (f"https://h/a/runs/{RUN_ID}/redrive/runs/{RUN_ID}/redrive", f"runs/{RUN_ID}/redrive",
         f"https://h/a/runs/{RUN_ID}/redrive"),
    ],
)  # fmt: skip
def test_the_root_of_our_routes_is_what_precedes_the_request_s_own(url: str, route: str, root: str) -> None:
    assert api_root(func.HttpRequest("POST", url, body=b""), route) == root


def test_an_answer_is_json_with_its_own_headers() -> None:
    answered = answer(HTTPStatus.ACCEPTED, '{"a": 1}', Retry_After="2")

    assert (answered.status_code, answered.mimetype, json_of(answered)) == (202, "application/json", {"a": 1})
    assert dict(answered.headers) == {"Retry-After": "2"}
