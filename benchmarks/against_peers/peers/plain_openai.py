"""Plain `openai` and `asyncio.gather`."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from job import MODEL, Run, Section, Setup, Texts
from openai import AsyncOpenAI
from peers.clients import openai_client


@asynccontextmanager
async def opened(setup: Setup) -> AsyncIterator[Run]:
    """One client for all runs; `keep` gathers the exceptions instead of raising the first."""
    keep = setup.options.get("keep", False)
    async with openai_client(setup.options) as client:

        async def run() -> Texts:
            calls = [text_of(client, section) for section in setup.sections]
            texts = await asyncio.gather(*calls, return_exceptions=keep)
            return [text if isinstance(text, str) else None for text in texts]

        yield run


async def text_of(client: AsyncOpenAI, section: Section) -> str:
    """One call."""
    response = await client.responses.create(model=MODEL, instructions=section.system, input=section.user)
    return response.output_text
