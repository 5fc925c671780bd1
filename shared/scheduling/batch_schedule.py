"""A schedule with batches: one of which some are left without an answer is divided, so that each is called alone."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import override

from pydantic import JsonValue

from shared.errors import divides_batch
from shared.scheduling.batch import Batch, BranchJob
from shared.scheduling.record import Call, Job, Record, Report
from shared.scheduling.schedule import Schedule


class BatchSchedule[J: Job](Schedule[J]):
    """A schedule whose jobs may be batches, which count by their weight; a kind of job says how it is divided."""

    def _left(self, record: Record[J], report: Report) -> Sequence[J]:
        """The jobs of their own for those of a batch that the call with this report has left without an answer."""
        raise NotImplementedError

    @override
    def _judge(self, call: Call[J], report: Report, now: datetime) -> None:
        """A batch of which some are left is divided: one must not cost the others their answers."""
        record = call.record
        if record.branch.weight > 1 and (left := self._left(record, report)):
            self._divide(record, left, report)
        else:
            super()._judge(call, report, now)

    def _divide(self, record: Record[J], left: Sequence[J], report: Report) -> None:
        """Each that is left is called alone, with attempts and time of its own."""
        record.divided = True
        record.last = report
        self._successes += record.branch.weight - len(left)
        self._decide(record, succeeded=False)
        self.add(left)

    @override
    def _count(self, record: Record[J], *, succeeded: bool) -> None:
        if not record.divided:
            super()._count(record, succeeded=succeeded)


class BranchSchedule(BatchSchedule[BranchJob]):
    """The calls of a fan-out of branches, some of them in batches."""

    @override
    def _left(self, record: Record[BranchJob], report: Report) -> Sequence[BranchJob]:
        batch = record.branch
        if not isinstance(batch, Batch):
            return []
        if report["status"] == "succeeded":
            answers = answers_in(batch, report)
            return [branch for branch in batch.branches if branch.name not in answers]
        return list(batch.branches) if leaves_all(report) else []


def answers_in(batch: Batch, report: Report) -> dict[str, JsonValue]:
    """The answers of a batch's call by the names of their branches, in the batch's order.

    A worker of a version that knows no batches answers them as one: nothing in that is an answer.
    """
    output: JsonValue = report["output"]
    answers = output if isinstance(output, dict) else {}
    return {branch.name: answers[branch.name] for branch in batch.branches if branch.name in answers}


def leaves_all(report: Report) -> bool:
    """Whether a batch's call has failed in a way that may be the fault of one: then each is called alone."""
    error = report["error"]
    return report["status"] == "failed" and divides_batch(error["code"], retriable=error["retriable"])
