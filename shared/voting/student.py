"""Student's distribution."""

from __future__ import annotations

from functools import lru_cache
from math import cos, pi, sin, sqrt, tan

HALVINGS = 60
"""Of the interval in which the quantile is sought: more than a float has digits."""


@lru_cache(maxsize=1024)
def t_quantile(level: float, degrees: int) -> float:
    """The t that a variable with so many degrees of freedom keeps between -t and t with probability `level`.

    It is found by bisection in the angle atan(t / √degrees), in which the probability is a finite sum.
    """
    low, high = 0.0, pi / 2
    for _ in range(HALVINGS):
        middle = (low + high) / 2
        low, high = (middle, high) if _within(middle, degrees) < level else (low, middle)
    return sqrt(degrees) * tan((low + high) / 2)


def _within(angle: float, degrees: int) -> float:
    """The probability of -t to t at t = √degrees · tan(angle).

    Source: Abramowitz and Stegun, Handbook of Mathematical Functions (1964), 26.7.3 for odd and 26.7.4 for even.
    """
    is_odd = degrees % 2
    term = cos(angle) if is_odd else 1.0
    series = term if degrees > 1 else 0.0
    for factor in range(2 + is_odd, degrees - 1, 2):
        term *= cos(angle) ** 2 * (factor - 1) / factor
        series += term
    return 2 / pi * (angle + sin(angle) * series) if is_odd else sin(angle) * series
