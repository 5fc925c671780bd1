"""Voting: one question, several voters, one decision."""

from __future__ import annotations

from typing import Any

import pytest

from activities.names import CANCEL_EVENT
from tests.orchestrators.given import branch_names, failed, let_stop, outcome, outcome_of, statuses, verdict
from tests.orchestrators.voting_given import asked, ballot, counted, start, vote


def test_every_voter_gets_the_question_and_the_ballot_as_a_schema() -> None:
    drive = start(context="The text.")

    prompt = drive.running[0].input["branch"]["prompt"]
    assert prompt == (
        "<question>\nPublish?\n</question>\n\n<context>\nThe text.\n</context>\n\n<options>\n- yes\n- no\n</options>"
    )
    schema = drive.running[0].input["branch"]["agent"]["output_schema"]
    assert schema["properties"]["answer"] == {"type": ["string", "null"], "enum": ["yes", "no", None]}


def test_voters_see_the_options_in_different_orders_also_in_the_schema() -> None:
    drive = start(voters=4)

    listed = [child.input["branch"]["prompt"].splitlines()[-3:-1] for child in drive.running]
    schemas = [child.input["branch"]["agent"]["output_schema"] for child in drive.running]
    assert listed == [["- yes", "- no"], ["- no", "- yes"], ["- no", "- yes"], ["- yes", "- no"]]
    assert [schema["properties"]["answer"]["enum"][:2] for schema in schemas] == [
        ["yes", "no"], ["no", "yes"], ["no", "yes"], ["yes", "no"],
    ]  # fmt: skip


def test_a_juror_is_asked_as_who_it_is() -> None:
    jury = [{"name": "ann", "persona": "You are an auditor.", "instructions": "Look for gaps.", "temperature": 0.3}]
    drive = start(voters=jury, defaults={"model": "small"})

    agent = drive.child("ann").input["branch"]["agent"]
    assert agent["instructions"].startswith("You are an auditor.\n\nLook for gaps.\n\nAnswer with the one option")
    assert (agent["temperature"], agent["model"]) == (0.3, "small")


def test_more_than_half_decide() -> None:
    result = counted("yes", "no", "yes")

    assert verdict(result) == ("succeeded", "all_completed")
    output = result["output"]
    assert (output["outcome"], output["decision"], output["decided_by"]) == ("decided", "yes", "rule")
    assert [(line["answer"], line["score"]) for line in output["tally"]] == [("yes", 2), ("no", 1)]
    assert output["tally"][0]["voters"] == ["voter-1", "voter-3"]
    assert output["rule"] == {"type": "majority"}


@pytest.mark.parametrize(
    ("fields", "answers", "decision"),
    [
        ({"ballot": {"type": "boolean"}}, [True, True, False], True),
        ({"ballot": {"type": "boolean"}}, [False, False, True], False),
        ({"ballot": {"type": "free"}}, ["Paris!", "paris", "Paris!"], "Paris!"),
        ({"ballot": {"type": "number"}}, [3, 10, 4.5], 4.5),
        ({"ballot": {"type": "approval", "options": ["a", "b"]}}, [["a", "b"], ["b"], []], "b"),
        ({"ballot": {"type": "ranking", "options": ["a", "b"]}}, [["a", "b"], ["b", "a"], ["b", "a"]], "b"),
        ({"ballot": {"type": "score", "criteria": ["clear"]}}, [{"clear": 4}, {"clear": 5}, {"clear": 3}], 4.0),
        ({"rule": "unanimous"}, ["yes", "yes", "yes"], "yes"),
        ({"rule": {"type": "veto", "answer": "no"}}, ["yes", "no", "yes"], "no"),
    ],
)
def test_each_ballot_is_decided(fields: dict[str, Any], answers: list[Any], decision: Any) -> None:
    output = counted(*answers, **fields)["output"]

    assert (output["outcome"], output["decision"]) == ("decided", decision)
    assert output["counted"] == 3


