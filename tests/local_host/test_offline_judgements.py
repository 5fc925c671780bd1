"""The offline model as a judge: it ranks candidates by quality, groups answers by meaning, and minds no order."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from local_host.offline.answers import answer
from local_host.offline.asks import OutputFormat
from shared.prompts import block
from shared.strict_mode import strict_form

QUESTION = "Why did the checkout service fail, and how can that be prevented?"
GOOD = "The checkout service failed because the disk of the database was full. An alert on free space can prevent that."
FAIR = "The checkout service did fail on that day."
POOR = "Lunch was at noon."
NOTHING = "..."


def object_of(**parts: Any) -> dict[str, Any]:
    properties = {"reasoning": {"type": "string"}, **parts}
    return {"type": "object", "properties": properties, "required": list(properties), "additionalProperties": False}


def ranking_schema(names: list[str]) -> dict[str, Any]:
    listed = {"type": "array", "items": {"type": "string", "enum": names}, "uniqueItems": True}
    return object_of(ranking={**listed, "minItems": len(names), "maxItems": len(names)})


def grouping_schema(names: list[str]) -> dict[str, Any]:
    return object_of(
        groups={"type": "array", "items": {"type": "array", "items": {"type": "string", "enum": names}, "minItems": 1}}
    )


def judged(schema: dict[str, Any], tag: str, texts: dict[str, str], instructions: str = "You judge.") -> Any:
    parts = [block("question", QUESTION), *(block(tag, text, name=name) for name, text in texts.items())]
    return json.loads(
        answer(instructions, "\n\n".join(parts), OutputFormat("json_schema", "judgement", strict_form(schema)))
    )


def ranked(*texts: str) -> list[str]:
    """The candidates' texts from best to worst."""
    named = {f"candidate-{number}": text for number, text in enumerate(texts, 1)}
    said = judged(ranking_schema(list(named)), "candidate", named)
    assert sorted(said["ranking"]) == sorted(named)
    assert said["reasoning"].startswith(said["ranking"][0])
    return [named[name] for name in said["ranking"]]


def grouped(*texts: str) -> list[list[str]]:
    """The answers' texts in groups."""
    named = {f"answer-{number}": text for number, text in enumerate(texts, 1)}
    said = judged(grouping_schema(list(named)), "answer", named)
    assert sorted(name for group in said["groups"] for name in group) == sorted(named)
    return [[named[name] for name in group] for group in said["groups"]]


def test_candidates_are_ranked_by_how_well_they_take_up_the_question() -> None:
    assert ranked(POOR, FAIR, NOTHING, GOOD) == [GOOD, FAIR, POOR, NOTHING]


@given(st.permutations([GOOD, FAIR, POOR, NOTHING, "x", FAIR]))
def test_the_order_of_the_candidates_plays_no_part(texts: list[str]) -> None:
    assert ranked(*texts) == ranked(GOOD, FAIR, POOR, NOTHING, "x", FAIR)


def test_material_beside_the_candidates_tells_what_is_grounded() -> None:
    names = {"candidate-1": "The moon was in the way of it.", "candidate-2": "The queue was on hold for it."}
    parts = [
        block("question", "What happened?"),
        block("context", "Orders were put on hold in the queue."),
        *(block("candidate", text, name=name) for name, text in names.items()),
    ]
    said = answer("Judge.", "\n\n".join(parts), OutputFormat("json_schema", "x", ranking_schema(list(names))))
    assert json.loads(said)["ranking"] == ["candidate-2", "candidate-1"]


def test_a_judge_asked_for_one_name_gives_the_best() -> None:
    texts = {"candidate-1": POOR, "candidate-2": GOOD, "candidate-3": FAIR}
    schema = object_of(winner={"type": "string", "enum": list(texts)})
    assert judged(schema, "candidate", texts)["winner"] == "candidate-2"


def test_a_judgement_is_known_by_the_schema_and_not_by_the_words_of_the_prompt() -> None:
    texts = {"candidate-1": POOR, "candidate-2": GOOD}
    schema = ranking_schema(list(texts))
    assert judged(schema, "candidate", texts, "Group these.") == judged(schema, "candidate", texts, "Rank these.")


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Paris", "paris."),
        ("The disk was full.", "The disk of the database was full."),
        ("Yes. It was tested.", "Yes. Nobody found a leak."),
        ("It failed after 30 minutes.", "After 30 minutes it failed"),
        ("错误", "错误。"),
    ],
)
def test_answers_that_mean_the_same_are_of_one_group(one: str, other: str) -> None:
    [group] = grouped(one, other)
    assert sorted(group) == sorted([one, other])


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Paris", "London"),
        ("Yes. It was tested.", "No. It was tested."),
        ("It is safe to deploy.", "It is not safe to deploy."),
        ("It failed after 30 minutes.", "It failed after 45 minutes."),
        ("30", "45"),
        ("+", "-"),
    ],
)
def test_answers_that_differ_are_of_two_groups(one: str, other: str) -> None:
    assert len(grouped(one, other)) == 2


def test_the_largest_group_comes_first() -> None:
    assert [len(group) for group in grouped("Rome", "Paris", "paris", "London", "PARIS", "Rome!")] == [3, 2, 1]


TEXTS = st.lists(
    st.sampled_from(["Paris", "paris!", "London", "Yes.", "No.", "Yes. Sure.", GOOD, FAIR, "30", "3.5", "", "..."]),
    min_size=2,
    max_size=7,
)


@settings(max_examples=60, deadline=None)
@given(texts=TEXTS, data=st.data())
def test_the_order_of_the_answers_plays_no_part_and_each_is_in_one_group(texts: list[str], data: st.DataObject) -> None:
    turned = data.draw(st.permutations(texts))
    assert grouped(*turned) == grouped(*texts)


def test_names_that_no_block_has_are_options_like_any_other() -> None:
    schema = ranking_schema(["tea", "milk"])
    assert sorted(judged(schema, "candidate", {"candidate-1": GOOD})["ranking"]) == ["milk", "tea"]
