"""One call of an agent for several documents: asked as a batch, and told apart again."""

from __future__ import annotations

import asyncio
import logging

from pydantic import JsonValue

from shared.agent import parsed, run_agent
from shared.batching import batch_agent, envelope_violation, matched
from shared.contracts.agent import AgentSpec
from shared.contracts.branch import AgentCall, AgentReply
from shared.model_client import Completion, Model

LOG = logging.getLogger("chorus.batches")


async def run_batch(model: Model, call: AgentCall) -> AgentReply:
    """Answer `call` for the branches of its batch: the output has the answers by their names.

    One whose answer is missing, there twice or not valid is left out: it costs the others nothing.
    """
    reply, answers = await ask_about_all(model, call, len(call.batch))
    if reply.error is not None:
        return reply
    return reply.model_copy(update={"output": {call.batch[number - 1]: answer for number, answer in answers.items()}})


async def ask_about_all(model: Model, call: AgentCall, count: int) -> tuple[AgentReply, dict[int, JsonValue]]:
    """Ask the agent of `call` about the documents 1 to `count` of its prompt; the usable answers by number."""
    reply = await run_agent(model, call.model_copy(update={"agent": batch_agent(call.agent, count)}), _checked)
    if reply.error is not None:
        return reply, {}
    found = await asyncio.to_thread(matched, count, reply.output, call.agent.output_schema)
    if found.unanswered or found.notes:
        told = "The batch %r of the run %r: %d of %d documents have no usable answer, %d answers are of no document"
        LOG.info(told, call.branch, call.run_id, len(found.unanswered), count, len(found.notes))
    for note in [*(f"document {number}: {reason}" for number, reason in found.unanswered.items()), *found.notes]:
        LOG.debug("The batch %r of the run %r: %s", call.branch, call.run_id, note)  # quotes answers
    return reply, found.answers


def _checked(agent: AgentSpec, completion: Completion) -> tuple[JsonValue, str | None]:
    """A batch's answer is repaired only if it is no list of answers: one that does not fit costs its document alone."""
    del agent
    value, violation = parsed(completion)
    return value, violation or envelope_violation(value)
