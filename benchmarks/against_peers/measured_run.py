"""What is known of one run, in the form that crosses the process boundary."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class MeasuredRun:
    """One run: how long it took to end, and what it gave."""

    wall_s: float
    late_s: float
    """How much later than the clock would have it the run started: more than a little means an overloaded process."""
    texts: int = 0
    """Sections with a text; 0 when the run gave no result."""
    error: str | None = None
    """What the library raised, without its details."""
    over_limit: bool = False
    """The caller's patience ended before the run did."""

    @property
    def returned(self) -> bool:
        """Whether the caller got a result with something in it."""
        return self.texts > 0
