"""The activity that plans a map in storage."""

from __future__ import annotations

from typing import Any

import pytest

from activities import plan_documents as module
from activities.plan_documents import plan_documents
from shared.contracts.base import restored
from shared.contracts.map_reduce import MapReduceRequest
from shared.contracts.planning import Plan
from shared.errors import StorageForbidden
from tests.shared.memory_blobs import MemoryBlobs

REQUEST = MapReduceRequest.model_validate(
    {"source": {"container": "docs"}, "map": {"instructions": "Read."}, "reduce": {"type": "concatenate"}}
)
GIVEN: dict[str, Any] = {
    "folder": {"container": "out", "name": "runs/r1/", "run_id": "r1"},
    "request": REQUEST.model_dump(mode="json"),
}


async def test_a_step_of_a_plan_is_json_in_and_out(monkeypatch: pytest.MonkeyPatch) -> None:
    blobs = MemoryBlobs({"docs": {"a.txt": b"text"}})
    monkeypatch.setattr(module, "shared_blobs", lambda: blobs)

    answer = await plan_documents(GIVEN)

    assert restored(Plan, answer) == Plan(pages=1, works=1, documents=1, bytes=4, tokens=1)
    assert "runs/r1/plan/00001.json" in blobs.contents("out")


async def test_an_app_without_storage_is_the_plan_s_problem(monkeypatch: pytest.MonkeyPatch) -> None:
    def none() -> MemoryBlobs:
        raise StorageForbidden("the app has no storage")

    monkeypatch.setattr(module, "shared_blobs", none)

    assert restored(Plan, await plan_documents(GIVEN)).problem == "the app has no storage"
