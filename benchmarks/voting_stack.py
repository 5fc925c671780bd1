"""Drawn votes through the whole stack: HTTP, engine, and an offline model that answers each voter's ballot as drawn.

What comes of each must be what the simulation says: the decision, the voters asked and their waves. And the calls that
the result reports must be those that the model counted.
"""

from __future__ import annotations

import json
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from figures import table, verdict
from measured_app import App, running_app
from voting_questions import Question, Reply, ask

from shared.contracts.jury import AnyStop, StopFixed

POLL_S = 0.01


@dataclass(frozen=True, slots=True)
class Held:
    """A vote that was held: its decision, what the result reports, what the model counted, and how long it took."""

    decision: str
    asked: int
    waves: int
    reported_calls: int
    model_calls: int
    wall_s: float


@dataclass(frozen=True, slots=True)
class Pair:
    """What came of a question in the simulation and through the stack."""

    simulated: Reply
    held: Held

    @property
    def is_same_decision(self) -> bool:
        """Whether both decided the same."""
        return self.held.decision == self.simulated.answer

    @property
    def agrees(self) -> bool:
        """Whether all figures are those of the simulation, and the result's own account is the model's."""
        held, simulated = self.held, self.simulated
        calls = {held.asked, held.reported_calls, held.model_calls, simulated.calls}
        return self.is_same_decision and len(calls) == 1 and held.waves == simulated.waves


def compare(drawn: Sequence[Question], stops: Mapping[str, AnyStop], least: int, wave: int) -> int:
    """Hold a vote on each question under each stop rule and print a table; 1 when any differs from the simulation."""
    with running_app("--directed-answers") as app:
        hold(app, drawn[0], StopFixed(), least, wave)  # the first vote waits for imports
        pairs = {
            name: [Pair(ask(each, stop, least, wave), hold(app, each, stop, least, wave)) for each in drawn]
            for name, stop in stops.items()
        }
    print(f"\nThrough the whole stack: {len(drawn)} questions; seconds are from POST to result")
    print(table(HEADINGS, [row(name, found) for name, found in pairs.items()]))
    failed = 0
    for name, found in pairs.items():
        failed |= verdict(f"How many votes under {name!r} the simulation does not match", differing(found), 0)
    return failed


def hold(app: App, drawn: Question, stop: AnyStop, least: int, wave: int) -> Held:
    """One vote; nothing else calls the model meanwhile."""
    app.reset(seed=0)
    run = app.run("voting", request_for(drawn, stop, least, wave), least_s=0, poll_s=POLL_S)
    output = run.result["output"]
    return Held(
        decision=output["decision"],
        asked=output["stop"]["asked"],
        waves=len(output["stop"]["waves"]),
        reported_calls=run.result["usage"]["model_calls"],
        model_calls=app.stats()["calls"],
        wall_s=run.wall_s,
    )


def request_for(drawn: Question, stop: AnyStop, least: int, wave: int) -> dict[str, Any]:
    """The request whose voters answer as drawn, each a juror whose instructions say what the model must answer."""
    jury = [
        {"name": f"voter-{number}", "instructions": f"Vote. {directed(answer)}"}
        for number, answer in enumerate(drawn.answers, start=1)
    ]
    at_once = isinstance(stop, StopFixed)
    return {
        "question": "Which tree is it?",
        "voters": jury if at_once else {"jury": jury, "min": min(least, len(jury)), "wave": wave},
        "ballot": {"type": "choice", "options": list(drawn.options)},
        "rule": "plurality",
        "stop": stop.model_dump(mode="json"),
        "tie_break": "first",
    }


def directed(answer: str) -> str:
    """The marker that makes the offline model cast this ballot."""
    return f"[[answer:{json.dumps({'reasoning': 'drawn', 'evidence': [], 'answer': answer, 'confidence': 0.5})}]]"


HEADINGS = [
    "", "calls simulated", "reported", "at the model", "same decision", "all the same", "median", "most", "waves",
]  # fmt: skip


def row(name: str, pairs: Sequence[Pair]) -> list[str]:
    """A line of the table: sums of calls, counts of questions, seconds of a vote, mean waves."""
    seconds = [pair.held.wall_s for pair in pairs]
    return [
        name,
        f"{sum(pair.simulated.calls for pair in pairs):,}",
        f"{sum(pair.held.reported_calls for pair in pairs):,}",
        f"{sum(pair.held.model_calls for pair in pairs):,}",
        f"{sum(pair.is_same_decision for pair in pairs)} of {len(pairs)}",
        f"{len(pairs) - differing(pairs)} of {len(pairs)}",
        f"{statistics.median(seconds):.2f} s",
        f"{max(seconds):.2f} s",
        f"{statistics.fmean(pair.held.waves for pair in pairs):.2f}",
    ]


def differing(pairs: Sequence[Pair]) -> int:
    """How many votes were not what the simulation says."""
    return sum(not pair.agrees for pair in pairs)
