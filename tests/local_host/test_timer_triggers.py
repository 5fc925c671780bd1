from datetime import UTC, datetime, timedelta

import pytest

from local_host.timer_triggers import ScheduleError, parse_schedule

START = datetime(2026, 3, 1, 10, 0, 0, tzinfo=UTC)  # a Sunday


@pytest.mark.parametrize(
    ("schedule", "following"),
    [
        ("*/5 * * * * *", START + timedelta(seconds=5)),
        ("0 */5 * * * *", START + timedelta(minutes=5)),
        ("*/5 * * * *", START + timedelta(minutes=5)),
        ("0 30 9 * * Mon-Fri", datetime(2026, 3, 2, 9, 30, tzinfo=UTC)),
        ("0 0 0 13 * 5", datetime(2026, 3, 13, tzinfo=UTC)),
        ("00:00:30", START + timedelta(seconds=30)),
        ("01:30", START + timedelta(hours=1, minutes=30)),
        ("1.00:00:00", START + timedelta(days=1)),
    ],
)
def test_a_schedule_gives_its_next_time(schedule, following):
    assert parse_schedule(schedule)(START) == following


def test_day_of_month_and_day_of_week_must_both_hold():
    friday_the_13th = parse_schedule("0 0 0 13 * 5")
    assert friday_the_13th(datetime(2026, 3, 14, tzinfo=UTC)) == datetime(2026, 11, 13, tzinfo=UTC)


@pytest.mark.parametrize("schedule", ["", "every day", "* * *", "0 99 * * * *", "00:00:00", "x x x x x x"])
def test_a_schedule_that_cannot_be_read_is_told(schedule):
    with pytest.raises(ScheduleError):
        parse_schedule(schedule)
