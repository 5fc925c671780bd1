"""Ids of runs: in order of time, not to be guessed, and told from those that runs had before."""

from __future__ import annotations

import uuid
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.run_ids import CHANCE_BYTES, FIRST_RUN, RUN_ID, is_time_ordered, prefix_between, run_id_at

MOMENTS = st.datetimes(datetime(2026, 1, 1), datetime(2500, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001
CHANCES = st.binary(min_size=CHANCE_BYTES, max_size=CHANCE_BYTES)
MS = timedelta(milliseconds=1)


@given(moment=MOMENTS, later=st.timedeltas(MS, timedelta(days=3_650)), one=CHANCES, other=CHANCES)
def test_the_id_of_a_later_run_comes_first(moment: datetime, later: timedelta, one: bytes, other: bytes) -> None:
    assert run_id_at(moment + later, other) < run_id_at(moment, one)


@given(moment=MOMENTS, chance=CHANCES)
def test_an_id_is_32_hex_digits_that_look_like_no_random_uuid(moment: datetime, chance: bytes) -> None:
    made = run_id_at(moment, chance)

    assert RUN_ID.fullmatch(made)
    assert is_time_ordered(made)
    assert made[13:] == chance.hex()[1:]


@given(st.uuids(version=4))
def test_a_random_uuid_is_not_in_order_of_time(old: uuid.UUID) -> None:
    assert not is_time_ordered(old.hex)


@pytest.mark.parametrize("text", ["", "run-1", "0" * 31, "0" * 33, f"{'0' * 32}\n", "A" * 32, "g" * 32])
def test_what_is_no_id_is_not_in_order_of_time(text: str) -> None:
    assert not is_time_ordered(text)


@given(bounds=st.tuples(MOMENTS, MOMENTS).map(sorted), share=st.floats(0, 1), chance=CHANCES)
def test_every_id_between_two_moments_has_their_prefix(bounds: list[datetime], share: float, chance: bytes) -> None:
    earliest, latest = bounds
    between = min(earliest + (latest - earliest) * share, latest)

    assert run_id_at(between, chance).startswith(prefix_between(earliest, latest))


def test_the_prefix_of_a_short_time_is_long_and_none_is_empty() -> None:
    moment = datetime(2026, 11, 21, 16, tzinfo=UTC)

    assert prefix_between(FIRST_RUN, moment) == "fe"
    assert len(prefix_between(moment, moment + timedelta(seconds=1))) >= 8
    assert prefix_between(FIRST_RUN, datetime(2400, 1, 1, tzinfo=UTC)) == "f"
