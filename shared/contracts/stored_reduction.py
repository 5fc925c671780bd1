"""The answer of a run in storage, of which the whole is a blob."""

from __future__ import annotations

from typing import Literal

from pydantic import JsonValue

from shared.contracts.base import Contract
from shared.contracts.reduction import ReductionType


class StoredReduction(Contract):
    """The reduction of a run in storage: `output` is the blob with the answer, `content` the same if it is short."""

    kind: Literal["stored_reduction"] = "stored_reduction"
    reduction: Literal["agent"] | ReductionType
    requested: ReductionType
    content: JsonValue = None
    output: str | None = None
