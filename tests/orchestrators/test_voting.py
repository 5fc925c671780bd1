"""Voting: one question, several voters, one count."""

from __future__ import annotations

from typing import Any

from activities.names import CANCEL_EVENT
from orchestrators.voting import voting
from tests.orchestrators.fake_context import JSON, Drive
from tests.orchestrators.given import branch_names, failed, let_stop, start_run, statuses, succeeded, verdict

YES_NO = {"type": "choice", "options": ["yes", "no"]}


def start(**fields: Any) -> Drive:
    request = {"question": "Publish?", "voters": 3, "ballot": YES_NO, **fields}
    return start_run(voting, request)


def vote(drive: Drive, voter: int, answer: str) -> None:
    name = f"voter-{voter}"
    ballot = {"reasoning": f"because {answer}", "answer": answer}
    drive.complete(drive.child(name), succeeded(name, ballot))


def counted(*answers: str, **fields: Any) -> JSON:
    drive = start(voters=len(answers), **fields)
    for number, answer in enumerate(answers, start=1):
        vote(drive, number, answer)
    return drive.ended


def test_every_voter_gets_the_same_question_and_the_ballot_as_a_schema() -> None:
    drive = start(context="The text.")
    prompts = {child.input["branch"]["prompt"] for child in drive.running}
    assert prompts == {
        "<question>\nPublish?\n</question>\n\n<context>\nThe text.\n</context>\n\n<options>\n- yes\n- no\n</options>"
    }
    schema = drive.running[0].input["branch"]["agent"]["output_schema"]
    assert schema["properties"]["answer"] == {"type": "string", "enum": ["yes", "no"]}
    assert branch_names(drive.running) == ["voter-1", "voter-2", "voter-3"]


def test_a_free_ballot_takes_any_answer_of_some_length() -> None:
    drive = start(ballot={"type": "free"})
    schema = drive.running[0].input["branch"]["agent"]["output_schema"]
    assert schema["properties"]["answer"] == {"type": "string", "minLength": 1, "maxLength": 2000}
    assert "<options>" not in drive.running[0].input["branch"]["prompt"]


def test_a_jury_votes_under_its_own_names_and_instructions() -> None:
    jury = [{"name": "lawyer", "instructions": "Weigh the law."}, {"name": "editor", "instructions": "Weigh style."}]
    drive = start(voters=jury, defaults={"model": "gpt-test"})
    agents = [child.input["branch"]["agent"] for child in drive.running]
    assert [(agent["name"], agent["instructions"], agent["model"]) for agent in agents] == [
        ("lawyer", "Weigh the law.", "gpt-test"),
        ("editor", "Weigh style.", "gpt-test"),
    ]


def test_the_majority_decides() -> None:
    result = counted("yes", "no", "yes")
    assert verdict(result) == ("succeeded", "all_completed")
    assert (result["output"]["outcome"], result["output"]["decision"]) == ("decided", "yes")
    assert (result["output"]["asked"], result["output"]["counted"]) == (3, 3)


def test_a_tie_decides_nothing_and_names_the_leaders() -> None:
    output = counted("yes", "no")["output"]
    assert (output["outcome"], output["decision"], output["leaders"]) == ("tie", None, ["yes", "no"])


def test_half_of_the_votes_is_no_majority() -> None:
    output = counted("a", "a", "b", "c", ballot={"type": "free"})["output"]
    assert (output["outcome"], output["decision"], output["leaders"]) == ("no_majority", None, ["a"])


def test_answers_that_differ_in_spelling_only_are_one() -> None:
    output = counted("Paris.", "paris", " PARIS ", "Rome", ballot={"type": "free"})["output"]
    assert (output["outcome"], output["decision"]) == ("decided", "Paris.")
    assert [(line["answer"], line["votes"]) for line in output["tally"]] == [("Paris.", 3), ("Rome", 1)]


def test_votes_are_in_voter_order_whoever_answers_first() -> None:
    drive = start()
    for voter in (3, 1, 2):
        vote(drive, voter, "yes")
    assert [vote["voter"] for vote in drive.ended["output"]["votes"]] == ["voter-1", "voter-2", "voter-3"]
    assert drive.ended["output"]["votes"][0]["reasoning"] == "because yes"


def test_a_voter_who_fails_is_not_counted() -> None:
    drive = start()
    vote(drive, 1, "no")
    drive.complete(drive.child("voter-2"), failed("voter-2"))
    vote(drive, 3, "no")
    output = drive.ended["output"]
    assert verdict(drive.ended) == ("partial", "all_completed")
    assert (output["decision"], output["asked"], output["counted"]) == ("no", 3, 2)
    assert drive.ended["missing"] == ["voter-2"]


def test_too_few_votes_for_the_policy_decide_nothing() -> None:
    drive = start(policy={"min_successful": 3})
    vote(drive, 1, "yes")
    vote(drive, 2, "yes")
    drive.complete(drive.child("voter-3"), failed("voter-3"))
    assert verdict(drive.ended) == ("failed", "failure_tolerance_exceeded")
    assert drive.ended["output"] is None


def test_at_the_deadline_the_votes_cast_are_counted() -> None:
    drive = start(policy={"deadline_s": 10})
    vote(drive, 2, "no")
    drive.pass_time(10)
    let_stop(drive)
    assert verdict(drive.ended) == ("partial", "deadline_exceeded")
    assert (drive.ended["output"]["decision"], drive.ended["output"]["counted"]) == ("no", 1)
    assert statuses(drive.ended) == {"voter-1": "timed_out", "voter-2": "succeeded", "voter-3": "timed_out"}


def test_a_cancelled_vote_decides_nothing() -> None:
    drive = start()
    vote(drive, 1, "yes")
    vote(drive, 2, "yes")
    drive.raise_event(CANCEL_EVENT)
    let_stop(drive)
    assert verdict(drive.ended) == ("cancelled", "cancelled")
    assert drive.ended["output"] is None
    assert [outcome["output"]["answer"] for outcome in drive.ended["outcomes"][:2]] == ["yes", "yes"]


def test_the_watcher_is_told_the_number_of_voters() -> None:
    assert start(voters=7).context.statuses == [{"phase": "branches", "total": 7}]
