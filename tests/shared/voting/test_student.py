from __future__ import annotations

import pytest

from shared.voting.student import t_quantile

PUBLISHED = {
    1: (6.314, 12.706, 63.657),
    2: (2.920, 4.303, 9.925),
    3: (2.353, 3.182, 5.841),
    4: (2.132, 2.776, 4.604),
    5: (2.015, 2.571, 4.032),
    9: (1.833, 2.262, 3.250),
    10: (1.812, 2.228, 3.169),
    29: (1.699, 2.045, 2.756),
    30: (1.697, 2.042, 2.750),
    60: (1.671, 2.000, 2.660),
    120: (1.658, 1.980, 2.617),
}
"""Two-sided 90, 95 and 99 % points. NIST/SEMATECH e-Handbook of Statistical Methods, 1.3.6.7.2."""


@pytest.mark.parametrize(("degrees", "published"), PUBLISHED.items())
def test_quantiles_are_those_of_the_published_table(degrees: int, published: tuple[float, ...]) -> None:
    found = [t_quantile(level, degrees) for level in (0.90, 0.95, 0.99)]

    assert found == [pytest.approx(value, abs=5.1e-4) for value in published]


def test_quantiles_tend_to_those_of_the_normal_distribution() -> None:
    assert t_quantile(0.95, 5_000) == pytest.approx(1.95996, abs=1e-3)
