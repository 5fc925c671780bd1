"""`GET /api/runs`: which runs, in which order, at which cost, and what it refuses."""

from __future__ import annotations

import base64
import json
from datetime import datetime, timedelta
from typing import Any

import pytest

from shared.contracts.run_list import RunList
from tests.triggers.hub import NOW, Hub, listing, run_at
from tests.triggers.requests import (
    HOST,
    RUN_ID,
    RpcFailure,
    child,
    json_of,
    orchestration,
    paths_of,
    problem_of,
    result,
    run_input,
    sections,
)
from triggers.continuation import wrapped
from triggers.run_filters import PARAMETERS, RUNTIME_STATUSES, RunFilters
from triggers.run_list import MAX_QUERIES, list_runs

MINUTE = timedelta(minutes=1)
FIVE = [run_at(NOW + minutes * MINUTE) for minutes in range(5)]
NEWEST_FIRST = [state.instance_id for state in reversed(FIVE)]


async def page(hub: Any, **query: str) -> RunList:
    answer = await list_runs(listing(**query), hub)
    assert answer.status_code == 200, answer.get_body()
    assert answer.headers["Cache-Control"] == "no-store"
    return RunList.model_validate(json_of(answer))


async def ids(hub: Any, **query: str) -> list[str]:
    return [run.id for run in (await page(hub, **query)).runs]


async def refusal(name: str, hub: Any = None, **query: str) -> str:
    hub = hub or Hub.of(*FIVE)
    body = problem_of(await list_runs(listing(**query), hub), 400, "invalid_parameter")
    assert paths_of(body) == [name]
    return body["detail"]


# What is told


async def test_a_run_is_told_with_where_to_read_more() -> None:
    state = run_at(NOW, name="voting", custom_status={
        "status": "partial", "completion_reason": "deadline_exceeded", "recipe": "fact-check",
    }, updated=datetime(2026, 11, 21, 16, 5))  # fmt: skip  # noqa: DTZ001
    url = f"{HOST}/api/runs/{state.instance_id}"

    told = json_of(await list_runs(listing(), Hub.of(state)))

    assert told == {
        "runs": [{
            "id": state.instance_id, "pattern": "voting", "recipe": "fact-check", "status": "partial",
            "completion_reason": "deadline_exceeded", "started_at": "2026-11-21T16:00:00Z",
            "updated_at": "2026-11-21T16:05:00Z", "status_url": url, "view_url": f"{url}/view",
        }],
        "continuation_token": None,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("state", "status", "reason"),
    [
        (run_at(NOW, "PENDING", custom_status=None), "pending", None),
        (run_at(NOW, "RUNNING"), "running", None),
        (run_at(NOW, "SUSPENDED"), "running", None),
        (run_at(NOW, "COMPLETED"), "succeeded", "all_completed"),
        (run_at(NOW, "COMPLETED", custom_status={"phase": "branches"}, output=result()), "partial", "all_completed"),
        (run_at(NOW, "COMPLETED", custom_status={"status": "?"}, output="?"), "failed", "internal_error"),
        (run_at(NOW, "COMPLETED", custom_status=None), "failed", "internal_error"),
        (run_at(NOW, "FAILED"), "failed", "internal_error"),
        (run_at(NOW, "TERMINATED", output="by hand"), "cancelled", "cancelled"),
    ],
)
async def test_every_state_of_a_run_has_its_status(state: Any, status: str, reason: str | None) -> None:
    [run] = (await page(Hub.of(state))).runs

    assert (run.status, run.completion_reason) == (status, reason)


async def test_a_run_that_waits_for_its_turn_tells_its_recipe() -> None:
    waiting = run_at(NOW, "PENDING", custom_status=None, given=run_input(sections("a"), recipe="code-review"))

    assert [run.recipe for run in (await page(Hub.of(waiting), recipe="code-review")).runs] == ["code-review"]


# Which runs


async def test_the_newest_run_comes_first() -> None:
    assert await ids(Hub.of(*FIVE)) == NEWEST_FIRST


