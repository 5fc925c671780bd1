"""Options compared two by two."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache
from itertools import batched, combinations

from shared.voting.exact import Score

BATCH = 16
"""Rankings that are compared at once and remembered: a vote in waves is counted again after each of them."""


@dataclass(frozen=True, slots=True)
class Duels:
    """How many voters prefer which option to which. `preferring[a, b]` are those who rank a above b.

    A voter prefers what is ranked to what is left out, and has no preference between two options left out.
    """

    options: tuple[str, ...]
    preferring: Mapping[tuple[str, str], int]

    def margin(self, one: str, other: str) -> int:
        """By how many voters `one` beats `other`; negative when it is beaten."""
        return self.preferring[one, other] - self.preferring[other, one]

    def beats(self, one: str, other: str) -> bool:
        """Whether more voters prefer `one` to `other` than the reverse."""
        return self.margin(one, other) > 0

    def strength(self, one: str, other: str) -> int:
        """The voters behind the victory of `one` over `other` ("winning votes"); 0 when there is none."""
        return self.preferring[one, other] if self.beats(one, other) else 0

    def winner(self) -> str | None:
        """The Condorcet winner, which beats every other option."""
        return next((one for one in self.options if all(self.beats(one, other) for other in self._others(one))), None)

    def wins(self) -> dict[str, Score]:
        """How many options each one beats, and half a win for each draw."""
        return {
            one: Fraction(sum(self._doubled_win(one, other) for other in self._others(one)), 2) for one in self.options
        }

    def smith_set(self) -> tuple[str, ...]:
        """The fewest options that each beat all the others, in their order.

        One with the most wins is among them (Copeland's winners are); so is whoever one of them does not beat.
        """
        wins = self.wins()
        members = [max(self.options, key=lambda option: wins[option])]
        for member in members:  # which grows while it is walked
            members += [other for other in self.options if other not in members and not self.beats(member, other)]
        return tuple(option for option in self.options if option in members)

    def among(self, options: Iterable[str]) -> Duels:
        """Those between `options` alone."""
        kept = tuple(options)
        return Duels(kept, {pair: self.preferring[pair] for pair in _pairs(kept)})

    def _others(self, one: str) -> Iterable[str]:
        return (other for other in self.options if other != one)

    def _doubled_win(self, one: str, other: str) -> int:
        margin = self.margin(one, other)
        return 1 if margin == 0 else 2 if margin > 0 else 0


def duels(options: Sequence[str], rankings: Sequence[Sequence[str]]) -> Duels:
    """All duels between `options`, as `rankings` (best first, all options or some) have them."""
    counts = [0] * len(options) ** 2
    for batch in batched(map(tuple, rankings), BATCH, strict=False):
        more = _preferences(tuple(options), batch)
        counts = [known + new for known, new in zip(counts, more, strict=True)]
    every = [(one, other) for one in options for other in options]
    preferring = {(one, other): voters for (one, other), voters in zip(every, counts, strict=True) if one != other}
    return Duels(tuple(options), preferring)


@lru_cache(maxsize=512)
def _preferences(options: tuple[str, ...], rankings: tuple[tuple[str, ...], ...]) -> tuple[int, ...]:
    """How many of `rankings` prefer an option to another, for all pairs of them, row by row."""
    many = len(options)
    place = {option: number for number, option in enumerate(options)}
    counts = [0] * many**2
    for ranking in rankings:
        ranked = [place[option] for option in ranking]
        left_out = [number for option, number in place.items() if option not in ranking]
        for better, worse in combinations(ranked, 2):
            counts[better * many + worse] += 1
        for better in ranked:
            for worse in left_out:
                counts[better * many + worse] += 1
    return tuple(counts)


def _pairs(options: Sequence[str]) -> list[tuple[str, str]]:
    return [(one, other) for one in options for other in options if one != other]
