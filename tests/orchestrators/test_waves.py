"""Waves: voters are asked until enough is known."""

from __future__ import annotations

from typing import Any

import pytest

from activities.names import CANCEL_EVENT
from tests.orchestrators.fake_context import Drive
from tests.orchestrators.given import failed, let_stop, outcome, verdict
from tests.orchestrators.voting_given import asked, ballot, start, vote


def waves(**fields: Any) -> Drive:
    """Up to nine voters, one more each time unless `fields` say otherwise."""
    return start(**{"voters": {"min": 3, "max": 9, "wave": 3}, **fields})


def answer(drive: Drive, *answers: Any) -> None:
    """Let the voters who are out answer so, in their order."""
    for child, given in zip(drive.running, answers, strict=True):
        vote(drive, child.branch, given)


def test_a_vote_stops_once_those_left_cannot_change_it() -> None:
    drive = waves()
    assert len(asked(drive)) == 3
    answer(drive, "yes", "yes", "yes")
    assert len(asked(drive)) == 5, "two more could decide"
    answer(drive, "yes", "yes")

    assert verdict(drive.ended) == ("succeeded", "all_completed")
    stop = drive.ended["output"]["stop"]
    assert (stop["reason"], stop["asked"], stop["saved"]) == ("decided", 5, 4)
    assert [wave["asked"] for wave in stop["waves"]] == [3, 5]
    assert drive.ended["usage"]["model_calls"] == 5
    assert [given["wave"] for given in drive.ended["output"]["ballots"]] == [1, 1, 1, 2, 2]


def test_a_vote_that_stays_open_asks_everybody() -> None:
    drive = waves()
    answers = ["yes", "no", "yes", "no", "yes", "no", "yes", "no", "yes"]
    while drive.result is None:
        answer(drive, *[answers[int(child.branch.removeprefix("voter-")) - 1] for child in drive.running])

    stop = drive.ended["output"]["stop"]
    assert (stop["reason"], stop["asked"], stop["saved"]) == ("all_asked", 9, 0)
    assert drive.ended["output"]["decision"] == "yes"


def test_a_confident_vote_stops_earlier() -> None:
    drive = waves(voters={"min": 3, "max": 40, "wave": 10}, stop={"type": "confident", "level": 0.9})
    while drive.result is None:
        answer(drive, *["yes" for _ in drive.running])

    output = drive.ended["output"]
    assert output["stop"]["reason"] == "confident"
    assert output["stop"]["asked"] < 8
    assert 0.9 <= output["confidence"]["unchanged_probability"] < 1


def test_fixed_asks_all_at_once() -> None:
    drive = waves(voters={"max": 9, "wave": 3}, stop="fixed")

    assert len(asked(drive)) == 9


def test_the_watcher_is_told_how_many_were_asked_so_far() -> None:
    drive = waves()
    answer(drive, "yes", "no", "yes")

    assert [status["total"] for status in drive.context.statuses][:2] == [3, len(asked(drive))]


def test_each_wave_is_one_task_all() -> None:
    drive = waves()
    answer(drive, "yes", "yes", "yes")
    answer(drive, "yes", "yes")

    assert [len(group) for group in drive.context.groups[:2]] == [3, 2]


def test_voters_who_fail_or_abstain_leave_the_vote_open() -> None:
    drive = waves()
    vote(drive, 1, "yes")
    vote(drive, 2, None)
    drive.complete(drive.child("voter-3"), failed("voter-3"))

    assert len(asked(drive)) > 3


def test_the_tolerance_counts_over_all_waves() -> None:
    drive = waves(policy={"tolerated_failure_count": 1})
    drive.complete(drive.child("voter-1"), failed("voter-1"))
    vote(drive, 2, "yes")
    vote(drive, 3, "yes")
    assert drive.result is None
    drive.complete(drive.running[0], failed(drive.running[0].branch))
    let_stop(drive)

    assert verdict(drive.ended) == ("failed", "failure_tolerance_exceeded")


def test_a_tolerance_that_the_last_of_a_wave_exceeds_starts_no_other() -> None:
    drive = waves(policy={"tolerated_failure_count": 0})
    vote(drive, 1, "yes")
    vote(drive, 2, "yes")
    drive.complete(drive.child("voter-3"), failed("voter-3"))

    assert verdict(drive.ended) == ("failed", "failure_tolerance_exceeded")
    assert asked(drive) == ["voter-1", "voter-2", "voter-3"]
    assert len(drive.ended["outcomes"]) == 3


def test_a_decided_vote_goes_on_until_the_policy_is_met() -> None:
    drive = waves(policy={"min_successful": 7})
    answer(drive, "yes", "yes", "yes")
    answer(drive, "yes", "yes")
    assert drive.result is None, "five votes are not the seven that the policy wants"
    answer(drive, *["yes" for _ in drive.running])

    assert verdict(drive.ended) == ("succeeded", "all_completed")
    assert drive.ended["output"]["counted"] >= 7


def test_enough_votes_for_stop_early_end_the_waves() -> None:
    drive = waves(policy={"min_successful": 3, "stop_early": True})
    answer(drive, "yes", "no", "yes")

    assert verdict(drive.ended) == ("succeeded", "min_successful_reached")
    assert drive.ended["output"]["stop"]["reason"] == "interrupted"
    assert drive.ended["output"]["stop"]["saved"] == 6


