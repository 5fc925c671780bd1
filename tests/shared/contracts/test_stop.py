from __future__ import annotations

from typing import Any

import pytest

from shared.contracts.base import restored
from shared.contracts.stop import StopCalls
from tests.shared.contracts.rejection import accepted, rejection


@pytest.mark.parametrize("body", [{"prefix": "run:"}, {"instances": ["run:a", "run:a~2h"]}, {"instances": ["run:a"]}])
def test_calls_are_named_by_their_prefix_or_one_by_one(body: Any) -> None:
    asked = accepted(StopCalls, body)

    assert restored(StopCalls, asked.model_dump(mode="json")) == asked


@pytest.mark.parametrize(
    "body",
    [{}, {"prefix": None}, {"instances": []}, {"prefix": "run:", "instances": ["run:a"]}],
)
def test_neither_or_both_is_an_error(body: Any) -> None:
    [(_, message)] = rejection(StopCalls, body)

    assert "a prefix or instances, and not both" in message


@pytest.mark.parametrize(
    ("body", "where"),
    [({"prefix": 1}, "prefix"), ({"instances": "run:a"}, "instances"), ({"prefix": "run:", "why": 1}, "why")],
)
def test_a_field_that_does_not_fit_is_rejected_by_its_path(body: Any, where: str) -> None:
    assert where in [location for location, _ in rejection(StopCalls, body)]
