"""Records the histories that the replay test reads. Run by hand, from the repository's root:

    python -m tests.replay.record            all of them
    python -m tests.replay.record NAME ...   only these scenarios

Each scenario is a real run of the app's orchestrators under the SDK's worker on the in-memory engine, with scripted
agents whose order of answers is fixed. Two recordings differ in times, and, where branches are told to stop, in
which turn hears of it first. Record anew only when a change is meant to change decisions: read the failure of
`test_replay.py` first, it says whether running runs would survive the change. `keeping.py` sees to it that none is
forgotten: what would lead runs of a version astray is not recorded.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from activities.names import (
    AGENT_ATTEMPT,
    DELIVERY,
    FINISH_MAP,
    JOIN_OUTPUTS,
    MAP_REDUCE,
    PLAN_DOCUMENTS,
    SECTIONING,
    SHARD,
    VOTING,
    delivery_instance_id,
)
from shared.contracts.work import Unit
from shared.scheduling.hedging import LEAST_WAIT_S
from tests.orchestrators.durable import LIMIT_S, ORCHESTRATORS, Durable
from tests.orchestrators.fake_context import JSON
from tests.orchestrators.given import documents_request, outcome, refused, replied, sections_request
from tests.orchestrators.relay import ANSWERED, Stages, refusal, singles, unit
from tests.orchestrators.stored_runs import StoredRuns
from tests.replay.history import FOLDER, History
from tests.replay.keeping import is_kept, make_room

Scenario = Callable[[Durable], None]

SCENARIOS: dict[str, Scenario] = {}
STAGE_SCENARIOS: dict[str, Callable[[Stages], None]] = {}
STORED_SCENARIOS: dict[str, Callable[[StoredRuns], None]] = {}
WRITTEN: set[Path] = set()
"""The files of the histories that were recorded by this process."""


def scenario(function: Scenario) -> Scenario:
    """Register a scenario under its name, which is also its run's id."""
    SCENARIOS[function.__name__] = function
    return function


def stage_scenario(function: Callable[[Stages], None]) -> Callable[[Stages], None]:
    """The same for a scenario of shards."""
    STAGE_SCENARIOS[function.__name__] = function
    return function


def stored_scenario(function: Callable[[StoredRuns], None]) -> Callable[[StoredRuns], None]:
    """The same for a scenario of whole runs in storage."""
    STORED_SCENARIOS[function.__name__] = function
    return function


# --- Sectioning ---


@scenario
def sectioning_succeeds(durable: Durable) -> None:
    start_held(durable, SECTIONING, sections_request("a", "b", "c"), "a", "b", "c")
    end_in_order(durable, "c", "a", "b")
    save(durable, SECTIONING)
    save(durable, AGENT_ATTEMPT, call="a", name="agent_attempt_succeeds")


@scenario
def sectioning_with_failures(durable: Durable) -> None:
    durable.agents.answer("refused", refused("content_filtered", retriable=False))
    durable.agents.answer("lost", RuntimeError("worker lost"))
    durable.agents.answer("defect", {"no": "reply"})
    names = ("good", "refused", "lost", "defect")
    request = sections_request(*names, aggregation="concatenate", policy={"attempts": 1})
    start_held(durable, SECTIONING, request, *names)
    end_in_order(durable, "refused", "defect", "good", "lost")
    save(durable, SECTIONING)
    save(durable, AGENT_ATTEMPT, call="refused", name="agent_attempt_is_refused")
    save(durable, AGENT_ATTEMPT, call="lost", name="agent_attempt_is_lost")


@scenario
def sectioning_with_retries(durable: Durable) -> None:
    throttled = refused(retry_after_s=0.0)
    durable.agents.answer("a", throttled, RuntimeError("worker lost"), replied("third"))
    durable.agents.answer("b", throttled, throttled, throttled)
    start_held(durable, SECTIONING, sections_request("a", "b", aggregation="concatenate"), "a", "b")
    end_in_order(durable, "a")
    durable.wait_until_noted("a~3")
    end_in_order(durable, "b")
    save(durable, SECTIONING)


