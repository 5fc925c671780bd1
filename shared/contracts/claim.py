"""What an idempotency key stands for."""

from __future__ import annotations

from shared.contracts.base import Contract
from shared.contracts.run import Pattern

STARTED = "started"
"""What a claim says of itself once the run that it names was started."""


class Claim(Contract):
    """The first request that came with a key: which one it was, and the run that it was answered with.

    `fingerprint` is a SHA-256 of the request in hex; neither the key nor the request is kept here in clear.
    """

    fingerprint: str
    run_id: str
    pattern: Pattern
    recipe: str | None = None
    redrive_of: str | None = None
