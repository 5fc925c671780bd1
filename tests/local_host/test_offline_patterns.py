"""Texts for regular expressions."""

from __future__ import annotations

import re

import pytest

from local_host.offline.patterns import MAX_NODES, texts_for


@pytest.mark.parametrize("pattern", ["^[a-z]{3}-\\d+$", "(ab|cd){2}", "x*y?z", "[^0-9]{4}"])
def test_a_text_matches_its_pattern(pattern: str) -> None:
    assert any(re.search(pattern, text) for text in texts_for(pattern, 0))


def test_repeats_within_repeats_end_instead_of_filling_the_memory() -> None:
    pattern = "((((a{100}){100}){100}){100}){100}"
    assert all(len(text) <= MAX_NODES for text in texts_for(pattern, 5))