@scenario
def sectioning_throttled(durable: Durable) -> None:
    names = ["a", "b", "c", "d"]
    for name in names:
        durable.agents.answer(name, refused(retry_after_s=0.0), replied("second"))
    start_held(durable, SECTIONING, sections_request(*names, policy={"max_concurrency": 4}), *names)
    end_in_order(durable, *names)
    save(durable, SECTIONING)


@scenario
def sectioning_with_a_hedge(durable: Durable) -> None:
    durable.agents.answer("b", replied("slow"), replied("quick"))
    policy = {"hedge_after_s": 0.3, "max_hedge_percentage": 50}
    start_held(durable, SECTIONING, sections_request("a", "b", "c", policy=policy), "a", "b~1", "c~1", "c~2")
    end_in_order(durable, "a")
    durable.wait_until_noted("b~2h")
    durable.wait_until_noted("b")
    durable.agents.let_go("c~1")
    save(durable, SECTIONING)
    durable.wait_until_ended("c~2h")
    save(durable, AGENT_ATTEMPT, call="b", name="agent_attempt_is_stopped")


@scenario
def sectioning_that_stops_early(durable: Durable) -> None:
    policy = {"min_successful": 2, "stop_early": True, "max_concurrency": 3}
    start_held(durable, SECTIONING, sections_request("a", "b", "c", "d", policy=policy), "a", "b", "c", "d")
    end_in_order(durable, "c", "a")
    save(durable, SECTIONING)


@scenario
def sectioning_beyond_its_tolerance(durable: Durable) -> None:
    durable.agents.answer("b", refused("content_filtered", retriable=False))
    policy = {"tolerated_failure_count": 0, "max_concurrency": 3}
    start_held(durable, SECTIONING, sections_request("a", "b", "c", "d", policy=policy), "a", "b", "c", "d")
    end_in_order(durable, "a", "b")
    save(durable, SECTIONING)


@scenario
def sectioning_redriven(durable: Durable) -> None:
    reused = [outcome("a"), outcome("c")]
    durable.start(SECTIONING, sections_request("a", "b", "c"), reused=reused)
    save(durable, SECTIONING)


@scenario
def sectioning_through_a_window(durable: Durable) -> None:
    names = ["a", "b", "c", "d", "e"]
    for name in names:
        durable.agents.answer(name, replied({"found": [name], "risk": "high" if name == "d" else "low"}))
    request = sections_request(*names, aggregation="merge", policy={"max_concurrency": 2})
    start_held(durable, SECTIONING, request, *names)
    end_in_order(durable, "b", "c", "a", "e", "d")
    save(durable, SECTIONING)


@scenario
def sectioning_to_its_deadline(durable: Durable) -> None:
    request = sections_request("a", "b", "c", policy={"deadline_s": 1.0, "max_concurrency": 2})
    start_held(durable, SECTIONING, request, "a", "b", "c")
    end_in_order(durable, "a")
    save(durable, SECTIONING)


@scenario
def sectioning_to_its_deadline_in_the_synthesis(durable: Durable) -> None:
    request = sections_request("a", "b", policy={"deadline_s": 1.0})
    start_held(durable, SECTIONING, request, "a", "b", "~synthesis")
    end_in_order(durable, "a", "b")
    save(durable, SECTIONING)


@scenario
def sectioning_cancelled(durable: Durable) -> None:
    names = ["a", "b", "c", "d"]
    start_held(durable, SECTIONING, sections_request(*names, policy={"max_concurrency": 2}), *names)
    end_in_order(durable, "b")
    durable.cancel()
    save(durable, SECTIONING)


@scenario
def sectioning_whose_synthesis_fails(durable: Durable) -> None:
    durable.agents.answer("~synthesis", refused("invalid_call", retriable=False))
    start_held(durable, SECTIONING, sections_request("a", "b"), "a", "b")
    end_in_order(durable, "b", "a")
    save(durable, SECTIONING)


@scenario
def sectioning_with_a_slow_branch(durable: Durable) -> None:
    request = sections_request("a", "b", aggregation="concatenate", policy={"branch_timeout_s": 0.5})
    start_held(durable, SECTIONING, request, "a", "b")
    end_in_order(durable, "a")
    save(durable, SECTIONING)
    save(durable, AGENT_ATTEMPT, call="b", name="agent_attempt_times_out")


