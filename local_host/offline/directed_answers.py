"""Directed answers: what a prompt tells the model to say, for tests and benchmarks whose votes must be known.

`[[answer:JSON]]` anywhere in a prompt makes the model answer exactly this JSON, whatever else was asked; with several,
the first counts, and the instructions come before the input. Faults come before answers.
"""

from __future__ import annotations

import json

from local_host.offline.errors import ApiError

PREFIX = "[[answer:"
SUFFIX = "]]"
SHOWN_CHARS = 80
DECODER = json.JSONDecoder()


def directed_answer(prompt: str) -> str | None:
    """The JSON of the first marker, as it is written there; None without a marker, ApiError 400 for a broken one."""
    place = prompt.find(PREFIX)
    if place < 0:
        return None
    start = place + len(PREFIX)
    try:
        _, end = DECODER.raw_decode(prompt, start)
    except ValueError as exc:
        raise _broken(prompt[place:], f"no JSON follows ({exc})") from exc
    if not prompt.startswith(SUFFIX, end):
        raise _broken(prompt[place:], f"{SUFFIX!r} does not follow the JSON")
    return prompt[start:end]


def _broken(marker: str, why: str) -> ApiError:
    return ApiError(400, f"Broken marker {marker[:SHOWN_CHARS]!r}: {why}. Write {PREFIX}JSON{SUFFIX}.")
