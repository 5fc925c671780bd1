from __future__ import annotations

import re
from typing import get_args

import pytest

from shared.contracts.jury import DEFAULT_VOTER_INSTRUCTIONS, Juror, PerspectiveSet
from shared.contracts.perspectives import PERSPECTIVES

SETS = list(PERSPECTIVES.items())
JURORS = [juror for _, jury in SETS for juror in jury]
NAMES = [name for name, _ in SETS]


def words(text: str) -> set[str]:
    return set(re.findall(r"[a-z]{4,}", text.lower()))


def sentences(text: str) -> int:
    return len(re.findall(r"[.?!](?=\s|$)", text))


def test_every_ready_jury_that_can_be_asked_for_is_there() -> None:
    assert sorted(PERSPECTIVES) == sorted(get_args(PerspectiveSet))


@pytest.mark.parametrize(("name", "jury"), SETS, ids=NAMES)
def test_a_ready_jury_has_five_voters_with_names_of_their_own(name: str, jury: list[Juror]) -> None:
    assert len({juror.name for juror in jury}) == len(jury) == 5


@pytest.mark.parametrize("juror", JURORS, ids=lambda juror: juror.name)
def test_names_are_short_lower_case_words_joined_by_hyphens(juror: Juror) -> None:
    assert re.fullmatch(r"[a-z]+(-[a-z]+)*", juror.name)
    assert len(juror.name) <= 30


@pytest.mark.parametrize("juror", JURORS, ids=lambda juror: juror.name)
def test_a_voter_is_told_who_it_is_what_to_look_for_what_not_to_assume_and_when_to_abstain(juror: Juror) -> None:
    assert juror.persona is not None
    assert juror.persona.startswith("You ")
    assert sentences(juror.persona) == 1
    assert 3 <= sentences(juror.instructions) <= 5
    assert re.search(r"\b[Dd]o not\b", juror.instructions)
    assert re.search(r"\bAbstain when\b", juror.instructions.rpartition(". ")[2])


@pytest.mark.parametrize("juror", JURORS, ids=lambda juror: juror.name)
def test_texts_are_long_enough_to_say_something_and_short_enough_to_be_read(juror: Juror) -> None:
    assert 50 <= len(juror.persona or "") <= 200
    assert 250 <= len(juror.instructions) <= 600


def test_no_two_voters_are_told_nearly_the_same() -> None:
    for index, one in enumerate(JURORS):
        for other in JURORS[index + 1 :]:
            mine, theirs = words(f"{one.persona} {one.instructions}"), words(f"{other.persona} {other.instructions}")
            assert len(mine & theirs) / len(mine | theirs) < 0.3, (one.name, other.name)


def test_ready_voters_leave_weights_and_models_to_the_request() -> None:
    for juror in JURORS:
        assert juror.model_fields_set == {"name", "persona", "instructions"}
        assert juror.instructions != DEFAULT_VOTER_INSTRUCTIONS
