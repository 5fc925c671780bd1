"""Large payloads go through storage and come back; a text that looks like a reference to a blob stays a text."""

from __future__ import annotations

import asyncio
import gzip
import json
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from local_host.azurite import azurite_settings, running_azurite
from shared.azure_blobs import AzureBlobs
from shared.settings import PAYLOADS_CONTAINER, load_storage_settings
from tests.end_to_end.conftest import JSON, POLL_S, RUN_LIMIT_S, Chorus, running_chorus

pytestmark = pytest.mark.asyncio(loop_scope="module")

SECRET = "the code of the safe is 4711"
SECRET_INPUT: JSON = {"request": {"input": SECRET, "sections": [{"name": "a", "instructions": "Say it."}]}}
"""What is in the blobs that nobody may read: a run that tells the secret, for whoever gets it as an input."""
SECRET_HEX = "0123456789abcdef" * 2
REFERENCES = [
    f"blob:v1:private:{SECRET_HEX}",
    f"blob:v1:private:run/{SECRET_HEX}",
    json.dumps(f"blob:v1:private:{SECRET_HEX}"),
    f"blob:v1:{PAYLOADS_CONTAINER}:../private/{SECRET_HEX}",
    f"blob:v1:{PAYLOADS_CONTAINER}:secret",
]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def blobs(azurite: running_azurite) -> AsyncIterator[AzureBlobs]:
    settings = load_storage_settings(azurite_settings(azurite.connection_string, {}))
    assert settings is not None
    opened = AzureBlobs(settings)
    data = gzip.compress(json.dumps(SECRET_INPUT).encode())
    for name in (SECRET_HEX, f"run/{SECRET_HEX}"):
        await opened.write("private", name, data)
    await opened.write(PAYLOADS_CONTAINER, "secret", data)
    yield opened
    await opened.close()


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def stored(azurite: running_azurite, blobs: AzureBlobs) -> AsyncIterator[Chorus]:
    """The app with storage for its payloads."""
    async with running_chorus(**azurite_settings(azurite.connection_string, {})) as app:
        yield app


async def payloads_of(blobs: AzureBlobs, run_id: str) -> int:
    return len((await blobs.listed(PAYLOADS_CONTAINER, run_id)).blobs)


async def management(chorus: Chorus, path: str) -> str:
    url = f"{chorus.base_url}/runtime/webhooks/durabletask/instances/{path}"
    async with chorus.session.get(url, params={"showInput": "true", "showHistory": "true"}) as answer:
        return await answer.text()


async def test_large_inputs_and_outputs_go_through_storage_and_come_back(stored: Chorus, blobs: AzureBlobs) -> None:
    documents = [
        {"id": f"doc-{number}", "content": f"Report {number}. " + "The harbour froze in March. " * 1650}
        for number in range(20)
    ]
    body: JSON = {
        "documents": documents,
        "map": {"instructions": "Summarise the document."},
        "reduce": {"instructions": "Merge the summaries."},
    }
    assert len(json.dumps(body)) > 900_000

    run_id = await stored.start("map-reduce", body)
    result = await stored.result(run_id)

    assert (result["status"], len(result["outcomes"])) == ("succeeded", 20)
    assert await payloads_of(blobs, run_id) >= 1
    _, view, _ = await stored.get(f"runs/{run_id}/view")
    assert len(view["branches"]) >= 20


async def test_a_small_run_leaves_storage_alone(stored: Chorus, blobs: AzureBlobs) -> None:
    body = {"input": "Short.", "sections": [{"name": "a", "instructions": "Say it."}]}

    run_id = await stored.start("sectioning", body)
    await stored.result(run_id)

    assert await payloads_of(blobs, run_id) == 0


@pytest.mark.parametrize("reference", REFERENCES)
async def test_a_text_that_looks_like_a_reference_is_not_followed(stored: Chorus, reference: str) -> None:
    agent, ballot = {"instructions": reference}, {"type": "choice", "options": [reference, "no"]}
    requests: list[tuple[str, JSON]] = [
        ("voting", {"question": reference, "context": reference, "voters": 3, "ballot": ballot}),
        ("sectioning", {"input": reference, "sections": [{"name": "a", "instructions": reference}]}),
        ("map-reduce", {"documents": [{"id": "d", "content": reference}], "map": agent, "reduce": agent}),
    ]
    for route, body in requests:
        run_id = await stored.start(route, body)
        result = await stored.result(run_id)
        _, view, _ = await stored.get(f"runs/{run_id}/view")
        told = json.dumps([result, view]) + await management(stored, run_id)

        assert SECRET not in told
        assert reference.strip('"') in told


@pytest.mark.parametrize("reference", REFERENCES)
async def test_not_even_a_whole_input_that_is_a_reference_is_followed(stored: Chorus, reference: str) -> None:
    """Only those who hold the key of the management API can send one."""
    instance = f"by-hand-{REFERENCES.index(reference)}"
    await stored.start_by_hand("sectioning", instance, reference)

    told = await ended(stored, instance)

    assert SECRET not in told
    assert json.loads(told)["runtimeStatus"] == "Failed"


async def test_the_secret_would_be_told_by_a_run_that_gets_it(stored: Chorus) -> None:
    await stored.start_by_hand("sectioning", "by-hand", SECRET_INPUT)

    told = json.loads(await ended(stored, "by-hand"))

    assert told["runtimeStatus"] == "Completed"
    assert SECRET in json.dumps(told["output"])


async def ended(chorus: Chorus, instance: str) -> str:
    async with asyncio.timeout(RUN_LIMIT_S):
        while True:
            told = await management(chorus, instance)
            if json.loads(told)["runtimeStatus"] not in {"Pending", "Running"}:
                return told
            await asyncio.sleep(POLL_S)
