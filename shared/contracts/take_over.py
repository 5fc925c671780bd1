"""What a redrive in storage takes from the folder of the run that it goes on from."""

from __future__ import annotations

from shared.contracts.base import Contract
from shared.contracts.policy import RunPolicy
from shared.contracts.work import RunFolder


class TakeOver(Contract):
    """The input of `take_over`: the plan in the folder `earlier` is to be that of `folder`, under another `policy`."""

    folder: RunFolder
    earlier: RunFolder
    policy: RunPolicy


class TakenOver(Contract):
    """Its output. A `problem` ends the run: the earlier run's folder is gone."""

    problem: str | None = None
