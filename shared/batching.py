"""Batches: several documents in one call of an agent, each answered as if it were alone.

Documents are numbered in the prompt. Their ids stay in it, to be cited, but a number is what a model repeats without a
mistake, costs one token, and is held to by strict mode. The agent's schema is a definition in the batch's, so that it
may be as deep as alone, and its references lead where they did.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple, cast
from urllib.parse import unquote

from pydantic import JsonValue

from shared.contracts.agent import AgentSpec
from shared.json_values import problem_with
from shared.schemas import LISTS_OF_SCHEMAS, MAPS_OF_SCHEMAS, SCHEMAS, first_violation

ANSWERS = "answers"
NUMBER = "number"
ANSWER = "answer"
ENVELOPE_TOKENS = 16
"""About how many a document's answer has beside the answer itself."""
MAX_OUTPUT_TOKENS = 200_000
SHOWN_NOTES = 5
MAX_DIGITS = 9

INSTRUCTIONS = (
    "The user message has {count} documents, each between its own tags with a number. Do what is said above for each "
    "of them alone, as if it were the only one: nothing of a document belongs in the answer about another. Respond "
    "with one answer for each number."
)


class Matched(NamedTuple):
    """A batch's answers by number, and why the other numbers have none; `notes` tell of answers that nobody asked for.

    Both are in the order of the numbers.
    """

    answers: dict[int, JsonValue]
    unanswered: dict[int, str]
    notes: list[str]


def batch_agent(agent: AgentSpec, count: int) -> AgentSpec:
    """The agent that answers `count` documents in one call.

    `max_output_tokens` bounds an answer, so that a batch may have as many times more.
    """
    bound = agent.max_output_tokens
    return agent.model_copy(
        update={
            "instructions": f"{agent.instructions}\n\n{INSTRUCTIONS.format(count=count)}",
            "output_schema": batch_schema(agent.output_schema, count),
            "max_output_tokens": bound and min(MAX_OUTPUT_TOKENS, count * (bound + ENVELOPE_TOKENS)),
        }
    )


def batch_prompt(documents: Sequence[str]) -> str:
    """The documents' prompts, one after the other."""
    return "\n\n".join(documents)


def batch_schema(schema: Mapping[str, JsonValue] | None, count: int) -> dict[str, JsonValue]:
    """The JSON Schema of the answers to documents 1 to `count`, each of which fits `schema`, or is text.

    Strict mode takes it if it takes `schema`, up to its bound on properties.
    """
    if schema is None:
        return _envelope({"type": "string"}, count)
    name, definitions = _as_definitions(schema)
    return {**_envelope({"$ref": f"#/$defs/{name}"}, count), "$defs": definitions}


def _envelope(answer: dict[str, JsonValue], count: int) -> dict[str, JsonValue]:
    return _closed({ANSWERS: {"type": "array", "items": _closed({NUMBER: _numbers(count), ANSWER: answer})}})


def _numbers(count: int) -> dict[str, JsonValue]:
    return {"type": "integer", "enum": list(range(1, count + 1))}


def _closed(properties: dict[str, JsonValue]) -> dict[str, JsonValue]:
    return {
        "type": "object",
        "properties": properties,
        "required": list(properties),
        "additionalProperties": False,
    }


def _as_definitions(schema: Mapping[str, Any]) -> tuple[str, dict[str, JsonValue]]:
    """The definitions of a schema, with itself among them, and the name that it has there.

    Its own definitions keep their names, and so do references to them; all others lead into it.
    """
    own: dict[str, Any] = schema.get("$defs", {})
    name = ANSWER
    while name in own:
        name += "_"

    def moved(reference: str) -> str:
        pointer = reference.removeprefix("#")
        is_anchor = bool(pointer) and not pointer.startswith("/")  # found wherever it stands
        return reference if is_anchor or unquote(pointer).startswith("/$defs/") else f"#/$defs/{name}{pointer}"

    root = {keyword: value for keyword, value in schema.items() if keyword not in {"$defs", "$schema"}}
    definitions = {key: _with_references(inner, moved) for key, inner in own.items()}
    return name, {**definitions, name: _with_references(root, moved)}


