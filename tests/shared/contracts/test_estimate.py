from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.contracts.estimate import CallEstimate, RunEstimate, TokenEstimate
from shared.contracts.policy import RunPolicy
from tests.shared.contracts.rejection import accepted, rejection

WHOLE: dict[str, Any] = {
    "pattern": "voting",
    "branches": 1,
    "model_calls": {"at_least": 1, "expected": 1, "at_most": 3},
    "tokens": {"input_tokens": 1, "output_tokens": 2, "total_tokens": 3},
    "within_budget": None,
    "policy": {},
}


@given(counts=st.lists(st.integers(0, 2**70), min_size=5, max_size=5), within=st.none() | st.booleans())
def test_an_estimate_survives_being_sent(counts: list[int], within: bool | None) -> None:
    expected, at_most, input_tokens, output_tokens, total_tokens = counts
    estimate = RunEstimate(
        pattern="map_reduce",
        branches=expected,
        model_calls=CallEstimate(at_least=expected, expected=expected, at_most=at_most),
        tokens=TokenEstimate(input_tokens=input_tokens, output_tokens=output_tokens, total_tokens=total_tokens),
        within_budget=within,
        policy=RunPolicy(),
    )

    assert RunEstimate.model_validate_json(estimate.model_dump_json()) == estimate


@pytest.mark.parametrize("missing", WHOLE)
def test_an_estimate_says_everything(missing: str) -> None:
    assert accepted(RunEstimate, WHOLE)
    [(location, _)] = rejection(RunEstimate, {name: value for name, value in WHOLE.items() if name != missing})

    assert location == missing
