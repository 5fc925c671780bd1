"""A fan-out over pages: shards in a relay, each a child orchestration (`orchestrators/shard.py`).

1. The first shard starts with all places, and so many more with none that those who get the first's places are there.
2. Each shard that gets its first place lets another start.
3. One that is lost is replaced: the replacement passes on the places that the lost one had.
4. A cancel, the deadline, or an outcome that is certain stops them all; they get a moment to give their account.
"""

from __future__ import annotations

from collections.abc import Callable, Generator
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any, cast

from activities.names import (
    PLACES_EVENT,
    SHARD,
    STOP_CALLS,
    shard_instance_id,
    shard_news_event,
    shards_prefix,
)
from orchestrators.arrivals import Arrivals
from orchestrators.events import send_event
from orchestrators.fan_out import STOP_GRACE_S
from orchestrators.inbox import Inbox
from orchestrators.run import Run
from shared.contracts.base import restored
from shared.contracts.missing import first_names
from shared.contracts.policy import Interruption
from shared.contracts.stop import StopShards
from shared.contracts.work import (
    MAP_STAGE,
    Account,
    PassedPlaces,
    ShardInput,
    ShardNews,
    ShardResult,
    Stage,
    Tally,
)

if TYPE_CHECKING:
    from durabletask.task import Task

MAX_GOING = 1_000
"""Ends of ids of shards at work that a stage tells: its custom status may have 16 KB."""
MAX_REPLACEMENTS = 3
"""Of one shard: whose replacements are lost, too, has a defect, and its stage ends."""


@dataclass(frozen=True, slots=True)
class StageOutcome:
    """What came of a stage: `succeeded` and `failed` of the tally are all of its works together.

    `missing` are the names of works without an answer, as far as they are known and the first of them.
    """

    tally: Tally
    missing: list[str] = field(default_factory=list[str])
    interruption: Interruption | None = None
    later: Callable[[], StageOutcome] | None = field(default=None, compare=False, repr=False)
    """What has come of it by then, if shards may still give their accounts."""

    def by_now(self) -> StageOutcome:
        """The same with the accounts that have come since, of shards that were stopped and took their time."""
        if self.later is None:
            return self
        later = self.later()
        return replace(self, tally=later.tally, missing=later.missing)


def run_stage(run: Run, stage: Stage) -> Generator[Task[Any], Any, StageOutcome]:
    """Run all pages of a stage, until every work is decided or no more is needed."""
    relay = Relay(run, stage)
    yield from relay.run_all()
    outcome = replace(relay.outcome(), later=relay.outcome)
    usage = outcome.tally.usage
    run.budget.take_over(usage.total_tokens, usage.output_tokens, outcome.tally.succeeded - outcome.tally.reused)
    return outcome


