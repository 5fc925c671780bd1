"""Workflows that wait by polling reach their result, whatever the network and an overloaded app do on the way."""

from __future__ import annotations

import uuid
from typing import Literal

import pytest

from tests.logic_apps.conftest import Site, a_site
from tests.logic_apps.relay import Fault, polls, starts
from tests.logic_apps.workflow import LogicApp

pytestmark = pytest.mark.asyncio(loop_scope="module")

PLAN = (
    "We close the small store in Lyon in March and serve its customers from the web shop. "
    "Two people move to the warehouse; the lease ends in June."
)


def name() -> str:
    """The name of a new run, by which its requests are known."""
    return f"08584{uuid.uuid4().int:030}CU01"


async def analysed(site: Site, sample: str = "polling") -> LogicApp:
    app = await site.ended(site.app(sample, {"text": PLAN}, name()))
    assert app.answer is not None
    return app


def run_ids(site: Site) -> set[str]:
    """The runs that were asked for."""
    return {seen.path.split("/")[3].split("?")[0] for seen in site.relay.requests("GET")}


@pytest.mark.parametrize("sample", ["polling", "polling-loop"])
async def test_a_run_is_polled_to_its_end(site: Site, sample: str) -> None:
    app = await analysed(site, sample)

    assert app.answer["statusCode"] == 200
    assert app.answer["body"]["status"] == "succeeded"
    assert app.answer["body"]["missing"] == []
    assert "Lyon" in app.answer["body"]["content"]
    assert [seen.status for seen in site.relay.requests("POST")] == [202]
    assert [seen.status for seen in site.relay.requests("GET")][-1] == 200


async def test_polls_wait_as_long_as_the_app_asks_them_to(site: Site) -> None:
    waits: list[float] = []
    pause = site.world.wire.pause

    async def watched(seconds: float) -> None:
        waits.append(seconds)
        await pause(seconds)

    site.world.wire.pause = watched
    await analysed(site)

    assert waits == [2.0] * len(site.relay.requests("GET"))


@pytest.mark.parametrize("status", [408, 429, 500, 503])
async def test_polls_that_fail_are_sent_again(site: Site, status: int) -> None:
    site.relay.faults = [Fault(polls, status, times=3)]

    app = await analysed(site)

    assert [seen.status for seen in site.relay.requests("GET")][:3] == [status] * 3
    assert app.answer["body"]["status"] == "succeeded"


async def test_a_poll_whose_answer_is_lost_is_sent_again(site: Site) -> None:
    site.relay.faults = [Fault(polls, "lost", times=2)]

    app = await analysed(site)

    assert app.answer["body"]["status"] == "succeeded"


@pytest.mark.parametrize("status", [429, 503, "lost"])
@pytest.mark.parametrize("sample", ["polling", "polling-loop"])
async def test_a_start_that_is_sent_again_starts_one_run(
    site: Site, sample: str, status: int | Literal["lost"]
) -> None:
    site.relay.faults = [Fault(starts, status, times=2)]
    before = await runs_of(site)

    app = await analysed(site, sample)

    sent = site.relay.requests("POST")
    assert len(sent) == 3
    assert len({seen.headers["Idempotency-Key"] for seen in sent}) == 1
    assert app.answer["body"]["status"] == "succeeded"
    assert len(run_ids(site)) == 1
    assert await runs_of(site) - before == run_ids(site)


async def test_an_answer_that_asks_to_wait_is_waited_for(site: Site) -> None:
    site.relay.faults = [Fault(starts, 429, headers={"Retry-After": "11"})]
    waits: list[float] = []
    pause = site.world.wire.pause

    async def watched(seconds: float) -> None:
        waits.append(seconds)
        await pause(seconds)

    site.world.wire.pause = watched
    await analysed(site)

    assert waits[0] == 11


async def test_two_runs_of_a_logic_app_are_two_runs(site: Site) -> None:
    await analysed(site)
    await analysed(site)

    assert len(run_ids(site)) == 2


async def test_a_refused_request_fails_the_action_at_once(site: Site) -> None:
    app = await site.ended(site.app("polling", {"text": ""}, name()))

    assert [seen.status for seen in site.relay.requests("POST")] == [400]
    assert app.outcomes["Analyse"].status == "Failed"
    assert app.answer == {"statusCode": 502, "body": {"message": app.answer["body"]["message"], "status": 400}}


async def test_without_its_key_a_logic_app_gets_nowhere(site: Site) -> None:
    app = await site.ended(site.app("polling", {"text": PLAN}, name(), chorus_key="another"))

    assert [seen.status for seen in site.relay.seen] == [401]
    assert app.answer["statusCode"] == 502


async def test_where_polls_have_no_headers_the_loop_that_writes_them_out_still_works(site: Site) -> None:
    async with a_site(site.chorus, polls_have_headers=False) as bare:
        followed = await analysed(bare, "polling")
        assert (followed.answer["statusCode"], followed.answer["body"]["status"]) == (502, 401)

    async with a_site(site.chorus, polls_have_headers=False) as bare:
        looped = await analysed(bare, "polling-loop")
        assert looped.answer["body"]["status"] == "succeeded"


async def runs_of(site: Site) -> set[str]:
    """The ids of the runs that the app knows."""
    status, listed, _ = await site.chorus.get("runs?limit=200")
    assert status == 200, listed
    return {run["id"] for run in listed["runs"]}
