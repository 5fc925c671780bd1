"""Answers: the one text that the model gives to a prompt, in the form that was asked for."""

from __future__ import annotations

import json
from typing import Any

from local_host.offline.asks import OutputFormat
from local_host.offline.batches import batch_answers
from local_host.offline.extractive import summarise
from local_host.offline.material import Material, read_material
from local_host.offline.schema_answers import fill_schema
from local_host.offline.votes import text_vote

# What `json_object`, which names no schema, is answered with.
PLAIN_OBJECT = {
    "type": "object",
    "properties": {
        "summary": {"type": "string"},
        "key_points": {"type": "array", "items": {"type": "string"}},
    },
}
# An answer of a batch whose agent answers in text.
TEXT = {"type": "string"}


def answer(instructions: str, user_input: str, output_format: OutputFormat) -> str:
    """The model's answer: a pure function of its arguments. ApiError 400 when no value fits the schema."""
    material = read_material(instructions, user_input)
    if output_format.kind == "text":
        return text_vote(material) or summarise(material)
    schema = PLAIN_OBJECT if output_format.kind == "json_object" else output_format.schema
    value = batch_answers(schema, material, _answer_to_one)
    if value is None:
        value = fill_schema(schema if schema is not None else True, material)
    return json.dumps(value, ensure_ascii=False)


def _answer_to_one(schema: Any, material: Material) -> Any:
    """The answer about one block of a batch: as to a prompt of its own, also where it is text."""
    if schema == TEXT:
        return text_vote(material) or summarise(material)
    return fill_schema(schema, material)
