from __future__ import annotations

from typing import Any, get_args

import pytest

from shared.contracts.base import MAX_INSTRUCTIONS_CHARS, Contract
from shared.contracts.jury import (
    DEFAULT_VOTER_INSTRUCTIONS,
    MAX_VOTERS,
    USUAL_WAVE,
    AnyStop,
    Juror,
    PerspectiveSet,
    Stop,
    StopConfident,
    StopDecided,
    StopFixed,
    VoterPlan,
    Voters,
    equal_voter,
    plan_of,
)
from shared.contracts.perspectives import jury_of
from tests.shared.contracts.rejection import accepted, rejection

ANN, BOB, EVE = ({"name": name} for name in ("ann", "bob", "eve"))


class Asked(Contract):
    """Voters and a stop as fields, as in a request."""

    voters: Voters = 5
    stop: Stop = StopFixed()


def plan(voters: Any) -> VoterPlan:
    return plan_of(accepted(Asked, {"voters": voters}).voters)


def stop_of(body: Any) -> AnyStop:
    return accepted(Asked, {"stop": body}).stop


@pytest.mark.parametrize(
    ("voters", "most", "least", "names"),
    [
        (1, 1, 1, ["voter-1"]),
        (2, 2, 2, ["voter-1", "voter-2"]),
        (4, 4, 3, ["voter-1", "voter-2", "voter-3", "voter-4"]),
        ([ANN], 1, 1, ["ann"]),
        ([BOB, ANN], 2, 2, ["bob", "ann"]),
        ({"max": 2}, 2, 2, ["voter-1", "voter-2"]),
        ({"max": 4, "min": 1}, 4, 1, ["voter-1", "voter-2", "voter-3", "voter-4"]),
        ({"max": 4, "min": 4}, 4, 4, ["voter-1", "voter-2", "voter-3", "voter-4"]),
        ({"jury": [ANN, BOB, EVE]}, 3, 3, ["ann", "bob", "eve"]),
        ({"jury": [ANN, BOB, EVE], "max": 3, "min": 1}, 3, 1, ["ann", "bob", "eve"]),
        ({"jury": [ANN, BOB, EVE], "max": 2}, 2, 2, ["ann", "bob"]),
        ({"max": 2, "perspectives": "fact_check"}, 2, 2, ["source-checker", "literal-reader"]),
    ],
)
def test_any_way_to_say_who_votes_is_a_plan(voters: Any, most: int, least: int, names: list[str]) -> None:
    planned = plan(voters)

    assert (planned.most, planned.least) == (most, least)
    assert [juror.name for juror in jury_of(planned)] == names
    assert planned.wave == USUAL_WAVE


@pytest.mark.parametrize("voters", ["3", 3.0, 3.5, True, False, None, "jury"])
def test_voters_of_another_type_have_one_message(voters: Any) -> None:
    [(location, message)] = rejection(Asked, {"voters": voters})

    assert location == "voters"
    assert message == "give a whole number of voters, a list of them, or an object that says how many to ask"


@pytest.mark.parametrize(
    ("voters", "where", "why"),
    [
        (0, "count", "greater than or equal to 1"),
        (-1, "count", "greater than or equal to 1"),
        (MAX_VOTERS + 1, "count", f"less than or equal to {MAX_VOTERS}"),
        (10**30, "count", f"less than or equal to {MAX_VOTERS}"),
        ([], "jury", "at least 1"),
        (["ann"], "jury.0", "object"),
        ([[ANN]], "jury.0", "object"),
        ([ANN, {"name": "b b"}], "jury.1.name", "match pattern"),
        ([ANN, {**BOB, "surprise": 1}], "jury.1.surprise", "Extra inputs"),
        ([{**ANN, "persona": " "}], "jury.0.persona", "match pattern"),
        ([{**ANN, "persona": ""}], "jury.0.persona", "at least 1"),
        ([{**ANN, "persona": "p" * 4_001}], "jury.0.persona", "at most 4000"),
        ([{**ANN, "instructions": " "}], "jury.0.instructions", "match pattern"),
        ([{**ANN, "instructions": None}], "jury.0.instructions", "valid string"),
        ([{**ANN, "instructions": "i" * (MAX_INSTRUCTIONS_CHARS + 1)}], "jury.0.instructions", "at most"),
        ([{**ANN, "weight": 0}], "jury.0.weight", "greater than or equal to 0.001"),
        ([{**ANN, "weight": 1_001}], "jury.0.weight", "less than or equal to 1000"),
        ([{**ANN, "weight": "2"}], "jury.0.weight", "valid number"),
        ([{**ANN, "weight": True}], "jury.0.weight", "valid number"),
        ([{**ANN, "weight": None}], "jury.0.weight", "valid number"),
        ([{**ANN, "temperature": 3}], "jury.0.temperature", "less than or equal to 2"),
        ({"max": 0}, "plan.max", "greater than or equal to 1"),
        ({"max": MAX_VOTERS + 1}, "plan.max", f"less than or equal to {MAX_VOTERS}"),
        ({"max": "3"}, "plan.max", "valid integer"),
        ({"max": 3.0}, "plan.max", "valid integer"),
        ({"max": True}, "plan.max", "valid integer"),
        ({"max": 3, "min": 0}, "plan.min", "greater than or equal to 1"),
        ({"max": 3, "min": "1"}, "plan.min", "valid integer"),
        ({"max": 3, "wave": 0}, "plan.wave", "greater than or equal to 1"),
        ({"max": 3, "wave": MAX_VOTERS + 1}, "plan.wave", f"less than or equal to {MAX_VOTERS}"),
        ({"max": 3, "wave": None}, "plan.wave", "valid integer"),
        ({"max": 3, "count": 3}, "plan.count", "Extra inputs"),
        ({"jury": []}, "plan.jury", "at least 1"),
        ({"jury": 3}, "plan.jury", "valid array"),
        ({"jury": [{**ANN, "weight": 0}]}, "plan.jury.0.weight", "greater than or equal to 0.001"),
        ({"max": 3, "perspectives": "critics"}, "plan.perspectives", "'fact_check'"),
    ],
)
def test_a_field_that_does_not_fit_is_rejected(voters: Any, where: str, why: str) -> None:
    [(location, message)] = rejection(Asked, {"voters": voters})

    assert location == f"voters.{where}"
    assert why in message