class Relay:
    """The shards of a stage. `live` are those that have not ended, by their numbers."""

    def __init__(self, run: Run, stage: Stage) -> None:
        self._run = run
        self._context = run.context
        self._stage = stage
        self._places = run.policy.max_concurrency
        self._lead = max(1, -(-self._places * stage.pages // max(1, stage.works)))
        self._started = 0
        self._begun = 1
        self._live: dict[int, Task[Any]] = {}
        self._replacements: dict[int, int] = {}
        self._lost: dict[int, str] = {}
        self._results: dict[int, ShardResult] = {}
        self._news: dict[int, ShardNews] = {}
        self._ended = Tally()
        self._certain: Interruption | None = None
        self._budget_is_spent = run.budget.exhausted
        self._is_defect = False
        self._arrivals = Arrivals(lambda: True)
        self._inbox = Inbox(run.context, self._arrivals, shard_news_event(stage.name))

    def run_all(self) -> Generator[Task[Any], Any]:
        """Until all shards have ended, or were told to stop."""
        while True:
            self._turn()
            if self._is_over():
                break
            yield self._run.until(self._arrivals.next())
        if self._live:
            yield from self._stop_all()

    def outcome(self) -> StageOutcome:
        """What the shards' results come to; a work that none of them tells of has failed."""
        self._hear_all()
        stopped = [news.tally for number, news in self._news.items() if number not in self._results]
        tally = sum(stopped, start=self._ended)
        names = [name for number in sorted(self._results) for name in self._results[number].missing]
        failed = self._stage.works - tally.succeeded
        return StageOutcome(tally.model_copy(update={"failed": failed}), first_names(names), self._interruption(failed))

    # --- Turns ---

    def _turn(self) -> None:
        self._hear_all()
        if self._reason() is None:
            for number in sorted(self._lost):
                self._replace(number, self._lost.pop(number))
            while self._may_start():
                self._started += 1
                self._start(self._started, places=self._places if self._started == 1 else 0)
        self._show()

    def _may_start(self) -> bool:
        """Whether the next shard is to be there."""
        wanted = self._started < min(self._stage.pages, self._begun + self._lead)
        return wanted and not self._budget_is_spent and not self._is_defect

    def _is_over(self) -> bool:
        return self._reason() is not None or not self._live

    def _reason(self) -> Interruption | None:
        """Why the shards need not be waited for."""
        return self._run.interruption or self._certain or ("cancelled" if self._is_defect else None)

    def _interruption(self, failed: int) -> Interruption | None:
        """What kept works from their own end, if anything did."""
        cut = any(result.reason for result in self._results.values()) or len(self._results) < self._stage.pages
        if not failed or not cut or self._is_defect:
            return None
        reasons = {result.reason for result in self._results.values()}
        spent = self._budget_is_spent or "budget_exhausted" in reasons
        return self._run.interruption or self._certain or ("budget_exhausted" if spent else None)

    def _hear_all(self) -> None:
        for told in self._inbox.take():
            self._hear(restored(ShardNews, told))

    def _hear(self, news: ShardNews) -> None:
        match news.kind:
            case "began":
                self._begun = max(self._begun, news.number)
            case "certain":
                self._certain = self._certain or news.reason
            case "budget":
                self._end_of_budget()
            case "stopped":
                self._news[news.number] = news

    def _end_of_budget(self) -> None:
        """No shard begins any more: those that wait for their first place would wait for ever."""
        if self._budget_is_spent:
            return
        self._budget_is_spent = True
        waiting = [self._instance(number) for number in self._live if number > self._begun]
        if waiting:
            self._tell(StopShards(instances=waiting, reason="budget_exhausted"))

    # --- Shards ---

    def _start(self, number: int, *, places: int, before: str | None = None, lost: str | None = None) -> None:
        if before is None and places == 0:
            before = self._instance(number - 1)
        # One that has ended takes no places, but a replacement that had nobody to pass them to would keep them.
        after = self._instance(number + 1) if lost is not None and number < self._started else None
        given = ShardInput(
            stage=self._stage,
            number=number,
            parent=self._context.instance_id,
            before=before,
            after=after,
            lost=lost,
            places=places,
            policy=self._run.policy,
            deadline=self._run.deadline,
            spent_tokens=self._run.budget.spent,
        )
        task = self._context.call_sub_orchestrator(SHARD, given.model_dump(mode="json"), self._instance(number))
        self._live[number] = task
        self._arrivals.watch(task, lambda: self._land(number, task))

    def _instance(self, number: int) -> str:
        replacement = self._replacements.get(number, 0)
        return shard_instance_id(self._context.instance_id, self._stage.name, number, replacement=replacement)

    def _land(self, number: int, task: Task[Any]) -> None:
        del self._live[number]
        if task.is_failed:
            self._lost[number] = str(task.get_exception())
            return
        result = restored(ShardResult, task.get_result())
        self._results[number] = result
        self._ended += result.tally
        if number + 1 in self._replacements and number + 1 in self._live:
            self._hand_over(number)

    def _hand_over(self, number: int) -> None:
        """A shard that ended as its successor was being replaced may have told the lost one of its last places."""
        told = PassedPlaces(sender=self._instance(number), places=self._places, account=Account())
        send_event(self._context, self._instance(number + 1), PLACES_EVENT, told.model_dump(mode="json"))

    def _replace(self, number: int, why: str) -> None:
        """Let another shard take the lost one's place in the relay: from the one before it, if that still passes any.

        The lost one's calls may still be out, and are told to stop.
        """
        self._tell(StopShards(instances=[self._instance(number)]))
        self._replacements[number] = self._replacements.get(number, 0) + 1
        if self._replacements[number] > MAX_REPLACEMENTS:
            self._is_defect = True
            return
        if (told := self._news.pop(number, None)) is not None:
            self._ended += Tally(usage=told.tally.usage)  # its successor finds the answers, and pays for none
        is_first = number == 1 or number - 1 in self._results
        self._start(number, places=self._places if is_first else 0, lost=f"its shard was lost: {why}")

    # --- The end before its time ---

    def _stop_all(self) -> Generator[Task[Any], Any]:
        """Tell all shards to stop, and wait for their accounts, but not for their pages to be closed."""
        prefix = shards_prefix(self._context.instance_id, self._stage.name)
        self._tell(StopShards(prefix=prefix, reason=self._reason()))
        grace = self._context.create_timer(self._context.current_utc_datetime + timedelta(seconds=STOP_GRACE_S))
        while not grace.is_complete and any(number not in self._news for number in self._live):
            yield self._context.task_any([self._arrivals.next(), grace])
            self._hear_all()
        cast(Any, grace).cancel()

    # --- Telling others ---

    def _tell(self, stop: StopShards) -> None:
        self._context.call_activity(STOP_CALLS, stop.model_dump(mode="json"))

    def _show(self) -> None:
        """What the ended shards have come to, and which others tell the rest themselves."""
        ended = self._ended
        is_map = self._stage.name == MAP_STAGE
        counts = {"succeeded": ended.succeeded, "failed": ended.failed, "reused": ended.reused} if is_map else {}
        prefix = shards_prefix(self._context.instance_id, self._stage.name)
        going = [self._instance(number).removeprefix(prefix) for number in sorted(self._live)[:MAX_GOING]]
        tokens = self._run.budget.spent + ended.usage.total_tokens
        self._run.tell(stage=self._stage.name, going=going, tokens=tokens, **counts)
