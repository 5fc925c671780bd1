"""Telling somebody that a run has ended: where to, and how far that has come."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal

from pydantic import Field

from shared.contracts.base import Contract

MAX_CALLBACK_URL_CHARS = 2_000

CallbackUrl = Annotated[str | None, Field(min_length=1, max_length=MAX_CALLBACK_URL_CHARS, exclude=True, repr=False)]
"""Where the end of the run is POSTed to.

It often carries a secret (the `sig` of a Logic App), so no dump has it: what goes into history is a `Callback`.
"""

DeliveryState = Literal["waiting", "delivering", "delivered", "failed"]
RunEnd = Literal["ended", "going", "absent"]


class Callback(Contract):
    """A callback that was accepted: its URL `sealed` (see `shared.callbacks.sealing`), its `host` for people to see."""

    sealed: Annotated[str, Field(repr=False)]
    host: str


class DeliveryInput(Contract):
    """The input of `delivery`. `result_url` is absolute, and made when the run was accepted: nobody asks later."""

    run_id: str
    callback: Callback
    result_url: str


class LookForEnd(Contract):
    """The input of `look_for_end`, which looks once, or again and again for `patience_s` seconds."""

    run_id: str
    patience_s: float = 0.0


class AnnounceEnd(Contract):
    """The input of `announce_end`."""

    run_id: str


class DeliveryCall(DeliveryInput):
    """The input of `deliver_result`: attempt `number` (from 1)."""

    number: int


class DeliveryReply(Contract):
    """What came of an attempt: the receiver's `status`, or the `error` that left it without one."""

    status: int | None = None
    error: str | None = None
    retry_after_s: float | None = None

    @property
    def delivered(self) -> bool:
        """Whether the receiver has taken it: any 2xx, as Standard Webhooks has it."""
        return self.status is not None and 200 <= self.status <= 299  # noqa: PLR2004 - the class of HTTP answers

    @property
    def refused_for_good(self) -> bool:
        """Whether the receiver wants no callbacks any more (410): the one answer after which nothing is sent again."""
        return self.status == 410  # noqa: PLR2004 - Gone


class DeliveryReport(Contract):
    """How far a delivery has come: its custom status while it goes on, its output afterwards.

    `waiting` for the run's end; `delivering` until somebody has taken it. `next_attempt_at` is set between attempts.
    """

    state: DeliveryState
    attempts: int = 0
    last_status: int | None = None
    last_error: str | None = None
    next_attempt_at: datetime | None = None
    delivered_at: datetime | None = None


class CallbackView(DeliveryReport):
    """The same with the host that is called, in the view of the run."""

    host: str
