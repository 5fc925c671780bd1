"""The fates that the tests of faults expect follow from what calls suffer."""

from __future__ import annotations

import pytest

from local_host.offline.faults import DIRECTED_KINDS, SLOW, DirectedFaults, Fault
from tests.end_to_end.fates import ATTEMPTS, FINAL, RETRIED, Case, Ordeal, ending_of, fate_of


def test_every_kind_of_fault_has_a_fate() -> None:
    assert {*DIRECTED_KINDS, SLOW} == {*RETRIED, *FINAL, "malformed", "hang", "slow"}


@pytest.mark.parametrize(
    ("kinds", "status", "attempts", "calls", "code"),
    [
        ((), "succeeded", 1, 1, None),
        (("error", "throttle"), "succeeded", 3, 3, None),
        (("error", "throttle", "cut"), "failed", 3, 3, "connection_failed"),
        (("malformed",), "succeeded", 1, 2, None),
        (("malformed", "error"), "succeeded", 2, 3, None),
        (("malformed", "malformed"), "failed", 1, 2, "invalid_output"),
        (("error", "refusal"), "failed", 2, 2, "refused"),
        (("cut", "hang"), "timed_out", 2, 2, "branch_timed_out"),
    ],
)
def test_a_fate_follows_the_calls(
    kinds: tuple[str, ...], status: str, attempts: int, calls: int, code: str | None
) -> None:
    fate = fate_of(Ordeal(kinds), ATTEMPTS, structured=True)
    assert (fate.status, fate.attempts, fate.calls) == (status, attempts, calls)
    assert code in fate.codes if code else not fate.codes


@pytest.mark.parametrize(
    ("policy", "sick", "ending"),
    [
        ({}, 0, ("succeeded", "all_completed")),
        ({}, 4, ("partial", "all_completed")),
        ({}, 5, ("failed", "failure_tolerance_exceeded")),
        ({"min_successful": 3}, 2, ("partial", "all_completed")),
        ({"min_successful": 3}, 3, ("failed", "failure_tolerance_exceeded")),
        ({"tolerated_failure_count": 1}, 1, ("partial", "all_completed")),
        ({"tolerated_failure_count": 1}, 2, ("failed", "failure_tolerance_exceeded")),
        ({"tolerated_failure_percentage": 40}, 2, ("partial", "all_completed")),
        ({"tolerated_failure_percentage": 39}, 2, ("failed", "failure_tolerance_exceeded")),
    ],
)
def test_an_ending_follows_from_fates_and_policy(policy: dict[str, int], sick: int, ending: tuple[str, str]) -> None:
    ordeals = {f"b{number}": Ordeal(("refusal",) if number < sick else ()) for number in range(5)}
    assert ending_of(Case(id="x", pattern="sectioning", ordeals=ordeals, policy=policy)) == ending


@pytest.mark.parametrize(
    "ordeal",
    [Ordeal(("error", "error", "throttle", "cut")), Ordeal(("hang",), always=True), Ordeal(("malformed", "refusal"))],
)
def test_markers_make_the_model_do_what_the_ordeal_says(ordeal: Ordeal) -> None:
    directed = DirectedFaults()
    suffered = [directed.apply(ordeal.markers, Fault()).kind for _ in range(6)]
    assert suffered == [ordeal.at(call) for call in range(6)]
