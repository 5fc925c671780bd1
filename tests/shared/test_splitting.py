"""Where texts are cut."""

from __future__ import annotations

import re
import time
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from semantic_text_splitter import TextSplitter

from shared.splitting import Span, Unit, line_starts, lines_of, spans_of
from shared.tokens import estimated_tokens

FAMILY = "\U0001f469\u200d\U0001f469\u200d\U0001f467"
PIECES = st.sampled_from(
    [
        "a",
        "word ",
        "Sentence. ",
        "Two words! ",
        "\n",
        "\n\n",
        "\r\n",
        "\r",
        " ",
        "\t",
        "数据。",
        "e\u0301",
        FAMILY,
        "🇩🇪",
        "\u2028",
    ]
)
TEXTS = st.lists(PIECES | st.text(max_size=5), min_size=1, max_size=60).map("".join).filter(lambda text: text != "")
UNITS: st.SearchStrategy[Any] = st.sampled_from(["tokens", "characters", "lines"])


@st.composite
def splits(draw: st.DrawFn) -> tuple[str, Unit, int, int]:
    size = draw(st.integers(1, 40))
    return draw(TEXTS), draw(UNITS), size, draw(st.integers(0, size // 2))


def parts(text: str, unit: Unit, size: int, overlap: int = 0) -> list[str]:
    return [text[span.start : span.end] for span in spans_of(text, unit, size, overlap)]


def units_of(text: str, unit: Unit) -> int:
    return {"tokens": estimated_tokens, "characters": len, "lines": lambda t: len(line_starts(t))}[unit](text)


@given(splits())
def test_what_is_in_no_span_is_white_space(split: tuple[str, Unit, int, int]) -> None:
    text = split[0]
    spans = spans_of(*split)
    gaps = [text[: spans[0].start], text[spans[-1].end :]]
    gaps += [text[before.end : after.start] for before, after in pairwise(spans)]
    assert "".join(gaps).strip() == ""


@given(splits())
def test_a_span_has_no_more_than_its_size(split: tuple[str, Unit, int, int]) -> None:
    text, unit, size, _ = split
    assert all(0 < units_of(part, unit) <= size for part in parts(*split))
    assert (units_of(text, unit) > size) or spans_of(*split) == [Span(0, len(text))]


@given(splits())
def test_a_span_repeats_no_more_than_the_overlap_and_brings_something_new(split: tuple[str, Unit, int, int]) -> None:
    text, unit, _, overlap = split
    for before, after in pairwise(spans_of(*split)):
        assert before.start < after.start
        assert before.end < after.end
        assert units_of(text[after.start : before.end], unit) <= overlap or after.start >= before.end


@given(splits())
def test_no_span_is_blank_or_begins_with_a_blank_line(split: tuple[str, Unit, int, int]) -> None:
    found = parts(*split)
    if len(found) > 1:
        assert all(part.strip() for part in found)
        assert not any(re.match(r"[^\S\r\n]*[\r\n]", part) for part in found)


@given(TEXTS, st.integers(20, 60), st.integers(0, 10))
def test_no_cut_is_inside_a_character_of_several_code_points(text: str, size: int, overlap: int) -> None:
    for span in spans_of(text, "characters", size, overlap):
        for at in (span.start, span.end):
            assert not text[at : at + 1].startswith(("\u0301", "\u200d"))
            assert text[max(at - 1, 0) : at + 1] not in {"\r\n", "🇩🇪"}


@pytest.mark.parametrize("overlap", [0, 40])
@pytest.mark.parametrize("between", ["\n", " "], ids=["lines", "one line"])
def test_that_the_library_sees_a_window_does_not_show_in_the_cuts(between: str, overlap: int) -> None:
    text = between.join(f"Entry {number} of a log. It has {'word ' * (number % 9)}!" for number in range(400))
    whole = TextSplitter(200, overlap=overlap, trim=False).chunk_indices(text)
    ends = [span.end for span in spans_of(text, "characters", 200, overlap)]
    assert len(ends) > 50
    assert ends == [start + len(part) for start, part in whole]


@pytest.mark.parametrize(
    ("text", "size", "expected"),
    [
        (
            "First part one.\n\nSecond part two.\n\nThird.",
            20,
            ["First part one.\n\n", "Second part two.\n\n", "Third."],
        ),
        ("One line here.\nAnother line.\n", 16, ["One line here.\n", "Another line.\n"]),
        ("One thing. Another thing.", 14, ["One thing. ", "Another thing."]),
        ("several words stand here", 14, ["several words ", "stand here"]),
        ("a" * 25, 10, ["a" * 10, "a" * 10, "a" * 5]),
        ("def f():\n    return 1\n\n    # end\n", 22, ["def f():\n    return 1", "    # end\n"]),
        ("x" + " " * 30 + "y", 8, ["x", " " * 6 + "y"]),
    ],
)
def test_a_cut_is_at_the_best_boundary_in_reach(text: str, size: int, expected: list[str]) -> None:
    assert parts(text, "characters", size) == expected


def test_lines_are_counted_exactly() -> None:
    text = "".join(f"line {number}\r\n" for number in range(1, 11))
    assert parts(text, "lines", 4) == ["".join(text.splitlines(keepends=True)[at : at + 4]) for at in (0, 4, 8)]
    assert [part.splitlines()[0] for part in parts(text, "lines", 4, 2)] == ["line 1", "line 3", "line 5", "line 7"]


@pytest.mark.parametrize("ending", ["\n", "\r\n", "\r"])
def test_lines_have_the_numbers_that_an_editor_shows(ending: str) -> None:
    text = ending.join(["one", "", "three", "four", ""])
    starts = line_starts(text)
    assert len(starts) == 4
    assert lines_of(Span(0, len(text)), starts) == (1, 4)
    assert lines_of(Span(text.index("three"), text.index("four")), starts) == (3, 3)
    assert lines_of(Span(text.index("hree"), text.index("our") + 1), starts) == (3, 4)


def test_white_space_alone_is_one_span() -> None:
    assert len(spans_of("\n" * 100, "lines", 5, 0)) == 1
    assert len(spans_of(" " * 100, "characters", 5, 0)) == 1


def test_a_text_in_one_line_takes_time_by_its_length_and_not_by_its_square() -> None:
    def seconds(text: str) -> float:
        before = time.perf_counter()
        spans_of(text, "characters", 200, 20)
        return time.perf_counter() - before

    short, long = "some words here, " * 1_250, "some words here, " * 12_500
    assert min(seconds(long) for _ in range(3)) < 40 * min(seconds(short) for _ in range(5))
