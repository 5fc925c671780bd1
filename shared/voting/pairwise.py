"""Options compared two by two."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import combinations

from shared.voting.exact import Score


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
        return {one: sum((self._win(one, other) for other in self._others(one)), Fraction()) for one in self.options}

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

    def _win(self, one: str, other: str) -> Fraction:
        margin = self.margin(one, other)
        return Fraction(1 if margin == 0 else 2 if margin > 0 else 0, 2)


def duels(options: Sequence[str], rankings: Sequence[Sequence[str]]) -> Duels:
    """All duels between `options`, as `rankings` (best first, all options or some) have them."""
    preferring = dict.fromkeys(_pairs(options), 0)
    for ranking in rankings:
        ranked = dict.fromkeys(ranking)
        left_out = [option for option in options if option not in ranked]
        for better, worse in combinations(ranking, 2):
            preferring[better, worse] += 1
        for better in ranking:
            for worse in left_out:
                preferring[better, worse] += 1
    return Duels(tuple(options), preferring)


def _pairs(options: Sequence[str]) -> list[tuple[str, str]]:
    return [(one, other) for one in options for other in options if one != other]
