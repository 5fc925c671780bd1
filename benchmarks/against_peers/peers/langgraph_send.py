"""LangGraph: a map over the sections by `Send`, with `ChatOpenAI`."""

from __future__ import annotations

import operator
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Annotated, Any, TypedDict

from job import MODEL, Run, Section, Setup, Texts
from langchain_openai import ChatOpenAI
from langgraph.errors import NodeError
from langgraph.graph import END, START, StateGraph
from langgraph.types import Send
from peers.clients import call_limits


class JobState(TypedDict):
    """The graph's state: what to do, and the texts so far by the sections' names."""

    sections: tuple[Section, ...]
    texts: Annotated[dict[str, str], operator.or_]


class SectionState(TypedDict):
    """What one `Send` carries."""

    section: Section


@asynccontextmanager
async def opened(setup: Setup) -> AsyncIterator[Run]:
    """The compiled graph serves all runs; `keep` handles a section's error by leaving the section out."""
    model = ChatOpenAI(model=MODEL, **call_limits(setup.options))

    async def write(state: SectionState) -> dict[str, Any]:
        section = state["section"]
        reply = await model.ainvoke([("system", section.system), ("user", section.user)])
        return {"texts": {section.name: reply.text}}

    builder = StateGraph(JobState)
    if setup.options.get("keep"):
        builder.add_node("write", write, error_handler=leave_out)
    else:
        builder.add_node("write", write)
    builder.add_conditional_edges(START, sends, ["write"])
    builder.add_edge("write", END)
    graph = builder.compile()

    async def run() -> Texts:
        state = await graph.ainvoke({"sections": setup.sections, "texts": {}})
        return [state["texts"].get(section.name) for section in setup.sections]

    yield run


def sends(state: JobState) -> list[Send]:
    """A `Send` for each section."""
    return [Send("write", {"section": section}) for section in state["sections"]]


def leave_out(_state: SectionState, error: NodeError) -> dict[str, Any]:  # noqa: ARG001 the graph injects it by its type
    """The handler of a section that failed: no text."""
    return {"texts": {}}
