from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

import pytest

from activities import close_page, finish_map, open_page, read_documents, unit_calls
from activities.call_agent import shared_model
from activities.in_flight import IN_FLIGHT
from activities.names import CALL_GIVEN_UP, unit_call_id
from activities.read_documents import REQUESTS
from local_host.offline_model import OfflineModel
from shared.contracts.results import FinishedMap, FinishMap
from shared.contracts.work import ClosePage, OpenedPage, OpenPage, Tally, UnitReply
from shared.errors import StorageForbidden
from shared.model_client import OpenAIModel
from shared.settings import load_model_settings
from tests.activities.test_call_agent import NO_CLIENT, SETTINGS
from tests.shared.memory_blobs import MemoryBlobs
from tests.shared.stored_runs import FOLDER, TEXTS, call, failed, put_page, result, results, storage, unit


@pytest.fixture
def blobs(monkeypatch: pytest.MonkeyPatch) -> MemoryBlobs:
    """The app's storage, with a run of one page."""
    made = storage({**TEXTS, "hang.txt": "[[fault:hang]]"})
    put_page(made, 1, [unit(*TEXTS, name="1.1")])
    for activity in (open_page, unit_calls, close_page, finish_map):
        monkeypatch.setattr(activity, "shared_blobs", lambda: made)
    monkeypatch.setattr(read_documents, "REQUESTS", type(REQUESTS)())
    return made


@pytest.fixture
async def offline(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[OfflineModel]:
    """The app's environment names the offline model."""
    for name in SETTINGS:
        monkeypatch.delenv(name, raising=False)
    async with OfflineModel(directed_faults=True) as model:
        monkeypatch.setenv("OPENAI_BASE_URL", model.base_url)
        yield model
        opened = shared_model(load_model_settings({"OPENAI_BASE_URL": model.base_url}))
        assert isinstance(opened, OpenAIModel)
        await opened.close()
    shared_model.cache_clear()


def through_history(value: Any) -> Any:
    return json.loads(json.dumps(value, allow_nan=False))


async def test_a_page_is_opened_read_closed_and_finished(offline: OfflineModel, blobs: MemoryBlobs) -> None:
    page = {"folder": FOLDER, "stage": "map", "number": 1}
    opened = through_history(await open_page.open_page(OpenPage(**page).model_dump(mode="json")))
    [planned] = OpenedPage.model_validate(opened).units

    given = call(*planned.works).model_dump(mode="json")
    reply = UnitReply.model_validate(through_history(await read_documents.read_documents(given, NO_CLIENT)))
    closed = await close_page.close_page(ClosePage(**page, failures=[]).model_dump(mode="json"))
    finished = await finish_map.finish_map(FinishMap(folder=FOLDER, pages=1).model_dump(mode="json"))

    assert (reply.error, offline.calls) == (None, 1)
    assert Tally.model_validate(through_history(closed)) == Tally(succeeded=3)
    assert FinishedMap.model_validate(through_history(finished)).tally == Tally(succeeded=3, usage=reply.usage)
    assert result(blobs, "disk.txt").succeeded


async def test_calls_of_one_shard_are_given_up_one_by_one(offline: OfflineModel, blobs: MemoryBlobs) -> None:
    hanging, other = call("hang.txt"), call("hang.txt", attempt=2)
    async with asyncio.timeout(10):
        pending = [
            asyncio.create_task(read_documents.read_documents(given.model_dump(mode="json"), NO_CLIENT))
            for given in (hanging, other)
        ]
        while offline.calls < 2:  # noqa: ASYNC110 - the server has no event for it
            await asyncio.sleep(0.01)
        IN_FLIGHT.give_up([unit_call_id(other.instance, "1.1", 2)])
        reply = await pending[1]
        assert not pending[0].done()
        IN_FLIGHT.give_up([unit_call_id(hanging.instance, "1.1", 1)])
        await pending[0]

    assert (reply["error"]["code"], reply["usage"]["model_calls"]) == (CALL_GIVEN_UP, 1)
    assert results(blobs) == []


async def test_a_missing_setting_is_a_permanent_error_that_names_it(blobs: MemoryBlobs) -> None:
    reply = await read_documents.answer(call("disk.txt"), {"AZURE_OPENAI_ENDPOINT": "https://res.openai.azure.com"})

    assert reply.error is not None
    assert (reply.error.code, reply.error.retriable) == ("not_configured", False)


async def test_an_app_without_storage_says_so(offline: OfflineModel, monkeypatch: pytest.MonkeyPatch) -> None:
    def forbidden() -> MemoryBlobs:
        raise StorageForbidden("the app has no storage")

    monkeypatch.setattr(unit_calls, "shared_blobs", forbidden)

    reply = await read_documents.read_documents(call("disk.txt").model_dump(mode="json"), NO_CLIENT)

    assert reply["error"]["code"] == "storage_forbidden"
    assert offline.calls == 0


async def test_a_page_is_closed_with_its_failures(blobs: MemoryBlobs) -> None:
    given = ClosePage(folder=FOLDER, stage="map", number=1, failures=[failed(name) for name in TEXTS])

    assert (await close_page.close_page(given.model_dump(mode="json")))["failed"] == 3
