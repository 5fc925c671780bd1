"""Batches: several numbered blocks of a prompt, each answered as if it were alone.

A schema asks for one by its shape, whatever the prompt says: an object with one list, whose items have a number, out of
those of the blocks, and one other part, which is the answer about the block with this number.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any, NamedTuple

from local_host.offline.material import Block, Material

NUMBER = "number"
ITEM_PARTS = 2

type Json = dict[str, Any]
type Answer = Callable[[Any, Material], Any]
"""The answer that fits a schema, about some material."""


class Batch(NamedTuple):
    """What a batch's schema asks for: `answer` is the schema of each answer, and the other names are its keys."""

    listed: str
    answered: str
    answer: Any
    numbers: list[int]


def batch_answers(schema: Any, material: Material, answer: Answer) -> Json | None:
    """The answers about all blocks of a batch; None where the schema and the prompt ask for none."""
    asked = _asked(schema)
    blocks = {block.number: block for block in material.blocks if block.number is not None}
    if asked is None or not asked.numbers or not blocks.keys() >= set(asked.numbers):
        return None
    answers = [answer(asked.answer, _alone(material, blocks[number])) for number in asked.numbers]
    items = [{NUMBER: number, asked.answered: said} for number, said in zip(asked.numbers, answers, strict=True)]
    return {asked.listed: items}


def _asked(schema: Any) -> Batch | None:
    parts = schema.get("properties") if isinstance(schema, dict) else None
    if not isinstance(parts, dict) or len(parts) != 1:
        return None
    [(listed, items)] = parts.items()
    item = items.get("items") if isinstance(items, dict) else None
    inner = item.get("properties") if isinstance(item, dict) else None
    if not isinstance(inner, dict) or len(inner) != ITEM_PARTS or NUMBER not in inner:
        return None
    [answered] = inner.keys() - {NUMBER}
    numbers = inner[NUMBER].get("enum", []) if isinstance(inner[NUMBER], dict) else []
    if not all(isinstance(number, int) for number in numbers):
        return None
    return Batch(listed, answered, _with_definitions(inner[answered], schema), numbers)


def _with_definitions(answer: Any, schema: Json) -> Any:
    """The schema of an answer as one of its own: references lead into the definitions of the whole."""
    definitions = schema.get("$defs")
    if not isinstance(answer, dict) or not isinstance(definitions, dict):
        return answer
    named = str(answer.get("$ref", "")).removeprefix("#/$defs/")
    own = definitions.get(named) if answer.keys() == {"$ref"} else answer
    return {**(own if isinstance(own, dict) else answer), "$defs": definitions}


def _alone(material: Material, block: Block) -> Material:
    return replace(material, blocks=(block,))
