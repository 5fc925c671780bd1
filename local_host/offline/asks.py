"""An ask: what one request wants, read from a body of either API and checked as OpenAI checks it."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

from local_host.offline.errors import ApiError, invalid_value, missing, wrong_type
from local_host.offline.strictness import check_strict
from local_host.offline.words import word_set

type Json = dict[str, Any]

# The parameters of OpenAI's two APIs: a body that names any other is refused, as OpenAI refuses it.
RESPONSES_PARAMETERS = word_set(
    "access_programs background background_options context_management conversation image include input instructions "
    "max_output_tokens max_tool_calls metadata model moderation parallel_tool_calls "
    "previous_response_id prompt prompt_cache_key prompt_cache_options prompt_cache_retention "
    "reasoning safety_identifier service_tier store stream stream_options temperature text "
    "tool_choice tools top_logprobs top_p truncation user"
)
CHAT_PARAMETERS = word_set(
    "audio frequency_penalty function_call functions logit_bias logprobs max_completion_tokens "
    "max_tokens messages metadata modalities model moderation n parallel_tool_calls prediction "
    "presence_penalty prompt_cache_key prompt_cache_options prompt_cache_retention reasoning_effort "
    "response_format safety_identifier seed service_tier stop store stream stream_options temperature "
    "tool_choice tools top_logprobs top_p user verbosity web_search_options"
)
INSTRUCTING_ROLES = ("system", "developer")
ROLES = (*INSTRUCTING_ROLES, "user", "assistant", "tool", "function")
TEXT_PARTS = ("text", "input_text", "output_text")


@dataclass(frozen=True, slots=True)
class OutputFormat:
    """The shape asked for: free text, any JSON object, or JSON valid for `schema`."""

    kind: Literal["text", "json_object", "json_schema"] = "text"
    name: str = ""
    schema: Json | bool | None = None


@dataclass(frozen=True, slots=True)
class Ask:
    """One request, the same whichever API carried it.

    `input` is what users said; `spoken` also holds earlier assistant turns, which cost tokens but are no material.
    """

    instructions: str
    input: str
    spoken: str
    output_format: OutputFormat
    max_tokens: int | None
    body: Json

    @property
    def prompt(self) -> str:
        """Everything the model reads, as one string."""
        return f"{self.instructions}\n{self.spoken}"


def read_responses(body: Json) -> Ask:
    """Reads a body of `POST /v1/responses`."""
    _check_parameters(body, RESPONSES_PARAMETERS)
    instructions = _optional(body, "instructions", str, "a string") or ""
    if body.get("input") is None:
        raise missing("input")
    turns = _turns_of_input(body["input"])
    text = _optional(body, "text", dict, "an object") or {}
    return Ask(
        instructions=_join([instructions, *_said(turns, INSTRUCTING_ROLES)]),
        input=_join(_said(turns, ("user",))),
        spoken=_join([said for role, said in turns if role not in INSTRUCTING_ROLES]),
        output_format=_read_format(text.get("format"), "text.format", nested=False, spoken=_all(turns)),
        max_tokens=_positive_integer(body, "max_output_tokens"),
        body=body,
    )


def read_chat(body: Json) -> Ask:
    """Reads a body of `POST /v1/chat/completions`."""
    _check_parameters(body, CHAT_PARAMETERS)
    messages = body.get("messages")
    if messages is None:
        raise missing("messages")
    if not isinstance(messages, list):
        raise wrong_type("messages", "an array of objects", messages)
    if not messages:
        raise ApiError(
            400,
            "Invalid 'messages': empty array. Expected an array with minimum length 1, but got an empty array instead.",
            param="messages",
            code="empty_array",
        )
    if body.get("n") not in (None, 1):
        raise invalid_value("n", "this model gives one choice. Leave 'n' out or set it to 1.")
    turns = [_turn(message, f"messages[{index}]") for index, message in enumerate(messages)]
    limit = _positive_integer(body, "max_completion_tokens") or _positive_integer(body, "max_tokens")
    return Ask(
        instructions=_join(_said(turns, INSTRUCTING_ROLES)),
        input=_join(_said(turns, ("user",))),
        spoken=_join([said for role, said in turns if role not in INSTRUCTING_ROLES]),
        output_format=_read_format(body.get("response_format"), "response_format", nested=True, spoken=_all(turns)),
        max_tokens=limit,
        body=body,
    )


def parse_body(raw: bytes) -> Json:
    """The request's JSON object, or the 400 that OpenAI gives."""
    try:
        body = json.loads(raw)
    except (ValueError, RecursionError) as exc:
        raise ApiError(
            400, f"We could not parse the JSON body of your request: {exc}. Send one JSON object in UTF-8."
        ) from exc
    if not isinstance(body, dict):
        raise ApiError(400, "The body of your request must be a JSON object.", code="invalid_type")
    return body


