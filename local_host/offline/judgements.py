"""Judgements: candidates of the prompt ranked by quality, or answers grouped by meaning.

A schema asks for one by its shape, whatever the prompt says: beside `reasoning` it has one part that lists names of
blocks of the prompt: as one name (the best), an array (from best to worst) or an array of arrays (groups). The order in
which the blocks stand plays no part.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from typing import Any

from local_host.offline.extractive import PROMPT_WORDS
from local_host.offline.lexicon import NEGATIONS, NO, YES
from local_host.offline.material import Material
from local_host.offline.text import WORD, content_stems, split_units

REASONING = "reasoning"
ENOUGH_STEMS = 40
FEWEST_NAMES = 2
IN_ARRAYS = 2
# Two answers mean the same when 2·shared ÷ (their stems together), Dice's coefficient, is at least 3/5.
SAME_SHARED, SAME_WHOLE = 3, 5
WORD_OR_NUMBER = re.compile(r"[^\W_]+(?:[.,][^\W_]+)*")


def judgement(schema: Any, material: Material) -> dict[str, Any] | None:
    """A judge's answer; None where the schema asks for none."""
    parts = schema.get("properties") if isinstance(schema, dict) else None
    asked = [name for name in parts if name != REASONING] if isinstance(parts, dict) else []
    if not isinstance(parts, dict) or len(asked) != 1:
        return None
    depth, names = _listed(parts[asked[0]])
    texts = {block.name: block.text for block in material.blocks if block.name in names}
    if len(names) < FEWEST_NAMES or len(texts) < len(names):
        return None
    if depth == IN_ARRAYS:
        groups = _grouped(names, texts)
        said, judged = f"The {len(names)} answers have {len(groups)} different meanings.", groups
    else:
        ranking = _ranked(texts, material)
        said, judged = _praise(ranking[0], texts), ranking if depth else ranking[0]
    whole = {REASONING: said, asked[0]: judged}
    return {name: whole[name] for name in parts}


def _listed(schema: Any) -> tuple[int, list[str]]:
    """How deep in arrays the names stand, and the names; none where the schema lists no names."""
    depth = 0
    while isinstance(schema, dict) and "enum" not in schema and "items" in schema and depth < IN_ARRAYS:
        schema, depth = schema["items"], depth + 1
    listed = schema.get("enum", ()) if isinstance(schema, dict) else ()
    names = [name for name in listed if name is not None]
    return depth, names if all(isinstance(name, str) for name in names) else []


def _praise(name: str, texts: Mapping[str, str]) -> str:
    units = split_units(texts[name])
    return f"{name} says most of what is asked: {units[0].text}" if units else f"{name} says as much as any other."


def _ranked(texts: Mapping[str, str], material: Material) -> list[str]:
    """The names by the quality of what they say; equals by their texts."""
    asked = content_stems(material.question) - PROMPT_WORDS
    known = content_stems("\n".join(block.text for block in material.blocks if block.name not in texts))
    return sorted(texts, key=lambda name: (-_quality(texts[name], asked, known), texts[name], name))


def _quality(text: str, asked: frozenset[str], known: frozenset[str]) -> float:
    """How much of the question a text takes up, how much of it the material knows, and how much it tells at all."""
    own = content_stems(text)
    relevant = len(own & asked) / (len(asked) or 1)
    grounded = len(own & known) / (len(own) or 1)
    told = min(1.0, math.log1p(len(own)) / math.log1p(ENOUGH_STEMS))
    return 2 * relevant + grounded + told


def _grouped(names: Sequence[str], texts: Mapping[str, str]) -> list[list[str]]:
    """The names in groups, the largest first, then by their texts; what means the same as a member is one."""
    groups: list[list[str]] = []
    for name in sorted(names, key=lambda name: (texts[name], name)):
        joined = [group for group in groups if any(_mean_the_same(texts[name], texts[other]) for other in group)]
        groups = [group for group in groups if group not in joined]
        groups.append([*(member for group in joined for member in group), name])
    return sorted(
        (sorted(group, key=lambda name: (texts[name], name)) for group in groups),
        key=lambda group: (-len(group), texts[group[0]], group[0]),
    )


def _mean_the_same(one: str, other: str) -> bool:
    words, others = _words(one), _words(other)
    if words == others:
        return bool(words) or one.strip() == other.strip()
    head, other_head = _yes_or_no(words), _yes_or_no(others)
    if head or other_head:
        return head == other_head
    if _numbers(words) != _numbers(others) or _is_negated(one) != _is_negated(other):
        return False
    stems, other_stems = content_stems(one), content_stems(other)
    whole = len(stems) + len(other_stems)
    return whole > 0 and 2 * len(stems & other_stems) * SAME_WHOLE >= SAME_SHARED * whole


def _words(text: str) -> list[str]:
    return WORD_OR_NUMBER.findall(text.casefold())


def _numbers(words: Sequence[str]) -> list[str]:
    return sorted(word for word in words if word[0].isdigit())


def _yes_or_no(words: Sequence[str]) -> str:
    first = words[0] if words else ""
    return "yes" if first in YES else "no" if first in NO else ""


def _is_negated(text: str) -> bool:
    said = [word.lower() for word in WORD.findall(text)]
    return any(word in NEGATIONS or word.endswith("n't") for word in said)
