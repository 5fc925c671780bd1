"""Voting cost: how many voters a vote needs, and what stopping it early loses.

Simulated questions with 2 to 5 options, of which one is true. Each question has an accuracy, drawn uniformly from 0.55
to 0.95, with which a voter finds the true option; otherwise the voter takes any of the wrong ones. Errors are
correlated: each question has one shared vote, drawn with the question's accuracy, and with probability rho a voter
copies it instead of voting independently. All stop rules see the same votes in the same order, through the app's own
rules and waves; the most votes win, ties go to the first in an order drawn per question, and every voter votes.

"Saving" is the calls of asking all over the calls of the rule. "Loss" is the accuracy lost against asking all, paired
by question, in points. "Other" is how often the outcome is not that of asking all; for `decided` it must be never.
Waves are what a caller waits for, one after the other. The figures after ± are 95 % intervals, by the normal
approximation over questions. The limits are for rho = 0.
"""

from __future__ import annotations

import argparse
import random
import statistics
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from math import sqrt

from figures import table, verdict

from shared.contracts.jury import USUAL_MIN, USUAL_WAVE, AnyStop, StopConfident, StopDecided, StopFixed
from shared.contracts.rules import Plurality
from shared.voting.election import Election, Vote
from shared.voting.rules import count
from shared.voting.waves import Poll

ACCURACY = (0.55, 0.95)
OPTIONS = ("alder", "birch", "cedar", "dogwood", "elm")
RHOS = (0.0, 0.3, 0.6)
GOAL_RHO = 0.0
Z = statistics.NormalDist().inv_cdf(0.975)


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


@dataclass(frozen=True, slots=True)
class Mean:
    """A mean over questions, and half the width of its 95 % interval."""

    value: float
    margin: float

    @property
    def shown(self) -> str:
        """With two decimals."""
        return f"{self.value:.2f} ± {self.margin:.2f}"


def main() -> int:
    """Ask all questions under all stop rules, print a table per rho, and compare with the limits."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--questions", type=int, default=2_000)
    parser.add_argument("--voters", type=int, default=40, help="asked at most")
    parser.add_argument("--least", type=int, default=USUAL_MIN, help="asked at least")
    parser.add_argument("--wave", type=int, default=USUAL_WAVE, help="asked at once, at most")
    parser.add_argument("--level", type=float, default=0.95, help="of the stop rule 'confident'")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--max-loss", type=float, metavar="POINTS", help="fail when 'confident' loses more accuracy")
    parser.add_argument("--min-saving", type=float, metavar="RATIO", help="fail when 'confident' saves less")
    args = parser.parse_args()
    stops = {"fixed": StopFixed(), "decided": StopDecided(), "confident": StopConfident(level=args.level)}
    print(
        f"{args.questions:,} questions, {args.least} to {args.voters} voters in waves of at most {args.wave}; "
        f"'confident' is {args.level:g}; seed {args.seed}"
    )
    failed = 0
    for rho in RHOS:
        drawn = list(questions(args.questions, args.voters, rho, args.seed))
        replies = {name: asked(drawn, stop, args.least, args.wave) for name, stop in stops.items()}
        print(f"\nrho {rho:g}")
        print(table(HEADINGS, [row(name, replies[name], replies["fixed"]) for name in stops]))
        failed |= verdict("How often 'decided' had another outcome", others(replies["decided"], replies["fixed"]), 0)
        if rho == GOAL_RHO:
            failed |= goals(replies["confident"], replies["fixed"], args.max_loss, args.min_saving)
    return failed


# --- Questions ---


def questions(number: int, voters: int, rho: float, seed: int) -> Iterator[Question]:
    """`number` questions. A question has the same options, truth and accuracy under any rho."""
    for place in range(number):
        yield question(random.Random(f"{seed} {place}"), voters, rho)


def question(draw: random.Random, voters: int, rho: float) -> Question:
    """One question; `draw` decides everything in it."""
    options = OPTIONS[: draw.randint(2, len(OPTIONS))]
    ordered = tuple(draw.sample(options, len(options)))
    truth, accuracy = draw.choice(options), draw.uniform(*ACCURACY)
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


# --- Figures ---

HEADINGS = ["", "calls", "saving", "accuracy (%)", "loss (points)", "other (%)", "waves", "most"]


def row(name: str, replies: Sequence[Reply], fixed: Sequence[Reply]) -> list[str]:
    """A line of the table."""
    right = mean([100.0 * reply.correct for reply in replies])
    waves = [reply.waves for reply in replies]
    return [
        name,
        mean([reply.calls for reply in replies]).shown,
        f"{saving(replies, fixed):.2f}",
        right.shown,
        loss(replies, fixed).shown,
        f"{100 * others(replies, fixed) / len(fixed):.2f}",
        f"{statistics.fmean(waves):.2f}",
        str(max(waves)),
    ]


def mean(values: Sequence[float]) -> Mean:
    """Of at least two values."""
    return Mean(statistics.fmean(values), Z * statistics.stdev(values) / sqrt(len(values)))


def saving(replies: Sequence[Reply], fixed: Sequence[Reply]) -> float:
    """How many times fewer calls these took."""
    return sum(reply.calls for reply in fixed) / sum(reply.calls for reply in replies)


def loss(replies: Sequence[Reply], fixed: Sequence[Reply]) -> Mean:
    """The accuracy lost, in points."""
    return mean([100.0 * (every.correct - reply.correct) for reply, every in zip(replies, fixed, strict=True)])


def others(replies: Sequence[Reply], fixed: Sequence[Reply]) -> int:
    """How many questions got another answer."""
    return sum(reply.answer != every.answer for reply, every in zip(replies, fixed, strict=True))


def goals(replies: Sequence[Reply], fixed: Sequence[Reply], max_loss: float | None, min_saving: float | None) -> int:
    """The exit code: 1, and a line on stderr, for a goal that is missed."""
    failed = verdict("The accuracy lost (points)", loss(replies, fixed).value, max_loss)
    if min_saving is not None and saving(replies, fixed) < min_saving:
        print(f"The saving is {saving(replies, fixed):.3f}, below the limit of {min_saving:g}.", file=sys.stderr)
        return 1
    return failed


if __name__ == "__main__":
    sys.exit(main())
