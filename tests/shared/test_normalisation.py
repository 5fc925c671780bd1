from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from shared.normalisation import normalised


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Yes", "yes"),
        ("  yes\n", "yes"),
        ("Yes!", "'yes'."),
        ("not   safe", "Not-Safe"),
        ("don't", "dont"),
        ("don’t", "don't"),
        ("STRASSE", "straße"),
        ("ﬁne", "fine"),
        ("café", "cafe\u0301"),
        ("５", "5"),
        ("5", "5.0"),
        ("+5", "5"),
        (".5", "0.50"),
        ("-0", "0"),
        ("−5", "-5"),
        ("about 3.50 euros", "about 3.5 euros"),
        ("5kg", "5 kg"),
        ("  !  ?", "! ?"),
    ],
)
def test_answers_that_differ_in_case_space_and_punctuation_are_one(one: str, other: str) -> None:
    assert normalised(one) == normalised(other)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("yes", "no"),
        ("yes", "yes and no"),
        ("-5", "5"),
        ("-5 %", "5 %"),
        ("by -3.5 points", "by 3.5 points"),
        ("0.5", "5"),
        (".5", "5"),
        ("1000001", "1000002"),
        ("3.14159265", "3.14159266"),
        ("123456789012345678901", "123456789012345678902"),
        ("1.2.3", "12.3"),
        ("1e5", "1e6"),
        ("+", "-"),
        ("👍", "👎"),
        ("✔️", "⚠️"),
        ("résumé", "resume"),
        ("हि", "हु"),
    ],
)
def test_answers_that_say_something_else_stay_apart(one: str, other: str) -> None:
    assert normalised(one) != normalised(other)


@pytest.mark.parametrize(("text", "expected"), [("2026-01-05", "2026 01 05"), ("5-3", "5 3"), ("a-5", "a 5")])
def test_a_hyphen_after_a_word_or_a_digit_is_no_sign(text: str, expected: str) -> None:
    assert normalised(text) == expected


@given(st.text(max_size=40))
@example("e'\u0301")
@example("ΐ")
@example("ſ́")
@example("5.\u03010")
@example("-.50.")
@example("Ł.0A")
@example("..5kg")
@example("İ'")
def test_normalising_twice_is_normalising_once(text: str) -> None:
    assert normalised(normalised(text)) == normalised(text)


@given(st.text(max_size=40))
def test_the_case_and_the_space_around_an_answer_never_matter(text: str) -> None:
    assert normalised(f"  {text}\t") == normalised(text)


@given(st.text(st.sampled_from("abc -.,'!05"), max_size=12))
def test_upper_case_is_the_same_answer(text: str) -> None:
    assert normalised(text.upper()) == normalised(text)


@given(st.decimals(allow_nan=False, allow_infinity=False, places=3, min_value=-(10**12), max_value=10**12))
def test_a_number_is_itself_however_it_is_written(number: object) -> None:
    plain = str(number)

    assert normalised(plain) == normalised(f"{plain}0") == normalised(f" {plain}!")
    assert float(normalised(plain)) == float(plain)


@given(st.integers(), st.integers())
def test_two_integers_are_the_same_answer_only_when_they_are_equal(one: int, other: int) -> None:
    assert (normalised(str(one)) == normalised(str(other))) == (one == other)


@given(st.text(max_size=20))
def test_an_answer_with_something_in_it_is_never_normalised_to_nothing(text: str) -> None:
    assert bool(normalised(text)) == bool(text.strip())
