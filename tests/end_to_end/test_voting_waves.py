"""Votes in waves on the whole app: who is asked, why no more are, and what interrupts them.

With nine voters and "decided", the lead must be larger than the number of voters who are left.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

import pytest

from tests.end_to_end.conftest import JSON, Chorus, outcomes_of, running_chorus, verdict
from tests.end_to_end.votes import YES_NO, adaptive, juror, jury, scores, statuses, vote, waves

pytestmark = pytest.mark.asyncio(loop_scope="module")

HANGS = "[[fault:hang]]"


def then(first: list[str], later: list[str], more: str) -> list[JSON]:
    """Voters who answer at once, and later ones whose calls suffer what `more` says."""
    return [
        *jury(*first),
        *(juror(f"late{number}", answer, more=f"{more} {number}") for number, answer in enumerate(later)),
    ]


def in_waves(voters: list[JSON], wave: int = 3, **fields: object) -> JSON:
    return vote({"jury": voters, "min": 3, "wave": wave}, YES_NO, rule="plurality", stop="decided", **fields)


def is_under_way(asked: int) -> Callable[[JSON], bool]:
    """Whether so many were asked and some of them have not answered yet."""
    return lambda view: view["progress"]["total"] == asked and view["progress"]["running"] > 0


# --- Who is asked ---


@dataclass(frozen=True, slots=True)
class Course:
    """A vote in waves, and how it must go; `answers` is a letter for each voter."""

    answers: str
    wave: int
    stop: object
    sizes: list[int]
    reason: str
    decision: str


COURSES = [
    # Five of nine settle it: 5 > 4. A wave of ten asks no more than these five.
    Course("yyyyyyyyy", 10, "decided", [5], "decided", "yes"),
    Course("yyyyyyyyy", 3, "decided", [3, 2], "decided", "yes"),
    # 2 : 1 and six are left: three more make 5 : 1 with three left.
    Course("yynyyyyyy", 3, "decided", [3, 3], "decided", "yes"),
    # 3 : 3 and three are left: with two more it is 5 : 3 and one is left.
    Course("ynynynyyy", 3, "decided", [3, 3, 2], "decided", "yes"),
    Course("ynynynyny", 3, "decided", [3, 3, 2, 1], "all_asked", "yes"),
    # The posterior of 4 : 0 has 96.9 % for the leader, that of 3 : 0 only 93.8 %.
    Course("y" * 40, 10, "confident", [4], "confident", "yes"),
    # 6 : 1 has 96.5 %, 5 : 1 only 93.8 %: after 3 : 1, three more.
    Course("yyny" + "y" * 36, 10, "confident", [4, 3], "confident", "yes"),
    # 3 : 0 suffices for 90 %.
    Course("n" * 40, 10, {"type": "confident", "level": 0.9}, [3], "confident", "no"),
]


@pytest.mark.parametrize("course", COURSES, ids=[f"{one.answers[:9]}-{one.reason}-{one.sizes}" for one in COURSES])
async def test_waves_end_when_enough_is_known(chorus: Chorus, course: Course) -> None:
    before = (await chorus.stats())["calls"]
    answers = ["yes" if letter == "y" else "no" for letter in course.answers]

    result = await chorus.run("voting", adaptive(*answers, wave=course.wave, stop=course.stop))

    output, asked = result["output"], sum(course.sizes)
    stopped = output["stop"]
    assert verdict(result) == ("succeeded", "all_completed")
    assert (waves(output), stopped["reason"], output["decision"]) == (course.sizes, course.reason, course.decision)
    assert (stopped["asked"], stopped["saved"], output["asked"]) == (asked, len(answers) - asked, asked)
    assert [ballot["voter"] for ballot in output["ballots"]] == [f"v{number}" for number in range(1, asked + 1)]
    assert [ballot["wave"] for ballot in output["ballots"]] == [
        number for number, size in enumerate(course.sizes, start=1) for _ in range(size)
    ]
    assert result["usage"]["model_calls"] == (await chorus.stats())["calls"] - before == asked


async def test_early_stopping_decides_as_asking_all_would(chorus: Chorus) -> None:
    answers = ["no", "yes", "yes", "no", "yes", "yes", "yes", "no", "yes", "yes", "yes"]
    early = await chorus.run("voting", adaptive(*answers, wave=2))
    whole = await chorus.run("voting", vote(jury(*answers), YES_NO, rule="plurality"))

    assert early["output"]["decision"] == whole["output"]["decision"] == "yes"
    assert early["output"]["asked"] < whole["output"]["asked"] == 11


async def test_who_abstains_or_casts_an_invalid_ballot_settles_nothing(chorus: Chorus) -> None:
    """1 : 0 and six are left: three more make 4 : 0 with three left. Of three votes, two would have sufficed."""
    result = await chorus.run("voting", adaptive(None, "yes", "maybe", *["yes"] * 6, wave=3))

    output = result["output"]
    assert (waves(output), output["decision"]) == ([3, 3], "yes")
    assert statuses(output) == ["abstained", "counted", "invalid", *["counted"] * 3]
    assert result["usage"]["model_calls"] == 7, "six voters, and a repair in vain"


async def test_ties_after_all_waves_go_to_a_judge(chorus: Chorus) -> None:
    result = await chorus.run("voting", adaptive("yes", "no", "yes", "no", wave=2, tie_break="judge"))

    assert (result["output"]["stop"]["reason"], len(result["judges"])) == ("all_asked", 2)
    assert result["output"]["leaders"] == ["yes", "no"]
    assert result["usage"]["model_calls"] == 4 + 2


# --- What interrupts them ---


async def test_a_cancel_in_the_second_wave_ends_the_vote(chorus: Chorus) -> None:
    before = chorus.model.calls
    run_id = await chorus.start("voting", in_waves(then(["yes"] * 3, ["yes"] * 6, HANGS)))
    await chorus.until(run_id, is_under_way(5))
    await chorus.model_calls(lambda model: model.statistics.active == 2)
    await chorus.delete(f"runs/{run_id}")
    result = await chorus.result(run_id)

    assert verdict(result) == ("cancelled", "cancelled")
    assert (result["missing"], result["output"]) == (["late0", "late1"], None)
    assert result["usage"]["model_calls"] == chorus.model.calls - before == 5
    await chorus.model_calls(lambda model: model.statistics.active == 0)


async def test_a_deadline_in_the_second_wave_leaves_the_votes_of_the_first(chorus: Chorus) -> None:
    request = in_waves(then(["yes", "yes", "no"], ["yes"] * 6, HANGS), policy={"deadline_s": 1.5})
    result = await chorus.run("voting", request)

    output = result["output"]
    assert verdict(result) == ("partial", "deadline_exceeded")
    assert (output["stop"]["reason"], output["decision"], output["counted"]) == ("interrupted", "yes", 3)
    assert waves(output) == [3, 3]


async def test_a_budget_spent_in_the_first_wave_asks_no_second(chorus: Chorus) -> None:
    wave = await chorus.run("voting", vote(jury(*["yes"] * 3), YES_NO))
    enough = {"max_total_tokens": wave["usage"]["total_tokens"]}
    before = chorus.model.calls
    result = await chorus.run("voting", adaptive(*["yes"] * 9, wave=3, policy=enough))

    output = result["output"]
    assert verdict(result) == ("partial", "budget_exhausted")
    assert (output["stop"]["reason"], output["decision"], output["counted"]) == ("interrupted", "yes", 3)
    assert result["usage"]["model_calls"] == chorus.model.calls - before == 3


async def test_a_vote_in_waves_survives_the_death_of_its_worker() -> None:
    answers = ["yes", "no"] * 6
    async with running_chorus() as app:
        run_id = await app.start("voting", adaptive(*answers, wave=4, more="[[fault:slow:1.5]]"))
        await app.until(run_id, lambda view: is_under_way(8)(view) and app.model.calls > 4)
        (pid,) = app.host.worker_pids
        app.host.kill_worker(pid)
        result = await app.result(run_id)
        calls = app.model.calls

    output = result["output"]
    assert verdict(result) == ("succeeded", "all_completed")
    assert waves(output) == [4, 4, 3, 1], "2 : 2, 4 : 4 with four left, 6 : 5 with one left"
    assert (output["outcome"], scores(output)) == ("tie", [("yes", 6), ("no", 6)])
    assert [ballot["answer"] for ballot in output["ballots"]] == answers
    assert {(one["attempts"], one["usage"]["model_calls"]) for one in result["outcomes"]} == {(1, 1)}
    assert result["usage"]["model_calls"] == 12
    assert 12 < calls <= 12 + 4, "the calls that died with the worker were made again"


# --- Going on ---


async def test_a_redrive_asks_only_the_voter_who_failed(chorus: Chorus) -> None:
    voters = [*jury("yes", "no"), juror("late", "yes", more="[[fault:error*1]] redrive")]
    first = await chorus.run("voting", vote(voters, YES_NO, policy={"attempts": 1}))
    before = chorus.model.calls
    second = await redriven(chorus, first)

    assert (first["status"], first["output"]["outcome"], statuses(first["output"])[2]) == ("partial", "tie", "failed")
    assert (second["status"], second["output"]["decision"]) == ("succeeded", "yes")
    assert second["reused"] == ["v1", "v2"]
    assert outcomes_of(second)["v1"] == outcomes_of(first)["v1"]
    assert second["usage"]["model_calls"] == chorus.model.calls - before == 1


async def test_a_redrive_of_a_cancelled_vote_goes_on_in_the_wave_where_it_was(chorus: Chorus) -> None:
    run_id = await chorus.start("voting", in_waves(then(["yes", "yes", "no"], ["yes"] * 6, "[[fault:hang*1]] on")))
    await chorus.until(run_id, is_under_way(6))
    await chorus.model_calls(lambda model: model.statistics.active == 3)
    await chorus.delete(f"runs/{run_id}")
    first = await chorus.result(run_id)
    before = chorus.model.calls
    second = await redriven(chorus, first)

    assert second["reused"] == ["v1", "v2", "v3"]
    assert (second["output"]["decision"], second["output"]["stop"]["reason"]) == ("yes", "decided")
    assert waves(second["output"]) == [3, 3]
    assert second["usage"]["model_calls"] == chorus.model.calls - before == 3


async def test_a_redrive_in_waves_asks_as_many_as_the_vote_needs_now(chorus: Chorus) -> None:
    """The failed voter of the first wave answers at last, so that two of the three who followed it suffice."""
    voters = [*jury("yes", "yes"), juror("failed", "yes", more="[[fault:error*1]] waves"), *jury(*["yes"] * 6)]
    for number, voter in enumerate(voters):
        voter["name"] = f"n{number}"
    first = await chorus.run("voting", in_waves(voters, policy={"attempts": 1}))
    before = chorus.model.calls
    second = await redriven(chorus, first)

    assert (first["status"], waves(first["output"]), first["missing"]) == ("partial", [3, 3], ["n2"])
    assert (second["status"], waves(second["output"]), second["output"]["decision"]) == ("succeeded", [3, 2], "yes")
    assert second["reused"] == ["n0", "n1", "n3", "n4"]
    assert second["usage"]["model_calls"] == chorus.model.calls - before == 1


async def redriven(chorus: Chorus, first: JSON) -> JSON:
    status, accepted, _ = await chorus.post(f"runs/{first['id']}/redrive", None)
    assert status == 202, accepted
    return await chorus.result(accepted["id"])


# --- What a watcher sees ---


async def test_the_view_counts_the_voters_asked_so_far(chorus: Chorus) -> None:
    run_id = await chorus.start("voting", in_waves(then(["yes", "yes", "no"], ["yes"] * 6, "[[fault:slow:0.7]]")))
    view = await chorus.until(run_id, is_under_way(6))

    assert (view["status"], view["phase"]) == ("running", "branches")
    assert view["progress"] == {"total": 6, "done": 3, "succeeded": 3, "failed": 0, "running": 3, "reused": 0}
    assert [branch["name"] for branch in view["branches"]] == ["v1", "v2", "v3", "late0", "late1", "late2"]
    assert view["usage"]["model_calls"] == 3
    result = await chorus.result(run_id)
    _, view, _ = await chorus.get(f"runs/{run_id}/view")
    assert (view["status"], view["phase"], view["progress"]["done"]) == ("succeeded", "done", 6)
    assert view["usage"]["total_tokens"] == result["usage"]["total_tokens"]


async def test_two_hundred_voters_are_asked_in_waves_when_nothing_settles_the_vote(
    chorus: Chorus, record_testsuite_property: Callable[[str, object], None]
) -> None:
    """They answer in turns, so the last voter decides; towards the end, fewer than ten could settle it."""
    before = chorus.model.calls
    started = time.perf_counter()
    result = await chorus.run("voting", adaptive(*["yes", "no"] * 100, wave=10))
    record_testsuite_property("seconds of 200 voters in waves of 10", round(time.perf_counter() - started, 1))

    output = result["output"]
    assert waves(output) == [10] * 19 + [6, 3, 1]
    assert (output["outcome"], output["stop"]["reason"], output["stop"]["saved"]) == ("tie", "all_asked", 0)
    assert result["usage"]["model_calls"] == chorus.model.calls - before == 200
