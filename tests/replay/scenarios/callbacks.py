"""Scenarios of runs with a callback, and of its delivery."""

from __future__ import annotations

from activities.names import DELIVERY, SECTIONING, delivery_instance_id
from tests.orchestrators.durable import LIMIT_S, Durable
from tests.orchestrators.fake_context import JSON
from tests.orchestrators.given import sections_request
from tests.replay.history import History
from tests.replay.scenario import end_in_order, save, saved, scenario

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
