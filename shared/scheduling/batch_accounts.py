"""From what is known of a batch to the outcomes of its branches."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Unpack

from shared.contracts.branch import BranchOutcome, Usage, costs_of_batch
from shared.scheduling.accounts import End, outcome_of, usage_of
from shared.scheduling.batch import Batch
from shared.scheduling.batch_schedule import answers_in
from shared.scheduling.record import Record


def outcomes_of(batch: Batch, records: Mapping[str, Record[Any]], **end: Unpack[End]) -> dict[str, BranchOutcome]:
    """What became of the branches of `batch`, by their names; those that were called alone have `records` of their own.

    Calls for the batch are theirs, too: each has them among its attempts, and a share of their cost.
    """
    record = records[batch.name]
    whole = outcome_of(record, **end)
    answers = answers_in(batch, record.last) if whole.succeeded and record.last is not None else {}
    names = [branch.name for branch in batch.branches]
    costs = _costs(record, names, list(answers))
    asked = batch.name if record.calls else None
    outcomes: dict[str, BranchOutcome] = {}
    for name in names:
        told = {"name": name, "output": answers.get(name), "usage": costs[name], "batch": asked}
        if name in records:
            alone = outcome_of(records[name], **end)
            told = dict(alone) | {
                "attempts": whole.attempts + alone.attempts,
                "hedges": whole.hedges + alone.hedges,
                "usage": costs[name] + alone.usage,
            }
        outcomes[name] = whole.model_copy(update=told | {"started_at": whole.started_at})
    return outcomes


def _costs(record: Record[Any], names: Sequence[str], answered: Sequence[str]) -> dict[str, Usage]:
    last = record.last if answered else None
    answering = Usage.model_validate(last["usage"]) if last is not None else Usage()
    return costs_of_batch(names, answered, answering, usage_of(record) - answering)
