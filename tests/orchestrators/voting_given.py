"""Votes under way, for the tests of the voting orchestrator."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from orchestrators.voting import voting
from tests.orchestrators.fake_context import JSON, Drive
from tests.orchestrators.given import start_run, succeeded

YES_NO = {"type": "choice", "options": ["yes", "no"]}


def start(*, reused: Sequence[JSON] | None = None, **fields: Any) -> Drive:
    """A vote of three equal voters on yes or no, but for what `fields` say."""
    request = {"question": "Publish?", "voters": 3, "ballot": YES_NO, **fields}
    return start_run(voting, request, reused=reused)


def ballot(answer: Any, **fields: Any) -> JSON:
    """What a voter answers."""
    return {"reasoning": f"because {answer}", "evidence": [], "answer": answer, "confidence": 0.8, **fields}


def vote(drive: Drive, voter: int | str, answer: Any, **fields: Any) -> None:
    """Let a voter, of equal ones by its number, cast its ballot."""
    name = f"voter-{voter}" if isinstance(voter, int) else voter
    drive.complete(drive.child(name), succeeded(name, ballot(answer, **fields)))


def counted(*answers: Any, **fields: Any) -> JSON:
    """The result of a vote in which equal voters answer so, all at once."""
    drive = start(**{"voters": len(answers), **fields})
    for number, answer in enumerate(answers, start=1):
        vote(drive, number, answer)
    return drive.ended


def asked(drive: Drive) -> list[str]:
    """The voters asked so far, in their order."""
    return [child.branch for child in drive.context.children if not child.branch.startswith("~")]


def judge(drive: Drive, name: str, **said: Any) -> None:
    """Let a judge answer."""
    drive.complete(drive.child(name), succeeded(name, {"reasoning": "on the merits", **said}))
