"""Votes of the offline model on ballots: valid, deterministic, of one piece, and the options' order plays no part."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from local_host.offline.answers import answer
from local_host.offline.asks import OutputFormat
from local_host.offline.told_bounds import with_told_bounds
from shared.contracts.ballots import (
    ApprovalBallot,
    Ballot,
    BooleanBallot,
    ChoiceBallot,
    FreeBallot,
    NumberBallot,
    RankingBallot,
    ScoreBallot,
    ballot_schema,
)
from shared.contracts.jury import DEFAULT_VOTER_INSTRUCTIONS
from shared.prompts import block, instructions_for
from shared.schemas import first_violation
from shared.strict_mode import strict_form

BAD = "The change is untested. It leaks the admin password and is vulnerable to injection attacks. The office is blue."
GOOD = "The change was reviewed and tested. All inputs are validated. It passed the security audit within 47 minutes."
MIXED = "The change was reviewed and tested. It is documented well. One warning about a possible leak is still open."
SHOULD = "Should this change be approved for production?"
LEVELS = ["low", "medium", "high", "critical"]
WORDS = st.sampled_from(
    ["safe", "unsafe", "review", "tea", "Tea leaves", "billing", "leak", "change", "yes", "no", "7"]
)
OPTIONS = st.lists(WORDS, min_size=2, max_size=7, unique=True)


def scores(*criteria: str, **fields: Any) -> ScoreBallot:
    return ScoreBallot.model_validate({"criteria": list(criteria), **fields})


def vote(
    ballot: Ballot,
    question: str,
    context: str | None,
    *,
    instructions: str = "You vote.",
    options: list[str] | None = None,
) -> Any:
    """The vote on a ballot as the app sends it, checked against the ballot's own schema."""
    schema = ballot_schema(ballot, options)
    material = [block("question", question)] + ([block("context", context)] if context is not None else [])
    output_format = OutputFormat("json_schema", "vote", strict_form(schema))
    said = json.loads(answer(instructions_for(instructions), "\n\n".join(material), output_format))
    assert first_violation(said, schema) is None
    assert said["answer"] is not None
    assert list(said) == ["reasoning", "evidence", "answer", "confidence"]
    return said


BALLOTS: list[Ballot] = [
    filled
    for abstain in (True, False)
    for filled in (
        ChoiceBallot(options=["approve", "reject"], abstain=abstain),
        ChoiceBallot(options=["tea", "coffee"], abstain=abstain),
        ApprovalBallot(options=LEVELS, abstain=abstain),
        ApprovalBallot(options=["tea", "coffee", "milk"], abstain=abstain),
        RankingBallot(options=LEVELS, abstain=abstain),
        RankingBallot(options=["tea", "coffee", "milk"], complete=False, abstain=abstain),
        scores("security", "speed", "risk", abstain=abstain),
        scores("x", minimum=-1e15, maximum=1e15, abstain=abstain),
        scores("x", minimum=0.001, maximum=0.0011, abstain=abstain),
        NumberBallot(abstain=abstain),
        NumberBallot(minimum=0, maximum=100, abstain=abstain),
        NumberBallot(minimum=1_000, abstain=abstain),
        NumberBallot(maximum=-0.5, abstain=abstain),
        BooleanBallot(abstain=abstain),
        FreeBallot(abstain=abstain),
        FreeBallot(max_chars=1, abstain=abstain),
    )
]
MATERIAL = st.one_of(st.none(), st.sampled_from([BAD, GOOD, MIXED]), st.text(min_size=1, max_size=200))


@pytest.mark.parametrize("ballot", BALLOTS, ids=lambda ballot: f"{ballot.type}-{ballot.abstain}")
@settings(max_examples=15, deadline=None)
@given(context=MATERIAL, question=st.one_of(st.sampled_from([SHOULD, "Is it slow?"]), st.text(min_size=1, max_size=80)))
def test_any_ballot_on_any_material_gets_a_valid_vote_and_always_the_same(
    ballot: Ballot, context: str | None, question: str
) -> None:
    said = vote(ballot, question, context)
    assert said == vote(ballot, question, context)
    assert 0 < said["confidence"] < 1
    assert said["confidence"] == round(said["confidence"], 2)
    assert len(said["evidence"]) <= 2


