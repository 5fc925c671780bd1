"""Lines of a stream."""

from __future__ import annotations

import asyncio
import io
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.sources.lines import Line, lines_in
from tests.shared.sources.streaming import in_pieces

DATA = st.lists(st.sampled_from([b"a", b"bc", b"\n", b"\r", b"\r\n", b"\x85", "\u2028".encode()])).map(b"".join)


async def lines(data: bytes, size: int, most: int = 1000, offset: int = 0) -> list[Line]:
    return [line async for line in lines_in(in_pieces(data, size), offset=offset, most=most)]


@given(data=DATA, size=st.integers(1, 9), offset=st.integers(0, 5))
def test_lines_are_the_same_in_any_pieces_and_end_where_they_say(data: bytes, size: int, offset: int) -> None:
    found = asyncio.run(lines(data, size, offset=offset))
    expected = list(io.StringIO(data.decode("latin-1"), newline=""))

    assert [(line.data or b"").decode("latin-1") for line in found] == expected
    ends = [0, *(line.end - offset for line in found)]
    assert [data[start:end] for start, end in pairwise(ends)] == [line.data for line in found]


@given(data=DATA, size=st.integers(1, 9), most=st.integers(1, 4))
def test_of_a_line_that_is_too_long_only_the_end_is_told(data: bytes, size: int, most: int) -> None:
    whole = asyncio.run(lines(data, 1000))
    expected = [line if len(line.data or b"") <= most else Line(None, line.end) for line in whole]

    assert asyncio.run(lines(data, size, most)) == expected


@pytest.mark.parametrize("data", [b"", b"\n", b"a"])
async def test_no_line_comes_after_the_last(data: bytes) -> None:
    assert [line.data for line in await lines(data, 4)] == [data][: len(data)]