async def test_only_runs_are_listed() -> None:
    others = [
        child("a", name="agent_attempt"),
        orchestration("RUNNING", instance_id=f"~claim:{'f' * 64}", name="claim"),
        orchestration("RUNNING", instance_id="fe" * 16, name="somebody_else_s"),
        orchestration("COMPLETED", instance_id="fe5d75cfbb424aaaaa57b5e1841474df", output=result()),
        orchestration("COMPLETED", instance_id=RUN_ID, output=result()),
    ]

    assert await ids(Hub.of(*FIVE, *others)) == NEWEST_FIRST


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ({"status": "succeeded"}, [2]),
        ({"status": "partial,failed"}, [4, 3]),
        ({"status": "cancelled"}, [5]),
        ({"status": "running"}, [1]),
        ({"status": "pending"}, [0]),
        ({"pattern": "voting"}, [3]),
        ({"recipe": "code-review"}, [2, 1]),
        ({"recipe": "code-review", "status": "running"}, [1]),
        ({"created_after": "2026-11-21T16:02:00Z"}, [5, 4, 3]),
        ({"created_before": "2026-11-21T16:02:00Z"}, [1, 0]),
        ({"created_after": "2026-11-21T16:00:00", "created_before": "2026-11-21T17:02:00+01:00"}, [1]),
        ({"created_after": "2026-11-21"}, [5, 4, 3, 2, 1, 0]),
        ({"created_after": "2026-11-22"}, []),
        ({"created_before": "1999-01-01"}, []),
        ({"created_after": "9999-12-31T23:59:59Z"}, []),
        ({"created_after": "2026-11-23", "created_before": "2026-11-22"}, []),
    ],
)
async def test_filters_leave_the_runs_that_were_asked_for(query: dict[str, str], expected: list[int]) -> None:
    done = {"completion_reason": "all_completed"}
    states = [
        run_at(NOW, "PENDING", custom_status=None),
        run_at(NOW + MINUTE, "RUNNING", custom_status={"phase": "branches", "recipe": "code-review"}),
        run_at(NOW + 2 * MINUTE, custom_status={"status": "succeeded", "recipe": "code-review", **done}),
        run_at(NOW + 3 * MINUTE, name="voting", custom_status={"status": "partial", **done}),
        run_at(NOW + 4 * MINUTE, "FAILED"),
        run_at(NOW + 5 * MINUTE, "TERMINATED"),
    ]

    assert await ids(Hub.of(*states), **query) == [states[number].instance_id for number in expected]


def test_every_status_can_be_asked_for() -> None:
    named = {name for names in RUNTIME_STATUSES.values() for name in names}

    assert named == {"PENDING", "RUNNING", "SUSPENDED", "COMPLETED", "FAILED", "TERMINATED"}


# Pages and their cost