@pytest.mark.parametrize("kind", [ChoiceBallot, ApprovalBallot, RankingBallot])
@settings(max_examples=60, deadline=None)
@given(data=st.data(), options=OPTIONS, context=st.sampled_from([None, BAD, GOOD, MIXED]))
def test_the_order_in_which_options_are_shown_plays_no_part(
    kind: Any, data: st.DataObject, options: list[str], context: str | None
) -> None:
    ballot = kind(options=options)
    shown = data.draw(st.permutations(options))
    assert vote(ballot, SHOULD, context, options=shown) == vote(ballot, SHOULD, context)


def test_a_choice_follows_the_material_and_so_do_its_quotes_and_reasoning() -> None:
    ballot = ChoiceBallot(options=["approve", "reject"])
    bad, good = vote(ballot, SHOULD, BAD), vote(ballot, SHOULD, GOOD)
    assert (bad["answer"], good["answer"]) == ("reject", "approve")
    assert bad["evidence"][0] == "It leaks the admin password and is vulnerable to injection attacks."
    assert good["evidence"] == [
        "The change was reviewed and tested.",
        "It passed the security audit within 47 minutes.",
    ]
    for said in (bad, good):
        assert repr(said["answer"]) in said["reasoning"]
        assert said["evidence"][0] in said["reasoning"]


@pytest.mark.parametrize(
    ("question", "context", "expected"),
    [
        ("Is this change safe to deploy?", BAD, False),
        ("Is this change safe to deploy?", GOOD, True),
        ("Is this change vulnerable?", BAD, True),
        ("Is this change vulnerable?", GOOD, False),
        ("Is the office blue?", BAD, True),
        ("Is the penguin colony in Chile purple?", BAD, False),
    ],
)
def test_a_boolean_answers_the_question_and_not_its_own_name(question: str, context: str, expected: bool) -> None:
    assert vote(BooleanBallot(), question, context)["answer"] is expected


def test_what_was_asked_about_is_quoted() -> None:
    assert vote(BooleanBallot(), "Is the office blue?", BAD)["evidence"] == ["The office is blue."]


def test_approved_is_what_lies_near_the_material_on_the_scale() -> None:
    ballot = ApprovalBallot(options=["ship", "block", "escalate", "review"])
    assert vote(ballot, SHOULD, GOOD)["answer"] == ["ship"]
    assert vote(ballot, SHOULD, BAD)["answer"] == ["block", "escalate", "review"]


def test_without_a_clue_one_option_is_approved_all_are_ranked_and_both_by_their_text() -> None:
    options = ["tea", "milk", "Coffee"]
    assert vote(ApprovalBallot(options=options), "Which drink?", BAD)["answer"] == ["Coffee"]
    assert vote(RankingBallot(options=options), "Which drink?", BAD)["answer"] == ["Coffee", "milk", "tea"]
    assert vote(RankingBallot(options=options, complete=False), "Which drink?", BAD)["answer"] == ["Coffee"]


def test_a_ranking_goes_by_the_distance_to_the_material() -> None:
    ballot = RankingBallot(options=LEVELS)
    assert vote(ballot, "How severe?", BAD)["answer"] == ["critical", "high", "medium", "low"]
    assert vote(ballot, "How severe?", GOOD)["answer"] == LEVELS


def test_scores_are_better_for_better_material_and_the_other_way_round_for_what_is_bad() -> None:
    ballot = scores("quality", "risk")
    bad, good = vote(ballot, "Rate it.", BAD)["answer"], vote(ballot, "Rate it.", GOOD)["answer"]
    assert bad["quality"] + 1 < good["quality"]
    assert good["risk"] + 1 < bad["risk"]


def test_a_criterion_heeds_its_own_domain() -> None:
    text = (
        "The code was tested and reviewed by security, and every password is encrypted. Each query is a slow failure."
    )
    said = vote(scores("security", "performance"), "Rate it.", text)["answer"]
    assert said["performance"] < said["security"]


