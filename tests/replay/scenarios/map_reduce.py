"""Scenarios of map-reduce whose documents are in the request."""

from __future__ import annotations

import time

from activities.names import MAP_REDUCE
from shared.scheduling.hedging import LEAST_WAIT_S
from tests.orchestrators.durable import Durable
from tests.orchestrators.given import documents_request, outcome, refused, replied
from tests.replay.scenario import end_in_order, save, scenario, start_held


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
    """Calls take longer than the least wait, and are under way differently long, so that all that is learned shows."""
    policy = {"hedge": "p95", "max_hedge_percentage": 50}
    for name, worked_s in {"d0": 0.3, "d1": 0.25, "d2": 0.2}.items():
        durable.agents.answer(name, replied("learned from", worked_s=worked_s))
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
