"""The samples do what their pages say: one action in the place of a for-each, a person where voters do not agree."""

from __future__ import annotations

import uuid

import pytest

from tests.logic_apps.conftest import Site
from tests.logic_apps.workflow import LogicApp

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
