"""Starting runs as callers do who wait, who send again, and who look for their runs afterwards."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio

from tests.end_to_end.conftest import Chorus, running_chorus

JSON = dict[str, Any]
Answer = tuple[int, JSON, dict[str, str]]

pytestmark = pytest.mark.asyncio(loop_scope="module")

BODY: JSON = {
    "input": "The nightly export failed twice. A missing index made it slow.",
    "sections": [{"name": "causes", "instructions": "Name the causes."}],
    "aggregation": "concatenate",
}
SLOW: JSON = {**BODY, "sections": [{"name": "causes", "instructions": "Name the causes. [[fault:slow:30]]"}]}


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def chorus() -> AsyncIterator[Chorus]:
    async with running_chorus(FUNCTIONS_WORKER_PROCESS_COUNT="2") as app:
        yield app


async def start(chorus: Chorus, body: JSON, key: str | None = None, *, query: str = "") -> Answer:
    headers = {"Idempotency-Key": key} if key else {}
    url = f"{chorus.base_url}/api/sectioning{query}"
    async with chorus.session.post(url, json=body, headers=headers) as answer:
        return answer.status, await answer.json(content_type=None), dict(answer.headers)


async def all_runs(chorus: Chorus, query: str = "") -> list[JSON]:
    """Every page of the list."""
    runs: list[JSON] = []
    token = ""
    while True:
        status, page, _ = await chorus.get(f"runs?{query}{token}")
        assert status == 200, page
        runs += page["runs"]
        if page["continuation_token"] is None:
            return runs
        token = f"&continuation_token={page['continuation_token']}"


async def test_fifty_identical_starts_at_once_are_one_run(chorus: Chorus) -> None:
    before = {run["id"] for run in await all_runs(chorus)}
    calls = (await chorus.stats())["calls"]

    answers = await asyncio.gather(*(start(chorus, BODY, "fifty-at-once") for _ in range(50)))

    ids = {body["id"] for _, body, _ in answers}
    assert {status for status, _, _ in answers} == {202}
    assert len(ids) == 1
    assert sum("Idempotency-Replayed" not in headers for _, _, headers in answers) == 1
    assert all(body == answers[0][1] for _, body, _ in answers)
    result = await chorus.result(*ids)
    assert result["status"] == "succeeded"
    assert {run["id"] for run in await all_runs(chorus)} - before == ids
    assert (await chorus.stats())["calls"] - calls == 1


async def test_a_re_send_after_the_end_gets_the_first_answer_and_starts_nothing(chorus: Chorus) -> None:
    _, first, _ = await start(chorus, BODY, "twice")
    result = await chorus.result(first["id"])

    status, again, headers = await start(chorus, BODY, "twice")
    waited = await start(chorus, BODY, "twice", query="?wait=20")

    assert (status, again, headers["Idempotency-Replayed"]) == (202, first, "true")
    assert (waited[0], waited[1]) == (200, result)
    assert await chorus.result(first["id"]) == result


async def test_a_re_send_after_the_run_was_purged_gets_the_first_answer_and_starts_nothing(chorus: Chorus) -> None:
    _, first, _ = await start(chorus, BODY, "purged")
    await chorus.result(first["id"])
    await chorus.purge(first["id"])

    status, again, headers = await start(chorus, BODY, "purged")

    assert (status, again, headers["Idempotency-Replayed"]) == (202, first, "true")
    assert (await chorus.get(f"runs/{first['id']}"))[0] == 404


async def test_a_key_with_another_body_is_refused_while_the_first_run_goes_on(chorus: Chorus) -> None:
    _, first, _ = await start(chorus, SLOW, "mine")

    status, problem, _ = await start(chorus, BODY, "mine")

    assert (status, problem["code"]) == (422, "idempotency_key_reused")
    await chorus.delete(f"runs/{first['id']}")


async def test_who_waits_gets_the_result_or_after_its_time_the_usual_answer(chorus: Chorus) -> None:
    status, result, headers = await start(chorus, BODY, query="?wait=30")
    late_status, accepted, _ = await start(chorus, SLOW, query="?wait=0.3")

    assert (status, result["status"]) == (200, "succeeded")
    assert headers["Location"] == headers["Content-Location"] == f"{chorus.base_url}/api/runs/{result['id']}"
    assert (late_status, accepted["pattern"]) == (202, "sectioning")
    await chorus.delete(f"runs/{accepted['id']}")
    assert (await chorus.result(accepted["id"]))["status"] == "cancelled"


async def test_the_list_has_the_newest_first_and_tells_how_each_stands(chorus: Chorus) -> None:
    ended = await chorus.run("sectioning", BODY)
    waiting = await chorus.start("sectioning", SLOW)

    listed = await all_runs(chorus, "limit=3")
    running = await all_runs(chorus, "status=running,pending")
    await chorus.delete(f"runs/{waiting}")
    await chorus.result(waiting)

    assert [run["id"] for run in listed][:2] == [waiting, ended["id"]]
    assert len(listed) == len({run["id"] for run in listed})
    assert waiting in {run["id"] for run in running}
    assert ended["id"] not in {run["id"] for run in running}
    told = next(run for run in listed if run["id"] == ended["id"])
    assert (told["status"], told["completion_reason"]) == ("succeeded", "all_completed")
    cancelled = await all_runs(chorus, f"status=cancelled&created_after={told['started_at']}")
    assert [run["id"] for run in cancelled] == [waiting]


async def test_runs_are_found_by_recipe_and_no_child_or_claim_is_listed(chorus: Chorus) -> None:
    claimed = (await start(chorus, BODY, "claimed"))[1]["id"]
    await chorus.result(claimed)

    assert await all_runs(chorus, "recipe=no-such-recipe") == []
    assert await all_runs(chorus, "pattern=voting") == []
    runs = await all_runs(chorus)
    assert {run["pattern"] for run in runs} == {"sectioning"}
    assert claimed in {run["id"] for run in runs}
