"""DBOS on SQLite: a durable workflow with a step a section, started together."""

from __future__ import annotations

import asyncio
import sqlite3
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any
from uuid import uuid4

import pysqlite3
from dbos import DBOS, SetWorkflowID
from job import MODEL, Run, Setup, Texts
from peers.clients import openai_client

NEEDED_SQLITE = (3, 42)


@asynccontextmanager
async def opened(setup: Setup) -> AsyncIterator[Run]:
    """One database for all runs, on the disk, as DBOS makes it by default."""
    with tempfile.TemporaryDirectory() as folder:
        url = f"sqlite:///{Path(folder, 'dbos.sqlite')}"
        DBOS(config={"name": "against-peers", "system_database_url": url, "db_engine_kwargs": engine_settings()})
        async with openai_client(setup.options) as client:

            @DBOS.step()
            async def write(system: str, user: str) -> str:
                response = await client.responses.create(model=MODEL, instructions=system, input=user)
                return response.output_text

            @DBOS.workflow()
            async def sectioning(prompts: list[tuple[str, str]]) -> Texts:
                steps = [asyncio.create_task(write(system, user)) for system, user in prompts]
                texts = await asyncio.gather(*steps, return_exceptions=True)
                return [text if isinstance(text, str) else None for text in texts]

            async def run() -> Texts:
                workflow_id = str(uuid4())
                try:
                    with SetWorkflowID(workflow_id):
                        return await sectioning([(section.system, section.user) for section in setup.sections])
                except asyncio.CancelledError:
                    await DBOS.cancel_workflow_async(workflow_id)
                    raise

            DBOS.launch()
            try:
                yield run
            finally:
                DBOS.destroy()


def engine_settings() -> dict[str, Any]:
    """DBOS needs SQLite 3.42 (`unixepoch('subsec')`), and a Python may come with an older one."""
    return {"module": pysqlite3} if sqlite3.sqlite_version_info < NEEDED_SQLITE else {}
