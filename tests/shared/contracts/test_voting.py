"""What the fields of a voting request say beside each other."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.contracts.ballots import ChoiceBallot, FreeBallot
from shared.contracts.base import MAX_RUN_CHARS, MAX_TEXT_CHARS, restored
from shared.contracts.jury import Juror, StopConfident, StopDecided, StopFixed, VoterPlan
from shared.contracts.perspectives import jury_of
from shared.contracts.rules import Condorcet, Majority, Median, PerCriterion, Veto, usual_rule
from shared.contracts.voting import MAX_CANDIDATES, MAX_OWN_CHARS, VotingRequest, contradictions
from tests.shared.contracts.rejection import accepted, rejection
from tests.shared.strategies import NAMES, TEXTS, VOTING_REQUESTS

QUESTION: dict[str, Any] = {"question": "Is it safe?"}
CHOICE = {"type": "choice", "options": ["Yes", "No"]}
RANKING = {"type": "ranking", "options": ["Yes", "No"]}
SCORE = {"type": "score", "criteria": ["clear"], "minimum": 1, "maximum": 5}
NUMBER, BOOLEAN, FREE = ({"type": kind} for kind in ("number", "boolean", "free"))
JUDGE = {"instructions": "be fair"}
ANN, BOB, EVE = ({"name": name} for name in ("ann", "bob", "eve"))


def asked(**fields: Any) -> VotingRequest:
    return accepted(VotingRequest, {**QUESTION, **fields})


def contradiction(**fields: Any) -> tuple[str, str]:
    """Where and why the fields, each of which is right by itself, do not fit together."""
    body = {**QUESTION, **fields}
    [(location, message)] = rejection(VotingRequest, body)
    assert location == ""
    unchecked = restored(VotingRequest, json.loads(json.dumps(body)))
    path, told = next(contradictions(unchecked))
    assert told == message
    return path, message


def test_a_question_alone_works_with_five_equal_voters_and_free_answers_by_majority() -> None:
    request = asked()

    assert request.plan == VoterPlan(max=5)
    assert request.ballot == FreeBallot()
    assert request.effective_rule == Majority()
    assert request.effective_stop == StopFixed()
    assert (request.tie_break, request.chair, request.judge, request.require_evidence) == ("none", None, None, False)


@pytest.mark.parametrize(
    ("ballot", "rule"), [(RANKING, Condorcet()), (SCORE, PerCriterion()), (NUMBER, Median()), (BOOLEAN, Majority())]
)
def test_without_a_rule_the_ballot_s_usual_one_decides(ballot: Any, rule: Any) -> None:
    assert asked(ballot=ballot).effective_rule == asked(ballot=ballot, rule=None).effective_rule == rule


@pytest.mark.parametrize(
    ("voters", "stop"),
    [(3, StopFixed()), ([ANN], StopFixed()), ({"max": 3}, StopDecided()), ({"jury": [ANN]}, StopDecided())],
)
def test_without_a_stop_a_plan_stops_once_the_vote_is_decided(voters: Any, stop: Any) -> None:
    assert asked(voters=voters).effective_stop == stop
    assert asked(voters=voters, stop="confident").effective_stop == StopConfident()


@pytest.mark.parametrize("answer", [True, False])
def test_a_boolean_veto_is_kept_also_when_it_is_false(answer: bool) -> None:
    request = asked(ballot=BOOLEAN, rule={"type": "veto", "answer": answer})

    assert request.effective_rule == Veto(answer=answer)
    assert restored(VotingRequest, request.model_dump(mode="json")).effective_rule == Veto(answer=answer)


def test_a_veto_may_be_any_option_as_a_reader_would_spell_it() -> None:
    assert asked(ballot=CHOICE, rule={"type": "veto", "answer": "no!", "count": 5}).plan.most == 5
    assert asked(ballot={"type": "choice", "options": ["true", "false"]}, rule={"type": "veto", "answer": "false"})
    assert asked(ballot=FREE, rule={"type": "veto", "answer": "stop"})


@pytest.mark.parametrize(
    ("path", "value", "why"),
    [
        ("surprise", 1, "Extra inputs"),
        ("question", None, "valid string"),
        ("question", " \n", "match pattern"),
        ("question", "x" * (MAX_TEXT_CHARS + 1), "at most"),
        ("context", "", "at least 1"),
        ("context", 3, "valid string"),
        ("tie_break", "coin", "'none', 'first', 'judge' or 'chair'"),
        ("tie_break", None, "'none'"),
        ("chair", "a b", "match pattern"),
        ("chair", 3, "valid string"),
        ("judge", "ann", "object"),
        ("require_evidence", "true", "valid boolean"),
        ("require_evidence", 1, "valid boolean"),
        ("policy", None, "object"),
    ],
)
def test_a_field_that_does_not_fit_is_rejected_by_its_path(path: str, value: Any, why: str) -> None:
    [(location, message)] = rejection(VotingRequest, {**QUESTION, path: value})

    assert location == path
    assert why in message


@pytest.mark.parametrize(
    ("fields", "path", "message"),
    [
        ({"voters": [ANN, BOB, ANN]}, "voters", "give each a 'name' of its own; repeated: ann"),
        ({"voters": [{}, {}]}, "voters", "give each a 'name' of its own; repeated: agent"),
        ({"voters": {"jury": [ANN, ANN]}}, "voters.jury", "give each a 'name' of its own; repeated: ann"),
        (
            {"voters": [BOB, {**ANN, "output_schema": {"type": "object"}}]},
            "voters",
            "voters take no 'output_schema' (the ballot is it); remove it from: ann",
        ),
        (
            {"voters": {"jury": [{**ANN, "output_schema": {"type": "object"}}]}},
            "voters.jury",
            "voters take no 'output_schema' (the ballot is it); remove it from: ann",
        ),
    ],
)
def test_voters_have_names_of_their_own_and_the_ballot_s_shape(fields: dict[str, Any], path: str, message: str) -> None:
    where, why = contradiction(**fields)

    assert where == path
    assert message in why


@pytest.mark.parametrize("persona", [None, "p"])
def test_what_is_told_besides_leaves_a_voter_and_a_judge_so_many_characters(persona: str | None) -> None:
    fits = "x" * (MAX_OWN_CHARS - len(persona or ""))
    juror = {**ANN, "persona": persona, "instructions": fits + "x"}
    why = "persona and instructions take at most 19,000 characters; shorten: ann"

    assert contradiction(voters=[juror]) == ("voters", why)
    assert contradiction(voters={"jury": [juror]}) == ("voters.jury", why)
    assert contradiction(rule="best_of", judge={"instructions": "x" * (MAX_OWN_CHARS + 1)})[0] == "judge.instructions"
    assert asked(voters=[{**juror, "instructions": fits}], rule="best_of", judge={"instructions": "x" * MAX_OWN_CHARS})


@pytest.mark.parametrize("rule", [None, "majority", {"type": "weighted", "by": "confidence"}])
@pytest.mark.parametrize("jury", [[{**ANN, "weight": 2}, BOB], {"jury": [ANN, {**BOB, "weight": 0.5}]}])
def test_weights_that_no_rule_counts_are_rejected(jury: Any, rule: Any) -> None:
    where, why = contradiction(voters=jury, rule=rule)

    assert where == "rule"
    assert why.startswith("voters have weights, which only the rule 'weighted' (by weight or both) counts; choose it")
    for by in ("weight", "both"):
        assert asked(voters=jury, rule={"type": "weighted", "by": by}).plan.most == 2


@pytest.mark.parametrize(
    ("ballot", "rule", "fitting"),
    [
        (CHOICE, "borda", "majority, plurality, supermajority, unanimous, veto, weighted"),
        (CHOICE, "best_of", "majority, plurality, supermajority, unanimous, veto, weighted"),
        (BOOLEAN, "median", "majority, plurality, supermajority, unanimous, veto, weighted"),
        ({**CHOICE, "type": "approval"}, "majority", "approval"),
        (RANKING, {"type": "weighted"}, "condorcet, borda, instant_runoff"),
        (SCORE, "trimmed_mean", "per_criterion"),
        (NUMBER, "per_criterion", "median, trimmed_mean"),
    ],
)
def test_a_rule_that_does_not_fit_the_ballot_is_told_which_do(ballot: Any, rule: Any, fitting: str) -> None:
    name = rule if isinstance(rule, str) else rule["type"]

    assert contradiction(ballot=ballot, rule=rule) == (
        "rule",
        f"a {ballot['type']} ballot is decided by {fitting}; {name!r} needs another ballot",
    )


@pytest.mark.parametrize(
    ("ballot", "answer", "message"),
    [
        (
            BOOLEAN,
            "true",
            "a veto's answer is one that the ballot allows: true or false on a boolean ballot, else text",
        ),
        (CHOICE, True, "a veto's answer is one that the ballot allows: true or false on a boolean ballot, else text"),
        (FREE, False, "a veto's answer is one that the ballot allows: true or false on a boolean ballot, else text"),
        (CHOICE, "Maybe", "'Maybe' is none of the ballot's options"),
    ],
)
def test_a_veto_is_an_answer_that_the_ballot_allows(ballot: Any, answer: Any, message: str) -> None:
    assert contradiction(ballot=ballot, rule={"type": "veto", "answer": answer}) == ("rule.answer", message)


def test_there_are_no_more_vetoes_than_voters() -> None:
    rule = {"type": "veto", "answer": "no", "count": 4}

    assert contradiction(voters={"max": 3}, rule=rule) == (
        "rule.count",
        "4 vetoes cannot come from 3 voters; lower count",
    )
    assert asked(voters=4, rule=rule)


@pytest.mark.parametrize("threshold", [0.999, 5.0000001, -1e300, 1e300])
def test_a_threshold_of_scores_is_a_score(threshold: float) -> None:
    where, why = contradiction(ballot=SCORE, rule={"type": "per_criterion", "threshold": threshold})

    assert where == "rule.threshold"
    assert why == f"the threshold is {threshold:.15g}; it must be a score, which is from 1 to 5"
    for edge in (1, 5):
        assert asked(ballot=SCORE, rule={"type": "per_criterion", "threshold": edge})


@pytest.mark.parametrize("rule", ["best_of", "self_consistency"])
def test_a_judge_reads_so_many_answers_at_most(rule: str) -> None:
    where, why = contradiction(voters=MAX_CANDIDATES + 1, rule=rule)

    assert (where, why) == ("voters", f"a judge reads the answers of at most 50 voters under the rule '{rule}'")
    assert asked(voters=MAX_CANDIDATES, rule=rule, judge=JUDGE).needs_judge


@pytest.mark.parametrize(
    ("ballot", "rule"),
    [(CHOICE, "weighted"), (NUMBER, "median"), (NUMBER, "trimmed_mean"), (SCORE, None), (FREE, "best_of")],
)
def test_confidence_by_counting_heads_needs_a_rule_that_counts_them(ballot: Any, rule: Any) -> None:
    where, why = contradiction(ballot=ballot, rule=rule, stop="confident")

    assert where == "stop"
    assert why.endswith("stop 'decided' or 'fixed'")


@pytest.mark.parametrize(
    ("voters", "message"),
    [
        ({"max": 5, "min": 4}, "'fixed' asks all 5 voters; leave out min, or stop 'decided' or 'confident'"),
        ({"max": 5, "wave": 4}, "'fixed' asks all 5 voters at once; leave out wave, or stop 'decided' or 'confident'"),
    ],
)
def test_a_fixed_number_of_voters_has_no_waves(voters: Any, message: str) -> None:
    assert contradiction(voters=voters, stop="fixed") == ("stop", message)


@pytest.mark.parametrize("voters", [{"max": 5}, {"max": 5, "min": 5}, {"max": 5, "wave": 5}, {"max": 50}, 5])
def test_all_voters_of_a_plan_may_be_asked_at_once(voters: Any) -> None:
    assert asked(voters=voters, stop="fixed").effective_stop == StopFixed()


@pytest.mark.parametrize(
    ("ballot", "rule"),
    [(CHOICE, "supermajority"), (CHOICE, "unanimous"), (NUMBER, None), (NUMBER, "trimmed_mean"), (SCORE, None)],
)
@pytest.mark.parametrize("tie_break", ["first", "judge", "chair"])
def test_a_rule_without_ties_has_no_tie_break(ballot: Any, rule: Any, tie_break: str) -> None:
    where, why = contradiction(ballot=ballot, rule=rule, tie_break=tie_break)

    assert where == "tie_break"
    assert why.endswith("leave it out")


@pytest.mark.parametrize(
    ("fields", "path", "message"),
    [
        ({"chair": "voter-1"}, "chair", "a chair is asked to break ties only; set tie_break to 'chair'"),
        ({"chair": "voter-1", "tie_break": "first"}, "chair", "a chair is asked to break ties only"),
        (
            {"judge": JUDGE},
            "judge",
            "nothing here needs a judge; set tie_break to 'judge', or the rule to best_of or self_consistency",
        ),
        (
            {"judge": {**JUDGE, "output_schema": {"type": "object"}}, "tie_break": "judge"},
            "judge.output_schema",
            "the judge takes no 'output_schema'; remove it",
        ),
        ({"rule": "best_of", "tie_break": "chair"}, "tie_break", "break its ties by 'first', or not"),
    ],
)
def test_a_chair_and_a_judge_have_something_to_do(fields: dict[str, Any], path: str, message: str) -> None:
    where, why = contradiction(**fields)

    assert where == path
    assert message in why


@pytest.mark.parametrize(
    ("voters", "chair", "among"),
    [
        (3, "voter-4", "voter-1, voter-2, voter-3"),
        (3, "voter-0", "voter-1, voter-2, voter-3"),
        (3, "ann", "voter-1, voter-2, voter-3"),
        ({"max": 200}, "voter-201", "voter-1, voter-2, voter-3, voter-4, …, voter-200"),
        ([ANN, BOB], "Ann", "ann, bob"),
        ([ANN, BOB], "voter-1", "ann, bob"),
        ({"jury": [ANN, BOB, EVE], "max": 2}, "eve", "ann, bob"),
        ({"max": 2, "perspectives": "brainstorm"}, "contrarian", "visionary, builder"),
    ],
)
def test_the_chair_is_a_voter_who_is_asked(voters: Any, chair: str, among: str) -> None:
    assert contradiction(voters=voters, chair=chair, tie_break="chair") == (
        "chair",
        f"{chair!r} is not among the voters who are asked, {among}",
    )


@pytest.mark.parametrize(
    ("voters", "chair"),
    [
        (3, "voter-3"),
        ({"max": 200}, "voter-200"),
        ([ANN, BOB], "bob"),
        ([ANN], "ann"),
        ({"jury": [ANN, BOB, EVE], "max": 2}, "bob"),
        ({"max": 7, "perspectives": "fact_check"}, "source-checker-2"),
        (3, None),
    ],
)
def test_a_voter_may_be_the_chair(voters: Any, chair: Any) -> None:
    assert asked(voters=voters, chair=chair, tie_break="chair").chair == chair


@pytest.mark.parametrize(("field", "kept"), [("context", "question"), ("question", "context")])
def test_the_material_of_all_voters_together_is_bounded(field: str, kept: str) -> None:
    each = MAX_RUN_CHARS // 200
    texts = {field: "x" * (each - 1), kept: "y"}

    where, why = contradiction(**texts | {field: "x" * each}, voters={"max": 200, "wave": 1})

    assert where == "context"
    assert why == "question and context have 4,000,200 characters over all voters; at most 4,000,000 are accepted"
    assert asked(**texts, voters=200)
    assert contradiction(question="x" * (each + 1), voters=200)[0] == "question"


def test_the_free_answers_of_all_voters_together_are_bounded() -> None:
    why = dict([contradiction(voters=200, ballot={"type": "free", "max_chars": 5_001})])["ballot.max_chars"]
    assert why == "answers may have 1,000,200 characters over all voters; at most 1,000,000 are accepted"
    assert asked(voters=200, ballot={"type": "free", "max_chars": 5_000})


def test_a_policy_that_the_number_of_voters_contradicts_is_rejected() -> None:
    [(_, message)] = rejection(VotingRequest, {**QUESTION, "voters": {"max": 2}, "policy": {"min_successful": 3}})

    assert "min_successful is 3, but the run has only 2 branches" in message


@given(VOTING_REQUESTS)
def test_what_fits_is_accepted_and_its_defaults_are_the_same_after_history(body: dict[str, Any]) -> None:
    request = accepted(VotingRequest, body)
    again = restored(VotingRequest, json.loads(json.dumps(request.model_dump(mode="json"))))

    assert again.effective_rule == request.effective_rule == (request.rule or usual_rule(request.ballot))
    assert (again.plan, again.effective_stop, again.needs_judge) == (
        request.plan,
        request.effective_stop,
        request.needs_judge,
    )


EARLIER_BALLOTS = st.sampled_from([FREE, CHOICE, {"type": "choice", "options": ["-5 %", "5 %"]}])
EARLIER_JURIES = st.lists(
    st.fixed_dictionaries({"name": NAMES, "instructions": TEXTS}), min_size=1, max_size=3, unique_by=lambda j: j["name"]
)


@given(
    st.fixed_dictionaries(
        {"question": TEXTS},
        optional={"context": TEXTS, "voters": st.integers(1, 200) | EARLIER_JURIES, "ballot": EARLIER_BALLOTS},
    )
)
def test_a_request_of_the_earlier_version_means_what_it_meant(body: dict[str, Any]) -> None:
    request = accepted(VotingRequest, body)
    names = [f"voter-{number}" for number in range(1, 201)]

    assert (request.effective_rule, request.effective_stop, request.tie_break) == (Majority(), StopFixed(), "none")
    match body.get("voters", 5):
        case int() as count:
            assert [juror.name for juror in jury_of(request.plan)] == names[:count]
        case jurors:
            assert request.plan.jury == [Juror(**juror) for juror in jurors]
    assert request.ballot.type == body.get("ballot", FREE)["type"]


def test_a_request_that_the_earlier_version_wrote_into_history_is_restored() -> None:
    unsaid = dict.fromkeys(("model", "temperature", "max_output_tokens", "output_schema"))
    juror = {"name": "ann", "instructions": "be careful", **unsaid}
    ballot = {"type": "choice", "options": ["two\nlines", "No"]}
    written = {**QUESTION, "context": None, "voters": [juror], "ballot": ballot, "defaults": {}, "policy": {}}

    request = restored(VotingRequest, written)

    assert request.voters == [Juror(name="ann", instructions="be careful")]
    assert isinstance(request.ballot, ChoiceBallot)
    assert request.ballot.options == ["two\nlines", "No"]