@pytest.mark.parametrize("limit", [1, 2, 3, 5, 6])
async def test_the_pages_have_every_run_once(limit: int) -> None:
    hub, found, query = Hub.of(*FIVE), [], {"limit": str(limit)}
    while True:
        told = await page(hub, **query)
        assert len(told.runs) <= limit
        found += [run.id for run in told.runs]
        if told.continuation_token is None:
            break
        query["continuation_token"] = told.continuation_token

    assert found == NEWEST_FIRST
    assert len(hub.queries) == -(-len(FIVE) // limit)


async def test_a_page_costs_one_query_without_payloads_however_many_runs_there_are() -> None:
    hub = Hub.of(*(run_at(NOW, chance=number) for number in range(500)))

    assert len(await ids(hub)) == 50
    assert (len(hub.queries), hub.asked) == (1, [])
    assert hub.queries[0].maxInstanceCount == 50
    assert not hub.queries[0].fetchInputsAndOutputs


async def test_filters_that_few_runs_pass_are_answered_after_some_queries() -> None:
    hub = Hub.of(*(run_at(NOW, chance=number) for number in range(500)))

    told = await page(hub, pattern="voting", limit="10")

    assert (told.runs, len(hub.queries)) == ([], MAX_QUERIES)
    assert told.continuation_token is not None


async def test_times_leave_a_narrow_part_of_the_task_hub_to_read() -> None:
    hub = Hub.of(*FIVE)
    await ids(hub)
    await ids(hub, created_after="2026-11-21T15:00:00Z", created_before="2026-11-21T17:00:00Z")

    wide, narrow = (query.instanceIdPrefix.value for query in hub.queries)
    assert narrow.startswith(wide)
    assert len(narrow) > len(wide) > 0


async def test_runs_that_are_too_large_for_one_message_are_asked_for_in_smaller_pages() -> None:
    hub = Hub.of(*FIVE)
    hub.refuses = RpcFailure("RESOURCE_EXHAUSTED", "Received message larger than max (5 vs. 4)")

    assert await ids(hub, limit="4") == NEWEST_FIRST[:4]
    assert [query.maxInstanceCount for query in hub.queries] == [4, 2, 2]


# What is refused


@pytest.mark.parametrize(
    ("name", "value"),
    [
        *(("status", value) for value in ("", "done", "succeeded,", "Succeeded", "x" * 1_000)),
        *(("pattern", value) for value in ("", "map-reduce", "agent_attempt", "claim")),
        *(("recipe", value) for value in ("", "../x", "a b", "x" * 61)),
        *(("limit", value) for value in ("", "0", "201", "-1", "1.5", "ten", "١", "9" * 5_000)),
        *(("created_after", value) for value in ("", "yesterday", "2026-13-01", "2026-11-21T16:00:00 01:00")),
        *(("created_before", value) for value in ("", "0", "0001-01-01T00:00:00+23:00", "9999-12-31T23:59:59-01:00")),
        ("stauts", "failed"),
        ("offset", "5"),
    ],
)
async def test_a_parameter_that_makes_no_sense_is_refused_by_its_name(name: str, value: str) -> None:
    assert len(await refusal(name, **{name: value})) < 500


@pytest.mark.parametrize("name", ["code", "clientId"])
async def test_what_the_host_reads_is_let_pass(name: str) -> None:
    assert await ids(Hub.of(*FIVE), **{name: "x"}) == NEWEST_FIRST


def test_the_answer_to_a_wrong_name_names_all_that_there_are() -> None:
    assert set(PARAMETERS) >= {"status", "pattern", "recipe", "limit", "continuation_token"}


def crafted(told: Any) -> str:
    return base64.urlsafe_b64encode(json.dumps(told).encode()).decode().rstrip("=")


@pytest.mark.parametrize(
    "token",
    [
        "", "x", "====", "a" * 5_000, "é", "a b", "../..",
        *map(crafted, [None, [], "x", 5, ["x"], ["x", "y"], ["", ""], [1, 2], {"a": 1}, ["~claim", "0" * 16]]),
        crafted([])[:-1], base64.urlsafe_b64encode(b"[" * 2_900).decode().rstrip("="),
        base64.urlsafe_b64encode(b"\xff\xfe").decode().rstrip("="),
    ],
)  # fmt: skip
async def test_a_token_that_was_made_up_is_refused_and_nothing_is_read(token: str) -> None:
    hub = Hub.of(*FIVE)

    await refusal("continuation_token", hub, continuation_token=token)
    assert hub.queries == []


async def test_a_token_that_no_message_can_hold_is_refused_though_its_check_is_right() -> None:
    hub = Hub.of(*FIVE)

    await refusal("continuation_token", hub, continuation_token=wrapped("\ud800", RunFilters().text()))
    assert hub.queries == []


async def test_a_token_goes_on_with_its_own_filters_only() -> None:
    hub = Hub.of(*FIVE)
    token = (await page(hub, limit="2", status="succeeded,failed")).continuation_token or ""

    await refusal("continuation_token", hub, continuation_token=token)
    assert await ids(hub, status="failed, succeeded", continuation_token=token) == NEWEST_FIRST[2:]


async def test_a_token_that_the_task_hub_refuses_is_the_caller_s_problem() -> None:
    hub = Hub.of(*FIVE)
    token = (await page(hub, limit="2")).continuation_token or ""
    hub.refuses = RpcFailure("UNKNOWN")

    await refusal("continuation_token", hub, continuation_token=token)


async def test_a_task_hub_that_is_away_is_503_with_a_token_too() -> None:
    hub = Hub.of(*FIVE)
    token = (await page(hub, limit="2")).continuation_token or ""
    for query in ({}, {"continuation_token": token}):
        hub.refuses = RpcFailure("UNAVAILABLE")
        problem_of(await list_runs(listing(**query), hub), 503, "task_hub_unavailable")
