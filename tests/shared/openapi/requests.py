"""Every request that the project shows anywhere, by the operation that takes it."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

from shared.openapi.operations import OPERATIONS
from tests.architecture import ROOT

START_OF = {"sectioning": "StartSectioning", "voting": "StartVoting", "map-reduce": "StartMapReduce"}
"""The operations by their routes."""


def shown_requests() -> list[tuple[str, str, Any]]:
    """The id of the operation, where the request is shown, and the request."""
    return [*_examples(), *_samples(), *_of_the_readme()]


def _examples() -> Iterator[tuple[str, str, Any]]:
    for operation in OPERATIONS:
        for name, example in operation.examples.items():
            yield operation.id, name, example


def _samples() -> Iterator[tuple[str, str, Any]]:
    for path in sorted((ROOT / "samples" / "requests").glob("*.json")):
        request = json.loads(path.read_text("utf-8"))
        route = "voting" if "question" in request else "sectioning" if "sections" in request else "map-reduce"
        yield START_OF[route], path.name, request


def _of_the_readme() -> Iterator[tuple[str, str, Any]]:
    blocks = re.findall(r"^```json request=(\S+)\n(.*?)^```$", (ROOT / "README.md").read_text("utf-8"), re.M | re.S)
    for number, (route, text) in enumerate(blocks, start=1):
        if route in START_OF:
            yield START_OF[route], f"README.md, request {number}", json.loads(text)
