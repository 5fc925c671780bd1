"""Calls in flight from the limits of a deployment."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tools.concurrency import calls_a_minute, main, max_concurrency

amounts = st.floats(1.0, 1e6)


@pytest.mark.parametrize(
    ("limits", "number"),
    [
        ({"tpm": 300_000, "rpm": 1_800, "tokens": 3_500, "seconds": 12}, 13),
        ({"tpm": 300_000, "rpm": 1_800, "tokens": 3_500, "seconds": 12, "runs": 3}, 4),
        ({"tpm": 300_000, "rpm": 60, "tokens": 100, "seconds": 30, "share": 1.0}, 30),
        ({"tpm": 1_000, "rpm": 6, "tokens": 5_000, "seconds": 10}, 1),
    ],
)
def test_the_limit_that_comes_first_says_how_many(limits: dict[str, float], number: int) -> None:
    assert max_concurrency(**limits) == number  # pyright: ignore[reportArgumentType]


@given(amounts, amounts, amounts, st.floats(0.1, 600.0), st.integers(1, 50))
def test_all_runs_together_stay_below_the_limits_unless_each_has_a_single_call(
    tpm: float, rpm: float, tokens: float, seconds: float, runs: int
) -> None:
    number = max_concurrency(tpm=tpm, rpm=rpm, tokens=tokens, seconds=seconds, runs=runs)
    calls = runs * number * 60 / seconds
    assert number == 1 or (calls <= rpm and calls * tokens <= tpm)


def test_the_command_says_which_limit_binds(capsys: pytest.CaptureFixture[str]) -> None:
    main(["--tpm", "300000", "--rpm", "1800", "--tokens", "3500", "--seconds", "12", "--runs", "3"])
    told = capsys.readouterr().out
    assert "85.7 calls a minute (bound by tokens)" in told
    assert "max_concurrency: 4" in told
    assert calls_a_minute(tpm=300_000, rpm=1_800, tokens=3_500) == pytest.approx(85.7, abs=0.05)


@pytest.mark.parametrize("wrong", ["--seconds 0", "--seconds nan", "--seconds 1 --share 2", "--seconds 1 --runs 0"])
def test_what_cannot_be_computed_is_refused(wrong: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match="2"):
        main(f"--tpm 1 --rpm 1 --tokens 1 {wrong}".split())
    assert "above 0" in capsys.readouterr().err
