"""Scenarios of voting."""

from __future__ import annotations

from typing import Any

from activities.names import VOTING
from tests.orchestrators.durable import Durable
from tests.orchestrators.fake_context import JSON
from tests.orchestrators.given import refused, replied
from tests.replay.scenario import end_in_order, save, scenario, start_held

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