@scenario
def sectioning_with_votes(durable: Durable) -> None:
    """One vote takes two waves, the other a judge for its tie."""
    ballot: JSON = {"type": "choice", "options": ["yes", "no"]}
    waves = {"question": "Publish?", "ballot": ballot, "voters": {"min": 2, "max": 3, "wave": 2}}
    tie = {"question": "Safe?", "ballot": ballot, "voters": 2, "tie_break": "judge"}
    answers = {"w:voter-1": "yes", "w:voter-2": "no", "w:voter-3": "no", "t:voter-1": "yes", "t:voter-2": "no"}
    for voter, answer in answers.items():
        durable.agents.answer(voter, replied(a_ballot(answer)))
    judges = ("~judge-1:t", "~judge-2:t")
    for judge in judges:
        durable.agents.answer(judge, replied({"reasoning": "r", "ranking": ["candidate-1", "candidate-2"]}))
    request = sections_request("a")
    request["sections"] += [{"name": "w", "vote": waves}, {"name": "t", "vote": tie}]
    order = ("t:voter-2", "w:voter-1", "a", "t:voter-1", "w:voter-2", "w:voter-3", *judges)
    start_held(durable, SECTIONING, request, *order)
    end_in_order(durable, *order)
    save(durable, SECTIONING)


# --- Voting ---

VOTERS = ["voter-1", "voter-2", "voter-3"]


def a_ballot(answer: str | None) -> JSON:
    """What a voter answers."""
    return {"reasoning": f"because {answer}", "evidence": [], "answer": answer, "confidence": 0.7}


def ballots(durable: Durable, *answers: str | None, **policy: Any) -> JSON:
    """A request to vote; the voters will give these answers."""
    for voter, answer in zip(VOTERS, answers, strict=True):
        durable.agents.answer(voter, replied(a_ballot(answer)))
    ballot = {"type": "choice", "options": ["yes", "no"]}
    return {"question": "Publish?", "voters": len(VOTERS), "ballot": ballot, "policy": policy}


@scenario
def voting_decides(durable: Durable) -> None:
    start_held(durable, VOTING, ballots(durable, "yes", "no", "yes"), *VOTERS)
    end_in_order(durable, "voter-3", "voter-1", "voter-2")
    save(durable, VOTING)


@scenario
def voting_through_a_window(durable: Durable) -> None:
    start_held(durable, VOTING, ballots(durable, "no", "no", "yes", max_concurrency=1), *VOTERS)
    end_in_order(durable, *VOTERS)
    save(durable, VOTING)


@scenario
def voting_with_too_few_votes(durable: Durable) -> None:
    request = ballots(durable, "yes", "yes", "yes", min_successful=3)
    durable.agents.answer("voter-2", refused("refused", retriable=False))
    start_held(durable, VOTING, request, *VOTERS)
    end_in_order(durable, *VOTERS[:2])
    save(durable, VOTING)


@scenario
def voting_to_its_deadline(durable: Durable) -> None:
    start_held(durable, VOTING, ballots(durable, "no", "no", "yes", deadline_s=1.0), *VOTERS)
    end_in_order(durable, "voter-2")
    save(durable, VOTING)


@scenario
def voting_cancelled(durable: Durable) -> None:
    start_held(durable, VOTING, ballots(durable, "yes", "no", "yes"), *VOTERS)
    end_in_order(durable, "voter-1")
    durable.cancel()
    save(durable, VOTING)


@scenario
def voting_out_of_budget(durable: Durable) -> None:
    request = ballots(durable, "no", "no", "yes", max_concurrency=1, max_total_tokens=30)
    start_held(durable, VOTING, request, *VOTERS)
    end_in_order(durable, *VOTERS[:2])
    save(durable, VOTING)


@scenario
def voting_in_waves(durable: Durable) -> None:
    for number in range(1, 10):
        durable.agents.answer(f"voter-{number}", replied(a_ballot("no" if number == 2 else "yes")))
    plan = {"min": 3, "max": 9, "wave": 2}
    first, second = ("voter-1", "voter-2", "voter-3"), ("voter-4", "voter-5")
    start_held(durable, VOTING, {**ballots(durable, "yes", "no", "yes"), "voters": plan}, *first, *second, "voter-6")
    end_in_order(durable, *first, *second, "voter-6")
    save(durable, VOTING)


