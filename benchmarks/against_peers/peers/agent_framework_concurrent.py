"""Microsoft Agent Framework: its concurrent orchestration, an agent a section."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from agent_framework import Agent
from agent_framework.openai import OpenAIChatClient
from agent_framework.orchestrations import ConcurrentBuilder
from job import MODEL, Run, Setup, Texts
from peers.clients import openai_client


@asynccontextmanager
async def opened(setup: Setup) -> AsyncIterator[Run]:
    """The agents live as long as the program. A workflow takes one run at a time, so each run builds its own."""
    client = OpenAIChatClient(model=MODEL)
    if setup.options:
        client = OpenAIChatClient(model=MODEL, async_client=openai_client(setup.options))
    agents = [Agent(client, name=section.name, instructions=section.system) for section in setup.sections]
    (material,) = {section.user for section in setup.sections}  # the orchestration gives all agents the same input

    async def run() -> Texts:
        outcome = await ConcurrentBuilder(participants=agents).build().run(material)
        texts = {message.author_name: message.text for answer in outcome.get_outputs() for message in answer.messages}
        return [texts.get(section.name) for section in setup.sections]

    yield run
