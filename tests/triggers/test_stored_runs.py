"""Runs in storage as callers see them: counts and files, however many documents there are."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import UTC, timedelta
from typing import Any

import pytest
from durabletask.client import OrchestrationState

from shared.contracts.missing import MAX_MISSING
from shared.contracts.run import Planned, RunInput, RunResult, RunView
from shared.contracts.work import RunFolder
from shared.settings import CHORUS_SINK_CONTAINERS, CHORUS_SOURCE_CONTAINERS, CHORUS_STORAGE
from tests.triggers.handlers import ask
from tests.triggers.requests import (
    CREATED,
    EARLIER_ID,
    ENDED_AT,
    JSON,
    RUN_ID,
    STARTED_AT,
    USAGE,
    FakeClient,
    child,
    json_of,
    orchestration,
    problem_of,
)
from triggers.stored_runs import view_of_stored
from triggers.views import RunState

AGENT = {"instructions": "read"}
FOLDER = {"container": "results", "name": f"team/{RUN_ID}/", "run_id": RUN_ID}
EARLIER_FOLDER = {"container": "results", "name": f"team/{EARLIER_ID}/", "run_id": EARLIER_ID}


@pytest.fixture(autouse=True)
def storage(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(CHORUS_STORAGE, "UseDevelopmentStorage=true")
    monkeypatch.setenv(CHORUS_SOURCE_CONTAINERS, "documents")
    monkeypatch.setenv(CHORUS_SINK_CONTAINERS, "results")


def request(**fields: Any) -> JSON:
    sink = {"container": "results", "prefix": "team"}
    return {"source": {"container": "documents"}, "sink": sink, "map": AGENT, "reduce": AGENT, **fields}


def run(status: str = "RUNNING", *, redrive: JSON | None = None, **fields: Any) -> OrchestrationState:
    given = {"request": request(), "redrive": redrive}
    return orchestration(status, **{"name": "map_reduce", "given": given, **fields})


def shard(
    number: int,
    status: str = "RUNNING",
    *,
    stage: str = "map",
    works: int = 1_000,
    pages: int = 4,
    again: int = 0,
    **fields: Any,
) -> OrchestrationState:
    """Shard `number` of a stage; `again` is the number of one that takes the place of a lost one."""
    staged = {"name": stage, "call": "read_documents", "folder": FOLDER, "pages": pages, "works": works}
    given = {
        "stage": staged, "number": number, "parent": RUN_ID, "places": 50, "policy": {}, "deadline": ENDED_AT,
    }  # fmt: skip
    replaces = f"~{again}" if again else ""
    return child(f"~{stage}-{number:05}{replaces}", status, name="shard", given=given, **fields)


def told(**counts: int) -> JSON:
    return {"succeeded": 0, "failed": 0, "running": 0, "reused": 0, "tokens": 0, **counts}


def at_work(*shards: int, phase: str = "branches", stage: str = "map") -> JSON:
    """What a run tells of its stage: the numbers of the shards that are not among its counts."""
    return {"phase": phase, "stage": stage, "going": [f"{number:05}" for number in shards]}


def tallied(number: int, succeeded: int, failed: int = 0, *, reused: int = 0, missing: Sequence[str] = ()) -> JSON:
    """A `ShardResult`."""
    tally = {"succeeded": succeeded, "failed": failed, "reused": reused, "usage": USAGE}
    return {"number": number, "tally": tally, "missing": list(missing)}


def outcome(**fields: Any) -> JSON:
    """The `RunResult` of a run in storage that has ended by itself."""
    counts = {"documents": 900, "works": 1_000, "pages": 4, "succeeded": 990, "failed": 10, "reused": 100}
    files = {"container": "results", "folder": FOLDER["name"], "documents": f"{FOLDER['name']}documents/"}
    return {
        "id": RUN_ID,
        "pattern": "map_reduce",
        "status": "partial",
        "completion_reason": "all_completed",
        "output": None,
        "missing": [f"in/{number}.txt" for number in range(10)],
        "usage": USAGE,
        "started_at": STARTED_AT,
        "ended_at": ENDED_AT,
        "files": files,
        "counts": counts,
        **fields,
    }


async def view(*states: OrchestrationState, client: FakeClient | None = None) -> RunView:
    answer = await ask("VIEW", *states, client=client)
    assert answer.status_code == 200, answer.get_body()
    assert len(answer.get_body()) < 2_000
    return RunView.model_validate(json_of(answer))


# --- The view ---


async def test_a_run_that_plans_says_so() -> None:
    seen = await view(run(custom_status={"phase": "planning", "total": 2_500}))

    assert (seen.status, seen.phase, seen.progress.total) == ("running", "planning", 2_500)
    assert (seen.progress.done, seen.rate, seen.remaining_s, seen.branches) == (0, None, None, [])


async def test_a_run_that_has_not_begun_has_a_view() -> None:
    seen = await view(run("PENDING"))

    assert (seen.status, seen.phase, seen.progress.total) == ("pending", "pending", 0)


async def test_the_counts_of_shards_that_ended_and_of_those_at_work_are_added_up() -> None:
    status = {**at_work(2, 3), "total": 1_000, **told(succeeded=240, failed=10, reused=5, tokens=4_000)}
    seen = await view(
        run(custom_status=status),
        shard(1, "COMPLETED", custom_status=told(succeeded=240, failed=10)),
        shard(2, custom_status=told(succeeded=200, failed=20, running=30, reused=7, tokens=3_000)),
        shard(3, custom_status=told(succeeded=10, running=20, tokens=100)),
    )

    assert seen.progress.model_dump() == {
        "total": 1_000, "done": 480, "succeeded": 450, "failed": 30, "running": 50, "reused": 12,
    }  # fmt: skip
    assert seen.usage.total_tokens == 7_100


async def test_a_shard_that_has_ended_since_the_run_told_of_itself_counts() -> None:
    seen = await view(
        run(custom_status={**at_work(1, 2, 3), "total": 1_000, **told()}),
        shard(1, "COMPLETED", output=tallied(1, 245, 5, reused=9), custom_status=told(succeeded=240, running=3)),
        shard(2, custom_status=told(succeeded=10, running=20)),
        shard(3, "FAILED", custom_status=told(succeeded=7)),
    )

    assert (seen.progress.done, seen.progress.succeeded, seen.progress.reused) == (267, 262, 9)
    assert (seen.progress.running, seen.usage.total_tokens) == (20, USAGE["total_tokens"])


async def test_a_shard_that_the_run_has_counted_does_not_count_again_while_it_closes() -> None:
    seen = await view(
        run(custom_status={"phase": "aggregation", "total": 300, **told(succeeded=300, tokens=900)}),
        shard(1, custom_status=told(succeeded=250, tokens=800)),
    )

    assert (seen.progress.done, seen.usage.total_tokens) == (300, 900)


async def test_only_shards_at_work_are_asked_for_however_many_there_are() -> None:
    client = FakeClient([run(custom_status={**at_work(39, 40), "total": 10_000})])
    client.states += [shard(number, "COMPLETED", pages=40) for number in range(1, 39)]
    client.states += [shard(number, custom_status=told(succeeded=1)) for number in (39, 40)]
    client.states += [child("~map-00001", "RUNNING", given={"PRIVATE": "text"})]

    seen = await view(client=client)

    [query] = client.queries
    assert query.instance_id_prefix == f"~{RUN_ID}:~"
    assert query.runtime_status is not None
    assert {status.name for status in query.runtime_status} == {"RUNNING", "SUSPENDED"}
    assert seen.progress.succeeded == 2


def test_the_rate_is_that_of_the_run_s_own_documents() -> None:
    status = {"phase": "branches", "total": 1_000, **told(succeeded=300, reused=100)}
    found = RunState.of(run(custom_status=status))
    assert found is not None

    seen = view_of_stored(found, [], CREATED.replace(tzinfo=UTC) + timedelta(seconds=20))

    assert (seen.rate, seen.remaining_s) == (10.0, 70.0)


@pytest.mark.parametrize("broken", [None, {}, [], "text", {"phase": "branches", "total": "many"}])
async def test_a_custom_status_that_nobody_can_read_breaks_no_view(broken: Any) -> None:
    seen = await view(run(), shard(1, custom_status=broken))

    assert seen.progress.done == 0


async def test_while_it_reduces_the_progress_is_that_of_the_map() -> None:
    status = {**at_work(1, phase="aggregation", stage="reduce-1"), "total": 1_000, **told(succeeded=990, failed=10)}
    seen = await view(
        run(custom_status=status), shard(1, stage="reduce-1", custom_status=told(succeeded=7, running=2, tokens=9))
    )

    assert (seen.phase, seen.progress.done, seen.progress.succeeded, seen.remaining_s) == (
        "aggregation",
        1_000,
        990,
        None,
    )
    assert (seen.progress.running, seen.usage.total_tokens) == (0, 9)


async def test_an_ended_run_s_view_comes_from_its_counts() -> None:
    seen = await view(run("COMPLETED", output=outcome()))

    assert (seen.status, seen.phase, seen.completion_reason) == ("partial", "done", "all_completed")
    assert seen.progress.model_dump() == {
        "total": 1_000, "done": 1_000, "succeeded": 990, "failed": 10, "running": 0, "reused": 100,
    }  # fmt: skip
    assert (seen.rate, seen.remaining_s, seen.branches) == (180.0, None, [])


# --- The result ---


async def test_the_result_is_what_the_run_wrote() -> None:
    answer = await ask("GET", run("COMPLETED", output=outcome()))

    assert json_of(answer) == outcome()
    assert RunResult.model_validate(json_of(answer)).counts is not None


async def died(*shards: OrchestrationState, status: str = "TERMINATED", **fields: Any) -> RunResult:
    answer = await ask("GET", run(status, **fields), *shards)
    assert answer.status_code == 200, answer.get_body()
    return RunResult.model_validate(json_of(answer))


@pytest.mark.parametrize(
    ("status", "expected"),
    [("TERMINATED", ("cancelled", "terminated")), ("FAILED", ("failed", "internal_error"))],
)
async def test_a_run_that_died_has_what_its_shards_counted(status: str, expected: tuple[str, str]) -> None:
    found = await died(
        shard(1, "COMPLETED", output=tallied(1, 245, 5, reused=9, missing=["in/1.txt", "in/2.txt"])),
        shard(2, custom_status=told(succeeded=100, failed=1, running=30, tokens=1_000)),
        shard(3, "FAILED", custom_status=told(succeeded=10, tokens=500)),
        shard(1, "COMPLETED", stage="reduce-1", output=tallied(1, 3)),
        status=status,
    )

    assert found.error is not None
    assert (found.status, found.error.code) == expected
    assert found.counts is not None
    assert found.counts.model_dump() == {
        "documents": 1_000, "works": 1_000, "pages": 4, "succeeded": 355, "failed": 645, "reused": 9,
    }  # fmt: skip
    assert found.missing == ["in/1.txt", "in/2.txt"]
    assert found.usage.total_tokens == 2 * USAGE["total_tokens"] + 1_500
    assert found.files is not None
    assert (found.files.folder, found.files.results) == (f"team/{RUN_ID}/", None)


async def test_a_run_that_died_while_it_planned_has_no_counts() -> None:
    found = await died()

    assert (found.counts, found.missing, found.outcomes) == (None, [], [])
    assert found.files is not None


async def test_a_page_counts_once_however_many_shards_it_had() -> None:
    found = await died(
        shard(1, "FAILED", custom_status=told(succeeded=40, tokens=100)),
        shard(1, "COMPLETED", again=1, output=tallied(1, 45, 205, missing=["in/1.txt"])),
        shard(2, "FAILED", custom_status=told(succeeded=30)),
        shard(2, "PENDING", again=1),
    )

    assert found.counts is not None
    assert found.counts.succeeded == 75
    assert found.missing == ["in/1.txt"]


async def test_how_many_documents_were_split_is_not_known_of_a_run_that_died() -> None:
    given = {"request": request(split={"by": "tokens", "size": 1_000}), "redrive": None}
    found = await died(shard(1), given=given)

    assert found.counts is not None
    assert (found.counts.documents, found.counts.works) == (None, 1_000)


async def test_the_result_of_a_run_that_died_stays_small() -> None:
    names = [f"in/{number}/{'x' * 80}.txt" for number in range(250)]
    shards = [shard(page, "COMPLETED", works=10_000, output=tallied(page, 0, 250, missing=names)) for page in range(40)]
    found = await died(*shards)

    assert len(found.missing) <= MAX_MISSING
    assert len(found.model_dump_json()) < 100_000


# --- Redrive ---


async def redriven(state: OrchestrationState, *others: OrchestrationState, **asked: Any) -> RunInput:
    client = FakeClient([state, *others])
    answer = await ask("REDRIVE", client=client, **asked)
    assert answer.status_code == 202, answer.get_body()
    [(pattern, given, _)] = client.started
    assert pattern == "map_reduce"
    assert len(json.dumps(given)) < 3_000
    return RunInput.model_validate(given)


async def test_a_redrive_has_the_folder_and_the_plan_of_the_first_run() -> None:
    given = await redriven(run("COMPLETED", output=outcome()))

    assert given.redrive is not None
    assert given.redrive.run_id == RUN_ID
    assert given.redrive.reused == []
    assert given.redrive.folder == RunFolder.model_validate(FOLDER)
    assert given.redrive.planned == Planned(documents=900, works=1_000, pages=4)
    assert given.request["sink"] == {"container": "results", "prefix": "team"}


@pytest.mark.parametrize("status", ["FAILED", "TERMINATED"])
async def test_a_run_that_died_can_be_redriven_from_what_its_shards_tell(status: str) -> None:
    given = await redriven(run(status), shard(1, works=700, pages=3))

    assert given.redrive is not None
    assert given.redrive.planned == Planned(documents=700, works=700, pages=3)


async def test_a_run_whose_planning_did_not_end_is_planned_again() -> None:
    output = outcome(status="failed", completion_reason="planning_failed")
    del output["counts"]
    given = await redriven(run("COMPLETED", output=output))

    assert given.redrive is not None
    assert (given.redrive.run_id, given.redrive.folder, given.redrive.planned) == (RUN_ID, None, None)


@pytest.mark.parametrize(("has_begun", "folder"), [(True, FOLDER), (False, EARLIER_FOLDER)])
async def test_a_redrive_of_a_redrive_goes_on_from_the_latter_once_that_has_a_plan(
    has_begun: bool, folder: JSON
) -> None:
    first = {"run_id": EARLIER_ID, "reused": [], "folder": EARLIER_FOLDER, "planned": {"works": 1_000, "pages": 4}}
    given = await redriven(run("TERMINATED", redrive=first), *([shard(1)] if has_begun else []))

    assert given.redrive is not None
    assert given.redrive.run_id == RUN_ID
    assert given.redrive.folder == RunFolder.model_validate(folder)
    assert given.redrive.planned == Planned(works=1_000, pages=4)


async def test_a_new_policy_is_checked_against_the_number_of_documents() -> None:
    done = run("COMPLETED", output=outcome())
    given = await redriven(done, body={"policy": {"min_successful": 1_000}})
    answer = await ask("REDRIVE", done, body={"policy": {"min_successful": 1_001}})

    assert given.request["policy"]["min_successful"] == 1_000
    assert "only 1000 branches" in problem_of(answer, 400, "invalid_request")["detail"]


async def test_a_run_that_succeeded_has_nothing_to_redrive() -> None:
    answer = await ask("REDRIVE", run("COMPLETED", output=outcome(status="succeeded")))

    problem_of(answer, 409, "nothing_to_redrive")


async def test_a_run_that_stopped_with_enough_would_stop_again() -> None:
    given = {"request": request(policy={"min_successful": 900, "stop_early": True}), "redrive": None}
    output = outcome(completion_reason="min_successful_reached")
    answer = await ask("REDRIVE", run("COMPLETED", given=given, output=output))

    problem_of(answer, 409, "nothing_to_redrive")


async def test_a_container_that_is_no_longer_allowed_keeps_a_run_from_being_redriven(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv(CHORUS_SINK_CONTAINERS, "elsewhere")

    client = FakeClient([run("COMPLETED", output=outcome())])
    answer = await ask("REDRIVE", client=client)

    problem_of(answer, 403, "container_not_allowed")
    assert client.started == []
