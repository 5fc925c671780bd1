"""Replies: the bodies of both APIs, in the shapes that the `openai` client parses."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Any

from local_host.offline.asks import Ask

MODEL_NAME = "offline-extractive"
CHARACTERS_A_TOKEN = 4
MODEL = {"id": MODEL_NAME, "object": "model", "created": 1_735_689_600, "owned_by": "chorus"}

type Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Reply:
    """What the model says, before it is put into one API's shape."""

    text: str
    input_tokens: int
    output_tokens: int
    truncated: bool = False
    refused: bool = False


def count_tokens(text: str) -> int:
    """About four characters a token: an estimate, the same for the same text."""
    return -(-len(text) // CHARACTERS_A_TOKEN)


def fit(text: str, input_tokens: int, max_tokens: int | None) -> Reply:
    """The reply, cut where the ask's token limit ends it."""
    tokens = count_tokens(text)
    if max_tokens is not None and tokens > max_tokens:
        return Reply(text[: max_tokens * CHARACTERS_A_TOKEN], input_tokens, max_tokens, truncated=True)
    return Reply(text, input_tokens, tokens)


def responses_body(ask: Ask, reply: Reply, number: int) -> Json:
    """The `response` object of the Responses API."""
    status = "incomplete" if reply.truncated else "completed"
    part: Json = (
        {"type": "refusal", "refusal": reply.text}
        if reply.refused
        else {"type": "output_text", "text": reply.text, "annotations": [], "logprobs": []}
    )
    body = ask.body
    return {
        "id": f"resp_offline{number:08d}",
        "object": "response",
        "created_at": int(time.time()),
        "status": status,
        "background": False,
        "error": None,
        "incomplete_details": {"reason": "max_output_tokens"} if reply.truncated else None,
        "instructions": body.get("instructions"),
        "max_output_tokens": body.get("max_output_tokens"),
        "model": MODEL_NAME,
        "output": [
            {
                "id": f"msg_offline{number:08d}",
                "type": "message",
                "role": "assistant",
                "status": status,
                "content": [part],
            }
        ],
        "parallel_tool_calls": True,
        "previous_response_id": None,
        "reasoning": {"effort": None, "summary": None},
        "store": False,
        "temperature": body.get("temperature", 1.0),
        "text": body.get("text") or {"format": {"type": "text"}},
        "tool_choice": "auto",
        "tools": [],
        "top_p": body.get("top_p", 1.0),
        "truncation": "disabled",
        "usage": {
            "input_tokens": reply.input_tokens,
            "input_tokens_details": {"cached_tokens": 0, "cache_write_tokens": 0},
            "output_tokens": reply.output_tokens,
            "output_tokens_details": {"reasoning_tokens": 0},
            "total_tokens": reply.input_tokens + reply.output_tokens,
        },
        "user": None,
        "metadata": body.get("metadata") or {},
    }


def chat_body(_ask: Ask, reply: Reply, number: int) -> Json:
    """The `chat.completion` object of the Chat Completions API."""
    message: Json = {"role": "assistant", "content": reply.text, "refusal": None, "annotations": []}
    if reply.refused:
        message |= {"content": None, "refusal": reply.text}
    return {
        "id": f"chatcmpl-offline{number:08d}",
        "object": "chat.completion",
        "created": int(time.time()),
        "model": MODEL_NAME,
        "choices": [
            {
                "index": 0,
                "message": message,
                "logprobs": None,
                "finish_reason": "length" if reply.truncated else "stop",
            }
        ],
        "usage": {
            "prompt_tokens": reply.input_tokens,
            "completion_tokens": reply.output_tokens,
            "total_tokens": reply.input_tokens + reply.output_tokens,
            "prompt_tokens_details": {"cached_tokens": 0, "audio_tokens": 0},
            "completion_tokens_details": {"reasoning_tokens": 0, "audio_tokens": 0},
        },
        "service_tier": "default",
        "system_fingerprint": "fp_offline",
    }
