from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from statistics import mean

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.backoff import BASE_DELAY_S, MAX_DELAY_S, retry_delay_s, unit_interval
from shared.contracts.policy import RunPolicy

ROOT = Path(__file__).parents[2]
KEYS = st.text(st.characters(exclude_categories=["Cs"]), max_size=40)
ATTEMPTS = st.integers(1, 10)


@given(attempt=ATTEMPTS, key=KEYS)
def test_a_wait_is_between_half_and_all_of_an_exponential_that_is_capped(attempt: int, key: str) -> None:
    ceiling = min(MAX_DELAY_S, BASE_DELAY_S * 2 ** (attempt - 1))

    assert ceiling / 2 <= retry_delay_s(attempt, None, key) <= ceiling


@given(attempt=ATTEMPTS, key=KEYS, retry_after_s=st.floats(0, 86_400))
def test_the_service_s_retry_after_is_never_undercut(attempt: int, key: str, retry_after_s: float) -> None:
    delay_s = retry_delay_s(attempt, retry_after_s, key)

    assert retry_after_s <= delay_s <= retry_after_s + min(MAX_DELAY_S, max(BASE_DELAY_S, retry_after_s / 4))


@given(attempt=ATTEMPTS, key=KEYS, retry_after_s=st.none() | st.floats(0, 100))
def test_the_same_branch_and_attempt_always_wait_as_long(attempt: int, key: str, retry_after_s: float | None) -> None:
    assert retry_delay_s(attempt, retry_after_s, key) == retry_delay_s(attempt, retry_after_s, key)


def test_another_process_computes_the_same_wait() -> None:
    code = "from shared.backoff import retry_delay_s; print(repr(retry_delay_s(3, None, 'run:branch')))"
    other = subprocess.run(
        [sys.executable, "-c", code],
        cwd=ROOT,
        env={"PYTHONHASHSEED": "12345"},
        capture_output=True,
        text=True,
        check=True,
    )

    assert other.stdout.strip() == repr(retry_delay_s(3, None, "run:branch"))


@pytest.mark.parametrize("retry_after_s", [None, 0.0, 1.0, 60.0])
def test_branches_that_failed_together_come_back_spread(retry_after_s: float | None) -> None:
    delays = [retry_delay_s(1, retry_after_s, f"run:branch-{number}") for number in range(200)]

    width = max(delays) - min(delays)
    assert width > 0.9 * (BASE_DELAY_S / 2 if retry_after_s is None else max(BASE_DELAY_S, retry_after_s / 4))
    assert len({int((delay - min(delays)) / width * 9.999) for delay in delays}) == 10, "every tenth has some"


def test_one_branch_s_attempts_have_jitters_of_their_own() -> None:
    jitters = {retry_delay_s(attempt, 0.0, "run:branch") for attempt in range(1, 11)}

    assert len(jitters) == 10


@given(KEYS)
def test_the_unit_interval_holds_its_end_out(key: str) -> None:
    assert 0 <= unit_interval(key) < 1


def test_the_unit_interval_looks_uniform() -> None:
    assert mean(unit_interval(str(number)) for number in range(2_000)) == pytest.approx(0.5, abs=0.03)


def test_every_attempt_that_a_policy_allows_has_a_wait() -> None:
    most = max(bound.le for bound in RunPolicy.model_fields["attempts"].metadata if hasattr(bound, "le"))

    assert retry_delay_s(most, None, "key") <= MAX_DELAY_S
