"""Votes on the whole app: what becomes of each ballot, judges, estimates, and requests that contradict themselves."""

from __future__ import annotations

from typing import Any

import pytest

from shared.contracts.perspectives import PERSPECTIVES
from tests.end_to_end.conftest import JSON, Chorus, outcomes_of, verdict
from tests.end_to_end.votes import TREES, YES_NO, directed, juror, jury, said, scores, statuses, vote, waves

pytestmark = pytest.mark.asyncio(loop_scope="module")

TIE = ("ash", "birch", "cedar")
MERIT = "The pool of connections was exhausted, which is why the checkout timed out."


def judge(**answer: Any) -> JSON:
    """A judge who says the same whatever it is shown."""
    return {"instructions": f"Judge. {directed({'reasoning': 'as directed', **answer})}"}


# --- Ballots ---


async def test_abstentions_are_counted_apart(chorus: Chorus) -> None:
    result = await chorus.run("voting", vote(jury("yes", None, "yes", "no", None), YES_NO))

    output = result["output"]
    assert statuses(output) == ["counted", "abstained", "counted", "counted", "abstained"]
    assert (output["asked"], output["counted"], output["abstained"]) == (5, 3, 2)
    assert (output["outcome"], output["decision"]) == ("decided", "yes"), "two of three votes, not two of five"
    assert verdict(result) == ("succeeded", "all_completed")


async def test_a_vote_of_abstentions_alone_is_no_vote(chorus: Chorus) -> None:
    result = await chorus.run("voting", vote(jury(None, None), YES_NO))

    assert (result["output"]["outcome"], result["output"]["decision"]) == ("no_votes", None)
    assert result["status"] == "succeeded"


async def test_who_may_not_abstain_casts_an_invalid_ballot(chorus: Chorus) -> None:
    result = await chorus.run("voting", vote(jury("yes", None), {**YES_NO, "abstain": False}))

    assert statuses(result["output"]) == ["counted", "invalid"]
    assert result["missing"] == ["v2"]


async def test_a_vote_without_required_evidence_is_kept_and_not_counted(chorus: Chorus) -> None:
    voters = [
        juror("shown", "no", evidence=["the alert was muted"]),
        juror("bare", "yes"),
        juror("blank", "yes", evidence=["  "]),
    ]
    result = await chorus.run("voting", vote(voters, YES_NO, require_evidence=True))

    output = result["output"]
    assert statuses(output) == ["counted", "abstained", "abstained"]
    assert [ballot["answer"] for ballot in output["ballots"]] == ["no", "yes", "yes"]
    assert output["decision"] == "no"
    assert output["ballots"][0]["evidence"] == ["the alert was muted"]
    assert "evidence" in output["ballots"][1]["why"]


async def test_a_ballot_that_does_not_fit_is_invalid_after_one_repair(chorus: Chorus) -> None:
    before = chorus.model.calls
    result = await chorus.run("voting", vote(jury("yes", "perhaps", "yes"), YES_NO))

    output = result["output"]
    assert statuses(output) == ["counted", "invalid", "counted"]
    assert (output["invalid"], output["failed"], output["decision"]) == (1, 0, "yes")
    assert "perhaps" in output["ballots"][1]["why"]
    assert verdict(result) == ("partial", "all_completed")
    assert outcomes_of(result)["v2"]["usage"]["model_calls"] == 2
    assert result["usage"]["model_calls"] == chorus.model.calls - before == 4


async def test_a_ballot_that_is_repaired_counts(chorus: Chorus) -> None:
    voters = [juror("v1", "yes"), juror("v2", "yes", more="[[fault:malformed*1]] repaired")]
    result = await chorus.run("voting", vote(voters, YES_NO))

    assert statuses(result["output"]) == ["counted", "counted"]
    assert outcomes_of(result)["v2"]["usage"]["model_calls"] == 2
    assert verdict(result) == ("succeeded", "all_completed")


async def test_a_voter_who_fails_is_told_apart_from_one_whose_ballot_is_invalid(chorus: Chorus) -> None:
    voters = [*jury("no", "no"), juror("v3", "yes", more="[[fault:bad-request]]"), juror("v4", "maybe")]
    result = await chorus.run("voting", vote(voters, YES_NO))

    output = result["output"]
    assert statuses(output) == ["counted", "counted", "failed", "invalid"]
    assert (output["counted"], output["failed"], output["invalid"]) == (2, 1, 1)
    assert result["missing"] == ["v3", "v4"]


async def test_when_nobody_votes_the_run_fails_with_every_outcome(chorus: Chorus) -> None:
    result = await chorus.run("voting", vote(jury("maybe", "perhaps"), YES_NO))

    assert verdict(result) == ("failed", "failure_tolerance_exceeded")
    assert [outcome["error"]["code"] for outcome in result["outcomes"]] == ["invalid_output", "invalid_output"]


# --- Ties and judges ---


