"""The workflow that is called back: the callback resumes it, and to give it up cancels the run in Chorus."""

from __future__ import annotations

import asyncio
import uuid
from urllib.parse import parse_qs, urlsplit

import pytest
from standardwebhooks import Webhook

from tests.end_to_end.votes import directed
from tests.logic_apps.conftest import CALLBACK_ENV, RUN_LIMIT_S, Site
from tests.logic_apps.relay import Fault, Seen, starts
from tests.logic_apps.sending import JSON
from tests.logic_apps.test_polling import PLAN
from tests.logic_apps.workflow import LogicApp

pytestmark = pytest.mark.asyncio(loop_scope="module")

HUNG = f"{PLAN} [[fault:hang]]"


def webhook(site: Site, text: str) -> LogicApp:
    return site.app("webhook", {"text": text}, f"08584{uuid.uuid4().int:030}CU01")


def deleted(site: Site) -> Seen:
    """The one request that unsubscribes."""
    [seen] = site.relay.requests("DELETE")
    return seen


async def under_way(site: Site, app: LogicApp) -> asyncio.Task[str]:
    """The workflow as a task, from when it knows that it has subscribed."""
    task = asyncio.create_task(app.run())
    async with asyncio.timeout(RUN_LIMIT_S):
        await site.world.subscribed.wait()
    return task


async def of_the_run(site: Site, task: asyncio.Task[str]) -> JSON:
    """The run that was started, when it has ended."""
    assert task.done()
    _, listed, _ = await site.chorus.get("runs?limit=1")
    return await site.chorus.result(listed["runs"][0]["id"])


async def test_a_callback_resumes_the_workflow_with_the_result(site: Site) -> None:
    app = await site.ended(webhook(site, PLAN))

    assert app.answer is not None
    assert app.answer["body"]["status"] == "succeeded"
    assert "Lyon" in app.answer["body"]["content"]
    assert app.outcomes["Fetch"].status == "Skipped", "the result came with the callback"
    assert site.relay.requests("GET") == [], "nothing was polled"


async def test_the_callback_has_the_headers_and_the_form_of_standard_webhooks(site: Site) -> None:
    app = await site.ended(webhook(site, PLAN))

    [(text, headers)] = site.world.callbacks.arrived
    body = app.outcomes["Analyse"].outputs["body"]
    assert body["type"] == "run.completed"
    assert {"id", "pattern", "status", "completion_reason", "result"} <= set(body["data"])
    assert {"webhook-id", "webhook-timestamp", "webhook-signature"} <= {name.lower() for name in headers}
    assert Webhook(CALLBACK_ENV["CHORUS_CALLBACK_SECRET"]).verify(text, headers) == body


async def test_unsubscribing_from_a_run_that_has_ended_is_no_error(site: Site) -> None:
    await site.ended(webhook(site, PLAN))

    assert deleted(site).status == 200
    assert [reply.body["status"] for reply in site.world.unsubscribed] == ["succeeded"]


@pytest.mark.parametrize("status", [429, 503, "lost"])
async def test_a_subscription_that_is_sent_again_starts_one_run_and_brings_one_callback(
    site: Site, status: int
) -> None:
    site.relay.faults = [Fault(starts, status, times=2)]

    app = await site.ended(webhook(site, PLAN))

    assert app.answer is not None
    assert app.answer["body"]["status"] == "succeeded"
    assert len(site.relay.requests("POST")) == 3
    assert len(site.world.callbacks.arrived) == 1


async def test_to_cancel_the_workflow_cancels_the_run(site: Site) -> None:
    task = await under_way(site, webhook(site, HUNG))

    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task

    assert deleted(site).status == 202
    result = await of_the_run(site, task)
    assert (result["status"], result["completion_reason"]) == ("cancelled", "cancelled")


async def test_a_wait_that_takes_too_long_cancels_the_run(site: Site) -> None:
    app = webhook(site, HUNG)
    app.definition["actions"]["Analyse"]["limit"]["timeout"] = "PT5M"

    await site.ended(app)

    assert app.outcomes["Analyse"].status == "TimedOut"
    assert app.answer is not None
    assert app.answer["statusCode"] == 502
    assert deleted(site).status == 202


async def test_only_the_key_of_the_start_is_known_when_unsubscribing(site: Site) -> None:
    app = await site.ended(webhook(site, PLAN))

    [start] = site.relay.requests("POST")
    asked = parse_qs(urlsplit(deleted(site).path).query)
    assert (
        asked == {"idempotency_key": [start.headers["Idempotency-Key"]]} == {"idempotency_key": [f"{app.name}-analyse"]}
    )


async def test_a_result_that_is_too_large_for_a_callback_is_fetched(site: Site) -> None:
    app = await site.ended(webhook(site, f"{PLAN} {directed('long ' * 20_000)}"))

    assert "result" not in app.outcomes["Analyse"].outputs["body"]["data"]
    assert [seen.status for seen in site.relay.requests("GET")] == [200]
    assert app.answer is not None
    assert app.answer["body"]["status"] == "succeeded"
    assert len(app.answer["body"]["content"]) >= 100_000