def test_ballots_are_in_voter_order_whoever_answers_first() -> None:
    drive = start()
    for voter in (3, 1, 2):
        vote(drive, voter, "yes", evidence=["it is ready"])

    ballots = drive.ended["output"]["ballots"]
    assert [given["voter"] for given in ballots] == ["voter-1", "voter-2", "voter-3"]
    assert ballots[0] == {
        "voter": "voter-1", "wave": 1, "status": "counted", "model": None, "answer": "yes", "confidence": 0.8,
        "weight": 1.0, "reasoning": "because yes", "evidence": ["it is ready"], "why": None,
    }  # fmt: skip


def test_an_abstention_is_counted_apart() -> None:
    output = counted("yes", None, None)["output"]

    assert (output["outcome"], output["decision"]) == ("decided", "yes")
    assert (output["asked"], output["counted"], output["abstained"]) == (3, 1, 2)


def test_nobody_but_abstainers_decide_nothing() -> None:
    output = counted(None, None)["output"]

    assert (output["outcome"], output["decision"], output["leaders"]) == ("no_votes", None, [])


def test_without_the_evidence_that_is_required_a_vote_is_an_abstention() -> None:
    drive = start(require_evidence=True)
    vote(drive, 1, "yes")
    vote(drive, 2, "yes", evidence=["  "])
    vote(drive, 3, "no", evidence=["page 2"])

    output = drive.ended["output"]
    assert (output["decision"], output["counted"], output["abstained"]) == ("no", 1, 2)
    assert output["ballots"][0]["why"] == "the vote came without the evidence that was required"
    assert output["ballots"][0]["answer"] == "yes"


def test_a_ballot_that_does_not_fit_is_invalid_and_a_call_that_fails_is_failed() -> None:
    drive = start()
    drive.complete(drive.child("voter-1"), failed("voter-1", "invalid_output"))
    drive.complete(drive.child("voter-2"), failed("voter-2"))
    vote(drive, 3, "no")

    output = drive.ended["output"]
    assert verdict(drive.ended) == ("partial", "all_completed")
    assert [given["status"] for given in output["ballots"]] == ["invalid", "failed", "counted"]
    assert (output["decision"], output["asked"], output["counted"]) == ("no", 3, 1)
    assert (output["invalid"], output["failed"]) == (1, 1)
    assert drive.ended["missing"] == ["voter-1", "voter-2"]


def test_weights_count_under_the_rule_that_weighs() -> None:
    jury = [{"name": "chief", "weight": 3}, {"name": "ann"}, {"name": "bob"}]
    drive = start(voters=jury, rule="weighted")
    vote(drive, "chief", "no")
    vote(drive, "ann", "yes")
    vote(drive, "bob", "yes")

    output = drive.ended["output"]
    assert output["decision"] == "no"
    assert [(line["answer"], line["score"], line["share"]) for line in output["tally"]] == [
        ("no", 3.0, 0.6), ("yes", 2.0, 0.4),
    ]  # fmt: skip


def test_the_strongest_dissent_is_told_by_its_most_confident_voter() -> None:
    drive = start(voters=5)
    for number, (answer, confidence) in enumerate(
        [("yes", 0.9), ("no", 0.4), ("yes", 0.9), ("no", 0.95), ("yes", 0.9)], start=1
    ):
        vote(drive, number, answer, confidence=confidence, reasoning=f"reason {number}")

    dissent = drive.ended["output"]["dissent"]
    assert (dissent["answer"], dissent["voter"], dissent["reasoning"]) == ("no", "voter-4", "reason 4")
    assert dissent["voters"] == ["voter-2", "voter-4"]


def test_a_decision_says_how_far_it_can_be_trusted() -> None:
    agreed, split = counted("yes", "yes", "yes", "yes")["output"], counted("yes", "yes", "no")["output"]

    assert agreed["confidence"]["agreement"] == 1
    assert agreed["confidence"]["effective_voters"] == pytest.approx(1)
    assert split["confidence"]["agreement"] < 0.2
    assert split["confidence"]["margin"] == pytest.approx(1 / 3)
    assert "not verification" in split["confidence"]["caution"]


def test_the_output_is_told_in_markdown() -> None:
    markdown = counted("yes", "yes", "no")["output"]["markdown"]

    assert "yes" in markdown.splitlines()[0]
    assert "voter-3" in markdown


