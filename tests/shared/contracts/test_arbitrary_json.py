"""Whatever JSON comes in, a contract takes it or says what does not fit: nothing else ever happens."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from shared.branching import branches_of
from shared.contracts.base import Contract, restored
from shared.contracts.map_reduce import MapReduceRequest
from shared.contracts.run import RedriveRequest
from shared.contracts.sectioning import SectioningRequest
from shared.contracts.voting import VotingRequest
from shared.estimation import estimate
from tests.shared.strategies import MAP_REDUCE_REQUESTS, SECTIONING_REQUESTS, VOTING_REQUESTS
from triggers.problems import from_validation

CONTRACTS: dict[str, tuple[type[Contract], st.SearchStrategy[dict[str, Any]]]] = {
    "sectioning": (SectioningRequest, SECTIONING_REQUESTS),
    "voting": (VotingRequest, VOTING_REQUESTS),
    "map_reduce": (MapReduceRequest, MAP_REDUCE_REQUESTS),
    "redrive": (RedriveRequest, st.just({"policy": {"attempts": 3}})),
}
STRANGE = st.sampled_from(
    [
        None, True, "", " ", "\x00", "\ufeff", "￿", "𝒳", "a\u202eb", 0, -1, 0.5, -0.0, 5e-324, 1.7976931348623157e308,
        2**53 + 1, 2**63, 2**64, 10**400, -(10**400), [], {}, [[]], [None], {"": None}, {"type": []}, {"type": {}},
        {"type": "object"}, {"$ref": "#"}, "x" * 70, "~a", "a:b", "../a", "blob:v1:chorus-payloads:x",
    ]
)  # fmt: skip
VALUES = st.recursive(
    STRANGE | st.text(max_size=5) | st.integers() | st.floats(allow_nan=False, allow_infinity=False),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)


def places_in(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """The path of every value in a body."""
    members = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [path, *(place for key, inner in members for place in places_in(inner, (*path, key)))]


def with_value(body: Any, path: tuple[Any, ...], value: Any) -> Any:
    if not path:
        return value
    copy = dict(body) if isinstance(body, dict) else list(body)
    copy[path[0]] = with_value(copy[path[0]], path[1:], value)
    return copy


@st.composite
def broken(draw: st.DrawFn, bodies: st.SearchStrategy[dict[str, Any]], contract: type[Contract]) -> Any:
    """A request of which some values are others, or with fields of which it has not heard; or anything at all."""
    body: Any = draw(bodies | VALUES)
    for _ in range(draw(st.integers(0, 3))):
        places = places_in(body)
        place = draw(st.sampled_from(places))
        body = with_value(body, place, draw(VALUES))
    if isinstance(body, dict) and draw(st.booleans()):
        return {**body, draw(st.sampled_from([*contract.model_fields, "more"])): draw(VALUES)}
    return body


NOT_KEPT = {"callback_url": None}
"""No contract writes it: history has it sealed."""


@pytest.mark.parametrize("name", CONTRACTS)
@given(data=st.data())
@settings(suppress_health_check=[HealthCheck.too_slow])
def test_any_json_is_a_request_that_survives_history_or_a_problem(name: str, data: st.DataObject) -> None:
    contract, bodies = CONTRACTS[name]
    body = data.draw(broken(bodies, contract))
    raw = json.dumps(body).encode()
    try:
        request = contract.model_validate_json(raw, strict=True)
    except ValidationError as exc:
        json.loads(from_validation(exc, body).response().get_body())
        return
    written = json.dumps(request.model_dump(mode="json"), allow_nan=False, ensure_ascii=False).encode()
    again = restored(contract, json.loads(written))
    assert again == request.model_copy(update=NOT_KEPT)
    if isinstance(again, SectioningRequest | VotingRequest | MapReduceRequest) and not getattr(again, "source", None):
        assert branches_of(again)
        pattern: Any = name
        estimate(pattern, again)


@given(st.binary(max_size=200))
@example(b"\xef\xbb\xbf{}")
@example(b'{"question": "\\ud800"}')
@example(b'{"question": 1' + b"0" * 5_000 + b"}")
@example(b'{"question": "q", "voters": 1e400}')
@example(b'{"question": "q", "policy": {"max_total_tokens": 1' + b"0" * 4_000 + b"}}")
@example(b'{"question": ' + b"[" * 190 + b"]" * 190 + b"}")
@example(b'{"question": "a", "question": 5}')
def test_any_bytes_are_a_request_or_a_problem(raw: bytes) -> None:
    for contract, _ in CONTRACTS.values():
        try:
            contract.model_validate_json(raw, strict=True)
        except ValidationError as exc:
            json.loads(from_validation(exc, None).response().get_body())