def _check_parameters(body: Json, known: frozenset[str]) -> None:
    for name in body:
        if name not in known:
            raise ApiError(400, f"Unknown parameter: '{name}'.", param=name, code="unknown_parameter")
    model = body.get("model")
    if model is None:
        raise missing("model")
    if not isinstance(model, str):
        raise wrong_type("model", "a string", model)
    if not model:
        raise ApiError(400, "you must provide a model parameter", param="model")
    stream = _optional(body, "stream", bool, "a boolean")
    if stream:
        raise ApiError(
            400,
            "The offline model does not stream. Send 'stream': false or leave it out.",
            param="stream",
            code="unsupported_value",
        )
    _number(body, "temperature", 0, 2)
    _number(body, "top_p", 0, 1)


def _optional[T](body: Json, name: str, kind: type[T], expected: str) -> T | None:
    value = body.get(name)
    if value is not None and not isinstance(value, kind):
        raise wrong_type(name, expected, value)
    return value


def _number(body: Json, name: str, low: float, high: float) -> None:
    value = body.get(name)
    if value is None:
        return
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise wrong_type(name, "a decimal", value)
    if not low <= value <= high:
        raise ApiError(
            400,
            f"Invalid '{name}': decimal out of range. "
            f"Expected a value between {low} and {high}, but got {value} instead.",
            param=name,
            code="decimal_out_of_range",
        )


def _positive_integer(body: Json, name: str) -> int | None:
    value = body.get(name)
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int):
        raise wrong_type(name, "an integer", value)
    if value < 1:
        raise ApiError(
            400,
            f"Invalid '{name}': integer below minimum value. Expected a value >= 1, but got {value} instead.",
            param=name,
            code="integer_below_min_value",
        )
    return value


def _turns_of_input(value: object) -> list[tuple[str, str]]:
    if isinstance(value, str):
        return [("user", value)]
    if not isinstance(value, list):
        raise wrong_type("input", "a string or an array of input items", value)
    return [_turn(item, f"input[{index}]") for index, item in enumerate(value)]


def _turn(item: object, path: str) -> tuple[str, str]:
    if not isinstance(item, dict):
        raise wrong_type(path, "an object", item)
    role = item.get("role")
    if role is None:
        raise missing(f"{path}.role")
    if role not in ROLES:
        supported = ", ".join(repr(name) for name in ROLES)
        raise invalid_value(f"{path}.role", f"{role!r}. Supported values are: {supported}.")
    if item.get("content") is None:
        if role == "assistant":
            return role, ""
        raise missing(f"{path}.content")
    return role, _content(item["content"], f"{path}.content")


def _content(content: object, path: str) -> str:
    if isinstance(content, str):
        return content
    if not isinstance(content, list):
        raise wrong_type(path, "a string or an array of content parts", content)
    return "\n".join(_part(part, f"{path}[{index}]") for index, part in enumerate(content))


def _part(part: object, path: str) -> str:
    if not isinstance(part, dict):
        raise wrong_type(path, "an object", part)
    if part.get("type") not in TEXT_PARTS:
        raise invalid_value(f"{path}.type", f"{part.get('type')!r}. The offline model reads text parts only.")
    if not isinstance(part.get("text"), str):
        raise (
            missing(f"{path}.text")
            if part.get("text") is None
            else wrong_type(f"{path}.text", "a string", part["text"])
        )
    return part["text"]


def _read_format(value: object, path: str, *, nested: bool, spoken: str) -> OutputFormat:
    if value is None:
        return OutputFormat()
    if not isinstance(value, dict):
        raise wrong_type(path, "an object", value)
    readers: dict[object, Callable[[], OutputFormat]] = {
        "text": OutputFormat,
        "json_object": lambda: _json_object(path, spoken),
        "json_schema": lambda: _json_schema(value, path, nested=nested),
    }
    kind = value.get("type")
    if kind is None:
        raise missing(f"{path}.type")
    if kind not in readers:
        raise invalid_value(f"{path}.type", f"{kind!r}. Supported values are: 'text', 'json_object', 'json_schema'.")
    return readers[kind]()


def _json_object(path: str, spoken: str) -> OutputFormat:
    if "json" not in spoken.lower():
        raise ApiError(
            400, f"The messages must contain the word 'json' to use '{path}' of type 'json_object'.", param=path
        )
    return OutputFormat(kind="json_object")


def _json_schema(value: Json, path: str, *, nested: bool) -> OutputFormat:
    holder, holder_path = value, path
    if nested:
        holder_path = f"{path}.json_schema"
        holder = value.get("json_schema")
        if holder is None:
            raise missing(holder_path)
        if not isinstance(holder, dict):
            raise wrong_type(holder_path, "an object", holder)
    name, schema = holder.get("name"), holder.get("schema")
    if name is None:
        raise missing(f"{holder_path}.name")
    if not isinstance(name, str):
        raise wrong_type(f"{holder_path}.name", "a string", name)
    if schema is None:
        raise missing(f"{holder_path}.schema")
    if not isinstance(schema, dict | bool):
        raise wrong_type(f"{holder_path}.schema", "an object", schema)
    if holder.get("strict"):
        check_strict(schema, name)
    return OutputFormat(kind="json_schema", name=name, schema=schema)


def _said(turns: list[tuple[str, str]], roles: tuple[str, ...]) -> list[str]:
    return [said for role, said in turns if role in roles]


def _all(turns: list[tuple[str, str]]) -> str:
    return _join([said for _, said in turns])


def _join(texts: list[str]) -> str:
    return "\n\n".join(text for text in texts if text)
