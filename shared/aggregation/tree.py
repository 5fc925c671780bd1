"""A reduction by a tree: outputs packed into calls, their answers packed again, until one is left.

Why it ends: on the first level a part is at most as large as a call's room, so there is a finite number of groups. On
every later level a part takes at most half of the room (a longer answer is cut, and the reader is told), so any two
neighbours fit together, and n parts make at most ⌈n/2⌉ groups. A group of one part that fits into half of the room is
not called, its part goes up as it is. A failed call gives no part. So from the second level on each level has fewer
parts than the one below, and the depth is at most 1 + ⌈log2 of the groups of the first level⌉.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from shared.aggregation.material import GAP, Desk, Part, counted, half_of, parts_of, rendered, sources_in, split
from shared.aggregation.packing import packed
from shared.contracts.branch import Branch, BranchOutcome
from shared.tokens import text_bytes

REDUCTION = "~reduction"
"""The call that reads all that is left."""


@dataclass(frozen=True, slots=True)
class Group:
    """Parts that go up together: read by the call `name`, or one part as it is if there is no call."""

    parts: tuple[Part, ...]
    name: str | None = None
    prompt: str = ""
    clipped: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Tree:
    """A reduction under way: the parts of its level `number`, and what became of the levels below.

    `dropped` are parts that a failed call read. `calls` counts those of each level so far. Without `groups` the
    reduction has ended, with an `answer` or without.
    """

    desk: Desk
    parts: tuple[Part, ...]
    number: int = 1
    dropped: tuple[Part, ...] = ()
    calls: tuple[int, ...] = ()
    clipped: tuple[str, ...] = ()
    groups: tuple[Group, ...] = ()
    answer: Part | None = None

    @classmethod
    def of(cls, desk: Desk, outcomes: Sequence[BranchOutcome]) -> Tree:
        """The first level, of the outcomes of the map."""
        parts = parts_of(outcomes, desk.chunks)
        return cls(desk, tuple(parts), groups=tuple(level(desk, parts, 1)))

    @property
    def branches(self) -> list[Branch]:
        """The calls of this level, to be made side by side; none when the reduction has ended."""
        called = [group for group in self.groups if group.name is not None]
        return [Branch(name=str(group.name), agent=self.desk.agent, prompt=group.prompt) for group in called]

    @property
    def frontier(self) -> list[Part]:
        """The shortest account of all outputs, in document order: answers, and what no call has read with success."""
        return in_order(self.desk, [*self.parts, *self.dropped])

    @property
    def unread(self) -> list[Part]:
        """What the answer does not rest on."""
        return list(self.dropped)

    def heard(self, outcomes: Sequence[BranchOutcome], *, interrupted: bool = False) -> Tree:
        """The next level, once the calls of this one have ended so; after an interruption there is none."""
        came = {outcome.name: outcome for outcome in outcomes}
        parts: list[Part] = []
        dropped = list(self.dropped)
        for group in self.groups:
            if group.name is None:
                parts += group.parts
            elif came[group.name].succeeded:
                parts.append(Part(sources_in(group.parts), came[group.name].output, call=group.name))
            else:
                dropped += group.parts
        answers = [part for part in parts if part.call in came]
        whole = len(self.groups) == 1 or not interrupted
        goes_on = bool(answers) and len(parts) > 1 and not interrupted
        return replace(
            self,
            parts=tuple(parts),
            number=self.number + 1,
            dropped=tuple(dropped),
            calls=(*self.calls, len(outcomes)),
            clipped=(*self.clipped, *(name for group in self.groups for name in group.clipped)),
            groups=tuple(level(self.desk, parts, self.number + 1)) if goes_on else (),
            answer=answers[0] if answers and len(parts) == 1 and whole else None,
        )


def level(desk: Desk, parts: Sequence[Part], number: int) -> list[Group]:
    """What level `number`, from 1, makes of `parts`."""
    if not parts:
        return []
    if whole := read_at_once(desk, parts):
        return [whole]
    room = desk.room(parts)
    limit = room if number == 1 else half_of(room)
    shown = [piece for part in parts for piece in split(part, limit)] if number == 1 else list(parts)
    blocks = [rendered(part, limit) for part in shown]
    sizes = [text_bytes(each) for each in blocks]
    ranges = packed(sizes, room, len(GAP), desk.max_fan_in)
    if len(ranges) == 1:
        prompt = desk.prompt(blocks, desk.missing(shown, None, last=True))
        return [Group(tuple(shown), REDUCTION, prompt, cut(shown, blocks))]
    groups: list[Group] = []
    for place, members in enumerate(ranges, start=1):
        own, texts = shown[members.start : members.stop], blocks[members.start : members.stop]
        if len(own) == 1 and text_bytes(texts[0]) <= half_of(room):
            groups.append(Group(tuple(own)))
            continue
        after = shown[members.start - 1].sources[-1] if members.start else None
        missing = desk.missing(own, after, last=place == len(ranges))
        prompt = desk.prompt(texts, missing, scope(desk, own))
        groups.append(Group(tuple(own), f"~reduce-{number}-{place}", prompt, cut(own, texts)))
    return groups


def cut(parts: Sequence[Part], blocks: Sequence[str]) -> tuple[str, ...]:
    """The calls whose answers `blocks` does not show as a whole."""
    return tuple(part.call for part, text in zip(parts, blocks, strict=True) if part.call and text != rendered(part))


def read_at_once(desk: Desk, parts: Sequence[Part]) -> Group | None:
    """All parts in one call, as they are; None when they do not fit."""
    if desk.max_fan_in is not None and len(parts) > desk.max_fan_in:
        return None
    prompt = desk.prompt([rendered(part) for part in parts], desk.missing(parts, None, last=True))
    return Group(tuple(parts), REDUCTION, prompt) if text_bytes(prompt) <= desk.budget.prompt_bytes else None


def scope(desk: Desk, parts: Sequence[Part]) -> str:
    """What a call is told that reads a part of the answers only."""
    return told_scope(len(sources_in(parts)), counted(desk.sources))


def told_scope(own: int, of: str) -> str:
    """The same of a call that reads the answers of so many branches `of` others."""
    rest = "other calls read the rest, and a later one reads what each has found."
    return f"These answers rest on {own:,} of {of}; {rest}"


def in_order(desk: Desk, parts: Sequence[Part]) -> list[Part]:
    """Parts in the order of their documents and pieces."""
    position = {name: number for number, name in enumerate(desk.sources)}
    return sorted(parts, key=lambda part: (position[part.sources[0]], part.piece or (0, 0)))
