from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from shared.contracts.branch import BranchError, BranchOutcome, Usage
from shared.contracts.run import Counts, RunResult
from shared.telemetry.facts import run_facts

NOW = datetime(2030, 1, 1, tzinfo=UTC)
CODES = {"succeeded": None, "failed": "rate_limited", "timed_out": "branch_timed_out", "cancelled": "cancelled"}


def outcome(name: str, status: Any, attempts: int, hedges: int) -> BranchOutcome:
    code = CODES[status]
    error = None if code is None else BranchError(code=code, message="Secret words", retriable=True)
    return BranchOutcome(
        name=name, status=status, error=error, attempts=attempts, hedges=hedges, started_at=NOW, ended_at=NOW
    )


def result_of(outcomes: list[BranchOutcome], **fields: Any) -> dict[str, Any]:
    result = RunResult(
        id="run-1",
        pattern="sectioning",
        status="partial",
        completion_reason="all_completed",
        outcomes=outcomes,
        started_at=NOW,
        ended_at=NOW,
        **fields,
    )
    return result.model_dump(mode="json")


drawn = st.lists(st.tuples(st.sampled_from(sorted(CODES)), st.integers(0, 5), st.integers(0, 3), st.booleans()))


@given(drawn)
def test_every_branch_of_the_runs_own_counts_once(branches: list[tuple[str, int, int, bool]]) -> None:
    outcomes = [outcome(f"b{at}", status, calls, more) for at, (status, calls, more, _) in enumerate(branches)]
    reused = [f"b{at}" for at, (_, _, _, is_reused) in enumerate(branches) if is_reused]
    own = [branch for branch in branches if not branch[3]]

    facts = run_facts(result_of(outcomes, reused=reused))

    assert facts.branches == Counter((status, CODES[status]) for status, *_ in own)
    assert facts.retries == sum(max(0, calls - 1) for _, calls, _, _ in own)
    assert facts.hedges == sum(more for _, _, more, _ in own)


def test_calls_that_aggregate_are_no_branches_but_their_retries_count() -> None:
    told = run_facts(
        result_of(
            [],
            aggregation=outcome("~synthesis", "succeeded", 3, 1),
            judges=[outcome("~judge-1", "succeeded", 2, 0)],
            reductions=[outcome("~reduce-1-1", "failed", 2, 0)],
        )
    )

    assert (told.branches, told.retries, told.hedges) == ({}, 4, 1)


def test_a_run_in_storage_tells_of_its_works_without_those_that_it_took_over() -> None:
    counts = Counts(documents=9, works=10, pages=1, succeeded=7, failed=3, reused=2)

    assert run_facts(result_of([], counts=counts)).branches == {("succeeded", None): 5, ("failed", None): 3}


def test_the_words_of_errors_are_not_told() -> None:
    facts = run_facts(result_of([outcome("b", "failed", 1, 0)], usage=Usage(model_calls=1), recipe="research"))

    assert "Secret" not in repr(facts)
    assert facts.attributes["chorus.branches.failed"] == 1
    assert facts.attributes["gen_ai.workflow.name"] == "research"
