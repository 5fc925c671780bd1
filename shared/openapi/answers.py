"""The headers and answers that several operations of the API have."""

from __future__ import annotations

from shared.contracts.run import RunAccepted, RunResult
from shared.openapi.operation import Answer, Header

LOCATION = Header(
    "Location", "Where to ask for the run.", "https://example.net/api/runs/0123456789abcdef0123456789abcdef"
)
RETRY_AFTER = Header("Retry-After", "After how many seconds to ask.", "2")
POLLING = (LOCATION, RETRY_AFTER)

REPLAYED = Header(
    "Idempotency-Replayed", "The run was started by an earlier request with this key.", "true", required=False
)
CONTENT_LOCATION = Header("Content-Location", "Where this result is, too.", LOCATION.example)

STARTED = (
    Answer(
        200,
        "With `wait`: the run has ended in time, and this is its result.",
        RunResult,
        headers=(LOCATION, CONTENT_LOCATION, REPLAYED),
    ),
    Answer(
        202,
        "The run was started. Ask for it where `Location` says.",
        RunAccepted,
        headers=(*POLLING, REPLAYED),
    ),
)
