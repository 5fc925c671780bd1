"""The rows of the table: which library, with which settings."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

SHORT_CALL = {"timeout_s": 5.0, "retries": 4}
"""What an engineer sets who knows that calls hang: five tries of five seconds."""
SHORT_CALL_TEXT = "5 s a call, 4 retries by the openai client"
DEFAULT_CALL_TEXT = "600 s a call, 2 retries by the openai client (its defaults)"

HEDGED_POLICY = {"attempts": 5, "hedge": "p95"}
"""What an engineer sets in Chorus who knows that calls hang: as many tries, and a second call beside a slow one."""

PACKAGES = {
    "plain_openai": ("openai",),
    "pydantic_ai_gather": ("pydantic-ai-slim",),
    "langgraph_send": ("langgraph", "langchain-openai"),
    "agent_framework_concurrent": ("agent-framework-core", "agent-framework-orchestrations", "agent-framework-openai"),
    "dbos_workflow": ("dbos",),
    "chorus_http": (),
}
"""The packages of each program, whose versions are printed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One library with one set of settings. `module` is the program under `peers/`."""

    key: str
    title: str
    module: str
    options: Mapping[str, Any] = field(default_factory=dict[str, Any])
    settings: str
    needs_host: bool = False
    ships_so: bool = True
    """Whether these are the library's defaults, for which the time without faults is measured too."""


ROWS = (
    Row(
        key="openai",
        title="openai + gather",
        module="plain_openai",
        settings=f"{DEFAULT_CALL_TEXT}; `asyncio.gather`",
    ),
    Row(
        key="openai-keep",
        title="openai + gather, keeping",
        module="plain_openai",
        options={"keep": True},
        settings=f"{DEFAULT_CALL_TEXT}; `asyncio.gather(return_exceptions=True)`",
        ships_so=False,
    ),
    Row(
        key="openai-tuned",
        title="openai + gather, tuned",
        module="plain_openai",
        options={**SHORT_CALL, "keep": True},
        settings=f"{SHORT_CALL_TEXT}; `asyncio.gather(return_exceptions=True)`",
        ships_so=False,
    ),
    Row(
        key="pydantic-ai",
        title="Pydantic AI + gather",
        module="pydantic_ai_gather",
        settings=f"{DEFAULT_CALL_TEXT}; `asyncio.gather`",
    ),
    Row(
        key="pydantic-ai-tuned",
        title="Pydantic AI + gather, tuned",
        module="pydantic_ai_gather",
        options={**SHORT_CALL, "keep": True},
        settings=f"{SHORT_CALL_TEXT} (`ModelSettings`); `asyncio.gather(return_exceptions=True)`",
        ships_so=False,
    ),
    Row(
        key="langgraph",
        title="LangGraph, Send",
        module="langgraph_send",
        settings="no time limit a call, 2 retries by the openai client (`ChatOpenAI`'s defaults); no `retry_policy`",
    ),
    Row(
        key="langgraph-tuned",
        title="LangGraph, Send, tuned",
        module="langgraph_send",
        options={**SHORT_CALL, "keep": True},
        settings=f"{SHORT_CALL_TEXT} (`ChatOpenAI`); an `error_handler` that leaves a failed section out",
        ships_so=False,
    ),
    Row(
        key="agent-framework",
        title="Microsoft Agent Framework, concurrent",
        module="agent_framework_concurrent",
        settings=f"{DEFAULT_CALL_TEXT}; `ConcurrentBuilder`",
    ),
    Row(
        key="agent-framework-tuned",
        title="Microsoft Agent Framework, concurrent, tuned",
        module="agent_framework_concurrent",
        options=SHORT_CALL,
        settings=f"{SHORT_CALL_TEXT} (`async_client=`); `ConcurrentBuilder` has no option to keep partial results",
        ships_so=False,
    ),
    Row(
        key="dbos",
        title="DBOS on SQLite",
        module="dbos_workflow",
        settings=f"{DEFAULT_CALL_TEXT}; steps not retried (its default); `gather(return_exceptions=True)`, as its "
        "documentation asks for",
    ),
    Row(
        key="dbos-tuned",
        title="DBOS on SQLite, tuned",
        module="dbos_workflow",
        options=SHORT_CALL,
        settings=f"{SHORT_CALL_TEXT}; steps not retried; `gather(return_exceptions=True)`",
        ships_so=False,
    ),
    Row(
        key="chorus",
        title="Chorus",
        module="chorus_http",
        options={"policy": {}},
        settings="its default policy (3 attempts), `deadline_s` = the limit",
        needs_host=True,
    ),
    Row(
        key="chorus-hedged",
        title="Chorus, hedged",
        module="chorus_http",
        options={"policy": HEDGED_POLICY},
        settings=f"policy `{json.dumps(HEDGED_POLICY)}`, `deadline_s` = the limit",
        needs_host=True,
        ships_so=False,
    ),
)
