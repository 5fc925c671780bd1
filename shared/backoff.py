"""How long to wait before a retry. The jitter is a function of the branch and the attempt, so it replays."""

from __future__ import annotations

from hashlib import sha256

BASE_DELAY_S = 1.0
MAX_DELAY_S = 30.0


def retry_delay_s(attempt: int, retry_after_s: float | None, key: str) -> float:
    """Seconds between failed attempt number `attempt` (from 1) and the next.

    Without `retry_after_s`: exponential from `BASE_DELAY_S` up to `MAX_DELAY_S`, of which the upper half is
    jitter. With it: never earlier than asked, plus jitter of up to a quarter of it (at least `BASE_DELAY_S`),
    so that branches throttled together do not come back together. `key` identifies the branch.
    """
    jitter = unit_interval(f"{key}:{attempt}")
    if retry_after_s is not None:
        return retry_after_s + jitter * min(MAX_DELAY_S, max(BASE_DELAY_S, retry_after_s / 4))
    ceiling = min(MAX_DELAY_S, BASE_DELAY_S * 2.0 ** (attempt - 1))
    return ceiling * (0.5 + jitter / 2)


def unit_interval(key: str) -> float:
    """A number in [0, 1) that looks random and is the same for the same key, on every machine."""
    return int.from_bytes(sha256(key.encode()).digest()[:8]) / 2.0**64