@scenario
def voting_whose_tie_a_judge_breaks(durable: Durable) -> None:
    request = {**ballots(durable, "yes", "no", None), "tie_break": "judge"}
    for judge in ("~judge-1", "~judge-2"):
        durable.agents.answer(judge, replied({"reasoning": "r", "ranking": ["candidate-1", "candidate-2"]}))
    start_held(durable, VOTING, request, *VOTERS, "~judge-1", "~judge-2")
    end_in_order(durable, *VOTERS, "~judge-2", "~judge-1")
    save(durable, VOTING)


@scenario
def voting_for_the_best_of_three(durable: Durable) -> None:
    request = {**ballots(durable, "one", "two", "three"), "ballot": {"type": "free"}, "rule": "best_of"}
    ranking = ["candidate-2", "candidate-1", "candidate-3"]
    for judge in ("~judge-1", "~judge-2"):
        durable.agents.answer(judge, replied({"reasoning": "r", "ranking": ranking}))
    start_held(durable, VOTING, request, *VOTERS, "~judge-1", "~judge-2")
    end_in_order(durable, *VOTERS, "~judge-1", "~judge-2")
    save(durable, VOTING)


# --- Map-reduce ---


@scenario
def map_reduce_succeeds(durable: Durable) -> None:
    start_held(durable, MAP_REDUCE, documents_request(3), "d0", "d1", "d2")
    end_in_order(durable, "d1", "d2", "d0")
    save(durable, MAP_REDUCE)


@scenario
def map_reduce_of_parts(durable: Durable) -> None:
    request = documents_request(2)
    place = {"document": "d0", "of": 2, "first_line": 1, "last_line": 1}
    chunks = [{"branch": "d0+1", "part": 1, "start": 0, "end": 5}, {"branch": "d0+2", "part": 2, "start": 4, "end": 11}]
    request |= {"split": {"by": "characters", "size": 64}, "chunks": [{**chunk, **place} for chunk in chunks]}
    start_held(durable, MAP_REDUCE, request, "d0+1", "d0+2", "d1")
    end_in_order(durable, "d1", "d0+2", "d0+1")
    save(durable, MAP_REDUCE)


@scenario
def map_reduce_in_batches(durable: Durable) -> None:
    """One batch is answered, one in part, and one is refused as a whole."""
    durable.agents.answer("~batch-1", replied({"d0": "zero", "d1": "one"}))
    durable.agents.answer("~batch-2", replied({"d3": "three"}))
    durable.agents.answer("~batch-3", refused("content_filtered", retriable=False))
    durable.agents.answer("d5", refused("content_filtered", retriable=False))
    calls = ["~batch-1", "~batch-2", "~batch-3", "d2", "d4", "d5", "d6"]
    start_held(durable, MAP_REDUCE, documents_request(7, batch_size=2), *calls)
    end_in_order(durable, "~batch-2", "d6", "~batch-3", "~batch-1", "d2", "d5", "d4")
    save(durable, MAP_REDUCE)


@scenario
def map_reduce_through_a_window(durable: Durable) -> None:
    names = [f"d{number}" for number in range(6)]
    durable.agents.answer("d3", refused("content_filtered", retriable=False))
    start_held(durable, MAP_REDUCE, documents_request(6, policy={"max_concurrency": 3}), *names)
    end_in_order(durable, "d1", "d3", "d0", "d2", "d5", "d4")
    save(durable, MAP_REDUCE)


@scenario
def map_reduce_whose_reduction_fails(durable: Durable) -> None:
    durable.agents.answer("~reduction", refused("invalid_output", retriable=False))
    start_held(durable, MAP_REDUCE, documents_request(2), "d0", "d1")
    end_in_order(durable, "d0", "d1")
    save(durable, MAP_REDUCE)


@scenario
def map_reduce_to_its_deadline(durable: Durable) -> None:
    request = documents_request(4, policy={"deadline_s": 1.0, "max_concurrency": 2})
    start_held(durable, MAP_REDUCE, request, "d0", "d1", "d2", "d3")
    end_in_order(durable, "d1", "d2")
    save(durable, MAP_REDUCE)


@scenario
def map_reduce_cancelled_in_the_reduction(durable: Durable) -> None:
    start_held(durable, MAP_REDUCE, documents_request(2), "d0", "d1", "~reduction")
    end_in_order(durable, "d0", "d1")
    durable.agents.wait_for_calls(3)
    durable.cancel()
    save(durable, MAP_REDUCE)


