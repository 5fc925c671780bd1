"""The live view of a run: its branches from their calls, and counts that add up."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import pytest
from durabletask.client import OrchestrationState
from hypothesis import given
from hypothesis import strategies as st

from shared.contracts.run import Progress, RunView
from tests.triggers.handlers import ask
from tests.triggers.requests import (
    EARLIER_ID,
    RUN_ID,
    child,
    failure,
    json_of,
    orchestration,
    outcome,
    report,
    result,
    run_input,
    sections,
)
from triggers.calls import utc
from triggers.views import RunState, child_states, pace_of, view_of

NOTHING_DONE = {"done": 0, "succeeded": 0, "failed": 0, "running": 0, "reused": 0}


async def view(*states: Any) -> RunView:
    answer = await ask("VIEW", *states)
    assert answer.status_code == 200
    assert b"PRIVATE" not in answer.get_body()
    assert b"secret" not in answer.get_body()
    return RunView.model_validate(json_of(answer))


def run(status: str = "RUNNING", *names: str, **fields: Any) -> OrchestrationState:
    """A sectioning run with these sections."""
    given = run_input(sections(*(names or "abc"), policy={"attempts": 2}))
    return orchestration(status, **{"given": given, "custom_status": {"phase": "branches", "total": 3}, **fields})


async def test_a_pending_run_s_view_says_so() -> None:
    seen = await view(orchestration("PENDING", name="voting"))

    assert (seen.status, seen.phase, seen.pattern, seen.branches) == ("pending", "pending", "voting", [])
    assert seen.progress.model_dump() == {"total": 0, **NOTHING_DONE}


@pytest.mark.parametrize("status", ["PENDING", "RUNNING"])
async def test_a_run_that_has_not_told_its_phase_has_as_many_branches_as_its_request(status: str) -> None:
    seen = await view(run(status, custom_status=None))

    assert seen.phase == "pending"
    assert seen.progress.model_dump() == {"total": 3, **NOTHING_DONE}


async def test_a_running_run_s_view_counts_its_branches() -> None:
    seen = await view(
        orchestration("RUNNING", custom_status={"phase": "branches", "total": 8}),
        child("late", "COMPLETED", 3, output=failure()),
        child("late~2", "RUNNING", 6),
        child("queued", "PENDING", 4),
        child("waiting", "COMPLETED", 5, output=failure()),
        child("good", "COMPLETED", 0, output=report()),
        child("bad", "COMPLETED", 1, output=failure("invalid_call", retriable=False)),
        child("broken", "FAILED", 1.5, error="ValueError"),
        child("stopped", "TERMINATED", 2, output="stopped"),
        orchestration("RUNNING", instance_id="f" * 32),
    )

    assert (seen.status, seen.phase, seen.completion_reason) == ("running", "branches", None)
    assert seen.progress.model_dump() == {
        "total": 8,
        "done": 4,
        "succeeded": 1,
        "failed": 3,
        "running": 3,
        "reused": len(seen.reused),
    }
    assert [(branch.name, branch.status, branch.attempts) for branch in seen.branches] == [
        ("good", "succeeded", 1),
        ("bad", "failed", 1),
        ("broken", "failed", 1),
        ("stopped", "failed", 1),
        ("late", "running", 2),
        ("queued", "pending", 1),
        ("waiting", "retrying", 1),
    ]
    assert seen.usage.total_tokens == 60
    assert seen.updated_at.isoformat() == "2026-01-01T12:00:05+00:00"


async def test_the_attempts_of_a_branch_are_those_of_the_run_s_policy() -> None:
    calls = [child("a", output=failure()), child("a~2", after_s=2, output=failure())]

    assert (await view(run(), *calls)).branches[0].status == "failed"
    assert (await view(run(given=run_input(sections("a"))), *calls)).branches[0].status == "retrying"


async def test_the_aggregation_is_shown_and_not_counted_as_a_branch() -> None:
    seen = await view(
        orchestration("RUNNING", custom_status={"phase": "aggregation", "total": 1}),
        child("a", "COMPLETED", 0, output=report()),
        child("~synthesis", "COMPLETED", 1, output=failure()),
        child("~synthesis~2", "RUNNING", 4),
    )

    assert seen.phase == "aggregation"
    assert seen.progress.model_dump() == {
        "total": 1,
        "done": 1,
        "succeeded": 1,
        "failed": 0,
        "running": 0,
        "reused": len(seen.reused),
    }
    assert [(branch.name, branch.attempts) for branch in seen.branches] == [("a", 1), ("~synthesis", 2)]


async def test_an_ended_run_s_view_comes_from_its_result_alone() -> None:
    seen = await view(orchestration("COMPLETED", output=result()), child("gone", "RUNNING"))

    assert (seen.status, seen.phase, seen.completion_reason) == ("partial", "done", "all_completed")
    assert seen.progress.model_dump() == {
        "total": 2,
        "done": 2,
        "succeeded": 1,
        "failed": 1,
        "running": 0,
        "reused": len(seen.reused),
    }
    assert [branch.name for branch in seen.branches] == ["a", "b", "~synthesis"]
    assert seen.usage.total_tokens == 45


@pytest.mark.parametrize(("state", "status"), [("FAILED", "failed"), ("TERMINATED", "cancelled")])
async def test_the_view_of_a_run_that_died_is_200_too(state: str, status: str) -> None:
    seen = await view(orchestration(state, error="ValueError"))

    assert (seen.status, seen.phase, seen.branches) == (status, "done", [])


@pytest.mark.parametrize("name", ["a.b", "A-b_c", "log+2", "x:y", "h", "2h", "", "~~", "a b/ü"])
async def test_a_branch_s_name_is_all_that_follows_the_run_s_id(name: str) -> None:
    seen = await view(orchestration("RUNNING"), child(name, "RUNNING"))

    assert [branch.name for branch in seen.branches] == [name.removesuffix("~") if name != "~" else name]


async def test_an_orchestration_of_somebody_else_s_under_the_run_s_id_is_no_call() -> None:
    seen = await view(orchestration("RUNNING"), child("a", "RUNNING", name="theirs"))

    assert seen.branches == []


# A redrive


async def test_a_redrive_shows_what_it_took_over_and_counts_it_as_done_but_not_as_spent() -> None:
    seen = await view(
        run(given=run_input(sections(*"abc"), reused=[outcome("a"), outcome("c")])),
        child("b", "COMPLETED", output=report()),
    )

    assert [(branch.name, branch.status) for branch in seen.branches] == [
        ("a", "succeeded"), ("c", "succeeded"), ("b", "succeeded"),
    ]  # fmt: skip
    assert (seen.redrive_of, seen.reused) == (EARLIER_ID, ["a", "c"])
    assert seen.progress.model_dump() == {
        "total": 3,
        "done": 3,
        "succeeded": 3,
        "failed": 0,
        "running": 0,
        "reused": len(seen.reused),
    }
    assert seen.usage.total_tokens == 15


async def test_a_redriven_vote_in_waves_counts_all_votes_that_it_takes_over() -> None:
    request = {"question": "Publish?", "voters": {"min": 3, "max": 9, "wave": 3}}
    given = run_input(request, reused=[outcome(f"voter-{number}") for number in (1, 2, 4, 5)])
    seen = await view(
        orchestration("RUNNING", name="voting", given=given, custom_status={"phase": "branches", "total": 3}),
        child("voter-3", "RUNNING"),
    )

    assert seen.progress.model_dump() == {
        "total": 5,
        "done": 4,
        "succeeded": 4,
        "failed": 0,
        "running": 1,
        "reused": len(seen.reused),
    }


async def test_a_redrive_that_has_not_begun_is_not_shown_as_done() -> None:
    seen = await view(
        run("PENDING", given=run_input(sections(*"abc"), reused=[outcome("a"), outcome("c")]), custom_status=None)
    )

    assert seen.progress.model_dump() == {
        "total": 3,
        "done": 2,
        "succeeded": 2,
        "failed": 0,
        "running": 0,
        "reused": len(seen.reused),
    }


async def test_the_view_of_a_redrive_says_the_same_of_it_when_it_has_ended() -> None:
    seen = await view(orchestration("COMPLETED", output=result(redrive_of=EARLIER_ID, reused=["a"])))

    assert (seen.redrive_of, seen.reused) == (EARLIER_ID, ["a"])


# What cannot be read


@pytest.mark.parametrize(
    "given",
    [
        None,
        "text",
        [],
        sections("a"),
        {"request": {}},
        {"request": {"sections": "none"}},
        {"request": sections("a"), "redrive": "?"},
    ],
)
async def test_a_run_whose_input_this_version_cannot_read_is_shown_from_its_calls(given: Any) -> None:
    seen = await view(
        orchestration("RUNNING", given=given, custom_status={"phase": "branches", "total": 1}),
        child("a", output=failure()),
    )

    assert [(branch.name, branch.status) for branch in seen.branches] == [("a", "retrying")]
    assert seen.progress.total == 1


@pytest.mark.parametrize("custom_status", [None, {}])
async def test_a_run_without_a_custom_status_is_shown_from_its_calls(custom_status: Any) -> None:
    seen = await view(orchestration("RUNNING", custom_status=custom_status), child("a", "RUNNING"))

    assert seen.phase == "pending"
    assert seen.progress.model_dump() == {
        "total": 1,
        "done": 0,
        "succeeded": 0,
        "failed": 0,
        "running": 1,
        "reused": len(seen.reused),
    }


# Whatever happens

ENDS = st.sampled_from([
    report(), failure(), failure("invalid_call", retriable=False), failure("call_timed_out"),
    report("timed_out", code="branch_timed_out", retriable=True), report("cancelled", code="cancelled", retriable=True),
])  # fmt: skip
CALLS = st.tuples(
    st.sampled_from("abc~"),
    st.sampled_from(["", "~2", "~2h", "~3", "~3h"]),
    st.sampled_from(["PENDING", "RUNNING", "SUSPENDED", "FAILED", "TERMINATED"]) | ENDS,
)


def call_of(drawn: tuple[str, str, Any], after_s: int) -> OrchestrationState:
    name, number, end = drawn
    attempt = f"{name.replace('~', '~synthesis')}{number}"
    if isinstance(end, str):
        return child(attempt, end, after_s)
    return child(attempt, "COMPLETED", after_s, output=end)


@given(
    drawn=st.lists(CALLS, max_size=12, unique_by=lambda call: call[:2]),
    reused=st.booleans(),
    told=st.booleans(),
)
def test_the_counts_of_a_view_always_add_up(drawn: Sequence[Any], reused: bool, told: bool) -> None:
    children = [call_of(call, number) for number, call in enumerate(drawn)]
    taken_over = [outcome("d")] if reused else None
    status = {"phase": "branches", "total": 4} if told else None
    state = orchestration("RUNNING", given=run_input(sections(*"abcd"), taken_over), custom_status=status)
    found = RunState.of(state)
    assert found is not None

    seen = view_of(found, children, datetime.now(UTC))

    progress, branches = seen.progress, [branch for branch in seen.branches if not branch.name.startswith("~")]
    assert progress.done == progress.succeeded + progress.failed
    assert progress.done + progress.running == len(branches) <= progress.total == 4
    assert progress.running == sum(branch.status in {"running", "pending", "retrying"} for branch in branches)
    assert progress.succeeded == sum(branch.status == "succeeded" for branch in branches)
    own = [branch for branch in seen.branches if branch.name not in seen.reused]
    assert seen.usage.total_tokens == sum(branch.usage.total_tokens for branch in own)
    assert sum(branch.attempts + branch.hedges for branch in own) == len(children)
    assert len({branch.name for branch in seen.branches}) == len(seen.branches)
    assert seen.updated_at == max(utc(child.last_updated_at) for child in [state, *children])


async def test_the_calls_of_a_run_are_asked_for_by_its_id() -> None:
    class Client:
        asked: Any = None

        async def get_all_orchestration_states(self, orchestration_query: Any) -> list[OrchestrationState]:
            self.asked = orchestration_query
            return []

    client: Any = Client()
    await child_states(client, RUN_ID)

    assert client.asked.instance_id_prefix == f"~{RUN_ID}:"


@pytest.mark.parametrize(
    ("total", "done", "reused", "seconds", "pace"),
    [
        (10, 4, 0, 2.0, (2.0, 3.0)),
        (10, 6, 4, 2.0, (1.0, 4.0)),
        (10, 10, 0, 5.0, (2.0, None)),
        (10, 0, 0, 5.0, (None, None)),
        (10, 3, 3, 5.0, (None, None)),
        (10, 3, 0, 0.0, (None, None)),
        (10, 3, 0, -1.0, (None, None)),
    ],
)
def test_the_pace_is_that_of_what_the_run_did_itself(
    total: int, done: int, reused: int, seconds: float, pace: tuple[float | None, float | None]
) -> None:
    assert pace_of(Progress(total=total, done=done, succeeded=done, reused=reused), seconds) == pace


async def test_a_running_run_s_view_has_its_pace() -> None:
    seen = await view(run(), child("a", output=report()))

    assert seen.rate is not None
    assert seen.remaining_s is not None
    assert seen.remaining_s > 0


async def test_an_ended_run_s_view_has_its_rate_and_nothing_remains() -> None:
    seen = await view(orchestration("COMPLETED", output=result()))

    assert (seen.rate, seen.remaining_s) == (0.4, None)
