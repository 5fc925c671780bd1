"""How the folder of a redrive begins."""

from __future__ import annotations

import json

import pytest

from shared.contracts.policy import RunPolicy
from shared.contracts.take_over import TakeOver
from shared.contracts.work import RunFolder
from shared.taking_over import take_over
from tests.shared.memory_blobs import MemoryBlobs

EARLIER = RunFolder(container="results", name="run-0/", run_id="run-0")
FOLDER = RunFolder(container="results", name="run-1/", run_id="run-1")
REQUEST = {"map": {"instructions": "Lies den Brief für mich."}, "policy": {"attempts": 1}, "source": None}


def given(attempts: int = 3) -> TakeOver:
    return TakeOver(folder=FOLDER, earlier=EARLIER, policy=RunPolicy(attempts=attempts))


async def test_the_request_is_the_same_but_for_its_policy() -> None:
    blobs = MemoryBlobs({"results": {"run-0/request.json": json.dumps(REQUEST).encode()}})

    assert (await take_over(blobs, given(attempts=5))).problem is None

    written = json.loads(blobs.contents("results")["run-1/request.json"])
    assert {**written, "policy": None} == {**REQUEST, "policy": None}
    assert written["policy"]["attempts"] == 5


async def test_the_folder_says_where_the_earlier_run_is() -> None:
    blobs = MemoryBlobs({"results": {"run-0/request.json": json.dumps(REQUEST).encode()}})
    await take_over(blobs, given())

    assert RunFolder.model_validate_json(blobs.contents("results")["run-1/redrive_of.json"]) == EARLIER


async def test_twice_is_the_same_as_once_and_the_earlier_folder_is_left_alone() -> None:
    blobs = MemoryBlobs({"results": {"run-0/request.json": json.dumps(REQUEST).encode()}})
    await take_over(blobs, given())
    once = blobs.contents("results")
    await take_over(blobs, given())

    assert blobs.contents("results") == once
    assert blobs.contents("results", "run-0/") == {"run-0/request.json": json.dumps(REQUEST).encode()}


@pytest.mark.parametrize("containers", [{}, {"results": {}}])
async def test_a_folder_that_is_gone_is_a_problem_that_names_it(containers: dict[str, dict[str, bytes]]) -> None:
    blobs = MemoryBlobs(containers)

    problem = (await take_over(blobs, given())).problem

    assert problem is not None
    assert "'run-0/'" in problem
    assert "start a new run" in problem
    assert not any(operation == "write" for operation, _ in blobs.calls)
