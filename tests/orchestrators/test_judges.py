"""Judges: where the rule or a tie asks for one."""

from __future__ import annotations

from typing import Any

from tests.orchestrators.fake_context import Drive
from tests.orchestrators.given import branch_names, failed, succeeded, usage, verdict
from tests.orchestrators.voting_given import ballot, judge, start, vote

FREE = {"type": "free"}


def cast_votes(*answers: Any, **fields: Any) -> Drive:
    drive = start(**{"voters": len(answers), **fields})
    for number, answer in enumerate(answers, start=1):
        vote(drive, number, answer)
    return drive


def label_of(drive: Drive, name: str, text: str) -> str:
    """The name under which a judge sees a text."""
    prompt = drive.child(name).input["branch"]["prompt"]
    before = prompt[: prompt.index(f"\n{text}")]
    return before.rsplit('name="', 1)[1].split('"', 1)[0]


def rank(drive: Drive, name: str, *texts: str) -> None:
    judge(drive, name, ranking=[label_of(drive, name, text) for text in texts])


# Best of


def test_a_judge_sees_the_candidates_in_both_orders_and_not_who_wrote_them() -> None:
    drive = cast_votes("one way", "another way", "a third way", ballot=FREE, rule="best_of")

    assert branch_names(drive.running) == ["~judge-1", "~judge-2"]
    prompts = [child.input["branch"]["prompt"] for child in drive.running]
    orders = [[text for text in prompt.splitlines() if text.endswith("way")] for prompt in prompts]
    assert sorted(orders[0]) == ["a third way", "another way", "one way"]
    assert orders[0] == orders[1][::-1]
    assert "voter-" not in "".join(prompts)


def test_the_best_in_both_orders_wins() -> None:
    drive = cast_votes("one way", "another way", ballot=FREE, rule="best_of")
    rank(drive, "~judge-1", "another way", "one way")
    rank(drive, "~judge-2", "another way", "one way")

    output = drive.ended["output"]
    assert (output["decision"], output["decided_by"]) == ("another way", "judge")
    assert [said["ranking"] for said in output["judgements"]] == [["voter-2", "voter-1"], ["voter-2", "voter-1"]]
    assert [told["name"] for told in drive.ended["judges"]] == ["~judge-1", "~judge-2"]
    assert drive.ended["usage"]["model_calls"] == 4


def test_a_judge_who_favours_a_place_decides_nothing() -> None:
    drive = cast_votes("one way", "another way", ballot=FREE, rule="best_of")
    rank(drive, "~judge-1", "another way", "one way")
    rank(drive, "~judge-2", "one way", "another way")

    output = drive.ended["output"]
    assert (output["outcome"], output["decision"]) == ("tie", None)
    assert sorted(output["leaders"]) == ["another way", "one way"]


def test_a_tie_that_the_judge_s_own_rankings_made_stays_one() -> None:
    drive = cast_votes("one way", "another way", ballot=FREE, rule="best_of", tie_break="judge")
    rank(drive, "~judge-1", "another way", "one way")
    rank(drive, "~judge-2", "one way", "another way")

    output = drive.ended["output"]
    assert (output["outcome"], output["decided_by"], len(output["judgements"])) == ("tie", None, 2)


def test_one_candidate_needs_no_judge() -> None:
    drive = cast_votes("same", "Same!", ballot=FREE, rule="best_of")

    assert drive.ended["output"]["decision"] == "same"
    assert drive.ended["judges"] == []


def test_without_its_judge_a_contest_stays_open_and_says_so() -> None:
    drive = cast_votes("one way", "another way", ballot=FREE, rule="best_of")
    drive.complete(drive.child("~judge-1"), failed("~judge-1"))
    rank(drive, "~judge-2", "another way", "one way")

    assert verdict(drive.ended) == ("partial", "aggregation_failed")
    assert drive.ended["output"]["outcome"] == "tie"
    assert drive.ended["output"]["counted"] == 2


# Self-consistency


def group(drive: Drive, *groups: list[str]) -> None:
    name = "~judge-grouping"
    judge(drive, name, groups=[[label_of(drive, name, text) for text in texts] for texts in groups])


def test_answers_that_mean_the_same_are_one() -> None:
    answers = ["a dog", "a canine", "a cat", "A dog!"]
    drive = cast_votes(*answers, ballot=FREE, rule="self_consistency")
    assert branch_names(drive.running) == ["~judge-grouping"]
    group(drive, ["a dog", "a canine"], ["a cat"])

    output = drive.ended["output"]
    assert (output["outcome"], output["decision"]) == ("decided", "a dog")
    assert [(line["answer"], line["score"]) for line in output["tally"]] == [("a dog", 3), ("a cat", 1)]
    assert output["tally"][0]["voters"] == ["voter-1", "voter-2", "voter-4"]
    assert output["confidence"]["unchanged_probability"] == 1


def test_an_answer_that_the_judge_leaves_out_stays_alone() -> None:
    drive = cast_votes("a", "b", "c", "b", ballot=FREE, rule="self_consistency")
    group(drive, ["a", "b"])

    assert [line["score"] for line in drive.ended["output"]["tally"]] == [3, 1]


