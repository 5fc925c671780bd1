"""One call of a reduction: what it reads, the agent's answer, and where that goes."""

from __future__ import annotations

from shared.agent import error_of, run_agent
from shared.aggregation.material import rendered
from shared.blobs import Blobs
from shared.contracts.base import restored
from shared.contracts.branch import AgentCall, AgentReply
from shared.contracts.stored_reduction import ReadPlace, StoredAnswer
from shared.contracts.work import RunFolder, UnitCall, UnitReply, Work, level_of
from shared.errors import AgentError
from shared.model_client import Model
from shared.stored_reduction.files import answer_blob, keep
from shared.stored_reduction.missing import told_missing
from shared.stored_reduction.parts import parts_at, told
from shared.stored_reduction.reader import Reader, Readers
from shared.stored_reduction.steps import answered_so_far


async def read_parts(blobs: Blobs, model: Model, readers: Readers, call: UnitCall) -> UnitReply:
    """Make the call and write its answer, unless there is one already. Failures are data."""
    [work] = call.unit.works
    try:
        reader = await readers.of(blobs, call.folder)
        prompt = await prompt_of(blobs, call.folder, reader, restored(ReadPlace, work.place))
    except AgentError as exc:
        return UnitReply(error=error_of(exc), retry_after_s=exc.retry_after_s)
    reply = await run_agent(model, agent_call(call, work, reader, prompt))
    if reply.error is not None:
        return UnitReply(error=reply.error, retry_after_s=reply.retry_after_s, usage=reply.usage)
    return await _written(blobs, call, work, reply)


async def _written(blobs: Blobs, call: UnitCall, work: Work, reply: AgentReply) -> UnitReply:
    answer = StoredAnswer(output=reply.output, model=reply.model, truncated=reply.truncated)
    try:
        await keep(blobs, call.folder, answer_blob(level_of(call.stage), work.name), answer, only_new=True)
    except AgentError as exc:
        return UnitReply(error=error_of(exc), retry_after_s=exc.retry_after_s, usage=reply.usage)
    return UnitReply(usage=reply.usage)


def agent_call(call: UnitCall, work: Work, reader: Reader, prompt: str) -> AgentCall:
    """What the agent is asked."""
    return AgentCall(
        run_id=call.folder.run_id,
        branch=work.name,
        attempt=call.attempt,
        instance=call.instance,
        agent=reader.agent,
        prompt=prompt,
        deadline=call.deadline,
        max_tokens=call.max_tokens,
    )


async def prompt_of(blobs: Blobs, folder: RunFolder, reader: Reader, place: ReadPlace) -> str:
    """What the agent reads."""
    before: list[str] = []
    if place.so_far is not None:
        before = [rendered(await answered_so_far(blobs, folder, place.so_far), place.so_far_limit)]
    blocks = [rendered(told(part), place.limit) async for part in parts_at(blobs, folder, place)]
    missing = await told_missing(blobs, folder, reader.budget, place.missing)
    return reader.budget.prompt([*before, *blocks], missing, place.scope)