def test_scores_are_told_by_criterion_and_overall() -> None:
    ballot_ = {"type": "score", "criteria": ["clear", {"name": "true", "weight": 3}]}
    scores = [{"clear": 5, "true": 2}, {"clear": 3, "true": 4}]
    rule = {"type": "per_criterion", "threshold": 3.5}
    output = counted(*scores, ballot=ballot_, rule=rule)["output"]

    assert (output["decision"], output["overall"]) == ("fail", 3.25)
    assert [(line["name"], line["score"], line["minimum"]) for line in output["criteria"]] == [
        ("clear", 4.0, 3.0), ("true", 3.0, 2.0),
    ]  # fmt: skip
    assert output["tally"] == []


# Policy


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
    output = drive.ended["output"]
    assert (output["decision"], output["counted"], output["stop"]["reason"]) == ("no", 1, "interrupted")
    assert statuses(drive.ended) == {"voter-1": "timed_out", "voter-2": "succeeded", "voter-3": "timed_out"}


def test_a_cancelled_vote_decides_nothing() -> None:
    drive = start()
    vote(drive, 1, "yes")
    vote(drive, 2, "yes")
    drive.raise_event(CANCEL_EVENT)
    let_stop(drive)

    assert verdict(drive.ended) == ("cancelled", "cancelled")
    assert drive.ended["output"] is None
    assert [given["output"]["answer"] for given in drive.ended["outcomes"][:2]] == ["yes", "yes"]


def test_the_watcher_is_told_the_number_of_voters() -> None:
    assert start(voters=7).context.statuses == [{"phase": "branches", "total": 7}]


def test_a_redrive_counts_the_ballots_that_it_takes_over() -> None:
    reused = [outcome("voter-1", ballot("yes")), outcome("voter-3", ballot("no"))]
    drive = start(reused=reused)

    assert branch_names(drive.running) == ["voter-2"]
    vote(drive, 2, "no")
    assert drive.ended["output"]["decision"] == "no"
    assert drive.ended["reused"] == ["voter-1", "voter-3"]
    assert outcome_of(drive.ended, "voter-1") == reused[0]
    assert asked(drive) == ["voter-2"]


def test_ballots_of_an_earlier_version_are_still_counted() -> None:
    """They had neither evidence nor confidence, and options in the voter's own spelling."""
    drive = start(reused=[outcome("voter-1", {"reasoning": "r", "answer": "YES"})], voters=2)
    vote(drive, 2, "yes")

    assert drive.ended["output"]["decision"] == "yes"
    assert drive.ended["output"]["ballots"][0]["answer"] == "yes"


# What is told of a decision's chances


@pytest.mark.parametrize(
    ("answers", "fields"),
    [
        (["yes", "no"], {"tie_break": "first"}),
        (["yes", "yes", "no"], {}),
        (["red", "blue", "a word", "a word"], {"ballot": {"type": "free"}, "rule": "plurality"}),
    ],
)
def test_a_decision_that_nobody_is_left_to_change_stands(answers: list[str], fields: dict[str, Any]) -> None:
    assert counted(*answers, **fields)["output"]["confidence"]["unchanged_probability"] == 1


@pytest.mark.parametrize("answers", [["yes", "no"], ["yes", "yes", "no", "later"]])
def test_what_is_not_decided_has_no_chance_to_stand(answers: list[str]) -> None:
    ballot = {"type": "choice", "options": ["yes", "no", "later"]}
    output = counted(*answers, ballot=ballot)["output"]

    assert output["decision"] is None
    assert output["confidence"]["unchanged_probability"] is None
    assert output["stop"]["waves"][0]["unchanged_probability"] is None
    assert output["confidence"]["lead_probability"] is not None


def test_a_veto_is_not_credited_with_the_lead_of_those_it_overruled() -> None:
    rule = {"type": "veto", "answer": "no"}

    assert counted("yes", "yes", "yes", "no", rule=rule)["output"]["confidence"]["lead_probability"] is None
    assert counted("yes", "yes", "yes", "yes", rule=rule)["output"]["confidence"]["lead_probability"] > 0.9
