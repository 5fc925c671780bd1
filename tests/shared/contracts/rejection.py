"""How a contract answers a body, as the HTTP trigger reads it: strict JSON."""

from __future__ import annotations

import json
from typing import Any

import pytest
from pydantic import ValidationError

from shared.contracts.base import Contract


def accepted[C: Contract](contract: type[C], body: Any) -> C:
    return contract.model_validate_json(json.dumps(body), strict=True)


def rejection(contract: type[Contract], body: Any) -> list[tuple[str, str]]:
    """Where and why the contract rejects the body."""
    with pytest.raises(ValidationError) as caught:
        accepted(contract, body)
    return [(".".join(map(str, error["loc"])), error["msg"]) for error in caught.value.errors()]


def changed(body: dict[str, Any], path: str, value: Any) -> dict[str, Any]:
    """A copy of the body with another value at a path such as `sections.0.name`."""
    copied = json.loads(json.dumps(body))
    *parents, last = [int(key) if key.isdigit() else key for key in path.split(".")]
    container: Any = copied
    for key in parents:
        container = container[key]
    container[last] = value
    return copied