@scenario
def map_reduce_out_of_budget(durable: Durable) -> None:
    request = documents_request(3, policy={"max_total_tokens": 30, "max_concurrency": 2})
    start_held(durable, MAP_REDUCE, request, "d0", "d1", "d2")
    end_in_order(durable, "d0", "d1")
    save(durable, MAP_REDUCE)


@scenario
def map_reduce_with_a_learned_hedge(durable: Durable) -> None:
    start_held(durable, MAP_REDUCE, documents_request(4, policy={"hedge": "p95"}), "d0", "d1", "d2", "d3~1")
    end_in_order(durable, "d2", "d0", "d1")
    save(durable, MAP_REDUCE)


@scenario
def map_reduce_with_learned_hedges_of_hedges(durable: Durable) -> None:
    policy = {"hedge": "p95", "max_hedge_percentage": 50}
    start_held(durable, MAP_REDUCE, documents_request(4, policy=policy), "d0", "d1", "d2", "d3~1", "d3~2")
    end_in_order(durable, "d2", "d0", "d1")
    save(durable, MAP_REDUCE)


@scenario
def map_reduce_with_waits_that_were_learned(durable: Durable) -> None:
    """Calls take longer than the least wait, so that the margins of the percentile show."""
    policy = {"hedge": "p95", "max_hedge_percentage": 50}
    start_held(durable, MAP_REDUCE, documents_request(4, policy=policy), "d0", "d1", "d2", "d3~1", "d3~2")
    time.sleep(4 * LEAST_WAIT_S)
    end_in_order(durable, "d2", "d0", "d1")
    save(durable, MAP_REDUCE)


@scenario
def map_reduce_redriven_to_its_reduction(durable: Durable) -> None:
    durable.start(MAP_REDUCE, documents_request(2), reused=[outcome("d0"), outcome("d1")])
    save(durable, MAP_REDUCE)


@scenario
def map_reduce_by_a_tree(durable: Durable) -> None:
    tree = {"type": "tree", "agent": {"instructions": "Reduce."}, "max_fan_in": 2}
    durable.agents.answer("~reduce-1-2", refused("content_filtered", retriable=False))
    names = [f"d{number}" for number in range(6)]
    calls = ["~reduce-1-1", "~reduce-1-2", "~reduce-1-3"]
    start_held(durable, MAP_REDUCE, documents_request(6, reduce=tree), *names, *calls)
    end_in_order(durable, *names, "~reduce-1-3", "~reduce-1-2", "~reduce-1-1")
    save(durable, MAP_REDUCE)


# --- Callbacks ---

CALLBACK = {"sealed": "SEALED", "host": "hooks.example.com"}
NOT_TAKEN = {"status": 503, "error": "the receiver answered 503"}


def start_with_callback(durable: Durable, *replies: JSON) -> str:
    """Start a run whose one section is held, and before it the delivery of its callback; return the delivery's id."""
    durable.delivery_replies = list(replies)
    delivery_id = delivery_instance_id(durable.run_id)
    given = {"run_id": durable.run_id, "callback": CALLBACK, "result_url": "https://chorus.example/api/runs/ID"}
    durable.client.schedule_new_orchestration(DELIVERY, input=given, instance_id=delivery_id)
    durable.agents.hold("a")
    durable.start(SECTIONING, sections_request("a", aggregation="concatenate"), callback=CALLBACK)
    return delivery_id


def save_delivery(durable: Durable, delivery_id: str) -> None:
    """Save the history of a delivery, once it has ended."""
    durable.client.wait_for_orchestration_completion(delivery_id, timeout=LIMIT_S)
    saved(History(f"{durable.run_id}_delivery", DELIVERY, delivery_id, durable.history(delivery_id)))


@scenario
def callback_taken_at_the_second_attempt(durable: Durable) -> None:
    delivery_id = start_with_callback(durable, NOT_TAKEN, {"status": 200})
    end_in_order(durable, "a")
    save(durable, SECTIONING)
    save_delivery(durable, delivery_id)


