"""Which names fit a pattern."""

from __future__ import annotations

import time

import pytest

from shared.sources.globs import matcher


@pytest.mark.parametrize(
    ("glob", "name"),
    [
        (None, "any/thing"),
        ("*", "a.txt"),
        ("*", ""),
        ("*.txt", "a.txt"),
        ("?.txt", "ä.txt"),
        ("**", "a/b/c.txt"),
        ("**/*.txt", "a.txt"),
        ("**/*.txt", "x/y/a.txt"),
        ("a/**/b", "a/b"),
        ("a/**/b", "a/x/y/b"),
        ("a**z", "a/b/z"),
        ("***", "a/b"),
        ("[ab].txt", "[ab].txt"),
        ("a.(b)+$", "a.(b)+$"),
        ("a*", "a\nb"),
        ("数*", "数据.txt"),
    ],
)
def test_a_name_fits(glob: str | None, name: str) -> None:
    assert matcher(glob)(name)


@pytest.mark.parametrize(
    ("glob", "name"),
    [
        ("*", "a/b"),
        ("*.txt", "a.txt.gz"),
        ("?.txt", "ab.txt"),
        ("?", "/"),
        ("?", ""),
        ("", "a"),
        ("**/a.txt", "ba.txt"),
        ("a/**/b", "ab"),
        ("a.txt", "abtxt"),
        ("[ab].txt", "a.txt"),
        ("A*", "a"),
    ],
)
def test_a_name_does_not_fit(glob: str, name: str) -> None:
    assert not matcher(glob)(name)


def test_a_hostile_pattern_takes_no_longer_than_others() -> None:
    fits = matcher("*a" * 200 + "b")
    begun = time.process_time()

    assert not any(fits("a" * 1_000 + str(number)) for number in range(100))
    assert time.process_time() - begun < 5
