"""A recipe that has been read: what it takes, and the request that it makes of that."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import cast

from pydantic import JsonValue

from shared.branching import REQUESTS, Request
from shared.contracts.base import Contract
from shared.contracts.recipe import RESERVED, RecipeFile
from shared.recipes.parameters import body_contract, values_of
from shared.recipes.placeholders import filled, shown, uses


@dataclass(frozen=True, slots=True)
class Recipe:
    """The recipe `name`; `body` is the contract of what its callers send, `contract` that of its pattern's request."""

    name: str
    file: RecipeFile
    body: type[Contract]
    contract: type[Request]

    @classmethod
    def of(cls, name: str, file: RecipeFile) -> Recipe:
        """The recipe in a file that has the right shape."""
        contract = REQUESTS[file.pattern]
        return cls(name, file, body_contract(name, file, contract), contract)

    @property
    def example(self) -> dict[str, JsonValue]:
        """A body: the examples of all parameters that have one."""
        return {name: each.example for name, each in self.file.parameters.items() if each.example is not None}

    def given(self, body: Mapping[str, JsonValue]) -> Contract:
        """A body as callers would send it; raise ValidationError."""
        return self.body.model_validate_json(json.dumps(body), strict=True)

    def filled(self, given: Contract) -> dict[str, JsonValue]:
        """The pattern's request as JSON, from a body that fits."""
        request = cast(dict[str, JsonValue], filled(dict(self.file.request), values_of(self.file, given)))
        for field, stated in given.model_dump(mode="json", include={*RESERVED}, exclude_unset=True).items():
            if stated is not None:
                request[field] = _overridden(request.get(field), stated)
        return request

    def request(self, filled: Mapping[str, JsonValue]) -> Request:
        """The request, checked like any caller's; raise ValidationError."""
        return self.contract.model_validate_json(json.dumps(filled), strict=True)

    def parameter_at(self, path: str) -> str | None:
        """`path` in the request as one in the body, where it leads to what a parameter has filled."""
        if path.partition(".")[0] in RESERVED:
            return path
        places = [(shown(use.path), use.name) for use in uses(dict(self.file.request)) if use.whole or use.path]
        for place, name in places:
            if path == place or path.startswith((f"{place}.", f"{place}[")):
                return name + path[len(place) :]
        within = {name: None for place, name in places if place.startswith((f"{path}.", f"{path}["))}
        return next(iter(within)) if len(within) == 1 else None


def _overridden(own: JsonValue, stated: JsonValue) -> JsonValue:
    """A recipe's policy, or defaults, with the caller's fields in the place of its own; else what the caller says.

    What of the recipe's own would contradict them is left out: another way to hedge, or one that would come after the
    caller's end of a branch or of the run, and a branch's time.
    """
    if not isinstance(stated, dict):
        return stated
    kept = dict(own) if isinstance(own, dict) else {}
    ways = ("hedge", "hedge_after_s")
    if any(way in stated for way in ways) or stated.get("max_concurrency") == 1 or _ends_before_a_hedge(stated, kept):
        for field in (*ways, "max_hedge_percentage"):
            kept.pop(field, None)
    if "deadline_s" in stated:
        kept.pop("branch_timeout_s", None)
    return {**kept, **stated}


def _ends_before_a_hedge(stated: Mapping[str, JsonValue], own: Mapping[str, JsonValue]) -> bool:
    """Whether a branch has ended, by what the caller says, when the recipe's own second call would start."""
    hedge_after_s = own.get("hedge_after_s")
    limits = [stated.get(field) for field in ("branch_timeout_s", "deadline_s")]
    return isinstance(hedge_after_s, int | float) and any(
        isinstance(limit_s, int | float) and limit_s <= hedge_after_s for limit_s in limits
    )
