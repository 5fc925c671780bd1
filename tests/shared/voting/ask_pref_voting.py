"""Write `pref_voting_winners.jsonl`, in an environment of its own: `pip install pref_voting==1.18`, then run this."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from random import Random
from typing import Any

from pref_voting.c1_methods import top_cycle
from pref_voting.iterative_methods import instant_runoff
from pref_voting.margin_based_methods import beat_path, minimax, ranked_pairs
from pref_voting.profiles import Profile
from pref_voting.profiles_with_ties import ProfileWithTies
from pref_voting.scoring_methods import borda

LETTERS = "ABCDE"
ELECTIONS = 300
MOST_EQUAL_VICTORIES = 4
"""pref_voting tries all orders of them, so that more take it minutes."""


def elections() -> Iterator[tuple[int, list[list[int]], bool]]:
    """How many options, the rankings, and whether all are complete by design; the same each time."""
    random = Random(20260101)
    for number in range(ELECTIONS):
        options = random.choice((3, 3, 4, 4, 5))
        voters = random.choice((1, 2, 3, 4, 5, 6, 7, 8, 9, 11, 15, 20))
        complete = number % 2 == 0
        everything = list(range(options))
        rankings = [
            random.sample(everything, options if complete else random.randint(1, options)) for _ in range(voters)
        ]
        yield options, rankings, complete


def profile_of(options: int, rankings: list[list[int]], complete: bool) -> Any:
    if complete:
        return Profile(rankings)
    places = [{option: place for place, option in enumerate(ranking, start=1)} for ranking in rankings]
    profile = ProfileWithTies(places, candidates=list(range(options)))
    profile.use_extended_strict_preference()
    return profile


def winners_of(options: int, rankings: list[list[int]], complete: bool) -> dict[str, list[int]]:
    profile = profile_of(options, rankings, complete)

    def strength(one: int, other: int) -> int:
        return profile.support(one, other) if profile.margin(one, other) > 0 else 0

    found = {
        "schulze": beat_path(profile, strength_function=strength),
        "minimax": minimax(profile, strength_function=strength),
        "none": top_cycle(profile),
        "instant_runoff": instant_runoff(profile),
    }
    pairs = [(one, other) for one in range(options) for other in range(options) if one != other]
    equal = Counter(strength(*pair) for pair in pairs if profile.margin(*pair) >= 0)
    if max(equal.values()) <= MOST_EQUAL_VICTORIES:
        found["ranked_pairs"] = ranked_pairs(profile, strength_function=strength)
    if complete:
        found["borda"] = borda(profile)
    return found


def word(options: list[int]) -> str:
    return "".join(LETTERS[option] for option in options)


if __name__ == "__main__":
    lines: list[str] = []
    for options, rankings, complete in elections():
        winners = {name: word(sorted(found)) for name, found in winners_of(options, rankings, complete).items()}
        lines.append(json.dumps({"options": options, "rankings": " ".join(map(word, rankings)), "winners": winners}))
    Path(__file__).with_name("pref_voting_winners.jsonl").write_text("\n".join(lines) + "\n")