@scenario
def callback_of_a_terminated_run(durable: Durable) -> None:
    """The run announces nothing, and is found by a look; the receiver wants no callbacks any more."""
    delivery_id = start_with_callback(durable, {"status": 410, "error": "the receiver answered 410"})
    durable.agents.wait_for_calls(1)
    durable.client.terminate_orchestration(durable.run_id)
    save_delivery(durable, delivery_id)


# --- Shards ---


def start_pages(stages: Stages, *held: str, pages: Sequence[Sequence[Unit]], **policy: Any) -> None:
    """Start a run of one stage whose calls for these units wait."""
    stages.pages.hold(*held)
    stages.start_stage(pages, **policy)


@stage_scenario
def shards_pass_places(stages: Stages) -> None:
    """The first has a retry, the second a batch that is divided and a work that fails."""
    stages.pages.answer("1.1", refusal("rate_limited", retriable=True, retry_after_s=0.1), ANSWERED)
    stages.pages.answer("2.1", ANSWERED | {"unanswered": ["b"]})
    stages.pages.answer("2.2", refusal("content_filtered"))
    pages = [[unit("1.1"), unit("1.2"), unit("1.3")], [unit("2.1", "a", "b"), unit("2.2")], [unit("3.1")]]
    start_pages(stages, "1.3", pages=pages, max_concurrency=2)
    stages.pages.wait_until(lambda: any(reading.unit == "2.2" for reading in stages.pages.readings))
    stages.pages.let_all_go()
    for number in (1, 2, 3):
        save_shard(stages, number)


@stage_scenario
def shards_stopped(stages: Stages) -> None:
    start_pages(stages, "1.1", "1.2", "2.1", "2.2", pages=singles(3, 2), max_concurrency=3)
    stages.pages.wait_until(lambda: stages.pages.running == 3)
    stages.cancel()
    stages.result()
    for number in (1, 3):
        save_shard(stages, number)


@stage_scenario
def shards_beyond_their_tolerance(stages: Stages) -> None:
    stages.pages.answer("2.1", refusal("content_filtered"))
    start_pages(stages, "1.1", pages=singles(2, 2), max_concurrency=2, tolerated_failure_count=0)
    stages.result()
    save_shard(stages, 2)


@stage_scenario
def shards_out_of_budget(stages: Stages) -> None:
    start_pages(stages, pages=singles(3, 2), max_concurrency=1, max_total_tokens=45)
    save_shard(stages, 2)


@stage_scenario
def shards_replaced(stages: Stages) -> None:
    start_pages(stages, "1.1", pages=singles(2, 2), max_concurrency=2)
    stages.pages.wait_until(lambda: any(reading.unit == "2.2" for reading in stages.pages.readings))
    stages.client.terminate_orchestration(stages.shard_id(1), recursive=False)
    save_shard(stages, 1, replacement=1)


def save_shard(stages: Stages, number: int, replacement: int = 0) -> None:
    """Save the history of a shard of the scenario, once it has ended."""
    stages.result()
    instance_id = stages.shard_id(number, replacement)
    stages.client.wait_for_orchestration_completion(instance_id, timeout=LIMIT_S)
    suffix = f"{number}_replaced" if replacement else str(number)
    saved(History(f"{stages.run_id}_{suffix}", SHARD, instance_id, stages.history(instance_id)))


# --- Runs in storage ---


@stored_scenario
def stored_of_two_shards(stored: StoredRuns) -> None:
    """Storage is away at each step; one document of the second page fails."""
    stored.away += [PLAN_DOCUMENTS, FINISH_MAP, JOIN_OUTPUTS]
    stored.pages.answer("2.2", refusal("content_filtered"))
    stored.pages.hold("1.2")
    stored.start_run(singles(2, 2), max_concurrency=2)
    stored.pages.wait_until(lambda: any(reading.unit == "2.2" for reading in stored.pages.readings))
    stored.pages.let_all_go()
    save_stored(stored)
    save_stored_shard(stored, "map", 1)
    save_stored_shard(stored, "map", 2)


@stored_scenario
def stored_of_three_shards(stored: StoredRuns) -> None:
    """The third starts once the second has its first place."""
    stored.start_run(singles(3, 2), max_concurrency=1)
    save_stored(stored)


