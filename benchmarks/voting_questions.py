"""Questions whose voters' answers are drawn, and what comes of asking them under a stop rule."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from shared.contracts.jury import AnyStop
from shared.contracts.rules import Plurality
from shared.voting.election import Election, Vote
from shared.voting.rules import count
from shared.voting.waves import Poll

ACCURACY = (0.55, 0.95)
OPTIONS = ("alder", "birch", "cedar", "dogwood", "elm")


@dataclass(frozen=True, slots=True)
class Question:
    """Options in the order that breaks ties, the true one, and what each voter answers, in voter order."""

    options: tuple[str, ...]
    truth: str
    answers: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Reply:
    """What came of asking a question under a stop rule."""

    answer: str
    correct: bool
    calls: int
    waves: int


# --- Questions ---


def questions(
    number: int, voters: int, rho: float, seed: int, accuracy: tuple[float, float] = ACCURACY
) -> Iterator[Question]:
    """`number` questions. A question has the same options, truth and accuracy under any rho."""
    for place in range(number):
        yield question(random.Random(f"{seed} {place}"), voters, rho, accuracy)


def question(draw: random.Random, voters: int, rho: float, accuracies: tuple[float, float] = ACCURACY) -> Question:
    """One question; `draw` decides everything in it."""
    options = OPTIONS[: draw.randint(2, len(OPTIONS))]
    ordered = tuple(draw.sample(options, len(options)))
    truth, accuracy = draw.choice(options), draw.uniform(*accuracies)
    shared = answer(draw, options, truth, accuracy)
    copies = [draw.random() < rho for _ in range(voters)]
    own = [answer(draw, options, truth, accuracy) for _ in range(voters)]
    return Question(ordered, truth, tuple(shared if copy else one for copy, one in zip(copies, own, strict=True)))


def answer(draw: random.Random, options: Sequence[str], truth: str, accuracy: float) -> str:
    """What one voter finds: the truth, or any wrong option."""
    wrong = draw.choice([option for option in options if option != truth])
    return truth if draw.random() < accuracy else wrong


# --- Asking ---


def asked(drawn: Sequence[Question], stop: AnyStop, least: int, wave: int) -> list[Reply]:
    """Every question under one stop rule."""
    return [ask(each, stop, least, wave) for each in drawn]


def ask(drawn: Question, stop: AnyStop, least: int, wave: int) -> Reply:
    """The voters in their order, in the waves that the app would ask."""
    voters = len(drawn.answers)
    election = Election(Plurality(), drawn.options)
    poll = Poll(election, stop, min(least, voters), voters, wave, (1.0,) * voters)
    everybody = [Vote(f"voter-{place}", each) for place, each in enumerate(drawn.answers, start=1)]
    calls = waves = 0
    while size := poll.step(calls, everybody[:calls]).size:
        calls, waves = calls + size, waves + 1
    decision = count(election, everybody[:calls]).leaders[0]
    return Reply(decision, decision == drawn.truth, calls, waves)