@pytest.mark.parametrize(
    ("fields", "decided_by", "decision"),
    [
        ({"tie_break": "none"}, None, None),
        ({"tie_break": "first"}, "first", "ash"),
        ({"tie_break": "chair"}, "chair", "cedar"),
        ({"tie_break": "chair", "chair": "v2"}, "chair", "birch"),
    ],
)
async def test_a_tie_is_broken_as_the_request_says(
    chorus: Chorus, fields: JSON, decided_by: str | None, decision: str | None
) -> None:
    result = await chorus.run("voting", vote(jury("cedar", "birch", "ash"), TREES, rule="plurality", **fields))

    output = result["output"]
    assert (output["outcome"], output["decision"]) == ("decided" if decision else "tie", decision)
    assert (output["decided_by"], output["leaders"]) == (decided_by, list(TIE))
    assert result["judges"] == []


async def test_a_chair_who_abstains_leaves_the_tie(chorus: Chorus) -> None:
    result = await chorus.run("voting", vote(jury(None, "ash", "cedar"), TREES, tie_break="chair"))

    assert (result["output"]["outcome"], result["output"]["decided_by"]) == ("tie", None)
    assert result["output"]["leaders"] == ["ash", "cedar"]


async def test_a_judge_who_favours_a_place_decides_nothing(chorus: Chorus) -> None:
    biased = judge(ranking=["candidate-1", "candidate-2"])
    result = await chorus.run("voting", vote(jury("ash", "birch"), TREES, tie_break="judge", judge=biased))

    output = result["output"]
    first, second = (judgement["shown"] for judgement in output["judgements"])
    assert first == second[::-1]
    assert (output["outcome"], output["decision"], output["decided_by"]) == ("tie", None, None)
    assert [outcome["name"] for outcome in result["judges"]] == ["~judge-1", "~judge-2"]
    assert result["usage"]["model_calls"] == 4


async def test_a_judge_breaks_a_tie_by_what_holds_in_both_orders(chorus: Chorus) -> None:
    """Three are shown in an order and in its reverse: only the middle one keeps its place, and it is put first."""
    middle = judge(ranking=["candidate-2", "candidate-1", "candidate-3"])
    result = await chorus.run("voting", vote(jury(*TIE), TREES, rule="plurality", tie_break="judge", judge=middle))

    output = result["output"]
    assert (output["outcome"], output["decided_by"]) == ("decided", "judge")
    assert output["decision"] == output["judgements"][0]["shown"][1]
    assert output["leaders"] == list(TIE)


async def test_a_judge_reads_the_reasons_of_a_tie(chorus: Chorus) -> None:
    voters = [juror("v1", "ash", reasoning="I like it."), juror("v2", "birch", reasoning=MERIT)]
    result = await chorus.run("voting", vote(voters, TREES, tie_break="judge"))

    assert (result["output"]["decision"], result["output"]["decided_by"]) == ("birch", "judge")


async def test_a_judge_who_is_not_needed_is_not_called(chorus: Chorus) -> None:
    free = {"type": "free"}
    for rule in ("best_of", "self_consistency"):
        result = await chorus.run("voting", vote(jury("A queue", "a queue."), free, rule=rule))
        assert (result["judges"], result["output"]["decision"]) == ([], "A queue")
        assert result["usage"]["model_calls"] == 2
    result = await chorus.run("voting", vote(jury("ash", "ash", "birch"), TREES, tie_break="judge"))
    assert (result["judges"], result["output"]["decided_by"]) == ([], "rule")


async def test_a_judge_whose_answer_does_not_fit_leaves_the_tie_and_the_run_partial(chorus: Chorus) -> None:
    before = chorus.model.calls
    twice = judge(ranking=["candidate-1", "candidate-1"])
    result = await chorus.run("voting", vote(jury("ash", "birch"), TREES, tie_break="judge", judge=twice))

    assert verdict(result) == ("partial", "aggregation_failed")
    assert (result["output"]["outcome"], result["output"]["judgements"]) == ("tie", [])
    assert [outcome["error"]["code"] for outcome in result["judges"]] == ["invalid_output"] * 2
    assert result["usage"]["model_calls"] == chorus.model.calls - before == 2 + 2 * 2


async def test_a_judge_who_groups_by_itself_is_obeyed(chorus: Chorus) -> None:
    """All answers are one group, whatever they say: the decision is the answer that was given first."""
    one = judge(groups=[["answer-1", "answer-2", "answer-3"]])
    free = vote(jury("Go", "Wait", "Ask"), {"type": "free"}, rule="self_consistency", judge=one)
    result = await chorus.run("voting", free)

    assert (result["output"]["decision"], scores(result["output"])) == ("Go", [("Go", 3)])
    assert len(result["judges"]) == 1


async def test_a_judge_who_puts_an_answer_into_two_groups_has_failed(chorus: Chorus) -> None:
    both = judge(groups=[["answer-1", "answer-2"], ["answer-2", "answer-3"]])
    free = vote(jury("Go", "Wait", "Ask"), {"type": "free"}, rule="self_consistency", judge=both)
    result = await chorus.run("voting", free)

    assert verdict(result) == ("partial", "aggregation_failed")
    assert (result["output"]["outcome"], result["output"]["judgements"]) == ("tie", [])
    assert result["judges"][0]["error"]["code"] == "invalid_output"
    assert "answer-2" in result["judges"][0]["error"]["message"]