@stored_scenario
def stored_redriven(stored: StoredRuns) -> None:
    """Of two pages, the second still has a document to read."""
    stored.pages.answered |= {"d1.1", "d1.2", "d2.1"}
    stored.start_run(singles(2, 2), redrive_of="run-0")
    save_stored(stored)
    save_stored_shard(stored, "map", 2)


@stored_scenario
def stored_by_a_tree(stored: StoredRuns) -> None:
    """Two levels; the shard of the first has a call that fails once."""
    stored.pages.answer("1r.2", refusal("rate_limited", retriable=True, retry_after_s=0.1), ANSWERED)
    stored.start_run(singles(1, 3), levels=(2, 1))
    save_stored(stored)
    save_stored_shard(stored, "reduce-1", 1)


@stored_scenario
def stored_cancelled(stored: StoredRuns) -> None:
    stored.pages.hold("1.2", "2.1")
    stored.start_run(singles(2, 2), max_concurrency=2)
    stored.pages.wait_until(lambda: {"1.2", "2.1"} <= {reading.unit for reading in stored.pages.readings})
    stored.cancel()
    save_stored(stored)


@stored_scenario
def stored_beyond_its_tolerance(stored: StoredRuns) -> None:
    stored.pages.answer("1.1", refusal("content_filtered"))
    stored.start_run(singles(2, 2), max_concurrency=1, tolerated_failure_count=0)
    save_stored(stored)


def save_stored(stored: StoredRuns) -> None:
    """Save the history of the scenario's run, once it has ended."""
    stored.result()
    saved(History(stored.run_id, MAP_REDUCE, stored.run_id, stored.history(stored.run_id)))


def save_stored_shard(stored: StoredRuns, stage: str, number: int) -> None:
    """Save the history of one of its shards, once it has ended."""
    instance_id = stored.stage_shard_id(stage, number)
    stored.client.wait_for_orchestration_completion(instance_id, timeout=LIMIT_S)
    name = f"{stored.run_id}_{stage.replace('-', '_')}_shard_{number}"
    saved(History(name, SHARD, instance_id, stored.history(instance_id)))


# --- How ---


def saved(history: History) -> None:
    """Save a history, and say so."""
    make_room(history, ORCHESTRATORS[history.orchestrator])
    print(f"{history.save().name}: {len(history.events)} events")
    WRITTEN.add(history.path)


def start_held(durable: Durable, orchestrator: str, request: JSON, *held: str) -> None:
    """Start the scenario's run; these calls, or all calls for these branches, wait."""
    durable.agents.hold(*held)
    durable.start(orchestrator, request)


def end_in_order(durable: Durable, *branches: str) -> None:
    """Let branches answer one after the other, each when the run has taken note of the one before."""
    for branch in branches:
        durable.agents.let_go(branch)
        durable.wait_until_noted(branch)


def save(durable: Durable, orchestrator: str, call: str | None = None, name: str | None = None) -> None:
    """Save the history of the scenario's run, or of one of its calls, once the run has ended."""
    durable.result()
    instance_id = durable.call_id(call) if call else durable.run_id
    saved(History(name or durable.run_id, orchestrator, instance_id, durable.history(instance_id)))


def main(names: list[str]) -> None:
    """Record these scenarios, or all."""
    known = [*SCENARIOS, *STAGE_SCENARIOS, *STORED_SCENARIOS]
    if unknown := [name for name in names if name not in known]:
        raise SystemExit(f"There is no scenario {unknown[0]!r}. There are: {', '.join(known)}.")
    FOLDER.mkdir(exist_ok=True)
    with Durable() as durable:
        for name in [name for name in names or SCENARIOS if name in SCENARIOS]:
            durable.anew(run_id=name)
            SCENARIOS[name](durable)
    for name in [name for name in names or STAGE_SCENARIOS if name in STAGE_SCENARIOS]:
        with Stages() as stages:
            stages.run_id = name
            STAGE_SCENARIOS[name](stages)
    for name in [name for name in names or STORED_SCENARIOS if name in STORED_SCENARIOS]:
        with StoredRuns() as stored:
            stored.run_id = name
            STORED_SCENARIOS[name](stored)
    if not names:
        for path in {path for path in FOLDER.glob("*.json") if not is_kept(path)} - WRITTEN:
            path.unlink()


if __name__ == "__main__":
    main(sys.argv[1:])