def test_a_number_is_the_one_that_is_asked_for() -> None:
    text = "There were 12 alerts. The downtime was 47 minutes for 300 customers. It cost 9000 euros."
    for ballot in (NumberBallot(), NumberBallot(minimum=0, maximum=600)):
        said = vote(ballot, "How many minutes was the downtime?", text)
        assert said["answer"] == 47
        assert said["evidence"] == ["The downtime was 47 minutes for 300 customers."]
    assert vote(NumberBallot(maximum=20), "How many minutes was the downtime?", text)["answer"] == 12


def test_a_free_answer_is_a_sentence_of_the_material_or_a_yes_or_no_with_one() -> None:
    said = vote(FreeBallot(), "What does the change leak?", BAD)
    assert said["answer"] == "It leaks the admin password and is vulnerable to injection attacks."
    assert said["evidence"] == [said["answer"]]
    assert vote(FreeBallot(), "Is this change safe?", BAD)["answer"].startswith("No. ")


def test_how_long_an_answer_may_be_is_none_of_its_options() -> None:
    asked = "Which leak is open?"
    for told in (DEFAULT_VOTER_INSTRUCTIONS, "Answer with one or two words.", "Reply in a line, or a short paragraph."):
        said = vote(FreeBallot(), asked, MIXED, instructions=told)
        assert said["answer"] == "One warning about a possible leak is still open."
        assert vote(FreeBallot(), asked, None, instructions=told)["answer"] == vote(FreeBallot(), asked, None)["answer"]


def test_nothing_is_quoted_where_there_is_no_material() -> None:
    for ballot in BALLOTS:
        said = vote(ballot, SHOULD, None)
        assert said["evidence"] == []
        assert said["confidence"] == 0.4
        assert "no material" in said["reasoning"]


@pytest.mark.parametrize("context", [BAD, GOOD, MIXED])
def test_quotes_are_the_material_s_own_words(context: str) -> None:
    for ballot in BALLOTS:
        said = vote(ballot, SHOULD, context)
        assert said["evidence"]
        assert all(quote in context for quote in said["evidence"])


def test_a_clear_case_is_surer_than_a_mixed_one() -> None:
    for ballot in (ChoiceBallot(options=["approve", "reject"]), BooleanBallot(), scores("quality")):
        clear, mixed = vote(ballot, SHOULD, BAD), vote(ballot, SHOULD, MIXED)
        assert clear["confidence"] > mixed["confidence"] + 0.1


def test_perspectives_may_split_a_jury_on_a_mixed_case() -> None:
    ballot = ChoiceBallot(options=["approve", "reject"])
    strict = vote(ballot, SHOULD, MIXED, instructions="You are a strict, sceptical reviewer.")
    lenient = vote(ballot, SHOULD, MIXED, instructions="You are a pragmatic, lenient reviewer.")
    assert (strict["answer"], lenient["answer"]) == ("reject", "approve")


def test_a_block_of_criteria_is_no_material() -> None:
    criteria = block(
        "criteria", "- risk: how dangerous and vulnerable it is\n- quality: no failure, no leak, no attack"
    )
    schema = strict_form(ballot_schema(scores("risk", "quality")))
    plain = f"{block('question', 'Rate it.')}\n\n{block('context', GOOD)}"
    told = OutputFormat("json_schema", "vote", schema)
    assert answer("You vote.", f"{plain}\n\n{criteria}", told) == answer("You vote.", plain, told)


@pytest.mark.parametrize("ballot", BALLOTS, ids=lambda ballot: f"{ballot.type}-{ballot.abstain}")
def test_bounds_told_in_descriptions_are_read_back_as_they_were(ballot: Ballot) -> None:
    schema = ballot_schema(ballot)
    assert with_told_bounds(strict_form(schema)) == schema


@pytest.mark.parametrize(
    "description",
    [
        "Must also fit {",
        'Must also fit {"minimum": "low"}.',
        'Must also fit {"enum": [1]}.',
        'Must also fit {"minLength": 9, "maxLength": 3}.',
        'The phrase "Must also fit" stands here.',
    ],
)
def test_a_description_that_only_looks_like_bounds_hinders_nothing(description: str) -> None:
    note = {"type": "string", "description": description}
    schema = {"type": "object", "properties": {"note": note}, "required": ["note"]}
    value = json.loads(answer("Extract.", block("input", BAD), OutputFormat("json_schema", "x", schema)))
    assert value["note"]
