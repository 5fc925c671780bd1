"""Runs as a list tells of them."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal

from pydantic import Field

from shared.contracts.base import Contract
from shared.contracts.branch import is_none
from shared.contracts.run import CompletionReason, Pattern, RunStatus

ListedStatus = Literal["pending", "running"] | RunStatus


class ListedRun(Contract):
    """A run in a list: what it is, how it stands, and where to read more.

    `started_at` is when it was accepted, `updated_at` when it last told of a change, which for an ended run is its end.
    """

    id: str
    pattern: Pattern
    recipe: Annotated[str | None, Field(exclude_if=is_none)] = None
    status: ListedStatus
    completion_reason: Annotated[CompletionReason | None, Field(exclude_if=is_none)] = None
    started_at: datetime
    updated_at: datetime
    status_url: str
    view_url: str


class RunList(Contract):
    """A page of runs, newest first. Where `continuation_token` is null it is the last one.

    A page may hold fewer runs than were asked for, or none, and yet not be the last: filters are applied to what one
    page of the task hub holds.
    """

    runs: list[ListedRun]
    continuation_token: str | None = None