@pytest.mark.parametrize(
    ("voters", "message"),
    [
        ({}, "say how many voters are asked at most"),
        ({"min": 2}, "say how many voters are asked at most"),
        ({"max": None}, "say how many voters are asked at most"),
        ({"perspectives": "fact_check"}, "say how many voters are asked at most"),
        (
            {"jury": [ANN], "perspectives": "fact_check"},
            "a jury has its own perspectives; give jury or perspectives, and not both",
        ),
        ({"jury": [ANN], "max": 2}, "max is 2, but the jury has only 1 voter; lower max"),
        ({"max": 3, "min": 4}, "min is 4, but at most 3 voters would be asked; lower min"),
        ({"jury": [ANN], "min": 2}, "min is 2, but at most 1 voter would be asked; lower min"),
        ({"jury": [ANN, BOB], "max": 1, "min": 2}, "min is 2, but at most 1 voter would be asked; lower min"),
    ],
)
def test_a_plan_that_contradicts_itself_is_told_what_to_do(voters: Any, message: str) -> None:
    assert rejection(Asked, {"voters": voters}) == [("voters.plan", message)]


@pytest.mark.parametrize(
    "voters",
    [
        MAX_VOTERS,
        [{"name": f"v{number}"} for number in range(MAX_VOTERS)],
        {"max": MAX_VOTERS, "min": MAX_VOTERS, "wave": MAX_VOTERS},
    ],
)
def test_there_are_at_most_so_many_voters(voters: Any) -> None:
    assert plan(voters).most == MAX_VOTERS


def test_there_is_one_voter_too_many() -> None:
    jury = [{"name": f"v{number}"} for number in range(MAX_VOTERS + 1)]

    assert f"at most {MAX_VOTERS}" in rejection(Asked, {"voters": jury})[0][1]


def test_a_juror_needs_nothing_but_what_makes_it_another_one() -> None:
    assert plan([ANN]).jury == [Juror(name="ann", instructions=DEFAULT_VOTER_INSTRUCTIONS, persona=None, weight=1)]


@pytest.mark.parametrize("weight", [0.001, 1_000])
def test_a_weight_at_its_bound_is_accepted(weight: float) -> None:
    assert plan([{**ANN, "weight": weight, "persona": "p" * 4_000}]).jury == [
        Juror(name="ann", weight=weight, persona="p" * 4_000)
    ]


@pytest.mark.parametrize("perspectives", get_args(PerspectiveSet))
def test_a_ready_jury_has_as_many_voters_as_are_asked_for(perspectives: str) -> None:
    assert plan({"max": 9, "perspectives": perspectives}).most == 9


def test_equal_voters_are_numbered_from_one() -> None:
    assert [equal_voter(1), jury_of(plan(12))[-1].name] == ["voter-1", "voter-12"]


@pytest.mark.parametrize(
    ("name", "stop"), [("fixed", StopFixed()), ("decided", StopDecided()), ("confident", StopConfident(level=0.95))]
)
def test_a_stop_may_be_its_name_alone(name: str, stop: AnyStop) -> None:
    assert stop_of(name) == stop_of({"type": name}) == stop


@pytest.mark.parametrize("level", [0.5, 0.95, 0.999999])
def test_a_level_of_confidence_is_from_a_half_to_below_one(level: float) -> None:
    assert stop_of({"type": "confident", "level": level}) == StopConfident(level=level)


@pytest.mark.parametrize(
    ("body", "where", "why"),
    [
        ("confidnt", "", "'fixed', 'decided', 'confident'"),
        ({}, "", "'type'"),
        (None, "", "give its name, or an object with its 'type'"),
        (0.95, "", "give its name, or an object with its 'type'"),
        ({"type": "decided", "level": 0.9}, ".decided.level", "Extra inputs"),
        ({"type": "confident", "level": 0.49}, ".confident.level", "greater than or equal to 0.5"),
        ({"type": "confident", "level": 1}, ".confident.level", "less than 1"),
        ({"type": "confident", "level": "0.9"}, ".confident.level", "valid number"),
        ({"type": "confident", "level": True}, ".confident.level", "valid number"),
    ],
)
def test_a_stop_that_does_not_fit_is_rejected(body: Any, where: str, why: str) -> None:
    [(location, message)] = rejection(Asked, {"stop": body})

    assert location == f"stop{where}"
    assert why in message
