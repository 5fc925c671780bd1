"""What the calls for a batch say about each of its branches, as long as the run has not.

The rules are those of the run: whoever the deciding call leaves without an answer is called alone, and those calls are
told with the batch's. A call's cost is divided among the branches that it was for.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from typing import Any

from pydantic import JsonValue, ValidationError

from shared.contracts.base import restored
from shared.contracts.branch import (
    BATCH_PREFIX,
    AttemptInput,
    AttemptOutcome,
    BranchError,
    BranchOutcome,
    Usage,
    costs_of_batch,
)
from shared.contracts.run import BranchView
from shared.errors import divides_batch
from triggers.calls import LOST, BranchCalls, status_after


@dataclass(frozen=True)
class BatchCalls:
    """The calls for a batch of the branches `names`, and those for some of them alone."""

    whole: BranchCalls
    names: list[str]
    alone: Mapping[str, BranchCalls]

    @cached_property
    def _decisive(self) -> AttemptOutcome | None:
        return self.whole.decisive

    @cached_property
    def _answers(self) -> dict[str, JsonValue]:
        decisive = self._decisive
        output = decisive.output if decisive and decisive.status == "succeeded" else None
        return {name: output[name] for name in self.names if name in output} if isinstance(output, dict) else {}

    @property
    def _is_divided(self) -> bool:
        """Whether branches without an answer are called alone."""
        decisive = self._decisive
        if decisive is None or decisive.error == LOST:
            return False
        if decisive.error is None:
            return True
        return decisive.status == "failed" and divides_batch(decisive.error.code, retriable=decisive.error.retriable)

    def views(self) -> list[BranchView]:
        """The branches as they are now."""
        whole = self.whole.view()
        costs = self._costs(whole.usage)
        return [self._view(name, whole.model_copy(update={"name": name, "usage": costs[name]})) for name in self.names]

    def outcomes(self, error: BranchError, ended_at: datetime) -> dict[str, BranchOutcome]:
        """What became of the branches of a run that died of `error` at `ended_at`."""
        whole = self.whole.outcome(error, ended_at)
        costs = self._costs(whole.usage)
        told = {"output": None, "batch": self.whole.name}
        shared = {name: whole.model_copy(update=told | {"name": name, "usage": costs[name]}) for name in self.names}
        return {name: self._outcome(outcome, error, ended_at) for name, outcome in shared.items()}

    def _view(self, name: str, shared: BranchView) -> BranchView:
        if name in self.alone:
            return _together(shared, self.alone[name].view())
        if self._is_divided and name not in self._answers:
            return shared.model_copy(update={"status": "retrying", "ended_at": None})
        return shared

    def _outcome(self, shared: BranchOutcome, error: BranchError, ended_at: datetime) -> BranchOutcome:
        name = shared.name
        if name in self.alone:
            return _together(shared, self.alone[name].outcome(error, ended_at))
        if name in self._answers:
            return shared.model_copy(update={"output": self._answers[name]})
        if self._is_divided:
            undecided = {"status": status_after(error), "error": error, "ended_at": ended_at, "batch": None}
            return shared.model_copy(update=undecided | {"model": None, "truncated": False})
        return shared

    def _costs(self, usage: Usage) -> dict[str, Usage]:
        answering = self._decisive.usage if self._decisive and self._answers else Usage()
        return costs_of_batch(self.names, list(self._answers), answering, usage - answering)


def _together[T: (BranchView, BranchOutcome)](shared: T, alone: T) -> T:
    """What is said of a branch that was called alone, with the calls of its batch."""
    told: dict[str, Any] = {
        "attempts": shared.attempts + alone.attempts,
        "hedges": shared.hedges + alone.hedges,
        "usage": shared.usage + alone.usage,
        "started_at": shared.started_at,
    }
    return alone.model_copy(update=told)


def batches_in(calls: Mapping[str, BranchCalls]) -> dict[str, BatchCalls]:
    """The batches among the calls of a run, by their names."""
    batches: dict[str, BatchCalls] = {}
    for name, whole in calls.items():
        if name.startswith(BATCH_PREFIX) and (names := _names_in(whole)):
            alone = {one: calls[one] for one in names if one in calls}
            batches[name] = BatchCalls(whole, names, alone)
    return batches


def views_of(calls: Mapping[str, BranchCalls]) -> list[BranchView]:
    """Each branch as it is now, in the order of the first calls; those of a batch in its order."""
    batches = batches_in(calls)
    in_batches = {name for batch in batches.values() for name in batch.names}
    views: list[BranchView] = []
    for name, called in calls.items():
        if name in batches:
            views += batches[name].views()
        elif name not in in_batches:
            views.append(called.view())
    return views


def outcomes_in(calls: Mapping[str, BranchCalls], error: BranchError, ended_at: datetime) -> dict[str, BranchOutcome]:
    """What became of each branch, and of each call that aggregates, in a run that died of `error` at `ended_at`."""
    batches = batches_in(calls)
    outcomes = {name: called.outcome(error, ended_at) for name, called in calls.items() if name not in batches}
    for batch in batches.values():
        outcomes |= batch.outcomes(error, ended_at)
    return outcomes


def _names_in(batch: BranchCalls) -> list[str]:
    try:
        return restored(AttemptInput, json.loads(batch.calls[0].serialized_input or "null")).branch.batch
    except ValidationError:
        return []
