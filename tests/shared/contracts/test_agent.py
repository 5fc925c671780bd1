from __future__ import annotations

from typing import Any

import pytest

from shared.contracts.agent import AgentDefaults, AgentSpec
from tests.shared.contracts.rejection import accepted, rejection

MINIMAL = {"instructions": "read"}


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("temperature", "1"),
        ("temperature", True),
        ("temperature", -0.1),
        ("temperature", 2.1),
        ("temperature", float("nan")),
        ("temperature", float("inf")),
        ("temperature", 10**400),
        ("max_output_tokens", "100"),
        ("max_output_tokens", 100.0),
        ("max_output_tokens", 100.5),
        ("max_output_tokens", 15),
        ("max_output_tokens", 200_001),
        ("max_output_tokens", 10**400),
        ("model", ""),
        ("model", "a b"),
        ("model", "../deployment"),
        ("model", "m" * 129),
        ("model", 5),
        ("output_schema", "object"),
        ("output_schema", True),
        ("output_schema", {}),
    ],
)
def test_a_setting_out_of_bounds_or_of_the_wrong_type_is_rejected(field: str, value: Any) -> None:
    [(location, _)] = rejection(AgentSpec, {**MINIMAL, field: value})

    assert location == field


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("temperature", 0),
        ("temperature", 2.0),
        ("max_output_tokens", 16),
        ("model", "gpt-5-mini"),
        ("model", "meta-llama/Llama-3:70b@v1"),
        ("output_schema", {"type": "object"}),
    ],
)
def test_a_setting_within_bounds_is_accepted(field: str, value: Any) -> None:
    assert getattr(accepted(AgentSpec, {**MINIMAL, field: value}), field) == value


def test_defaults_fill_what_is_not_stated_and_nothing_else() -> None:
    agent = AgentSpec(instructions="i", temperature=0.0)

    filled = agent.with_defaults(AgentDefaults(model="m", temperature=1.0))

    assert (filled.model, filled.temperature, filled.max_output_tokens) == ("m", 0.0, None)
    assert agent.model is None
