"""What a reducer reads."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.aggregation.material import Part, readable, rendered, split
from shared.token_estimate import text_bytes

HOSTILE = st.lists(st.sampled_from(["<answer", "</answer>", "< / ANSWER", "€", "x", " ", "\n"]), max_size=200)


@pytest.mark.parametrize(
    ("output", "text"),
    [
        ("text", "text"),
        ({"cause": "disk"}, '{\n  "cause": "disk"\n}'),
        ({"answer": "yes"}, "answer: yes"),
        (
            {"confidence": 0.8, "answer": "yes", "source": "log", "rationale": "it says so", "info": ["a"]},
            'info: [\n  "a"\n]\nrationale: it says so\nanswer: yes\nconfidence: 0.8\nsource: log',
        ),
    ],
)
def test_a_structured_answer_is_read_field_by_field(output: Any, text: str) -> None:
    assert readable(output) == text


@given(HOSTILE.map("".join), st.integers(300, 900))
def test_a_block_has_the_size_that_it_may_have_and_says_what_it_lacks(text: str, limit: int) -> None:
    part = Part(("d0",), text, call="~reduce-1-1")
    shown = rendered(part, limit)

    assert text_bytes(shown) <= limit
    assert ("cut=" in shown) == (text_bytes(rendered(part)) > limit)
    assert shown.count("</answer>") == 1


@given(HOSTILE.map("".join), st.integers(300, 900))
def test_pieces_of_an_output_fit_and_lose_nothing(text: str, limit: int) -> None:
    parts = split(Part(("d0",), text), limit)

    assert "".join(str(part.output) for part in parts) == text
    assert all(text_bytes(rendered(part)) <= limit for part in parts)


def test_a_part_is_called_by_the_documents_that_it_rests_on() -> None:
    assert Part(("a",), "").heading == "a"
    assert Part(("a",), "", piece=(2, 3)).heading == "a (part 2 of 3)"
    assert Part(("a", "b", "c"), "", call="~reduce-1-1").heading == "a to c (3 documents)"
