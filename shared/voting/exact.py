"""Numbers without rounding, so that what is equal on paper ties in the count."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from functools import lru_cache

type Score = int | Fraction
"""Votes, points or weight, without rounding."""

SHARE_TOLERANCE = Fraction(1, 10**9)
"""A share this close below a threshold reaches it: two of three is two thirds, in whichever digit 2/3 was cut off."""


@lru_cache(maxsize=4096)
def exact(number: float) -> Fraction:
    """`number` as the decimal that it is written as: 0.1 is a tenth, and 0.1 + 0.2 is 0.3 in any order.

    Weights, scores and thresholds come out of JSON, where people and models wrote decimals; the binary fractions that
    stand for them in memory differ from those in the 17th digit, which would decide between equals.
    """
    return Fraction(repr(number))


def mean(numbers: Sequence[Fraction]) -> Fraction:
    """The mean of `numbers`, of which there is at least one."""
    return sum(numbers, start=Fraction()) / len(numbers)


def reaches(score: Score, whole: Score, threshold: float) -> bool:
    """Whether `score` is at least the share `threshold` of `whole`, within `SHARE_TOLERANCE`."""
    return score >= (exact(threshold) - SHARE_TOLERANCE) * whole
