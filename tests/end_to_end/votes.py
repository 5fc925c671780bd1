"""Votes whose ballots are known beforehand: voters whose instructions make the offline model answer just that."""

from __future__ import annotations

import json
from itertools import pairwise
from typing import Any

from tests.end_to_end.conftest import JSON

YES_NO: JSON = {"type": "choice", "options": ["yes", "no"]}
TREES: JSON = {"type": "choice", "options": ["ash", "birch", "cedar"]}
QUESTION = "Why did the checkout time out?"


def said(answer: Any, **fields: Any) -> JSON:
    """A ballot as a voter answers it."""
    return {"reasoning": f"because {answer}", "evidence": [], "answer": answer, "confidence": 0.8, **fields}


def directed(answer: Any) -> str:
    """What makes the offline model give exactly this answer."""
    return f"[[answer:{json.dumps(answer)}]]"


def juror(name: str, answer: Any, *, more: str = "", weight: float = 1.0, **fields: Any) -> JSON:
    """A voter who answers so; `more` goes into its instructions."""
    instructions = f"Vote. {more} {directed(said(answer, **fields))}"
    return {"name": name, "instructions": instructions, **({} if weight == 1 else {"weight": weight})}


def jury(*answers: Any, more: str = "") -> list[JSON]:
    """`v1`, `v2`, …, one for each answer."""
    return [juror(f"v{number}", answer, more=more) for number, answer in enumerate(answers, start=1)]


def vote(voters: Any, ballot: JSON, **fields: Any) -> JSON:
    """A request."""
    return {"question": QUESTION, "voters": voters, "ballot": ballot, **fields}


def adaptive(*answers: Any, wave: int, stop: Any = "decided", least: int = 3, more: str = "", **fields: Any) -> JSON:
    """A vote on yes or no in waves, by plurality."""
    plan = {"jury": jury(*answers, more=more), "min": least, "wave": wave}
    return vote(plan, YES_NO, **{"rule": "plurality", "stop": stop, **fields})


def scores(output: JSON) -> list[tuple[Any, float]]:
    """The tally: each answer and what it got, best first."""
    return [(line["answer"], line["score"]) for line in output["tally"]]


def statuses(output: JSON) -> list[str]:
    """What came of each ballot."""
    return [ballot["status"] for ballot in output["ballots"]]


def waves(output: JSON) -> list[int]:
    """How many voters were asked in each wave."""
    asked = [0, *(wave["asked"] for wave in output["stop"]["waves"])]
    return [after - before for before, after in pairwise(asked)]
