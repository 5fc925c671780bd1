"""The durable names: what orchestrations and activities are called in history. Renaming one breaks running runs."""

from __future__ import annotations

from typing import Final

from shared.run_ids import is_time_ordered

SECTIONING: Final = "sectioning"
VOTING: Final = "voting"
MAP_REDUCE: Final = "map_reduce"
AGENT_ATTEMPT: Final = "agent_attempt"
SHARD: Final = "shard"
DELIVERY: Final = "delivery"
CLAIM: Final = "claim"

CALL_AGENT: Final = "call_agent"
STOP_CALLS: Final = "stop_calls"

PLAN_DOCUMENTS: Final = "plan_documents"
OPEN_PAGE: Final = "open_page"
READ_DOCUMENTS: Final = "read_documents"
CLOSE_PAGE: Final = "close_page"
FINISH_MAP: Final = "finish_map"
TAKE_OVER: Final = "take_over"

PLAN_LEVEL: Final = "plan_level"
REDUCE_PARTS: Final = "reduce_parts"
JOIN_OUTPUTS: Final = "join_outputs"

ANNOUNCE_END: Final = "announce_end"
LOOK_FOR_END: Final = "look_for_end"
DELIVER_RESULT: Final = "deliver_result"

CANCEL_EVENT: Final = "cancel"
"""Ends a run."""
STOP_EVENT: Final = "stop"
"""Ends a call of a run, which then gives its account."""
SHARD_HERE_EVENT: Final = "shard_here"
"""Tells a shard that the next one is there, and may be given places."""
PLACES_EVENT: Final = "places"
"""Tells a shard how many places the one before it has passed on, and how the stage stands."""
HOLD_EVENT: Final = "hold"
"""Tells a shard that the run's budget is spent."""
RUN_ENDED_EVENT: Final = "run_ended"
"""Tells the delivery of a run's callback that the run is about to end."""
RUN_STARTED_EVENT: Final = "run_started"
"""Tells the claim on an idempotency key that its run was started."""
CALL_GIVEN_UP: Final = "call_given_up"
"""The error code of a reply that nobody waits for any more."""


def attempt_instance_id(run_id: str, branch: str, number: int, *, is_hedge: bool = False) -> str:
    """The instance id of the child orchestration that makes call `number` (from 1) for `branch`.

    `~RUN:NAME` makes the first, `~RUN:NAME~2` a retry, `~RUN:NAME~2h` a hedge.
    """
    suffix = "" if number == 1 else f"~{number}h" if is_hedge else f"~{number}"
    return f"{children_prefix(run_id)}{branch}{suffix}"


def attempt_of(instance_id: str) -> tuple[str, bool]:
    """The branch that a child orchestration with this id works for, and whether it is a hedge.

    A caller's name has no `~`, and ours have it in front only.
    """
    _, _, attempt = instance_id.partition(":")
    name, _, suffix = attempt[1:].partition("~")
    return attempt[:1] + name, suffix.endswith("h")


def run_of(instance_id: str) -> str:
    """The run whose child orchestration has this id."""
    return instance_id.partition(":")[0].removeprefix("~")


def children_prefix(run_id: str) -> str:
    """What the instance ids of a run's children start with.

    Not with the run's id, so that who lists the runs does not have to read past their children. The children of runs
    from before ids were in order of time have the names that they were started with.
    """
    return f"~{run_id}:" if is_time_ordered(run_id) else f"{run_id}:"


def shards_prefix(run_id: str, stage: str) -> str:
    """What the instance ids of a stage's shards start with, and of no other stage's."""
    return f"{children_prefix(run_id)}~{stage}-"


def shard_instance_id(run_id: str, stage: str, number: int, *, replacement: int = 0) -> str:
    """The instance id of the shard for page `number` (from 1): `~RUN:~map-00002`; `~RUN:~map-00002~1` replaces it."""
    suffix = f"~{replacement}" if replacement else ""
    return f"{shards_prefix(run_id, stage)}{number:05}{suffix}"


def claim_instance_id(key_digest: str) -> str:
    """The instance id of the claim on an idempotency key, which is named by its digest and never in clear."""
    return f"~claim:{key_digest}"


def shard_news_event(stage: str) -> str:
    """What a shard tells its parent. The name is the stage's own, so that no stage hears news of another."""
    return f"shard_news:{stage}"


def unit_call_id(shard: str, unit: str, number: int) -> str:
    """Names call `number` (from 1) of a shard for a unit: an activity, so no instance has this id."""
    return f"{shard}/{unit}~{number}"


def shard_of(call: str) -> str | None:
    """The instance id of the shard whose call this is; None for a call with an orchestration of its own."""
    shard, is_unit, _ = call.partition("/")
    return shard if is_unit else None


def delivery_instance_id(run_id: str) -> str:
    """The instance id of the delivery of a run's callback. It is no child of the run, and not found as one."""
    return f"~callback:{run_id}"