async def test_a_failed_judge_alone_is_asked_again_by_a_redrive(chorus: Chorus) -> None:
    once = {"instructions": "Judge. [[fault:bad-request*1]] once"}
    first = await chorus.run("voting", vote(jury("ash", "birch"), TREES, tie_break="judge", judge=once))
    before = chorus.model.calls
    _, accepted, _ = await chorus.post(f"runs/{first['id']}/redrive", None)
    second = await chorus.result(accepted["id"])

    assert verdict(first) == ("partial", "aggregation_failed")
    assert (first["output"]["outcome"], second["output"]["decided_by"]) == ("tie", "judge")
    assert second["reused"] == ["v1", "v2"]
    assert chorus.model.calls - before == second["usage"]["model_calls"] == 2


# --- Before a vote ---


@pytest.mark.parametrize(
    ("body", "calls"),
    [
        (vote(5, YES_NO), (5, 5, 5 * 3 * 2)),
        (vote(5, YES_NO, policy={"attempts": 1}), (5, 5, 5 * 2)),
        (vote({"max": 9, "wave": 3}, YES_NO), (3, 9, 9 * 3 * 2)),
        (vote({"max": 9, "wave": 9}, YES_NO), (5, 9, 9 * 3 * 2)),
        (vote({"max": 9, "min": 5}, YES_NO, tie_break="judge"), (5, 9, (9 + 2) * 3 * 2)),
        (vote(5, {"type": "free"}, rule="self_consistency"), (5, 5 + 1, (5 + 1) * 3 * 2)),
        (vote(5, {"type": "free"}, rule="best_of"), (5, 5 + 2, (5 + 2) * 3 * 2)),
    ],
)
async def test_an_estimate_tells_the_fewest_the_usual_and_the_most_calls(
    chorus: Chorus, body: JSON, calls: tuple[int, int, int]
) -> None:
    before = chorus.model.calls
    status, told, _ = await chorus.post("voting/estimate", body)

    assert status == 200
    assert tuple(told["model_calls"][field] for field in ("at_least", "expected", "at_most")) == calls
    assert chorus.model.calls == before


@pytest.mark.parametrize(
    ("fields", "path"),
    [
        ({"rule": "borda"}, "rule"),
        ({"rule": {"type": "veto", "answer": "maple"}}, "rule.answer"),
        ({"rule": {"type": "veto", "answer": "ash", "count": 4}}, "rule.count"),
        ({"rule": "weighted", "stop": "confident"}, "stop"),
        ({"rule": "supermajority", "tie_break": "first"}, "tie_break"),
        ({"chair": "v1"}, "chair"),
        ({"chair": "v9", "tie_break": "chair"}, "chair"),
        ({"judge": {"instructions": "Judge."}}, "judge"),
        ({"voters": jury("ash", "ash")[:1] * 2}, "voters"),
        ({"voters": [juror("heavy", "ash", weight=2)]}, "rule"),
        ({"voters": {"max": 3, "min": 4}}, "voters.min"),
        ({"voters": {"wave": 3}}, "voters.max"),
        ({"voters": {"max": 9, "wave": 3}, "stop": "fixed"}, "stop"),
        ({"ballot": {**TREES, "options": ["ash", "Ash."]}}, "ballot.options"),
        ({"policy": {"min_successful": 4}}, "policy.min_successful"),
    ],
)
async def test_a_request_that_contradicts_itself_starts_nothing(chorus: Chorus, fields: JSON, path: str) -> None:
    before = chorus.model.calls
    status, problem, _ = await chorus.post("voting", {**vote(jury(*TIE), TREES), **fields})

    assert (status, problem["code"]) == (400, "invalid_request")
    assert [error["path"] for error in problem["errors"]] == [path]
    assert "id" not in problem
    assert chorus.model.calls == before


# --- Juries ---


@pytest.mark.parametrize("perspectives", PERSPECTIVES)
async def test_a_ready_jury_of_seven_votes_taking_turns(chorus: Chorus, perspectives: str) -> None:
    plan = {"max": 7, "perspectives": perspectives}
    request = vote(plan, YES_NO, stop="fixed", context=f"Material. {directed(said('no'))}")
    result = await chorus.run("voting", request)

    ready = [juror.name for juror in PERSPECTIVES[perspectives]]
    output = result["output"]
    assert [ballot["voter"] for ballot in output["ballots"]] == [*ready, *(f"{name}-2" for name in ready)][:7]
    assert (output["decision"], output["counted"], waves(output)) == ("no", 7, [7])


async def test_two_hundred_voters_vote_at_once(chorus: Chorus) -> None:
    before = chorus.model.calls
    voters = jury(*["yes"] * 101, *["no"] * 99)
    result = await chorus.run("voting", vote(voters, YES_NO))

    output = result["output"]
    assert (output["asked"], output["counted"], output["stop"]["reason"]) == (200, 200, "all_asked")
    assert (output["decision"], scores(output)) == ("yes", [("yes", 101), ("no", 99)])
    assert result["usage"]["model_calls"] == chorus.model.calls - before == 200
