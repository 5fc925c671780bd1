"""Copies the sample files into the sample requests, so that each request is one file that `curl` can send.

Run it after an edit of a sample: `python samples/embed.py`. A test compares the two. Requests with a `source` carry
nothing: their documents are blobs, which `local_host/demo_storage.py` makes of the samples.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

SAMPLES = Path(__file__).parent
REQUESTS = SAMPLES / "requests"
LOG_PARTS = 4

type Request = dict[str, Any]


def code_review(request: Request) -> None:
    """The source file is what every section reviews."""
    request["input"] = _text("orders_api.py")


def policy_vote(request: Request) -> None:
    """The policy is what the voters decide about."""
    request["context"] = _text("data_retention_policy.md")


def incident_digest(request: Request) -> None:
    """Each incident report is a document, known by its number."""
    reports = {report.stem[:8]: report for report in sorted((SAMPLES / "incidents").glob("inc-*.md"))}
    request["documents"] = [{"id": name, "content": report.read_text("utf-8")} for name, report in reports.items()]


def log_analysis(request: Request) -> None:
    """The log, in parts of equal length, because one agent a part reads faster and closer than one for all."""
    lines = _text("orders-api.log").splitlines(keepends=True)
    size = -(-len(lines) // LOG_PARTS)
    parts = [lines[start : start + size] for start in range(0, len(lines), size)]
    request["documents"] = [{"id": f"part-{number}", "content": "".join(part)} for number, part in enumerate(parts, 1)]


EMBED: dict[str, Callable[[Request], None]] = {
    "code-review.json": code_review,
    "policy-vote.json": policy_vote,
    "policy-priorities.json": policy_vote,
    "incident-digest.json": incident_digest,
    "log-analysis.json": log_analysis,
}


def embedded(name: str) -> str:
    """The request `name` with its samples as they are now."""
    request: Request = json.loads((REQUESTS / name).read_text("utf-8"))
    EMBED[name](request)
    return json.dumps(request, ensure_ascii=False, indent=2) + "\n"


def _text(name: str) -> str:
    return (SAMPLES / name).read_text("utf-8")


if __name__ == "__main__":
    for each in EMBED:
        (REQUESTS / each).write_text(embedded(each), "utf-8")
