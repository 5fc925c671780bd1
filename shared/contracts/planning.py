"""Planning: from a source to the pages of a run."""

from __future__ import annotations

from typing import Any

from shared.contracts.base import Contract
from shared.contracts.work import RunFolder


class PlanInput(Contract):
    """The input of `plan_documents`: one step, from `cursor` on; the first has the `request`."""

    folder: RunFolder
    request: dict[str, Any] | None = None
    cursor: dict[str, Any] | None = None


class Plan(Contract):
    """What is planned so far; `cursor` continues it, None at its end. With a `problem` there is no run."""

    pages: int = 0
    works: int = 0
    documents: int = 0
    unreadable: int = 0
    bytes: int = 0
    tokens: int = 0
    cursor: dict[str, Any] | None = None
    problem: str | None = None
