"""The `openai` client as a row's options want it; it finds the server by `OPENAI_BASE_URL`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from openai import AsyncOpenAI


def openai_client(options: Mapping[str, Any]) -> AsyncOpenAI:
    """The client with its own defaults, but for what `options` state."""
    return AsyncOpenAI(**call_limits(options))


def call_limits(options: Mapping[str, Any]) -> dict[str, Any]:
    """`timeout` and the number of retries as keywords; empty when the row leaves the defaults."""
    if "timeout_s" not in options:
        return {}
    return {"timeout": options["timeout_s"], "max_retries": options["retries"]}
