from __future__ import annotations

import json
import time
from collections.abc import Callable
from typing import Any, cast

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from shared.contracts.base import MAX_BODY_BYTES, Contract
from shared.contracts.map_reduce import MapReduceRequest
from shared.contracts.sectioning import SectioningRequest
from shared.contracts.voting import VotingRequest
from tests.shared.strategies import JSON_VALUES
from tests.triggers.requests import post
from triggers.bodies import parsed
from triggers.json_limits import MAX_DEPTH, MAX_TOKENS, has_too_many_tokens, is_too_deep
from triggers.problems import Problem

TRICKY = st.text(alphabet='"\\[]{},:a', max_size=20)


def levels(value: Any) -> int:
    if isinstance(value, dict | list):
        members = cast(list[Any], value if isinstance(value, list) else list(cast(dict[str, Any], value).values()))
        return 1 + max(map(levels, members), default=0)
    return 0


def nested(value: Any, times: int) -> Any:
    for _ in range(times):
        value = [value]
    return value


@given(JSON_VALUES | st.lists(TRICKY), st.integers(0, MAX_DEPTH + 2), st.booleans())
@example("[" * 500, 1, False)
@example('\\"' + "[" * 500, 1, False)
def test_depth_is_counted_as_the_parser_would_nest(value: Any, times: int, indented: bool) -> None:
    body = nested(value, times)
    text = json.dumps(body, indent=1 if indented else None).encode()

    assert is_too_deep(text) == (levels(body) > MAX_DEPTH)


@given(st.lists(TRICKY | st.integers(0, 9), max_size=8))
def test_what_stands_in_a_string_counts_as_one(items: list[Any]) -> None:
    counted = 1 + sum(1 for item in items if isinstance(item, str)) + max(0, len(items) - 1)
    filling = MAX_TOKENS - counted
    text = json.dumps(items).encode()

    assert not has_too_many_tokens(text + b"," * filling)
    assert has_too_many_tokens(text + b"," * (filling + 1))


@given(st.binary(max_size=60))
@example(b'"\\')
@example(b"]" * 60)
def test_any_bytes_can_be_scanned(text: bytes) -> None:
    assert not has_too_many_tokens(text)
    assert not is_too_deep(text)


# Cost

AGENT = {"instructions": "read"}
ONE_ERROR = {"question": "x" * 1_000_000}
ERRORS: dict[str, tuple[type[Contract], Any]] = {
    "unknown fields": (VotingRequest, {"question": "q", **{f"x{number}": 1 for number in range(90_000)}}),
    "as many as are parsed": (VotingRequest, {"question": "q", **{f"x{number}": 1 for number in range(49_000)}}),
    "voters": (VotingRequest, {"question": "q", "voters": [{}] * 100_000}),
    "fields of sections": (
        SectioningRequest,
        {"input": "x", "sections": [{f"{number}": 1 for number in range(250)}] * 190},
    ),
    "chunks": (
        MapReduceRequest,
        {"documents": [{"id": "a", "content": "x"}], "chunks": [1] * 100_000, "map": AGENT, "reduce": AGENT},
    ),
    "documents": (MapReduceRequest, {"documents": [{}] * 100_000, "map": AGENT, "reduce": AGENT}),
}


def refusal_of(contract: type[Contract], body: Any) -> tuple[float, Problem]:
    """The least seconds of CPU that a refusal took, and the refusal."""
    request = post("x", json.dumps(body, separators=(",", ":")).encode())
    assert len(request.get_body()) <= MAX_BODY_BYTES
    refusals: list[tuple[float, Problem]] = []
    for _ in range(4):
        started = time.thread_time()
        with pytest.raises(Problem) as caught:
            parsed(request, contract)
        refusals.append((time.thread_time() - started, caught.value))
    return min(refusals, key=lambda refusal: refusal[0])


@pytest.mark.parametrize("case", ERRORS)
def test_a_hundred_thousand_errors_cost_about_what_one_in_a_body_of_the_size_costs(case: str) -> None:
    one_s, _ = refusal_of(VotingRequest, ONE_ERROR)
    many_s, problem = refusal_of(*ERRORS[case])

    # Measured 0.2 to 4 times, where telling every error took 60 times.
    assert many_s < 12 * one_s
    assert len(problem.response().get_body()) < 4_096


@pytest.mark.parametrize("fill", [b'\\"', b'"', b"[", b"{", b",", b"\\", b'{"a":', b'[""],', b" ", b'"\\"'])
def test_a_scan_costs_time_in_proportion_to_the_body(fill: bytes) -> None:
    def cost_s(scan: Callable[[bytes], bool], size: int) -> float:
        text = b'"' + (fill * size)[:size]
        times: list[float] = []
        for _ in range(3):
            started = time.thread_time()
            scan(text)
            times.append(time.thread_time() - started)
        return min(times)

    for scan in (has_too_many_tokens, is_too_deep):
        # Eight times the text: about eight times the time, where a quadratic scan takes sixty-four.
        assert cost_s(scan, 1_000_000) < 30 * max(cost_s(scan, 125_000), 1e-4)