def test_the_budget_counts_over_all_waves() -> None:
    drive = waves(policy={"max_total_tokens": 50})
    while drive.result is None:
        vote(drive, drive.running[0].branch, "no" if drive.running[0].branch == "voter-2" else "yes")

    assert verdict(drive.ended) == ("partial", "budget_exhausted")
    assert drive.ended["output"]["decision"] == "yes"
    assert len(asked(drive)) == 4, "15 tokens each"
    assert drive.ended["output"]["asked"] == drive.ended["output"]["stop"]["asked"] == 4
    assert drive.ended["output"]["stop"]["saved"] == 5


def test_the_deadline_counts_over_all_waves() -> None:
    drive = waves(policy={"deadline_s": 10})
    drive.pass_time(6)
    answer(drive, "yes", "no", "yes")
    drive.pass_time(4)
    let_stop(drive)

    assert verdict(drive.ended) == ("partial", "deadline_exceeded")
    assert drive.ended["output"]["decision"] == "yes"


def test_voters_of_a_wave_that_never_came_are_not_missing() -> None:
    drive = waves(policy={"deadline_s": 10})
    answer(drive, "yes", "no", "yes")
    drive.pass_time(10)
    let_stop(drive)

    assert len(drive.ended["outcomes"]) == len(asked(drive)) < 9


def test_a_cancel_between_the_votes_of_a_later_wave_ends_the_run() -> None:
    drive = waves()
    answer(drive, "yes", "no", "yes")
    drive.raise_event(CANCEL_EVENT)
    let_stop(drive)

    assert verdict(drive.ended) == ("cancelled", "cancelled")


def test_extra_calls_are_a_share_of_all_voters_asked() -> None:
    policy = {"hedge_after_s": 5, "max_hedge_percentage": 10}
    drive = waves(voters={"min": 1, "max": 9, "wave": 1}, policy=policy)
    for number in range(1, 6):
        drive.pass_time(6)
        vote(drive, number, "yes" if number % 2 else "no")

    hedges = [child for child in drive.context.children if child.instance_id.endswith("h")]
    assert len(hedges) == 1, "a tenth of some voters is one call, not one a wave"


@pytest.mark.parametrize("taken", [1, 2, 3])
def test_a_redrive_asks_in_the_same_waves(taken: int) -> None:
    reused = [outcome(f"voter-{number}", ballot("yes")) for number in range(1, taken + 1)]
    drive = waves(reused=reused)
    while drive.result is None:
        answer(drive, *["yes" for _ in drive.running])

    assert drive.ended["output"]["stop"]["asked"] == 5
    assert len(asked(drive)) == 5 - taken


def test_a_vote_that_the_deadline_ends_between_waves_says_so_and_names_who_is_missing() -> None:
    drive = waves(policy={"deadline_s": 10})
    vote(drive, 1, "yes")
    vote(drive, 2, "yes")
    drive.pass_time(20, firing=False)
    vote(drive, 3, "no")

    assert verdict(drive.ended) == ("partial", "deadline_exceeded")
    assert drive.ended["output"]["stop"]["reason"] == "interrupted"
    assert drive.ended["missing"] == ["voter-4", "voter-5", "voter-6"]
    assert [wave["asked"] for wave in drive.ended["output"]["stop"]["waves"]] == [3]
    assert asked(drive) == ["voter-1", "voter-2", "voter-3"]


def test_a_vote_that_is_over_when_its_deadline_passes_was_not_interrupted() -> None:
    drive = waves(policy={"deadline_s": 10}, voters={"min": 3, "max": 3})
    vote(drive, 1, "yes")
    vote(drive, 2, "yes")
    drive.pass_time(20, firing=False)
    vote(drive, 3, "no")

    assert verdict(drive.ended) == ("succeeded", "all_completed")
    assert drive.ended["output"]["stop"]["reason"] == "all_asked"


def test_a_vote_that_is_decided_just_when_enough_have_voted_was_not_interrupted() -> None:
    drive = waves(policy={"min_successful": 5, "stop_early": True})
    answer(drive, "yes", "yes", "yes")
    answer(drive, "yes", "yes")

    assert verdict(drive.ended) == ("succeeded", "all_completed")
    assert drive.ended["output"]["stop"]["reason"] == "decided"


def test_an_open_vote_that_stops_early_was_interrupted() -> None:
    drive = waves(policy={"min_successful": 3, "stop_early": True})
    answer(drive, "yes", "yes", "no")

    assert verdict(drive.ended) == ("succeeded", "min_successful_reached")
    assert drive.ended["output"]["stop"]["reason"] == "interrupted"
    assert len(asked(drive)) == 3


def test_what_is_told_of_a_wave_does_not_grow_with_its_leaders_or_their_length() -> None:
    drive = waves(ballot={"type": "free"}, voters={"min": 30, "max": 30, "wave": 30})
    answer(drive, *[f"{number} {'x' * 1_000}" for number in range(30)])

    output = drive.ended["output"]
    [wave] = output["stop"]["waves"]
    assert (output["outcome"], len(output["leaders"]), len(wave["leaders"])) == ("tie", 30, 10)
    assert {len(leader) for leader in wave["leaders"]} == {200}
