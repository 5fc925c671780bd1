"""Where an unforeseen error arose, in words that a log may hold."""

from __future__ import annotations

import traceback

from shared.task_hub import status_of

OURS = ("activities", "orchestrators", "shared", "triggers")


def place_of(error: BaseException) -> str:
    """The error's type and the innermost place of ours in its traceback: `ValueError in triggers.views:view_of:120`.

    One of the task hub's has its status, too: `RpcError UNAVAILABLE in …`.

    Neither its message, which may quote a prompt, a key or a URL, nor a path of a file.
    """
    status = status_of(error)
    named = type(error).__name__ if status is None else f"{type(error).__name__} {status}"
    for frame, line in reversed(list(traceback.walk_tb(error.__traceback__))):
        module = str(frame.f_globals.get("__name__", ""))
        if module.partition(".")[0] in OURS:
            return f"{named} in {module}:{frame.f_code.co_name}:{line}"
    return named
