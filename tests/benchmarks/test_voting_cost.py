"""The drawn votes and the figures of the voting benchmark."""

from __future__ import annotations

import importlib
import json
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import pytest

from local_host.offline.directed_answers import directed_answer
from shared.contracts.jury import StopConfident, StopDecided, StopFixed
from shared.contracts.voting import VotingRequest
from shared.voting.ballot_box import election_of

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"


@pytest.fixture
def cost(monkeypatch: pytest.MonkeyPatch) -> Any:
    """The benchmark, which is a script and finds its neighbours beside itself."""
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    return importlib.import_module("voting_cost")


@pytest.fixture
def drawing(cost: Any) -> Any:
    """Its neighbour that draws questions and asks them."""
    return importlib.import_module("voting_questions")


@pytest.fixture
def stack(cost: Any) -> Any:
    """Its neighbour that holds votes on the app."""
    return importlib.import_module("voting_stack")


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


def test_a_question_is_asked_in_the_waves_of_the_app(drawing: Any) -> None:
    united = drawing.Question(("b", "a"), "a", ("a",) * 40)

    assert drawing.ask(united, StopFixed(), 3, 10) == drawing.Reply("a", True, 40, 1)
    assert drawing.ask(united, StopDecided(), 3, 10) == drawing.Reply("a", True, 21, 3)
    assert drawing.ask(united, StopConfident(), 3, 10) == drawing.Reply("a", True, 4, 1)


def test_a_tie_goes_to_the_first_option_of_the_question(drawing: Any) -> None:
    split = drawing.Question(("b", "a"), "a", ("a", "b", "a", "b"))

    assert drawing.ask(split, StopFixed(), 3, 10).answer == "b"


def test_saving_is_the_calls_of_all_over_those_that_were_needed(cost: Any) -> None:
    assert cost.saving(replies(cost, 10, "aab"), replies(cost, 40, "aab")) == 4


def test_loss_is_in_points_and_paired(cost: Any) -> None:
    fixed, early = replies(cost, 40, "aaaaab"), replies(cost, 10, "aabaaa")

    assert cost.loss(early, fixed).value == pytest.approx(0)
    assert cost.loss(replies(cost, 10, "aaabbb"), replies(cost, 40, "aaaabb")).value == pytest.approx(100 / 6)
    assert cost.others(early, fixed) == 2


def test_nothing_lost_in_a_sample_is_not_taken_for_nothing_lost_at_all(cost: Any) -> None:
    """Agresti and Min's interval for 20 pairs without a difference is 0 ± z / 22, Wilson's for 0 of 20 up to 16.1 %."""
    fixed = replies(cost, 40, "a" * 20)
    nothing, never = cost.loss(fixed, fixed), cost.percent(0, 20)

    assert (nothing.low, nothing.value, nothing.high) == pytest.approx((-8.909, 0, 8.909), abs=1e-3)
    assert (never.low, never.value, never.high) == pytest.approx((0, 0, 16.113), abs=1e-3)


def test_the_interval_of_a_share_is_not_symmetric_near_its_bounds(cost: Any) -> None:
    """Newcombe's (1998) example of Wilson's interval: 81 of 263 are from 25.5 % to 36.6 %."""
    found = cost.percent(81, 263)

    assert (found.low, found.high) == pytest.approx((25.53, 36.62), abs=0.01)
    assert cost.percent(20, 20).high == 100


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
    monkeypatch.setattr("sys.argv", ["voting_cost.py", "--questions", "20", "--voters", "9", "--stack", "0"])

    assert cost.main() == 0
    assert capsys.readouterr().out.count("decided") == len(cost.RHOS)


def test_another_outcome_under_decided_fails_the_benchmark(cost: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.argv", ["voting_cost.py", "--questions", "5", "--voters", "9", "--stack", "0"])
    monkeypatch.setattr(cost, "others", lambda *_: 1)

    assert cost.main() == 1


def test_the_stack_is_asked_what_the_simulation_asks(drawing: Any, stack: Any) -> None:
    (drawn,) = drawing.questions(1, 40, 0.0, 1)
    for stop in (StopFixed(), StopDecided(), StopConfident()):
        request = VotingRequest.model_validate(stack.request_for(drawn, stop, 3, 10))
        told = [directed_answer(juror.instructions) for juror in request.plan.jury or []]
        assert [json.loads(text or "")["answer"] for text in told] == list(drawn.answers)
        assert election_of(request).options == drawn.options
        assert request.effective_stop == stop
        assert isinstance(stop, StopFixed) or (request.plan.least, request.plan.wave) == (3, 10)


@pytest.mark.parametrize("changed", ["decision", "asked", "waves", "reported_calls", "model_calls"])
def test_any_figure_that_the_stack_has_otherwise_fails_the_benchmark(
    drawing: Any, stack: Any, monkeypatch: pytest.MonkeyPatch, changed: str
) -> None:
    united = drawing.Question(("b", "a"), "a", ("a",) * 40)
    right = {"decision": "a", "asked": 21, "waves": 3, "reported_calls": 21, "model_calls": 21, "wall_s": 0.1}

    def compared(held: dict[str, Any]) -> int:
        monkeypatch.setattr(stack, "running_app", lambda *_: nullcontext())
        monkeypatch.setattr(stack, "hold", lambda *_: stack.Held(**held))
        return stack.compare([united], {"decided": StopDecided()}, 3, 10)

    assert compared(right) == 0
    assert compared({**right, changed: "b" if changed == "decision" else 22}) == 1


def test_the_questions_of_the_stack_come_from_all_correlations_in_turns(cost: Any) -> None:
    in_turns = cost.in_turns(4, 9, 1, cost.ACCURACY)

    assert in_turns == [list(cost.questions(4, 9, rho, 1))[place] for place, rho in enumerate((0.0, 0.3, 0.6, 0.0))]


def test_harder_questions_are_drawn_on_demand(cost: Any) -> None:
    assert right_share(list(cost.questions(2_000, 20, 0.0, 1, (0.2, 0.4)))) == pytest.approx(0.3, abs=0.03)
