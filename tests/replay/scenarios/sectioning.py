"""Scenarios of sectioning."""

from __future__ import annotations

from activities.names import AGENT_ATTEMPT, SECTIONING
from tests.orchestrators.durable import Durable
from tests.orchestrators.fake_context import JSON
from tests.orchestrators.given import outcome, refused, replied, sections_request
from tests.replay.scenario import end_in_order, save, scenario, start_held
from tests.replay.scenarios.voting import a_ballot


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
