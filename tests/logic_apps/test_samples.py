"""The samples do what their pages say: one action in the place of a for-each, a person where voters do not agree."""

from __future__ import annotations

import json
import uuid

import pytest

from tests.logic_apps.conftest import Site
from tests.logic_apps.relay import KEY, Fault, polls, starts
from tests.logic_apps.samples import CONNECTOR, workflow
from tests.logic_apps.workflow import Connection, LogicApp

pytestmark = pytest.mark.asyncio(loop_scope="module")

MESSAGES = [
    {"title": "Late again", "text": "Delivery was two days late and the box was wet. I want my money back."},
    {"title": "Thank you / merci", "text": "Quick delivery, friendly driver."},
    {"title": "Where is it?", "text": "My order has not arrived. Please tell me where it is."},
]


async def ran(site: Site, sample: str, body: object, **parameters: object) -> LogicApp:
    app = await site.ended(site.app(sample, body, f"08584{uuid.uuid4().int}", **parameters))
    assert app.answer is not None
    return app


async def test_one_map_reduce_action_reads_all_documents(site: Site) -> None:
    app = await ran(site, "map-reduce", {"documents": MESSAGES})

    assert app.answer["statusCode"] == 200
    assert [outcome["name"] for outcome in app.answer["body"]["documents"]] == [
        "document-0",
        "document-1",
        "document-2",
    ]
    assert all(set(outcome["output"]) == {"wish", "mood", "urgent"} for outcome in app.answer["body"]["documents"])
    assert app.answer["body"]["summary"]
    assert len(site.relay.requests("POST")) == 1


CLEAR = "Our mower cuts lawns of up to 500 square metres. It has a two-year warranty."
DIVIDING = "The customer service is slow. The director of the rival firm, Mr Vale of 12 Mill Lane, is a criminal."
OFFICE: dict[str, object] = {
    "$connections": {"office365": {"connectionId": "/office365"}},
    "approver": "ana@example.com",
}


async def test_a_clear_vote_is_the_answer_and_nobody_is_asked(site: Site) -> None:
    app = await ran(site, "approval", {"text": CLEAR}, **OFFICE)

    assert app.answer["body"] == {"decision": "publish", "decided_by": "voters", "agreement": 1.0}
    assert site.world.mails == []
    assert app.outcomes["Ask_by_mail"].status == "Skipped"


async def test_a_split_vote_is_a_persons_to_decide(site: Site) -> None:
    site.world.choice = "do not publish"

    app = await ran(site, "approval", {"text": DIVIDING}, **OFFICE)

    assert app.answer["body"]["decision"] == "do not publish"
    assert app.answer["body"]["decided_by"] == "ana@example.com"
    assert 0 <= app.answer["body"]["agreement"] < 0.25, "the voters were divided"
    [mail] = site.world.mails
    assert mail["To"] == "ana@example.com"
    assert mail["Options"] == "publish, do not publish"
    assert DIVIDING in mail["Body"]
    assert "| Agreement |" in mail["Body"], "the person sees how the voters voted"


async def test_the_mail_shows_a_text_and_does_not_obey_it(site: Site) -> None:
    app = await ran(site, "approval", {"text": f"{DIVIDING} <img src='https://example.com/seen'> R&D"}, **OFFICE)

    [mail] = site.world.mails
    assert "&lt;img src='https://example.com/seen'> R&amp;D" in mail["Body"], "a mail is HTML"
    assert app.answer["body"]["decided_by"] == "ana@example.com"


async def test_how_much_agreement_is_enough_is_a_parameter(site: Site) -> None:
    app = await ran(site, "approval", {"text": DIVIDING}, **OFFICE, least_agreement=0.0)

    assert app.answer["body"]["decided_by"] == "voters"
    assert site.world.mails == []


async def test_a_vote_that_is_not_complete_is_a_persons_to_decide(site: Site) -> None:
    site.world.choice = "publish"

    app = await ran(site, "approval", {"text": f"{CLEAR} [[fault:bad-request]]"}, **OFFICE)

    assert app.answer["body"] == {"decision": "publish", "decided_by": "ana@example.com", "agreement": None}
    assert len(site.world.mails) == 1


async def test_the_connector_does_what_the_http_actions_do(site: Site) -> None:
    definition = json.loads((CONNECTOR / "apiDefinition.swagger.json").read_text("utf-8"))
    site.world.connections["/chorus"] = Connection(definition, site.relay.base_url, KEY)
    site.relay.faults = [Fault(starts, "lost"), Fault(polls, 503)]

    app = await site.ended(
        LogicApp(
            site.world,
            workflow("with-connector"),
            {"$connections": {"chorus": {"connectionId": "/chorus"}}},
            {"documents": MESSAGES},
            f"08584{uuid.uuid4().int}",
        )
    )

    assert app.answer is not None
    assert app.answer["body"]["summary"]
    assert len(app.answer["body"]["documents"]) == 3
