"""What a reducer reads: outputs as blocks of a prompt, and the tokens that a prompt may have."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import cast

from pydantic import JsonValue

from shared.aggregation.packing import head, pieces
from shared.contracts.agent import AgentSpec
from shared.contracts.branch import BranchOutcome
from shared.prompts import as_text, block
from shared.token_estimate import BYTES_PER_TOKEN, estimated_input_tokens, text_bytes

STRUCTURED = ("info", "rationale", "answer", "confidence")
"""The fields of a structured answer that a reducer reads one under the other, not as JSON."""
TAG = "answer"
GAP = "\n\n"
SCOPE_BYTES = 400
"""Of the note that tells a call which part of the answers it reads; at most, with the gap before it."""
MISSING_SHARE = 4
"""One part in so many of a prompt may name missing documents."""
ESCAPED_SHARE = 8
"""One part in so many of a text is left free for what `block` adds to tags in it: a byte for each `<answer`."""


@dataclass(frozen=True, slots=True)
class Part:
    """An output of the map, a piece of one, or the answer of the call `call` about several `documents`.

    `piece` is the number of a piece and how many there are.
    """

    documents: tuple[str, ...]
    output: JsonValue
    call: str | None = None
    piece: tuple[int, int] | None = None

    @property
    def label(self) -> str:
        """What it is called in prompts and headings."""
        first, last = self.documents[0], self.documents[-1]
        return first if first == last else f"{first} to {last}"

    @property
    def heading(self) -> str:
        """What it is called where parts stand one after the other."""
        piece = f" (part {self.piece[0]} of {self.piece[1]})" if self.piece else ""
        rests = f" ({len(self.documents):,} documents)" if len(self.documents) > 1 else ""
        return self.label + piece + rests


def parts_of(outcomes: Sequence[BranchOutcome]) -> list[Part]:
    """The outputs of a map."""
    return [Part((outcome.name,), outcome.output) for outcome in outcomes if outcome.succeeded]


def documents_in(parts: Sequence[Part]) -> tuple[str, ...]:
    """The documents that `parts` rest on."""
    return tuple(dict.fromkeys(name for part in parts for name in part.documents))


def readable(output: JsonValue) -> str:
    """Text as it is; an object with any of the fields of a structured answer as lines `field: value`; else JSON."""
    if not isinstance(output, Mapping) or not any(field in output for field in STRUCTURED):
        return as_text(output)
    fields = cast(Mapping[str, JsonValue], output)
    known = [field for field in STRUCTURED if field in fields]
    ordered = [*known, *(field for field in fields if field not in STRUCTURED)]
    return "\n".join(f"{field}: {as_text(fields[field])}" for field in ordered)


def rendered(part: Part, limit: int | None = None) -> str:
    """The block of a prompt for `part`; one that would have more than `limit` bytes is cut, and says so."""
    text = readable(part.output)
    whole = _block(part, text)
    if limit is None or text_bytes(whole) <= limit:
        return whole
    size = text_bytes(text)
    note = f"only the first {size:,} of {size:,} bytes"
    left = (limit - text_bytes(_block(part, "", cut=note))) * (ESCAPED_SHARE - 1) // ESCAPED_SHARE
    kept = head(text, left)
    return _block(part, kept, cut=f"only the first {text_bytes(kept):,} of {size:,} bytes")


def split(part: Part, limit: int) -> list[Part]:
    """`part`, or pieces of it whose blocks have at most `limit` bytes."""
    if text_bytes(rendered(part)) <= limit:
        return [part]
    largest = text_bytes(_block(replace(part, piece=(10**9, 10**9)), ""))
    texts = pieces(readable(part.output), (limit - largest) * (ESCAPED_SHARE - 1) // ESCAPED_SHARE)
    return [replace(part, output=text, piece=(number, len(texts))) for number, text in enumerate(texts, start=1)]


def _block(part: Part, text: str, **more: str) -> str:
    attributes = {"name": part.label}
    if part.piece is not None:
        attributes["part"] = f"{part.piece[0]} of {part.piece[1]}"
    if part.call is not None:
        attributes["documents"] = str(len(part.documents))
    return block(TAG, text, **attributes, **more)


@dataclass(frozen=True, slots=True)
class Desk:
    """An agent that reads parts under a budget of tokens a call; `documents` are all of the run's, in order."""

    agent: AgentSpec
    max_input_tokens: int
    documents: tuple[str, ...]
    max_fan_in: int | None = None

    @property
    def prompt_bytes(self) -> int:
        """What a prompt may have beside the agent's instructions and schema."""
        return (self.max_input_tokens - estimated_input_tokens(self.agent, "")) * BYTES_PER_TOKEN

    @property
    def missing_bytes(self) -> int:
        """What the names of missing documents may have of it at most, with the gap before them."""
        return self.prompt_bytes // MISSING_SHARE

    def room(self, parts: Sequence[Part]) -> int:
        """What is left for parts in a prompt that names the documents which `parts` lack, and its scope."""
        lost = self.missing(parts, None, last=True)
        named = len(GAP) + text_bytes(block("missing", "\n".join(lost))) if lost else 0
        return self.prompt_bytes - min(named, self.missing_bytes) - SCOPE_BYTES

    def missing(self, parts: Sequence[Part], after: str | None, last: bool) -> list[str]:
        """The documents that `parts` lack, from behind `after` to their last, or to the end if they are the `last`."""
        start = 0 if after is None else self.documents.index(after) + 1
        end = len(self.documents) if last else self.documents.index(parts[-1].documents[-1]) + 1
        present = set(documents_in(parts))
        return [name for name in self.documents[start:end] if name not in present]

    def prompt(self, blocks: Sequence[str], missing: Sequence[str], scope: str | None = None) -> str:
        """Blocks, then the names of missing documents and the scope, if there are any."""
        named = [missing_block(missing, self.missing_bytes - len(GAP))] if missing else []
        told = [block("scope", scope)] if scope else []
        return GAP.join([*blocks, *named, *told])


def half_of(room: int) -> int:
    """The size of blocks of which two fit into `room`."""
    return (room - len(GAP)) // 2


def missing_block(names: Sequence[str], limit: int) -> str:
    """The names of documents without an output, or as many as fit into `limit` bytes and the number of the others."""
    whole = block("missing", "\n".join(names))
    if text_bytes(whole) <= limit:
        return whole
    left = limit - text_bytes(block("missing", f"and {len(names):,} more"))
    told = 0
    for name in names:
        left -= text_bytes(name) + 1
        if left < 0:
            break
        told += 1
    return block("missing", "\n".join([*names[:told], f"and {len(names) - told:,} more"]))
