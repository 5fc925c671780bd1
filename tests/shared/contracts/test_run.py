"""Runs as they go through history, and as their callers see them."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any, get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from shared.contracts.base import restored
from shared.contracts.branch import BranchOutcome, BranchStatus, Usage
from shared.contracts.missing import MAX_MISSING, MAX_MISSING_CHARS, first_names
from shared.contracts.run import (
    BranchView,
    CompletionReason,
    Counts,
    LiveStatus,
    Progress,
    Redrive,
    RedriveRequest,
    RunAccepted,
    RunInput,
    RunPending,
    RunResult,
    RunStatus,
    RunView,
)
from shared.contracts.storage import BlobSink
from shared.contracts.work import RunFolder, files_of
from tests.shared.contracts.rejection import accepted, rejection
from tests.shared.strategies import JSON_OBJECTS, JSON_VALUES, NAMES

RUN_ID = "0123456789abcdef0123456789abcdef"
MOMENTS = st.datetimes(datetime(2020, 1, 1), datetime(2100, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001
USAGES = st.builds(Usage, **dict.fromkeys(Usage.model_fields, st.integers(0, 10**12)))
OUTCOMES = st.builds(
    lambda name, output, usage, moment, hedges: BranchOutcome(
        name=name, status="succeeded", output=output, attempts=1, hedges=hedges, usage=usage,
        started_at=moment, ended_at=moment + timedelta(seconds=1),
    ),
    NAMES, JSON_VALUES, USAGES, MOMENTS, st.integers(0, 3),
)  # fmt: skip


def through_history(value: Any) -> Any:
    """As the SDK does it, restored as the app does it."""
    text = json.dumps(value.model_dump(mode="json"), allow_nan=False, ensure_ascii=False).encode().decode()
    return restored(type(value), json.loads(text))


@given(
    request=JSON_OBJECTS,
    reused=st.none() | st.lists(OUTCOMES, max_size=3),
    recipe=st.sampled_from([None, "fact-check"]),
)
def test_the_input_of_a_run_survives_history(
    request: dict[str, Any], reused: list[BranchOutcome] | None, recipe: str | None
) -> None:
    redrive = None if reused is None else Redrive(run_id=RUN_ID, reused=reused)
    value = RunInput(request=request, redrive=redrive, recipe=recipe)

    assert through_history(value) == value
    assert through_history(value).model_dump_json() == value.model_dump_json()


def test_an_input_without_a_redrive_needs_none() -> None:
    assert accepted(RunInput, {"request": {}}).redrive is None


def test_a_run_without_a_recipe_says_nothing_of_one() -> None:
    accepted_run = RunAccepted(id=RUN_ID, pattern="voting", status_url="u", view_url="u", cancel_url="u")

    assert "recipe" not in RunInput(request={}).model_dump(mode="json")
    assert "recipe" not in accepted_run.model_dump(mode="json")
    assert accepted_run.model_copy(update={"recipe": "fact-check"}).model_dump(mode="json")["recipe"] == "fact-check"


@pytest.mark.parametrize(
    "data", [None, [], "text", {}, {"request": None}, {"request": []}, {"request": {}, "redrive": {}}]
)
def test_what_is_no_input_of_a_run_is_an_error(data: Any) -> None:
    with pytest.raises(ValidationError):
        restored(RunInput, data)


@given(
    outcomes=st.lists(OUTCOMES, max_size=3),
    usage=USAGES,
    moment=MOMENTS,
    status=st.sampled_from(get_args(RunStatus)),
    reason=st.sampled_from(get_args(CompletionReason)),
)
def test_a_result_survives_history(
    outcomes: list[BranchOutcome], usage: Usage, moment: datetime, status: Any, reason: Any
) -> None:
    value = RunResult(
        id=RUN_ID, pattern="voting", redrive_of=RUN_ID, status=status, completion_reason=reason, outcomes=outcomes,
        reused=[outcome.name for outcome in outcomes], usage=usage, started_at=moment, ended_at=moment,
    )  # fmt: skip

    assert through_history(value) == value


def test_a_result_of_a_version_without_policies_and_redrives_can_be_read() -> None:
    moment = "2026-01-01T12:00:00Z"
    written = {
        "id": RUN_ID, "pattern": "voting", "status": "succeeded", "completion_reason": "all_completed",
        "started_at": moment, "ended_at": moment,
    }  # fmt: skip

    found = restored(RunResult, written)

    assert (found.policy, found.redrive_of, found.reused) == (None, None, [])


def test_a_run_in_history_does_not_speak_of_storage() -> None:
    moment = datetime(2026, 1, 1, tzinfo=UTC)
    value = RunResult(
        id=RUN_ID, pattern="map_reduce", status="succeeded", completion_reason="all_completed",
        started_at=moment, ended_at=moment,
    )  # fmt: skip

    assert not {"files", "counts"} & value.model_dump(mode="json").keys()


def test_a_result_in_storage_survives_history() -> None:
    moment = datetime(2026, 1, 1, tzinfo=UTC)
    folder = RunFolder.of(BlobSink(container="results", prefix="team/"), RUN_ID)
    value = RunResult(
        id=RUN_ID, pattern="map_reduce", status="partial", completion_reason="all_completed", missing=["a.txt"],
        files=files_of(folder), counts=Counts(documents=2, works=3, pages=1, succeeded=2, failed=1),
        started_at=moment, ended_at=moment,
    )  # fmt: skip

    assert through_history(value) == value
    assert value.model_dump(mode="json")["files"]["documents"] == f"team/{RUN_ID}/documents/"


@pytest.mark.parametrize(("prefix", "name"), [("", "r/"), ("a", "a/r/"), ("a/", "a/r/"), ("a/b", "a/b/r/")])
def test_a_run_s_folder_is_under_the_prefix_of_its_sink(prefix: str, name: str) -> None:
    assert RunFolder.of(BlobSink(container="results", prefix=prefix), "r").name == name


@pytest.mark.parametrize(
    ("names", "kept"),
    [([], 0), (["a"] * (MAX_MISSING + 1), MAX_MISSING), (["x" * 1_000] * 51, 50), (["x" * (MAX_MISSING_CHARS + 1)], 0)],
)
def test_as_many_names_are_told_as_a_small_result_has_room_for(names: list[str], kept: int) -> None:
    assert first_names(names) == names[:kept]


@pytest.mark.parametrize("body", [{}, {"policy": None}])
def test_a_redrive_needs_no_policy(body: Any) -> None:
    assert accepted(RedriveRequest, body).policy is None


@pytest.mark.parametrize(
    ("body", "where"),
    [
        (None, ""),
        ([], ""),
        ("again", ""),
        ({"run_id": RUN_ID}, "run_id"),
        ({"policy": []}, "policy"),
        ({"policy": "p95"}, "policy"),
        ({"policy": {"attempts": 11}}, "policy.attempts"),
        ({"policy": {"surprise": 1}}, "policy.surprise"),
    ],
)
def test_a_redrive_takes_a_policy_and_nothing_else(body: Any, where: str) -> None:
    [(location, _)] = rejection(RedriveRequest, body)

    assert location == where


def test_a_live_branch_is_in_a_state_of_an_ended_one_or_in_one_of_its_own() -> None:
    ended, own = get_args(LiveStatus)

    assert get_args(ended) == get_args(BranchStatus)
    assert set(get_args(own)) == {"pending", "running", "retrying"}


@given(moment=MOMENTS, usage=USAGES, status=st.sampled_from(["pending", "running", "succeeded"]))
def test_a_view_survives_being_sent(moment: datetime, usage: Usage, status: Any) -> None:
    branch = BranchView(name="a", status=status, attempts=1, hedges=1, usage=usage, started_at=moment)
    view = RunView(
        id=RUN_ID, pattern="sectioning", status="running", phase="branches", progress=Progress(total=1, running=1),
        branches=[branch], reused=["a"], usage=usage, started_at=moment, updated_at=moment,
    )  # fmt: skip

    assert RunView.model_validate_json(view.model_dump_json()) == view


@pytest.mark.parametrize("contract", [RunAccepted, RunPending])
def test_an_answer_to_a_caller_names_the_run_and_where_to_look(contract: Any) -> None:
    assert {"id", "pattern", "status_url"} <= set(contract.model_fields)
    assert not any("key" in field or "code" in field for field in contract.model_fields)
