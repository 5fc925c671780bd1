"""Starting runs in storage: what the app's settings allow, and what a run is started with."""

from __future__ import annotations

from typing import Any

import pytest

from shared.contracts.base import restored
from shared.contracts.map_reduce import MapReduceRequest
from shared.contracts.storage import BlobSink, BlobSource
from shared.settings import CHORUS_SINK_CONTAINERS, CHORUS_SOURCE_CONTAINERS, CHORUS_STORAGE
from tests.triggers.requests import JSON, FakeClient, paths_of, post, problem_of
from triggers.runs import start_map_reduce
from triggers.storage import reads_what_it_writes

AGENT = {"instructions": "read"}
SETTINGS = {
    CHORUS_STORAGE: "UseDevelopmentStorage=true",
    CHORUS_SOURCE_CONTAINERS: "documents, reports",
    CHORUS_SINK_CONTAINERS: "results, archive, reports",
}


@pytest.fixture(autouse=True)
def storage(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in SETTINGS.items():
        monkeypatch.setenv(name, value)


def request(**fields: Any) -> JSON:
    return {"source": {"container": "documents"}, "map": AGENT, "reduce": AGENT, **fields}


async def started(body: JSON) -> MapReduceRequest:
    """The request that the run was started with."""
    client = FakeClient()
    answer = await start_map_reduce(post("map-reduce", body), client)  # pyright: ignore[reportArgumentType]
    assert answer.status_code == 202, answer.get_body()
    [(name, given, _)] = client.started
    assert name == "map_reduce"
    return restored(MapReduceRequest, given["request"])


async def refused(body: JSON, status: int, code: str) -> JSON:
    """The problem with the request; nothing was started."""
    client = FakeClient()
    answer = await start_map_reduce(post("map-reduce", body), client)  # pyright: ignore[reportArgumentType]
    assert client.started == []
    return problem_of(answer, status, code)


async def test_a_run_without_a_sink_writes_to_the_default_one() -> None:
    found = await started(request())

    assert found.sink == BlobSink(container="results")
    assert found.source == BlobSource(container="documents")


async def test_a_run_writes_where_its_request_says() -> None:
    found = await started(request(sink={"container": "archive", "prefix": "2026/"}))

    assert found.sink == BlobSink(container="archive", prefix="2026/")


async def test_documents_of_the_request_can_have_a_sink() -> None:
    body = {"documents": [{"id": "a", "content": "text"}], "sink": {"container": "results"}}
    found = await started({**body, "map": AGENT, "reduce": AGENT})

    assert [document.id for document in found.documents] == ["a"]


async def test_a_run_in_history_needs_no_storage(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(CHORUS_STORAGE)

    found = await started({"documents": [{"id": "a", "content": "text"}], "map": AGENT, "reduce": AGENT})

    assert found.sink is None


@pytest.mark.parametrize(
    "body", [request(), request(source=None, documents=[{"id": "a", "content": "t"}], sink={"container": "results"})]
)
async def test_without_storage_the_refusal_names_the_settings(monkeypatch: pytest.MonkeyPatch, body: JSON) -> None:
    monkeypatch.delenv(CHORUS_STORAGE)

    body = await refused(
        {key: value for key, value in body.items() if value is not None}, 400, "storage_not_configured"
    )

    for setting in SETTINGS:
        assert setting in body["detail"]
    assert "UseDevelopmentStorage" not in body["detail"]


async def test_without_a_default_sink_the_request_needs_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(CHORUS_SINK_CONTAINERS)

    body = await refused(request(), 400, "storage_not_configured")

    assert CHORUS_SINK_CONTAINERS in body["detail"]


@pytest.mark.parametrize(
    ("fields", "path", "setting"),
    [
        ({"source": {"container": "secrets"}}, "source.container", CHORUS_SOURCE_CONTAINERS),
        ({"source": {"container": "results"}}, "source.container", CHORUS_SOURCE_CONTAINERS),
        ({"source": {"container": "document"}}, "source.container", CHORUS_SOURCE_CONTAINERS),
        ({"sink": {"container": "documents"}}, "sink.container", CHORUS_SINK_CONTAINERS),
        ({"sink": {"container": "chorus-payloads"}}, "sink.container", CHORUS_SINK_CONTAINERS),
    ],
)
async def test_a_container_that_is_not_on_the_list_is_403_with_its_path(fields: JSON, path: str, setting: str) -> None:
    body = await refused(request(**fields), 403, "container_not_allowed")

    assert paths_of(body) == [path]
    assert setting in body["detail"]


async def test_the_containers_that_are_allowed_are_not_told() -> None:
    body = await refused(request(source={"container": "secrets"}), 403, "container_not_allowed")

    assert not any(name in body["detail"] for name in ("documents", "reports", "archive"))


@pytest.mark.parametrize(
    ("source", "sink", "refuses"),
    [
        ("", "", True),
        ("in/", "", False),
        ("", "out", True),
        ("out", "out", True),
        ("out/", "out/", True),
        ("ou", "out/", True),
        ("out/x/", "out", False),
        ("out/a", "out", True),
        ("out/g", "out", False),
        ("0123456789abcdef0123456789abcdef/documents/", "", False),
        ("out2/", "out", False),
    ],
)
async def test_a_run_whose_source_has_what_it_writes_is_refused(source: str, sink: str, refuses: bool) -> None:
    body = request(source={"container": "reports", "prefix": source}, sink={"container": "reports", "prefix": sink})

    if refuses:
        assert paths_of(await refused(body, 400, "invalid_request")) == ["sink"]
    else:
        await started(body)


def test_folders_of_other_containers_are_no_matter() -> None:
    assert not reads_what_it_writes(BlobSource(container="documents"), BlobSink(container="results"))


async def test_a_policy_that_contradicts_itself_is_refused_before_the_source_is_counted() -> None:
    assert paths_of(await refused(request(policy={"stop_early": True}), 400, "invalid_request")) == [
        "policy.stop_early"
    ]
    assert (await started(request(policy={"min_successful": 5_000}))).policy.min_successful == 5_000


async def test_parts_of_a_stored_document_may_be_more_than_the_documents() -> None:
    body = {"documents": [{"id": "a", "content": "text"}], "sink": {"container": "results"}, "map": AGENT}
    split = {"by": "tokens", "size": 1_000}

    found = await started({**body, "reduce": AGENT, "split": split, "policy": {"min_successful": 9}})

    assert found.policy.min_successful == 9
