"""Which calls are to stop."""

from __future__ import annotations

from typing import Self

from pydantic import Field, model_validator

from shared.contracts.base import Contract
from shared.contracts.policy import Interruption


class StopCalls(Contract):
    """The input of the activity `stop_calls`: every unfinished instance under `prefix`, or the `instances` named."""

    prefix: str | None = None
    instances: list[str] = Field(default_factory=list[str])

    @model_validator(mode="after")
    def _names_one_or_the_other(self) -> Self:
        if (self.prefix is None) == (not self.instances):
            raise ValueError("give a prefix or instances, and not both")
        return self


class StopShards(StopCalls):
    """The same for shards and their calls, which are told the `reason`."""

    reason: Interruption | None = None
