"""When to look whether a run has ended, and when to send its callback again."""

from __future__ import annotations

from shared.backoff import unit_interval

FIRST_LOOK_S = 5.0
MAX_LOOK_S = 3_600.0
LOOKS_SHARE = 1 / 8
"""A run that has lasted an hour is looked at every eighth part of an hour: a day takes about 90 looks."""
MAX_WAIT_S = 7 * 86_400.0
"""For the end of a run, whose deadline is a day at most; one that somebody has suspended takes longer."""
MAX_ABSENT_S = 600.0
"""For a run to come into being: the delivery is there first."""

RETRY_DELAYS_S = (5.0, 30.0, 120.0, 600.0, 1_800.0, 3_600.0, 7_200.0, 14_400.0, 28_800.0, 28_800.0)
"""Between attempts, 11 in all; 23 h 42 min together."""
MAX_RETRY_AFTER_S = 14_400.0
DELIVERY_WINDOW_S = 86_400.0
"""From the first attempt; none begins later."""
JITTER = 0.1


def look_after_s(waited_s: float) -> float:
    """Seconds until the next look at a run that has been waited for so long."""
    return min(MAX_LOOK_S, max(FIRST_LOOK_S, waited_s * LOOKS_SHARE))


def retry_after_s(attempt: int, elapsed_s: float, asked_s: float | None, key: str) -> float | None:
    """Seconds between failed attempt number `attempt` (from 1) and the next; None if that was the last.

    `elapsed_s` have passed since the first. `asked_s` is what the receiver asked for (Retry-After): it is waited for at
    least so long, up to `MAX_RETRY_AFTER_S`. Up to a tenth is taken off the usual delays, by `key`, so that the
    callbacks of many runs that ended together do not come back together.
    """
    if attempt > len(RETRY_DELAYS_S):
        return None
    usual = RETRY_DELAYS_S[attempt - 1] * (1 - JITTER * unit_interval(f"{key}:{attempt}"))
    delay = max(usual, min(asked_s or 0.0, MAX_RETRY_AFTER_S))
    return delay if elapsed_s + delay <= DELIVERY_WINDOW_S else None
