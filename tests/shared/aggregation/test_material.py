"""What a reducer reads."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.aggregation.material import Part, counted, readable, rendered, split
from shared.contracts.split import Chunk
from shared.tokens import text_bytes

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
    assert Part(("a",), "", piece=(2, 3)).heading == "a (piece 2 of 3)"
    assert Part(("a", "b", "c"), "", call="~reduce-1-1").heading == "a to c (3 documents)"


def test_a_block_tells_the_part_of_a_document_that_it_is_about_and_the_piece_of_the_output() -> None:
    chunk = Chunk(branch="log+2", document="log", part=2, of=3, start=9, end=20, first_line=4, last_line=6)
    first, *_ = split(Part(("log+2",), "word " * 200, chunk=chunk), 500)

    opening = rendered(first).partition("\n")[0]
    assert opening.startswith('<answer name="log+2" document="log" part="2 of 3" lines="4-6" piece="1 of ')
    assert text_bytes(rendered(first)) <= 500


def test_an_answer_tells_how_many_documents_and_parts_it_rests_on() -> None:
    part = Part(("log+1", "log+2", "note"), "", call="~reduce-1-1")

    assert rendered(part) == '<answer name="log+1 to note" documents="2" parts="2">\n\n</answer>'
    assert part.heading == "log+1 to note (3 documents and parts)"
    assert counted(("log", "note")) == "2 documents"
