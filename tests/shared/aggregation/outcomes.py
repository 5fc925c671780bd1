"""Outcomes for the tests of this folder."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from shared.contracts.branch import BranchError, BranchOutcome, BranchStatus

MOMENT = datetime(2026, 1, 1, tzinfo=UTC)


def succeeded(name: str, output: Any = "text") -> BranchOutcome:
    return BranchOutcome(name=name, status="succeeded", output=output, started_at=MOMENT, ended_at=MOMENT)


def failed(name: str, status: BranchStatus = "failed") -> BranchOutcome:
    error = BranchError(code="c", message="m", retriable=False)
    return BranchOutcome(name=name, status=status, error=error, started_at=MOMENT, ended_at=MOMENT)