def test_a_grouping_that_contradicts_itself_is_not_used() -> None:
    drive = cast_votes("a", "b", "b", ballot=FREE, rule="self_consistency")
    group(drive, ["a", "b"], ["b"])

    output = drive.ended["output"]
    assert [(line["answer"], line["score"]) for line in output["tally"]] == [("b", 2), ("a", 1)]
    assert output["judgements"] == []


# Ties


def test_a_tie_is_a_result() -> None:
    output = cast_votes("yes", "no").ended["output"]

    assert (output["outcome"], output["decision"], output["leaders"]) == ("tie", None, ["yes", "no"])


def test_the_first_option_may_break_a_tie() -> None:
    output = cast_votes("no", "yes", tie_break="first").ended["output"]

    assert (output["outcome"], output["decision"], output["decided_by"]) == ("decided", "yes", "first")


def test_the_chair_may_break_a_tie() -> None:
    output = cast_votes("yes", "no", tie_break="chair", chair="voter-2").ended["output"]

    assert (output["decision"], output["decided_by"]) == ("no", "chair")


def test_a_chair_who_abstained_breaks_no_tie() -> None:
    output = cast_votes(None, "no", "yes", tie_break="chair").ended["output"]

    assert (output["outcome"], output["decision"]) == ("tie", None)


def test_a_judge_may_break_a_tie_and_hears_the_reasons() -> None:
    drive = cast_votes("yes", "no", tie_break="judge")
    assert "because no" in drive.child("~judge-1").input["branch"]["prompt"]
    rank(drive, "~judge-1", "no", "yes")
    rank(drive, "~judge-2", "no", "yes")

    output = drive.ended["output"]
    assert (output["outcome"], output["decision"], output["decided_by"]) == ("decided", "no", "judge")


def test_no_judge_is_called_without_a_tie() -> None:
    drive = cast_votes("yes", "yes", "no", tie_break="judge")

    assert (drive.ended["output"]["decided_by"], drive.ended["judges"]) == ("rule", [])


def test_the_request_s_own_judge_is_asked() -> None:
    own = {"name": "arbiter", "instructions": "Be brief.", "model": "big"}
    drive = cast_votes("yes", "no", tie_break="judge", judge=own)

    agent = drive.child("~judge-1").input["branch"]["agent"]
    assert agent["model"] == "big"
    assert agent["instructions"].startswith("Be brief.\n\nYou judge candidates")


def test_a_budget_that_is_spent_calls_no_judge() -> None:
    drive = start(voters=2, tie_break="judge", policy={"max_total_tokens": 20})
    for name, answer in (("voter-1", "yes"), ("voter-2", "no")):
        drive.complete(drive.child(name), succeeded(name, ballot(answer), usage=usage(10)))

    assert verdict(drive.ended) == ("partial", "budget_exhausted")
    assert (drive.ended["output"]["outcome"], drive.ended["usage"]["model_calls"]) == ("tie", 2)


OPEN = {"type": "choice", "options": ["a", "b", "c"]}


def test_two_fifths_are_no_majority_whoever_breaks_the_tie() -> None:
    for tie_break in ("first", "chair"):
        output = cast_votes("a", "a", "b", "b", "c", ballot=OPEN, tie_break=tie_break).ended["output"]
        assert (output["outcome"], output["decision"], output["leaders"]) == ("tie", None, ["a", "b"])

    assert cast_votes("a", "a", "b", "b", "c", ballot=OPEN, tie_break="judge").ended["judges"] == []
    plurality = cast_votes("a", "a", "b", "b", "c", ballot=OPEN, rule="plurality", tie_break="first").ended["output"]
    assert (plurality["outcome"], plurality["decision"]) == ("decided", "a")


def test_a_weight_below_the_threshold_is_not_lifted_by_a_tie_break() -> None:
    def decided(threshold: float) -> Any:
        rule = {"type": "weighted", "threshold": threshold}
        output = cast_votes("a", "a", "b", "b", "c", ballot=OPEN, rule=rule, tie_break="first").ended["output"]
        return output["decision"]

    assert (decided(0.4), decided(0.41)) == ("a", None)


def test_a_judge_who_breaks_a_tie_of_free_answers_calls_them_by_their_voters() -> None:
    long = "x" * 1_000
    drive = cast_votes("short", long, ballot=FREE, tie_break="judge")
    rank(drive, "~judge-1", long, "short")
    rank(drive, "~judge-2", long, "short")

    output = drive.ended["output"]
    assert (output["decision"], output["decided_by"]) == (long, "judge")
    assert [said["ranking"] for said in output["judgements"]] == [["voter-2", "voter-1"]] * 2


def test_a_tie_of_more_answers_than_a_judge_reads_stays_a_tie() -> None:
    answers = [f"answer {number}" for number in range(51)]
    drive = cast_votes(*answers, ballot=FREE, rule="plurality", tie_break="judge")

    assert drive.ended["output"]["outcome"] == "tie"
    assert drive.ended["judges"] == []
