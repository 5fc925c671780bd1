"""One call of a map in storage: reads the texts of a unit, asks the agent, and writes each answer where it belongs."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import NamedTuple

from pydantic import JsonValue

from shared.agent import error_of, run_agent
from shared.batch_call import ask_about_all
from shared.batching import batch_prompt
from shared.blobs import Blobs
from shared.concurrency import at_once
from shared.contracts.agent import AgentSpec
from shared.contracts.branch import AgentCall, AgentReply, Usage
from shared.contracts.results import DocumentResult
from shared.contracts.work import RunFolder, UnitCall, UnitReply, Work
from shared.document_results import Answered, Material, document_of, line_of, success
from shared.errors import AgentError, CallTimedOut, DocumentGone, DocumentUnreadable
from shared.model_client import Model
from shared.prompts import numbered, work_prompt
from shared.sources.texts import text_at
from shared.stored_names import document_blob
from shared.stored_requests import StoredRequest, StoredRequests

TEXTS_AT_ONCE = 16


class Unreadable(NamedTuple):
    """A work whose text cannot be had, now or ever."""

    work: Work
    error: AgentError


async def read_unit(blobs: Blobs, model: Model, requests: StoredRequests, call: UnitCall) -> UnitReply:
    """Answer the works of a unit within the call's deadline; failures are data.

    A document of a batch that cannot be read, or that the batch's answer does not answer, is `unanswered`: it costs
    the others nothing, and fails, if it must, in a call of its own.
    """
    try:
        async with _until(call.deadline):
            request = await requests.of(blobs, call.folder)
            works = await _unwritten(blobs, call)
            texts = await at_once(lambda work: _text_of(blobs, call.folder, work), works, TEXTS_AT_ONCE)
        unreadable = [text for text in texts if isinstance(text, Unreadable)]
        for text in unreadable:
            if text.error.retriable or len(call.unit.works) == 1:
                raise text.error
    except AgentError as exc:
        return _failed(exc)
    materials = [text for text in texts if isinstance(text, Material)]
    reply = await _answered(blobs, model, request, call, materials) if materials else UnitReply()
    return reply.model_copy(update={"unanswered": [*(text.work.name for text in unreadable), *reply.unanswered]})


def _failed(error: AgentError) -> UnitReply:
    return UnitReply(error=error_of(error), retry_after_s=error.retry_after_s, usage=error.usage or Usage())


@asynccontextmanager
async def _until(deadline: datetime) -> AsyncGenerator[None]:
    left_s = (deadline - datetime.now(UTC)).total_seconds()
    try:
        async with asyncio.timeout(max(0.0, left_s)):
            yield
    except TimeoutError as exc:
        raise CallTimedOut("the documents could not be read in the time that was left for the call") from exc


async def _unwritten(blobs: Blobs, call: UnitCall) -> list[Work]:
    """The works without a result: an earlier call may have written some and been lost before it could tell."""
    if call.attempt == 1:
        return call.unit.works
    written = await at_once(lambda work: _is_written(blobs, call.folder, work), call.unit.works, TEXTS_AT_ONCE)
    return [work for work, done in zip(call.unit.works, written, strict=True) if not done]


async def _is_written(blobs: Blobs, folder: RunFolder, work: Work) -> bool:
    try:
        await blobs.read(folder.container, document_blob(folder, work.name), length=1)
    except DocumentGone:
        return False
    return True


async def _text_of(blobs: Blobs, folder: RunFolder, work: Work) -> Material | Unreadable:
    about = document_of(work)
    try:
        if about.problem is not None:
            raise DocumentUnreadable(about.problem)
        return Material(work, about, await text_at(blobs, folder, about.text))
    except AgentError as exc:
        return Unreadable(work, exc)


async def _answered(
    blobs: Blobs, model: Model, request: StoredRequest, call: UnitCall, materials: Sequence[Material]
) -> UnitReply:
    """What comes of asking the agent about all of them, in one call."""
    if len(materials) == 1:
        prompt = work_prompt(materials[0].text, materials[0].about)
        reply = await run_agent(model, _asked(call, request.agent, prompt))
        outputs: dict[int, JsonValue] = {} if reply.error else {1: reply.output}
    else:
        reply, outputs = await _ask_about_all(model, call, request.agent, materials)
    if reply.error is not None:
        return UnitReply(error=reply.error, retry_after_s=reply.retry_after_s, usage=reply.usage)
    batch = call.unit.name if len(materials) > 1 else None
    answered = Answered(reply, batch, call.attempt, request.container, datetime.now(UTC))
    results = [
        success(materials[number - 1], output, usage, answered)
        for (number, output), usage in zip(outputs.items(), _shares(reply.usage, len(outputs)), strict=True)
    ]
    try:
        await at_once(lambda result: _write(blobs, call.folder, result), results, TEXTS_AT_ONCE)
    except AgentError as exc:
        return _failed(exc).model_copy(update={"usage": reply.usage})
    names = [material.work.name for number, material in enumerate(materials, start=1) if number not in outputs]
    return UnitReply(usage=reply.usage, unanswered=names)


def _shares(usage: Usage, count: int) -> list[Usage]:
    return usage.shares(count) if count else []


async def _ask_about_all(
    model: Model, call: UnitCall, agent: AgentSpec, materials: Sequence[Material]
) -> tuple[AgentReply, dict[int, JsonValue]]:
    prompts = [numbered(work_prompt(text, about), number) for number, (_, about, text) in enumerate(materials, start=1)]
    return await ask_about_all(model, _asked(call, agent, batch_prompt(prompts)), len(prompts))


def _asked(call: UnitCall, agent: AgentSpec, prompt: str) -> AgentCall:
    return AgentCall(
        run_id=call.folder.run_id,
        branch=call.unit.name,
        attempt=call.attempt,
        instance=call.instance,
        agent=agent,
        prompt=prompt,
        deadline=call.deadline,
        max_tokens=call.max_tokens,
    )


async def _write(blobs: Blobs, folder: RunFolder, result: DocumentResult) -> None:
    """The first result stands: that of a call made twice, or hedged, is not replaced."""
    await blobs.write(folder.container, document_blob(folder, result.name), line_of(result), only_new=True)
