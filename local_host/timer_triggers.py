"""Runs `timerTrigger` functions on their schedules: NCRONTAB of five or six fields, or an interval `hh:mm:ss`."""

from __future__ import annotations

import asyncio
import json
import logging
import re
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta

from local_host.invoker import Invoker
from local_host.messages import LoadedFunction, Value
from local_host.settings import SettingsError, resolve_placeholders

_LOGGER = logging.getLogger(__name__)
_INTERVAL = re.compile(r"(?:(?P<days>\d+)\.)?(?P<hours>\d{1,2}):(?P<minutes>\d{2})(?::(?P<seconds>\d{2}))?")
_LONGEST_SLEEP_S = 60.0
_CRON_FIELDS, _CRON_FIELDS_WITH_SECONDS = 5, 6

type Schedule = Callable[[datetime], datetime]


class ScheduleError(ValueError):
    """A schedule that cannot be read; the message says which."""


def parse_schedule(text: str) -> Schedule:
    """Return the function that gives the next time after a given one."""
    interval = _INTERVAL.fullmatch(text.strip())
    if interval is not None:
        step = timedelta(**{unit: int(number) for unit, number in interval.groupdict(default="0").items()})
        if step <= timedelta():
            raise ScheduleError(f"The interval {text!r} is empty.")
        return lambda after: after + step
    return _cron(text)


def timer_value(last: datetime | None = None, following: datetime | None = None) -> Value:
    """Return what a timer function receives."""
    status = {
        "Last": (last or datetime.min.replace(tzinfo=UTC)).isoformat(),
        "Next": (following or datetime.min.replace(tzinfo=UTC)).isoformat(),
        "LastUpdated": (last or datetime.min.replace(tzinfo=UTC)).isoformat(),
    }
    info = {"Schedule": {"AdjustForDST": True}, "ScheduleStatus": status, "IsPastDue": False}
    return Value("json", json.dumps(info))


class TimerTriggers:
    """Runs every timer function of an app, each at most once at a time."""

    def __init__(self, invoker: Invoker) -> None:
        self._invoker = invoker
        self._schedules: list[tuple[LoadedFunction, Schedule]] = []
        self._tasks: list[asyncio.Task[None]] = []

    def read(self, functions: Sequence[LoadedFunction], environ: Mapping[str, str]) -> dict[str, str]:
        """Read the schedules of the functions; return by name why some of them cannot be run."""
        errors: dict[str, str] = {}
        for function in functions:
            try:
                schedule = parse_schedule(resolve_placeholders(str(function.trigger.get("schedule", "")), environ))
            except (ScheduleError, SettingsError) as error:
                errors[function.name] = str(error)
            else:
                self._schedules.append((function, schedule))
        return errors

    def start(self) -> None:
        """Begin to run the functions."""
        self._tasks = [asyncio.create_task(self._run(*scheduled)) for scheduled in self._schedules]

    async def stop(self) -> None:
        """Stop the schedules and give up the runs in work."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _run(self, function: LoadedFunction, schedule: Schedule) -> None:
        last: datetime | None = None
        if _is_true(function.trigger.get("runOnStartup")):
            last = datetime.now(UTC)
            await self._call(function, last, schedule(last))
        while True:
            following = schedule(datetime.now(UTC))
            await _sleep_until(following)
            await self._call(function, last, schedule(following))
            last = following

    async def _call(self, function: LoadedFunction, last: datetime | None, following: datetime) -> None:
        try:
            await self._invoker.call(function, timer_value(last, following))
        except Exception:
            _LOGGER.exception("The timer function %r could not be called", function.name)


async def _sleep_until(moment: datetime) -> None:
    """Sleep until a moment of the wall clock, which a sleeping laptop may have skipped past."""
    left_s = (moment - datetime.now(UTC)).total_seconds()
    while left_s > 0:
        await asyncio.sleep(min(left_s, _LONGEST_SLEEP_S))
        left_s = (moment - datetime.now(UTC)).total_seconds()


def _cron(text: str) -> Schedule:
    from croniter import CroniterError, croniter

    fields = len(text.split())
    if fields not in {_CRON_FIELDS, _CRON_FIELDS_WITH_SECONDS}:
        raise ScheduleError(
            f"The schedule {text!r} is neither a cron expression of 5 or 6 fields nor an interval hh:mm:ss."
        )

    def following(after: datetime) -> datetime:
        # NCRONTAB wants the day of month and the day of week to hold both, where cron takes either.
        iterator = croniter(text, after, day_or=False, second_at_beginning=fields == _CRON_FIELDS_WITH_SECONDS)
        return iterator.get_next(datetime)

    try:
        following(datetime.now(UTC))
    except (CroniterError, ValueError) as error:
        raise ScheduleError(f"The schedule {text!r} cannot be read: {error}") from error
    return following


def _is_true(value: object) -> bool:
    return value is True or str(value).lower() == "true"
