"""The agent of a reduction and its budget, kept in the run's folder so that each call finds them."""

from __future__ import annotations

from collections import OrderedDict

from shared.aggregation.material import Budget
from shared.blobs import Blobs
from shared.contracts.agent import AgentSpec
from shared.contracts.base import Contract
from shared.contracts.reduction import RefineReduction, TreeReduction
from shared.contracts.work import RunFolder
from shared.errors import DocumentGone
from shared.stored_reduction.files import READER, keep, kept

MAX_KEPT = 8
"""Readers that a process keeps: a run's calls come one after the other."""


class Reader(Contract):
    """An agent that reads outputs, about `max_input_tokens` a call."""

    agent: AgentSpec
    max_input_tokens: int

    @property
    def budget(self) -> Budget:
        """Of its calls."""
        return Budget(self.agent, self.max_input_tokens)


class Readers:
    """Readers by their folders, the most recent ones."""

    def __init__(self) -> None:
        self._kept: OrderedDict[tuple[str, str], Reader] = OrderedDict()

    async def of(self, blobs: Blobs, folder: RunFolder) -> Reader:
        """The reader of the run that works in `folder`."""
        key = folder.container, folder.name
        if key not in self._kept:
            reader = await kept(blobs, folder, READER, Reader)
            if reader is None:
                raise DocumentGone(f"{folder.container}/{folder.name}{READER} is not there any more")
            self._kept[key] = reader
        self._kept.move_to_end(key)
        while len(self._kept) > MAX_KEPT:
            self._kept.popitem(last=False)
        return self._kept[key]


async def keep_reader(blobs: Blobs, folder: RunFolder, way: TreeReduction | RefineReduction) -> None:
    """Write the agent of a reduction and its budget."""
    await keep(blobs, folder, READER, Reader(agent=way.agent, max_input_tokens=way.max_input_tokens))
