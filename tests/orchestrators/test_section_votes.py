"""A section that is decided by a vote: its voters are branches of the run like all others."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from durabletask.task import CancellableTask

from activities.names import CANCEL_EVENT
from orchestrators.sectioning import sectioning
from shared.contracts.decision import CAUTION
from tests.orchestrators.fake_context import JSON, Drive, FakeContext
from tests.orchestrators.given import (
    USAGE,
    branch_names,
    failed,
    let_stop,
    outcome,
    run_input,
    sections_request,
    start_run,
    statuses,
    succeed,
    succeeded,
    verdict,
)
from tests.orchestrators.voting_given import YES_NO, ballot

WAVES = {"min": 2, "max": 6, "wave": 2}


def request_with_a_vote(voters: Any = 3, *, then: Sequence[JSON] = (), tie_break: str = "none", **fields: Any) -> JSON:
    """The section `a`, the vote `v` on yes or no, and then more."""
    vote = {"question": "Publish?", "voters": voters, "ballot": YES_NO, "tie_break": tie_break}
    request = sections_request("a", **fields)
    request["sections"] += [{"name": "v", "vote": vote}, *then]
    return request


def start(voters: Any = 3, *, reused: Sequence[JSON] | None = None, **fields: Any) -> Drive:
    """A run of it under way."""
    return start_run(sectioning, request_with_a_vote(voters, **fields), reused=reused)


def vote(drive: Drive, *answers: Any, section: str = "v", first: int = 1) -> None:
    """Let voters cast their ballots, in their order."""
    for number, answer in enumerate(answers, start=first):
        name = f"{section}:voter-{number}"
        drive.complete(drive.child(name), succeeded(name, ballot(answer)))


def rank(drive: Drive, judge: str, ranking: list[str]) -> None:
    drive.complete(drive.child(judge), succeeded(judge, {"reasoning": "on the merits", "ranking": ranking}))


# --- Who is asked, and by which names ---


def test_agents_and_voters_are_branches_of_one_fan_out() -> None:
    drive = start()

    assert [child.instance_id for child in drive.running] == [
        "run-1:a", "run-1:v:voter-1", "run-1:v:voter-2", "run-1:v:voter-3",
    ]  # fmt: skip
    assert [len(group) for group in drive.context.groups] == [4]
    assert "<context>\nMaterial.\n</context>" in drive.child("v:voter-1").input["branch"]["prompt"]


def test_a_vote_asks_its_next_wave_once_the_other_sections_have_ended() -> None:
    drive = start(WAVES)
    vote(drive, "yes", "no")
    assert branch_names(drive.running) == ["a"]
    succeed(drive, "a")

    assert branch_names(drive.running) == ["v:voter-3", "v:voter-4"]
    assert [status["total"] for status in drive.context.statuses] == [3, 5]


def test_a_vote_that_is_decided_asks_nobody_else_while_another_goes_on() -> None:
    other = {"name": "w", "vote": {"question": "?", "voters": {**WAVES, "max": 5}, "ballot": YES_NO}}
    drive = start({**WAVES, "max": 3}, then=[other], aggregation="merge")
    succeed(drive, "a")
    vote(drive, "yes", "yes")
    vote(drive, "yes", "no", section="w")
    assert branch_names(drive.running) == ["w:voter-3", "w:voter-4"]
    vote(drive, "yes", "yes", section="w", first=3)

    votes = drive.ended["output"]["votes"]
    assert [(name, told["stop"]["reason"], told["asked"]) for name, told in votes.items()] == [
        ("v", "decided", 2), ("w", "decided", 4),
    ]  # fmt: skip
    assert list(statuses(drive.ended)) == [
        "a",
        *(f"v:voter-{n}" for n in (1, 2)),
        *(f"w:voter-{n}" for n in range(1, 5)),
    ]


# --- What becomes of the vote ---


def test_the_synthesis_reads_the_vote_in_words() -> None:
    drive = start()
    succeed(drive, "a")
    vote(drive, "yes", "no", "yes")

    prompt = drive.child("~synthesis").input["branch"]["prompt"]
    assert prompt.startswith(
        '<section name="a">\noutput of a\n</section>\n\n<section name="v">\nPut to the vote: Publish?'
    )
    assert "Decision: yes (by majority" in prompt
    assert "Dissent: no (1 voter, 33.3 %): because no" in prompt
    assert CAUTION in prompt
    succeed(drive, "~synthesis")
    output = drive.ended["output"]
    assert (output["aggregation"], output["votes"]["v"]["decision"]) == ("synthesize", "yes")
    assert drive.ended["usage"] == {key: 5 * value for key, value in USAGE.items()}


def test_concatenated_sections_have_the_vote_in_words_and_merged_ones_as_an_object() -> None:
    for aggregation in ("concatenate", "merge"):
        drive = start(aggregation=aggregation)
        drive.complete(drive.child("a"), succeeded("a", {"risk": "low"}))
        vote(drive, "yes", "no", "yes")
        content = drive.ended["output"]["content"]
        if aggregation == "merge":
            assert (content["risk"], content["v"]["decision"], content["v"]["counted"]) == ("low", "yes", 3)
        else:
            assert "\n\n## v\n\nPut to the vote: Publish?\nDecision: yes" in content


def test_a_run_without_a_vote_says_nothing_of_votes() -> None:
    drive = start_run(sectioning, sections_request("a", aggregation="merge"))
    succeed(drive, "a")

    assert "votes" not in drive.ended["output"]


def test_a_tie_is_a_result_and_told_as_such() -> None:
    drive = start(2, aggregation="concatenate")
    succeed(drive, "a")
    vote(drive, "yes", "no")

    assert verdict(drive.ended) == ("succeeded", "all_completed")
    assert "No decision: a tie of yes, no" in drive.ended["output"]["content"]
    assert drive.ended["missing"] == []


def test_a_section_without_a_valid_vote_is_missing() -> None:
    drive = start(2)
    succeed(drive, "a")
    vote(drive, None, None)

    assert drive.child("~synthesis").input["branch"]["prompt"].endswith("<missing>\nv\n</missing>")
    succeed(drive, "~synthesis")
    assert drive.ended["missing"] == ["v"]
    assert drive.ended["output"]["votes"]["v"]["outcome"] == "no_votes"


def test_a_synthesis_of_nothing_is_not_paid_for() -> None:
    drive = start(2)
    drive.complete(drive.child("a"), failed("a"))
    vote(drive, None, None)

    assert drive.ended["aggregation"] is None
    assert (drive.ended["output"]["content"], drive.ended["missing"]) == ("", ["a", "v"])


# --- Judges ---


def tied_twice() -> Drive:
    other = {"name": "w", "vote": {"question": "?", "voters": 2, "ballot": YES_NO, "tie_break": "judge"}}
    drive = start(2, then=[other], tie_break="judge")
    succeed(drive, "a")
    vote(drive, "yes", "no")
    vote(drive, "no", "yes", section="w")
    return drive


def test_the_judges_of_all_votes_are_asked_side_by_side_before_the_synthesis() -> None:
    drive = tied_twice()
    judges = ["~judge-1:v", "~judge-2:v", "~judge-1:w", "~judge-2:w"]
    assert branch_names(drive.running) == judges
    for judge in judges:
        shown = drive.child(judge).input["branch"]["prompt"]
        first = "candidate-1" if shown.index("because yes") < shown.index("because no") else "candidate-2"
        rank(drive, judge, sorted(["candidate-1", "candidate-2"], key=lambda name, first=first: name != first))

    assert "which a judge broke" in drive.child("~synthesis").input["branch"]["prompt"]
    succeed(drive, "~synthesis")
    votes = drive.ended["output"]["votes"]
    assert [(told["decision"], told["decided_by"]) for told in votes.values()] == [("yes", "judge")] * 2
    assert [told["name"] for told in drive.ended["judges"]] == judges
    assert drive.ended["aggregation"]["name"] == "~synthesis"
    assert drive.ended["usage"]["model_calls"] == 1 + 4 + 4 + 1


def test_a_judge_who_fails_leaves_its_own_tie_alone() -> None:
    drive = tied_twice()
    for judge in ("~judge-1:v", "~judge-2:v"):
        rank(drive, judge, ["candidate-1", "candidate-2"] if judge == "~judge-1:v" else ["candidate-2", "candidate-1"])
    drive.complete(drive.child("~judge-1:w"), failed("~judge-1:w"))
    rank(drive, "~judge-2:w", ["candidate-1", "candidate-2"])
    succeed(drive, "~synthesis")

    assert verdict(drive.ended) == ("partial", "aggregation_failed")
    assert [told["outcome"] for told in drive.ended["output"]["votes"].values()] == ["decided", "tie"]
    assert drive.ended["output"]["aggregation"] == "synthesize"


def test_a_cancel_while_judges_are_at_work_ends_the_run_with_what_it_has() -> None:
    drive = tied_twice()
    drive.raise_event(CANCEL_EVENT)
    let_stop(drive)

    assert verdict(drive.ended) == ("cancelled", "cancelled")
    assert drive.ended["output"]["aggregation"] == "concatenate"
    assert drive.ended["aggregation"] is None
    assert [told["status"] for told in drive.ended["judges"]] == ["cancelled"] * 4


# --- The run's policy holds for voters, too ---


def test_a_cancel_ends_voters_and_agents_alike() -> None:
    drive = start()
    vote(drive, "yes")
    drive.raise_event(CANCEL_EVENT)
    let_stop(drive)

    assert verdict(drive.ended) == ("cancelled", "cancelled")
    assert list(statuses(drive.ended).values()) == ["cancelled", "succeeded", "cancelled", "cancelled"]


def test_a_run_that_is_cancelled_before_it_has_begun_still_names_its_branches() -> None:
    context = FakeContext(run_input(request_with_a_vote(WAVES)))
    cancel = CancellableTask[Any]()
    cancel.complete(None)
    context.events[CANCEL_EVENT] = cancel
    drive = Drive(sectioning, context)

    assert context.children == []
    assert statuses(drive.ended) == {"a": "cancelled", "v:voter-1": "cancelled", "v:voter-2": "cancelled"}


def test_voters_count_for_the_policy_and_the_window() -> None:
    drive = start(policy={"max_concurrency": 2, "tolerated_failure_count": 0})
    assert branch_names(drive.running) == ["a", "v:voter-1"]
    drive.complete(drive.child("v:voter-1"), failed("v:voter-1"))
    let_stop(drive)

    assert verdict(drive.ended) == ("failed", "failure_tolerance_exceeded")


def test_a_deadline_leaves_the_votes_that_were_cast() -> None:
    drive = start(policy={"deadline_s": 10})
    succeed(drive, "a")
    vote(drive, "yes")
    drive.pass_time(10)
    let_stop(drive)

    assert verdict(drive.ended) == ("partial", "deadline_exceeded")
    told = drive.ended["output"]["votes"]["v"]
    assert (told["decision"], told["stop"]["reason"]) == ("yes", "interrupted")
    assert "the vote was cut short" in drive.ended["output"]["content"]
    assert drive.ended["missing"] == ["v:voter-2", "v:voter-3"]


def test_a_redrive_asks_only_those_who_have_not_voted() -> None:
    reused = [outcome("a"), *(outcome(f"v:voter-{number}", ballot("yes")) for number in (1, 2))]
    drive = start(reused=reused, aggregation="merge")
    assert branch_names(drive.running) == ["v:voter-3"]
    vote(drive, "yes", first=3)

    assert drive.ended["reused"] == ["a", "v:voter-1", "v:voter-2"]
    assert drive.ended["outcomes"][:3] == reused
    assert drive.ended["output"]["votes"]["v"]["counted"] == 3
