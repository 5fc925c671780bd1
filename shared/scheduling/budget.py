"""What a run may spend."""

from __future__ import annotations

from shared.token_estimate import USUAL_OUTPUT_TOKENS, Bounded, estimated_output_tokens


class Budget:
    """The tokens of a run: those that ended calls have cost, and an estimate for those in flight.

    No call starts once `limit` is spent. While others are in flight, one starts only when the estimates of all of
    them fit into what is left, so a hundred branches at once do not spend a budget for ten.
    """

    def __init__(self, limit: int | None) -> None:
        self._limit = limit
        self._spent = 0
        self._reserved = 0
        self._output_tokens = 0
        self._answers = 0
        self._held_elsewhere = 0

    @property
    def exhausted(self) -> bool:
        """Whether no further call may start."""
        return self._limit is not None and self._spent >= self._limit

    @property
    def left(self) -> int | None:
        """Tokens not spent yet; None without a limit."""
        return None if self._limit is None else max(0, self._limit - self._spent)

    @property
    def spent(self) -> int:
        """What ended calls have cost."""
        return self._spent

    @property
    def reserved(self) -> int:
        """The estimates for calls in flight."""
        return self._reserved

    def estimate(self, agent: Bounded, input_tokens: int) -> int:
        """What a call may cost: its input, and as much output as the run's answers had on average so far."""
        usual = -(-self._output_tokens // self._answers) if self._answers else USUAL_OUTPUT_TOKENS
        return input_tokens + estimated_output_tokens(agent, usual)

    def allows(self, tokens: int) -> bool:
        """Whether a call of about so many tokens may start now; one alone always may while anything is left."""
        if self._limit is None:
            return True
        if self._reserved + self._held_elsewhere == 0:
            return not self.exhausted
        return self._spent + self._reserved + self._held_elsewhere + tokens <= self._limit

    def reserve(self, tokens: int) -> None:
        """A call of about so many tokens started."""
        self._reserved += tokens

    def release(self, tokens: int) -> None:
        """A call for which so many were reserved has ended, or nobody waits for it any more."""
        self._reserved -= tokens

    def spend(self, total_tokens: int, output_tokens: int) -> None:
        """A call has cost so much."""
        self._spent += total_tokens
        if output_tokens:
            self._answers += 1
            self._output_tokens += output_tokens

    def take_over(self, total_tokens: int, output_tokens: int, answers: int) -> None:
        """Calls that others have made have cost so much; `answers` of them had these `output_tokens`."""
        self._spent += total_tokens
        self._answers += answers
        self._output_tokens += output_tokens

    def hold_elsewhere(self, tokens: int) -> None:
        """So many tokens, and no others any more, are what calls that others make may still cost."""
        self._held_elsewhere = tokens
