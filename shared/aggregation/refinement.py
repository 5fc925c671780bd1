"""A reduction step by step: an answer from the first outputs, then a better one from it and the next, to the last.

It ends because each step reads at least one part: the answer so far takes at most half of the room (a longer one is
cut, and the reader is told), and so does each part (a longer output comes in pieces).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from shared.aggregation.material import GAP, Desk, Part, counted, half_of, parts_of, rendered, sources_in, split
from shared.aggregation.packing import packed
from shared.aggregation.tree import REDUCTION, Group, in_order, read_at_once
from shared.contracts.branch import Branch, BranchOutcome
from shared.tokens import text_bytes


@dataclass(frozen=True, slots=True)
class Refinement:
    """A reduction under way: the answer so far, the parts still to be read, and what became of the steps before.

    A prompt has `room` bytes for parts. `dropped` are parts that a failed call read: the answer before it stands.
    """

    desk: Desk
    waiting: tuple[Part, ...]
    room: int
    so_far: Part | None = None
    number: int = 1
    dropped: tuple[Part, ...] = ()
    calls: tuple[int, ...] = ()
    clipped: tuple[str, ...] = ()
    step: Group | None = None

    @classmethod
    def of(cls, desk: Desk, outcomes: Sequence[BranchOutcome]) -> Refinement:
        """The first step, of the outcomes of the map."""
        parts = parts_of(outcomes, desk.chunks)
        if whole := read_at_once(desk, parts):
            return cls(desk, (), 0, step=whole)
        room = desk.room(parts)
        waiting = tuple(piece for part in parts for piece in split(part, half_of(room)))
        return cls(desk, waiting, room)._with_next_step()

    @property
    def branches(self) -> list[Branch]:
        """The call of this step; none when the reduction has ended."""
        step = self.step
        if step is None or step.name is None:
            return []
        return [Branch(name=step.name, agent=self.desk.agent, prompt=step.prompt)]

    @property
    def answer(self) -> Part | None:
        """The answer so far, if there is one."""
        return self.so_far

    @property
    def unread(self) -> list[Part]:
        """What the answer does not rest on: also what a step reads that has not ended."""
        reading = self.step.parts if self.step else ()
        return in_order(self.desk, [*self.dropped, *reading, *self.waiting])

    @property
    def frontier(self) -> list[Part]:
        """Everything that was to be read, for want of an answer, in document order."""
        return self.unread

    def heard(self, outcomes: Sequence[BranchOutcome], *, interrupted: bool = False) -> Refinement:
        """The next step, once the call of this one has ended so; after an interruption there is none."""
        step = self.step
        if step is None:
            return self
        [outcome] = outcomes
        known = self.so_far.sources if self.so_far else ()
        dropped, so_far = self.dropped, self.so_far
        if outcome.succeeded:
            so_far = Part(tuple(dict.fromkeys([*known, *sources_in(step.parts)])), outcome.output, call=outcome.name)
        else:
            dropped = (*dropped, *step.parts)
        heard = replace(
            self,
            so_far=so_far,
            number=self.number + 1,
            dropped=dropped,
            calls=(*self.calls, 1),
            clipped=(*self.clipped, *step.clipped),
            step=None,
        )
        return heard if interrupted else heard._with_next_step()

    def _with_next_step(self) -> Refinement:
        if not self.waiting:
            return self
        desk, before = self.desk, [self.so_far] if self.so_far else []
        told = [rendered(part, half_of(self.room)) for part in before]
        blocks = [rendered(part) for part in self.waiting]
        sizes = [text_bytes(each) for each in [*told, *blocks]]
        read = len(packed(sizes, self.room, len(GAP))[0]) - len(told)
        own, waiting = self.waiting[:read], self.waiting[read:]
        after = self._last_read()
        missing = desk.missing(own, after, last=not waiting)
        prompt = desk.prompt([*told, *blocks[:read]], missing, self._scope(sources_in(waiting)))
        name = f"~refine-{self.number}" if waiting else REDUCTION
        clipped = tuple(str(part.call) for part, text in zip(before, told, strict=True) if text != rendered(part))
        return replace(self, waiting=waiting, step=Group(own, name, prompt, clipped))

    def _last_read(self) -> str | None:
        """The branch after which the next step begins."""
        position = {name: number for number, name in enumerate(self.desk.sources)}
        read = [part.sources[-1] for part in [*([self.so_far] if self.so_far else []), *self.dropped]]
        return max(read, key=lambda name: position[name], default=None)

    def _scope(self, still_to_come: Sequence[str]) -> str | None:
        return told_scope(counted(still_to_come) if still_to_come else None, improves=self.so_far is not None)


def told_scope(still_to_come: str | None, *, improves: bool) -> str | None:
    """What a step is told: whether its first answer is the one so far, and how many outputs are `still_to_come`."""
    told = "The first is your answer so far; improve it by the others, and keep what they do not change." * improves
    rest = f"{still_to_come} are still to come." if still_to_come else ""
    return " ".join(filter(None, [told, rest])) or None
