"""What a reducer reads: outputs as blocks of a prompt, and the tokens that a prompt may have."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import cast

from pydantic import JsonValue

from shared.aggregation.packing import head, pieces
from shared.contracts.agent import AgentSpec
from shared.contracts.branch import BranchOutcome
from shared.contracts.split import Chunk, place_of
from shared.prompts import as_text, block, described, origin
from shared.token_estimate import estimated_input_tokens
from shared.tokens import BYTES_PER_TOKEN, text_bytes

STRUCTURED = ("info", "rationale", "answer", "confidence")
"""The fields of a structured answer that a reducer reads one under the other, not as JSON."""
TAG = "answer"
GAP = "\n\n"
SCOPE_BYTES = 400
"""Of the note that tells a call which part of the answers it reads; at most, with the gap before it."""
MISSING_SHARE = 4
"""One part in so many of a prompt may name what is missing."""
ESCAPED_SHARE = 8
"""One part in so many of a text is left free for what `block` adds to tags in it: a byte for each `<answer`."""


@dataclass(frozen=True, slots=True)
class Part:
    """An output of the map, a piece of one, or the answer of the call `call` about several.

    `sources` are the branches whose outputs it rests on: documents, or parts of them. `chunk` is the part of a document
    that an output of the map is about, if it is split. `piece` is the number of a piece and how many there are.
    """

    sources: tuple[str, ...]
    output: JsonValue
    call: str | None = None
    piece: tuple[int, int] | None = None
    chunk: Chunk | None = None

    @property
    def label(self) -> str:
        """What it is called in prompts and headings."""
        first, last = self.sources[0], self.sources[-1]
        return first if first == last else f"{first} to {last}"

    @property
    def heading(self) -> str:
        """What it is called where parts stand one after the other."""
        piece = f" (piece {self.piece[0]} of {self.piece[1]})" if self.piece else ""
        rests = f" ({counted(self.sources)})" if len(self.sources) > 1 else ""
        return self.label + piece + rests


def parts_of(outcomes: Sequence[BranchOutcome], chunks: Mapping[str, Chunk]) -> list[Part]:
    """The outputs of a map, whose branches read the `chunks` of their names or whole documents."""
    return [Part((o.name,), o.output, chunk=chunks.get(o.name)) for o in outcomes if o.succeeded]


def sources_in(parts: Sequence[Part]) -> tuple[str, ...]:
    """The branches that `parts` rest on."""
    return tuple(dict.fromkeys(name for part in parts for name in part.sources))


def counted(sources: Sequence[str]) -> str:
    """How many documents these branches have read: `2 documents`, or `3 documents and parts` if some are parts."""
    split = any(place_of(name)[1] is not None for name in sources)
    return f"{len(sources):,} documents and parts" if split else f"{len(sources):,} documents"


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
    attributes = {"name": part.label, **origin(part.chunk)}
    if part.piece is not None:
        attributes["piece"] = f"{part.piece[0]} of {part.piece[1]}"
    if part.call is not None:
        attributes |= _basis(part.sources)
    return block(TAG, text, **attributes, **more)


def _basis(sources: Sequence[str]) -> dict[str, str]:
    """Attributes that tell on how many documents an answer rests, and on how many parts of those that are split."""
    places = [place_of(name) for name in sources]
    parts = sum(part is not None for _, part in places)
    documents = len(dict.fromkeys(document for document, _ in places))
    return {"documents": str(documents)} | ({"parts": str(parts)} if parts else {})


@dataclass(frozen=True, slots=True)
class Desk:
    """An agent that reads parts under a budget of tokens a call.

    `sources` are all branches of the run's map, in order; `chunks` are the parts of documents that some of them read.
    """

    agent: AgentSpec
    max_input_tokens: int
    sources: tuple[str, ...]
    max_fan_in: int | None = None
    chunks: Mapping[str, Chunk] = field(default_factory=dict[str, Chunk])

    @property
    def prompt_bytes(self) -> int:
        """What a prompt may have beside the agent's instructions and schema."""
        return (self.max_input_tokens - estimated_input_tokens(self.agent, "")) * BYTES_PER_TOKEN

    @property
    def missing_bytes(self) -> int:
        """What the names of missing documents and parts may have of it at most, with the gap before them."""
        return self.prompt_bytes // MISSING_SHARE

    def room(self, parts: Sequence[Part]) -> int:
        """What is left for parts in a prompt that names the branches which `parts` lack, and its scope."""
        lost = self.missing(parts, None, last=True)
        named = len(GAP) + text_bytes(block("missing", "\n".join(lost))) if lost else 0
        return self.prompt_bytes - min(named, self.missing_bytes) - SCOPE_BYTES

    def missing(self, parts: Sequence[Part], after: str | None, last: bool) -> list[str]:
        """What `parts` lack, from behind the branch `after` to their last, or to the end if they are the `last`.

        A whole document is told by its id, a part of one by its lines, too.
        """
        start = 0 if after is None else self.sources.index(after) + 1
        end = len(self.sources) if last else self.sources.index(parts[-1].sources[-1]) + 1
        present = set(sources_in(parts))
        return [described(name, self.chunks.get(name)) for name in self.sources[start:end] if name not in present]

    def prompt(self, blocks: Sequence[str], missing: Sequence[str], scope: str | None = None) -> str:
        """Blocks, then what is missing and the scope, if there are any."""
        named = [missing_block(missing, self.missing_bytes - len(GAP))] if missing else []
        told = [block("scope", scope)] if scope else []
        return GAP.join([*blocks, *named, *told])


def half_of(room: int) -> int:
    """The size of blocks of which two fit into `room`."""
    return (room - len(GAP)) // 2


def missing_block(names: Sequence[str], limit: int) -> str:
    """The `names` of what has no output, or as many as fit into `limit` bytes and the number of the others."""
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
