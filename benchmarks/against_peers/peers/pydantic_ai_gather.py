"""Pydantic AI: an agent a section, and `asyncio.gather`."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from job import MODEL, Run, Setup, Texts
from peers.clients import call_limits
from pydantic_ai import Agent, ModelSettings


@asynccontextmanager
async def opened(setup: Setup) -> AsyncIterator[Run]:
    """The agents live as long as the program; `keep` gathers the exceptions instead of raising the first."""
    settings = ModelSettings(**call_limits(setup.options))
    keep = setup.options.get("keep", False)
    agents = [
        Agent(f"openai:{MODEL}", name=section.name, instructions=section.system, model_settings=settings)
        for section in setup.sections
    ]

    async def run() -> Texts:
        calls = [agent.run(section.user) for agent, section in zip(agents, setup.sections, strict=True)]
        results = await asyncio.gather(*calls, return_exceptions=keep)
        return [None if isinstance(result, BaseException) else result.output for result in results]

    yield run
