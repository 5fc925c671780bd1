"""Voting cost: how many voters a vote needs, and what stopping it early loses.

Simulated questions with 2 to 5 options, of which one is true. Each question has an accuracy, drawn uniformly from 0.55
to 0.95, with which a voter finds the true option; otherwise the voter takes any of the wrong ones, all as likely. These
are friendly questions: the truth always has most supporters. `--accuracy 0.3 0.6` asks harder ones. Errors are
correlated: each question has one shared vote, drawn with the question's accuracy, and with probability rho a voter
copies it instead of voting independently. All stop rules see the same votes in the same order, through the app's own
rules and waves; the most votes win, ties go to the first in an order drawn per question, and every voter votes.

"Saving" is the calls of asking all over the calls of the rule. "Loss" is the accuracy lost against asking all, paired
by question, in points. "Other" is how often the outcome is not that of asking all; for `decided` it must be never.
Waves are what a caller waits for, one after the other. Intervals are of 95 % over questions: Wilson's for shares,
Agresti and Min's for the loss, which are not empty where nothing was lost, and the normal one for calls. The limits
are for rho = 0, on the figures and not on their intervals.

The second part holds `--stack` votes through the whole stack, their questions from all rhos in turns.
"""

from __future__ import annotations

import argparse
import statistics
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from math import sqrt

from figures import table, verdict
from voting_questions import ACCURACY, Question, Reply, asked, questions
from voting_stack import compare

from shared.contracts.jury import (
    MAX_VOTERS,
    USUAL_MIN,
    USUAL_WAVE,
    StopConfident,
    StopDecided,
    StopFixed,
)

RHOS = (0.0, 0.3, 0.6)
GOAL_RHO = 0.0
Z = statistics.NormalDist().inv_cdf(0.975)


@dataclass(frozen=True, slots=True)
class Range:
    """A figure of a sample, and the bounds of its 95 % interval."""

    value: float
    low: float
    high: float

    @property
    def shown(self) -> str:
        """With two decimals."""
        return f"{self.value:.2f} ({self.low:.2f} to {self.high:.2f})"


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
    parser.add_argument("--accuracy", type=float, nargs=2, default=ACCURACY, metavar=("LOW", "HIGH"), help="of a voter")
    parser.add_argument(
        "--stack", type=int, default=50, metavar="N", help="questions through the stack; 0 leaves it out"
    )
    parser.add_argument("--max-loss", type=float, metavar="POINTS", help="fail when 'confident' loses more accuracy")
    parser.add_argument("--min-saving", type=float, metavar="RATIO", help="fail when 'confident' saves less")
    args = parser.parse_args()
    if args.stack and args.voters > MAX_VOTERS:
        parser.error(f"the stack takes at most {MAX_VOTERS} --voters; or leave it out with --stack 0")
    accuracy = tuple(args.accuracy)
    stops = {"fixed": StopFixed(), "decided": StopDecided(), "confident": StopConfident(level=args.level)}
    print(
        f"{args.questions:,} questions, {args.least} to {args.voters} voters in waves of at most {args.wave}; "
        f"'confident' is {args.level:g}; accuracy {accuracy[0]:g} to {accuracy[1]:g}; seed {args.seed}"
    )
    failed = 0
    for rho in RHOS:
        drawn = list(questions(args.questions, args.voters, rho, args.seed, accuracy))
        replies = {name: asked(drawn, stop, args.least, args.wave) for name, stop in stops.items()}
        print(f"\nrho {rho:g}")
        print(table(HEADINGS, [row(name, replies[name], replies["fixed"]) for name in stops]))
        failed |= verdict("How often 'decided' had another outcome", others(replies["decided"], replies["fixed"]), 0)
        if rho == GOAL_RHO:
            failed |= goals(replies["confident"], replies["fixed"], args.max_loss, args.min_saving)
    if args.stack:
        failed |= compare(in_turns(args.stack, args.voters, args.seed, accuracy), stops, args.least, args.wave)
    return failed


def in_turns(number: int, voters: int, seed: int, accuracy: tuple[float, float]) -> list[Question]:
    """The first questions, the first of them under the first rho, the second under the second, and so on."""
    drawn = [list(questions(number, voters, rho, seed, accuracy)) for rho in RHOS]
    return [drawn[place % len(RHOS)][place] for place in range(number)]


# --- Figures ---

HEADINGS = ["", "calls", "saving", "accuracy (%)", "loss (points)", "other (%)", "waves", "most"]


def row(name: str, replies: Sequence[Reply], fixed: Sequence[Reply]) -> list[str]:
    """A line of the table."""
    waves = [reply.waves for reply in replies]
    return [
        name,
        mean([reply.calls for reply in replies]).shown,
        f"{saving(replies, fixed):.2f}",
        percent(sum(reply.correct for reply in replies), len(replies)).shown,
        "" if replies is fixed else loss(replies, fixed).shown,
        "" if replies is fixed else percent(others(replies, fixed), len(fixed)).shown,
        f"{statistics.fmean(waves):.2f}",
        str(max(waves)),
    ]


def percent(hits: int, number: int) -> Range:
    """A share in percent. Source: Wilson, Probable inference, J. Am. Stat. Assoc. 22 (1927)."""
    share, wide = hits / number, Z * Z / number
    centre = (share + wide / 2) / (1 + wide)
    reach = Z * sqrt(share * (1 - share) / number + wide / (4 * number)) / (1 + wide)
    return Range(100 * share, 100 * max(0.0, centre - reach), 100 * min(1.0, centre + reach))


def mean(values: Sequence[float]) -> Mean:
    """Of at least two values."""
    return Mean(statistics.fmean(values), Z * statistics.stdev(values) / sqrt(len(values)))


def saving(replies: Sequence[Reply], fixed: Sequence[Reply]) -> float:
    """How many times fewer calls these took."""
    return sum(reply.calls for reply in fixed) / sum(reply.calls for reply in replies)


def loss(replies: Sequence[Reply], fixed: Sequence[Reply]) -> Range:
    """The accuracy lost, in points.

    Only questions that one of the two got wrong tell; half a question is added to each of the four ways that two can
    be right or wrong. Source: Agresti and Min, Simple improved confidence intervals for comparing matched proportions,
    Stat. Med. 24 (2005).
    """
    lost = sum(every.correct and not reply.correct for reply, every in zip(replies, fixed, strict=True))
    won = sum(reply.correct and not every.correct for reply, every in zip(replies, fixed, strict=True))
    number, difference = len(fixed) + 2, lost - won
    reach = Z * sqrt(lost + won + 1 - difference**2 / number)
    low, high = (100 * (difference + sign * reach) / number for sign in (-1, 1))
    return Range(100 * difference / len(fixed), low, high)


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