def _with_references(schema: Any, moved: Callable[[str], str]) -> Any:
    """A schema and all in it with other references; what stands under `enum` or `const`, say, is no schema."""
    if not isinstance(schema, dict):
        return schema

    def inner(keyword: str, value: Any) -> Any:
        if keyword == "$ref":
            return moved(value)
        if keyword in MAPS_OF_SCHEMAS:
            return {name: _with_references(child, moved) for name, child in value.items()}
        if keyword in LISTS_OF_SCHEMAS:
            return [_with_references(child, moved) for child in value]
        return _with_references(value, moved) if keyword in SCHEMAS else value

    return {keyword: inner(keyword, value) for keyword, value in cast(dict[str, Any], schema).items()}


def envelope_violation(output: JsonValue) -> str | None:
    """Why an output is no list of numbered answers, whatever the answers are; None when it is one.

    What is wrong with a single answer is for `matched` to find, and costs its document only.
    """
    items = output.get(ANSWERS) if isinstance(output, dict) else None
    if not isinstance(items, list):
        return f'$: must be an object with a list of answers: {{"{ANSWERS}": [{{"{NUMBER}": 1, "{ANSWER}": …}}]}}'
    if not any(_number(item) is not None for item in items):
        return f"$.{ANSWERS}: has no item with a {NUMBER!r} and an {ANSWER!r}"
    return None


def matched(count: int, output: JsonValue, schema: Mapping[str, JsonValue] | None) -> Matched:
    """Which of the documents 1 to `count` an output answers, and how; each answer is held to `schema`, or is text.

    A document that is answered twice is not answered: which answer is the one about it cannot be told. An answer that
    nobody asked for is left out and noted.
    """
    items = output.get(ANSWERS) if isinstance(output, dict) else None
    found: dict[int, list[JsonValue]] = {}
    strangers: list[str] = []
    for item in items if isinstance(items, list) else []:
        number = _number(item)
        if number is None or not 1 <= number <= count:
            strangers.append(_shown(item))
        else:
            found.setdefault(number, []).append(cast(dict[str, JsonValue], item)[ANSWER])
    problems = {number: _problem(found.get(number, []), schema) for number in range(1, count + 1)}
    answers = {number: found[number][0] for number, problem in problems.items() if problem is None}
    unanswered = {number: problem for number, problem in problems.items() if problem is not None}
    return Matched(
        answers, unanswered, [f"an answer that nobody asked for: {item}" for item in strangers[:SHOWN_NOTES]]
    )


def _number(item: JsonValue) -> int | None:
    """The number of the document that an item answers; None if it answers none. Some models write it as text."""
    if not isinstance(item, dict) or ANSWER not in item:
        return None
    number = item.get(NUMBER)
    if isinstance(number, str) and number.isascii() and number.isdigit() and len(number) <= MAX_DIGITS:
        return int(number)
    return number if isinstance(number, int) and not isinstance(number, bool) else None


def _problem(answers: Sequence[JsonValue], schema: Mapping[str, JsonValue] | None) -> str | None:
    """Why a document counts as not answered by the answers that have its number; None if it is answered."""
    if len(answers) != 1:
        return "the batch's answer lacks it" if not answers else f"the batch's answer has it {len(answers)} times"
    if problem := problem_with(answers[0]):
        return f"its answer is not usable JSON: {problem}"
    if schema is None:
        is_text = isinstance(answers[0], str) and bool(answers[0].strip())
        return None if is_text else "its answer is no text, or an empty one"
    violation = first_violation(answers[0], schema)
    return violation and f"its answer does not fit the output schema: {violation}"


def _shown(item: JsonValue) -> str:
    number = item.get(NUMBER) if isinstance(item, dict) else None
    return f"{NUMBER} {json.dumps(number)[:40]}" if number is not None else "without a number"
