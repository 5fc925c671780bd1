from __future__ import annotations

import time
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from shared.aggregation.packing import head, packed, pieces
from shared.tokens import text_bytes

SIZES = st.lists(st.integers(0, 40), max_size=30)
TEXTS = st.text(alphabet=st.sampled_from("ab \n€𝔘") | st.characters(), max_size=80)


def weight(sizes: list[int], members: range, separator: int) -> int:
    return sum(sizes[member] for member in members) + separator * (len(members) - 1)


@given(SIZES, st.integers(40, 120), st.integers(0, 3), st.none() | st.integers(1, 5))
def test_every_position_is_in_one_group_in_order_and_no_group_is_too_large(
    sizes: list[int], limit: int, separator: int, most: int | None
) -> None:
    groups = packed(sizes, limit, separator, most)

    assert [member for group in groups for member in group] == list(range(len(sizes)))
    assert all(0 < len(group) <= (most or len(sizes)) for group in groups)
    assert all(weight(sizes, group, separator) <= limit for group in groups)


@given(SIZES, st.integers(40, 120), st.integers(0, 3), st.none() | st.integers(1, 5))
def test_a_group_ends_only_where_the_next_position_does_not_fit(
    sizes: list[int], limit: int, separator: int, most: int | None
) -> None:
    """Which makes it a packing in order of the fewest groups."""
    for group, following in pairwise(packed(sizes, limit, separator, most)):
        longer = range(group.start, following.start + 1)
        assert weight(sizes, longer, separator) > limit or len(group) == most


@given(TEXTS, st.integers(4, 40))
def test_pieces_joined_are_the_text_and_none_is_too_large(text: str, limit: int) -> None:
    found = pieces(text, limit)

    assert "".join(found) == text
    assert all(0 < text_bytes(piece) <= limit for piece in found)


@given(TEXTS, st.integers(0, 100))
def test_a_head_is_the_longest_beginning_that_fits(text: str, limit: int) -> None:
    found = head(text, limit)

    assert text.startswith(found)
    assert text_bytes(found) <= limit
    assert found == text or text_bytes(text[: len(found) + 1]) > limit


def test_a_piece_ends_after_a_line_or_else_after_a_word() -> None:
    assert pieces("first line\nsecond line", 16) == ["first line\n", "second line"]
    assert pieces("first second", 10) == ["first ", "second"]
    assert pieces("x" * 10, 4) == ["xxxx", "xxxx", "xx"]


def test_a_long_text_without_any_boundary_is_cut_in_no_time() -> None:
    started = time.perf_counter()
    assert len(pieces("€" * 200_000, 6_000)) == 100
    assert time.perf_counter() - started < 10
