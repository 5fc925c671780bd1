"""What the garbage collector is spared."""

from __future__ import annotations

import gc


def keep_modules() -> None:
    """Leave all that is there now out of future collections; call it when modules have just been imported.

    They make up nearly all of the heap, and are never garbage. Replays make enough objects to have all of them looked
    through again and again, while every call of the process waits (docs/decisions/0003).
    """
    gc.freeze()
