"""The drawn votes and the figures of the voting benchmark."""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import Any

import pytest

from shared.contracts.jury import StopConfident, StopDecided, StopFixed

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"


@pytest.fixture
def cost(monkeypatch: pytest.MonkeyPatch) -> Any:
    """The benchmark, which is a script and finds its neighbours beside itself."""
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    return importlib.import_module("voting_cost")


def replies(cost: Any, calls: int, answers: str, truth: str = "a") -> list[Any]:
    return [cost.Reply(answer, answer == truth, calls, 1) for answer in answers]


def right_share(drawn: list[Any]) -> float:
    right = [answer == question.truth for question in drawn for answer in question.answers]
    return sum(right) / len(right)


def test_a_seed_draws_the_same_votes_again_and_another_seed_others(cost: Any) -> None:
    assert list(cost.questions(20, 40, 0.3, 1)) == list(cost.questions(20, 40, 0.3, 1))
    assert list(cost.questions(20, 40, 0.3, 1)) != list(cost.questions(20, 40, 0.3, 2))


def test_more_questions_begin_with_the_same_ones(cost: Any) -> None:
    assert list(cost.questions(9, 40, 0.3, 1))[:4] == list(cost.questions(4, 40, 0.3, 1))


def test_the_correlation_changes_the_votes_and_not_the_questions(cost: Any) -> None:
    loose, tight = list(cost.questions(30, 40, 0.0, 1)), list(cost.questions(30, 40, 0.6, 1))

    assert [(one.options, one.truth) for one in loose] == [(one.options, one.truth) for one in tight]
    assert [one.answers for one in loose] != [one.answers for one in tight]


@pytest.mark.parametrize("rho", [0.0, 0.3])
def test_a_voter_is_right_three_times_of_four_under_any_correlation(cost: Any, rho: float) -> None:
    assert right_share(list(cost.questions(3_000, 20, rho, 1))) == pytest.approx(0.75, abs=0.03)


def test_under_full_correlation_all_voters_copy_one_vote(cost: Any) -> None:
    assert all(len(set(question.answers)) == 1 for question in cost.questions(50, 10, 1.0, 1))


def test_votes_are_for_options_and_wrong_ones_are_as_likely_as_each_other(cost: Any) -> None:
    four = [one for one in cost.questions(4_000, 10, 0.0, 1) if len(one.options) == 4]
    wrong = [answer for one in four for answer in one.answers if answer != one.truth]

    assert all(set(one.answers) <= set(one.options) for one in four)
    for option in four[0].options:
        assert wrong.count(option) / len(wrong) == pytest.approx(1 / 4, abs=0.04)


def test_a_question_is_asked_in_the_waves_of_the_app(cost: Any) -> None:
    united = cost.Question(("b", "a"), "a", ("a",) * 40)

    assert cost.ask(united, StopFixed(), 3, 10) == cost.Reply("a", True, 40, 1)
    assert cost.ask(united, StopDecided(), 3, 10) == cost.Reply("a", True, 21, 3)
    assert cost.ask(united, StopConfident(), 3, 10) == cost.Reply("a", True, 4, 1)


def test_a_tie_goes_to_the_first_option_of_the_question(cost: Any) -> None:
    split = cost.Question(("b", "a"), "a", ("a", "b", "a", "b"))

    assert cost.ask(split, StopFixed(), 3, 10).answer == "b"


def test_saving_is_the_calls_of_all_over_those_that_were_needed(cost: Any) -> None:
    assert cost.saving(replies(cost, 10, "aab"), replies(cost, 40, "aab")) == 4


def test_loss_is_in_points_and_paired(cost: Any) -> None:
    fixed, early = replies(cost, 40, "aaaaab"), replies(cost, 10, "aabaaa")

    assert cost.loss(early, fixed).value == pytest.approx(0)
    assert cost.loss(early, fixed).margin > 0
    assert cost.loss(replies(cost, 10, "aaabbb"), replies(cost, 40, "aaaabb")).value == pytest.approx(100 / 6)
    assert cost.others(early, fixed) == 2


def test_the_interval_is_the_normal_one_of_a_mean(cost: Any) -> None:
    hundred = cost.mean([0.0, 1.0] * 50)

    assert hundred.value == 0.5
    assert hundred.margin == pytest.approx(1.96 * 0.5025 / 10, abs=1e-4)


def test_a_goal_that_is_missed_fails_and_says_which(cost: Any, capsys: pytest.CaptureFixture[str]) -> None:
    fixed, early = replies(cost, 40, "aaaaa"), replies(cost, 10, "aaaab")

    assert cost.goals(early, fixed, None, None) == 0
    assert cost.goals(early, fixed, 20.0, 4.0) == 0
    assert cost.goals(early, fixed, 19.9, None) == 1
    assert "accuracy" in capsys.readouterr().err
    assert cost.goals(early, fixed, None, 4.1) == 1
    assert "saving" in capsys.readouterr().err


def test_the_benchmark_runs_through_and_finds_decided_to_lose_nothing(
    cost: Any, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("sys.argv", ["voting_cost.py", "--questions", "20", "--voters", "9"])

    assert cost.main() == 0
    assert capsys.readouterr().out.count("decided") == len(cost.RHOS)


def test_another_outcome_under_decided_fails_the_benchmark(cost: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.argv", ["voting_cost.py", "--questions", "5", "--voters", "9"])
    monkeypatch.setattr(cost, "others", lambda *_: 1)

    assert cost.main() == 1
