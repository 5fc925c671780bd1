"""What a reducer reads: outputs as blocks of a prompt, and the tokens that a prompt may have."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from html import escape
from typing import cast

from pydantic import JsonValue

from shared.aggregation.packing import head, pieces
from shared.contracts.agent import AgentSpec
from shared.contracts.branch import BranchOutcome
from shared.contracts.split import Chunk, place_of
from shared.prompts import PartOfDocument, as_text, block, described, origin
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


NAME_BYTES = 200
"""Of a name in a prompt, escaped: names of blobs may have a thousand characters."""
UNPRINTABLE = re.compile(r"[\x00-\x1f\x7f]")


@dataclass(frozen=True, slots=True)
class Basis:
    """What an answer rests on, in short: `count` branches from `first` to `last`.

    They have read `documents` documents; `parts` of them are parts of documents that are split.
    """

    first: str
    last: str
    count: int = 1
    documents: int = 1
    parts: int = 0


@dataclass(frozen=True, slots=True)
class Part:
    """An output of the map, a piece of one, or the answer of the call `call` about several.

    `sources` are the branches whose outputs it rests on: documents, or parts of them; none where they are too many to
    be listed, and only `summary` tells of them. `chunk` is the part of a document that an output of the map is about,
    if it is split. `piece` is the number of a piece and how many there are.
    """

    sources: tuple[str, ...]
    output: JsonValue
    call: str | None = None
    piece: tuple[int, int] | None = None
    chunk: PartOfDocument | None = None
    summary: Basis | None = None

    @property
    def basis(self) -> Basis:
        """What it rests on."""
        return self.summary or basis_of(self.sources)

    @property
    def label(self) -> str:
        """What it is called in prompts and headings."""
        first, last = shown_name(self.basis.first), shown_name(self.basis.last)
        return first if self.basis.first == self.basis.last else f"{first} to {last}"

    @property
    def heading(self) -> str:
        """What it is called where parts stand one after the other."""
        piece = f" (piece {self.piece[0]} of {self.piece[1]})" if self.piece else ""
        rests = f" ({told_count(self.basis.count, split=self.basis.parts > 0)})" if self.basis.count > 1 else ""
        return self.label + piece + rests


def parts_of(outcomes: Sequence[BranchOutcome], chunks: Mapping[str, Chunk]) -> list[Part]:
    """The outputs of a map, whose branches read the `chunks` of their names or whole documents."""
    return [Part((o.name,), o.output, chunk=chunks.get(o.name)) for o in outcomes if o.succeeded]


def sources_in(parts: Sequence[Part]) -> tuple[str, ...]:
    """The branches that `parts` rest on."""
    return tuple(dict.fromkeys(name for part in parts for name in part.sources))


def counted(sources: Sequence[str]) -> str:
    """How many documents these branches have read: `2 documents`, or `3 documents and parts` if some are parts."""
    return told_count(len(sources), split=any(place_of(name)[1] is not None for name in sources))


def told_count(count: int, *, split: bool) -> str:
    """The same for so many of them, some of which are parts if `split`."""
    return f"{count:,} documents and parts" if split else f"{count:,} documents"


def basis_of(sources: Sequence[str]) -> Basis:
    """What an answer rests on that has read these branches."""
    places = [place_of(name) for name in sources]
    return Basis(
        first=sources[0],
        last=sources[-1],
        count=len(sources),
        documents=len(dict.fromkeys(document for document, _ in places)),
        parts=sum(part is not None for _, part in places),
    )


def shown_name(name: str) -> str:
    """`name` as prompts have it: on one line, and without its middle if it is very long."""
    name = UNPRINTABLE.sub(" ", name)
    if text_bytes(escape(name)) <= NAME_BYTES:
        return name
    shorter = (f"{name[:end]}…{name[-end:]}" for end in range(NAME_BYTES // 2, 0, -1))
    return next(short for short in shorter if text_bytes(escape(short)) <= NAME_BYTES)


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
        attributes["documents"] = str(part.basis.documents)
        attributes |= {"parts": str(part.basis.parts)} if part.basis.parts else {}
    return block(TAG, text, **attributes, **more)


@dataclass(frozen=True, slots=True)
class Budget:
    """The bytes of a prompt for `agent`, of which a call may have about `max_input_tokens` in all."""

    agent: AgentSpec
    max_input_tokens: int

    @property
    def prompt_bytes(self) -> int:
        """What a prompt may have beside the agent's instructions and schema."""
        return (self.max_input_tokens - estimated_input_tokens(self.agent, "")) * BYTES_PER_TOKEN

    @property
    def missing_bytes(self) -> int:
        """What the names of missing documents and parts may have of it at most, with the gap before them."""
        return self.prompt_bytes // MISSING_SHARE

    def room(self, lost: MissingNames) -> int:
        """What is left for parts in a prompt that names what is `lost`, and its scope."""
        named = len(GAP) + lost.whole_bytes if lost.count else 0
        return self.prompt_bytes - min(named, self.missing_bytes) - SCOPE_BYTES

    def names(self) -> MissingNames:
        """A list of missing names, as long as a prompt may have it."""
        return MissingNames(self.missing_bytes - len(GAP))

    def prompt(self, blocks: Sequence[str], missing: MissingNames, scope: str | None = None) -> str:
        """Blocks, then what is missing and the scope, if there are any."""
        named = [missing.block] if missing.count else []
        told = [block("scope", scope)] if scope else []
        return GAP.join([*blocks, *named, *told])


class MissingNames:
    """The names of what has no output, of which it keeps as many as may fit into `limit` bytes, and counts all."""

    def __init__(self, limit: int) -> None:
        self.count = 0
        self._limit = limit
        self._bytes = 0
        self._first: list[str] = []

    def add(self, name: str) -> None:
        """Take the next name."""
        if self.fits_more:
            self._first.append(name)
        self._bytes += _line_bytes(name)
        self.count += 1

    def count_more(self, count: int) -> None:
        """Take so many names that are known not to fit."""
        self.count += count
        self._bytes += count + self._limit

    @property
    def fits_more(self) -> bool:
        """Whether another name may be told."""
        return self._bytes <= self._limit

    @property
    def whole_bytes(self) -> int:
        """The size of the block of all names."""
        return text_bytes(block("missing", "")) + max(self._bytes - 1, 0)

    @property
    def block(self) -> str:
        """All names, or as many as fit and the number of the others."""
        if self.whole_bytes <= self._limit:
            return block("missing", "\n".join(self._first))
        left = self._limit - text_bytes(block("missing", f"and {self.count:,} more"))
        told = 0
        for name in self._first:
            left -= _line_bytes(name)
            if left < 0:
                break
            told += 1
        return block("missing", "\n".join([*self._first[:told], f"and {self.count - told:,} more"]))


def _line_bytes(name: str) -> int:
    """The most that a name takes with its line's end: `block` adds a byte to what begins like a tag."""
    return text_bytes(name) + name.count("<") + 1


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
    def budget(self) -> Budget:
        """Of its calls."""
        return Budget(self.agent, self.max_input_tokens)

    def room(self, parts: Sequence[Part]) -> int:
        """What is left for parts in a prompt that names the branches which `parts` lack, and its scope."""
        return self.budget.room(self._names(self.missing(parts, None, last=True)))

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
        return self.budget.prompt(blocks, self._names(missing), scope)

    def _names(self, missing: Sequence[str]) -> MissingNames:
        names = self.budget.names()
        for name in missing:
            names.add(name)
        return names


def half_of(room: int) -> int:
    """The size of blocks of which two fit into `room`."""
    return (room - len(GAP)) // 2
