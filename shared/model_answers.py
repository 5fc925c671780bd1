"""The parts of an answer of the model that are read, by API. What else an answer holds is left unread.

A body that does not fit is a `pydantic.ValidationError`: a fault of the service.
"""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from shared.contracts.branch import Usage


class Answered(BaseModel):
    """The base of all parts: unknown fields are somebody else's."""

    model_config = ConfigDict(frozen=True, defer_build=True)


class Problem(Answered):
    """Why an answer failed."""

    message: str | None = None


class Incompleteness(Answered):
    """Why an answer is not complete."""

    reason: str | None = None


class ResponseUsage(Answered):
    """Tokens as the Responses API counts them."""

    input_tokens: int
    output_tokens: int
    total_tokens: int

    def counted(self) -> Usage:
        """The usage of one call."""
        return Usage(
            model_calls=1,
            input_tokens=self.input_tokens,
            output_tokens=self.output_tokens,
            total_tokens=self.total_tokens,
        )


class Part(Answered):
    """A piece of a message: `output_text` or `refusal`."""

    type: str
    text: str = ""
    refusal: str = ""


class Item(Answered):
    """An entry of the output; only messages are read."""

    type: str
    content: Any = None


class Message(Answered):
    """An entry of the type `message`."""

    content: list[Part]


class ResponseAnswer(Answered):
    """An answer of the Responses API."""

    model: str
    output: list[Item]
    status: str | None = None
    error: Problem | None = None
    incomplete_details: Incompleteness | None = None
    usage: ResponseUsage | None = None

    def parts(self) -> list[Part]:
        """The pieces of all messages, in their order."""
        messages = [Message(content=item.content) for item in self.output if item.type == "message"]
        return [part for message in messages for part in message.content]


class ChatUsage(Answered):
    """Tokens as the Chat Completions API counts them."""

    prompt_tokens: int
    completion_tokens: int
    total_tokens: int

    def counted(self) -> Usage:
        """The usage of one call."""
        return Usage(
            model_calls=1,
            input_tokens=self.prompt_tokens,
            output_tokens=self.completion_tokens,
            total_tokens=self.total_tokens,
        )


class ChatMessage(Answered):
    """What the model said."""

    content: str | None = None
    refusal: str | None = None


class Choice(Answered):
    """One of the answers to a chat."""

    message: ChatMessage
    finish_reason: str | None = None


class ChatAnswer(Answered):
    """An answer of the Chat Completions API."""

    model: str
    choices: list[Choice] = Field(default_factory=list[Choice])
    usage: ChatUsage | None = None
