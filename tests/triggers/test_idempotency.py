"""A request that is sent again with its key, at once, later, and after everything that may go wrong in between."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import triggers.idempotency
from shared.contracts.claim import Claim
from tests.shared.strategies import JSON_VALUES
from tests.triggers.hub import Hub, keyed
from tests.triggers.requests import (
    JSON,
    RUN_ID,
    RpcFailure,
    json_of,
    orchestration,
    paths_of,
    problem_of,
    result,
    sections,
)
from tests.triggers.requests import run_input as given_to
from triggers.idempotency import fingerprint_of, key_of
from triggers.redrive import redrive_run
from triggers.runs import start_sectioning, start_voting

REPLAYED = "Idempotency-Replayed"


async def start(hub: Any, *args: Any, **more: Any) -> Any:
    return await start_sectioning(keyed(*args, **more), hub)


async def test_fifty_requests_at_once_start_one_run_though_each_is_told_that_it_made_the_claim() -> None:
    hub = Hub.of()

    answers = await asyncio.gather(*(start(hub) for _ in range(50)))

    assert {answer.status_code for answer in answers} == {202}
    assert {json_of(answer)["id"] for answer in answers} == set(hub.runs)
    assert len(hub.runs) == 1
    assert sum(REPLAYED not in answer.headers for answer in answers) == 1


async def test_the_first_answer_is_given_again_also_after_the_end() -> None:
    hub = Hub.of()
    first = await start(hub)
    hub.end(json_of(first)["id"], result())

    again = await start(hub)

    assert (again.status_code, json_of(again)) == (202, json_of(first))
    assert again.headers[REPLAYED] == "true"
    assert again.headers["Location"] == first.headers["Location"]
    assert len(hub.runs) == 1


async def test_a_re_send_that_waits_gets_the_result() -> None:
    hub = Hub.of()
    first = await start(hub)
    hub.end(json_of(first)["id"], result())

    again = await start(hub, query={"wait": "5"})

    assert (again.status_code, json_of(again)) == (200, result())
    assert again.headers[REPLAYED] == "true"


async def test_other_keys_and_none_start_runs_of_their_own() -> None:
    hub = Hub.of()
    for key in ("one", "two", None, None):
        answer = await start(hub, key)
        assert (answer.status_code, REPLAYED in answer.headers) == (202, False)

    assert len(set(hub.runs)) == 4


async def test_json_that_is_written_otherwise_is_the_same_request() -> None:
    hub = Hub.of()
    await start(hub)
    body = sections("a")

    again = await start(hub, "a-key", json.dumps(dict(reversed(body.items())), indent=4).encode())

    assert again.headers[REPLAYED] == "true"


async def test_a_key_that_comes_with_another_body_is_refused() -> None:
    hub = Hub.of()
    await start(hub)

    answer = await start(hub, "a-key", sections("b"))

    body = problem_of(answer, 422, "idempotency_key_reused")
    assert paths_of(body) == ["Idempotency-Key"]
    assert len(hub.runs) == 1


async def test_a_key_that_comes_on_another_route_is_refused() -> None:
    hub = Hub.of()
    await start(hub)

    answer = await start_voting(keyed("a-key", {"question": "Is it safe?"}, route="voting"), hub)

    problem_of(answer, 422, "idempotency_key_reused")


@pytest.mark.parametrize("key", ["", " ", "a b", "x" * 256, "schlüssel", "a\tb", "a\x00"])
async def test_a_key_that_is_none_is_refused_by_its_name(key: str) -> None:
    hub = Hub.of()

    body = problem_of(await start(hub, key), 400, "invalid_parameter")

    assert paths_of(body) == ["Idempotency-Key"]
    assert hub.created == []


@given(st.text(st.characters(min_codepoint=0x21, max_codepoint=0x7E), min_size=1, max_size=255))
def test_visible_characters_make_a_key_which_is_kept_as_its_digest_alone(key: str) -> None:
    digest = key_of(keyed(key))

    assert digest is not None
    assert len(digest) == 64


async def test_a_refused_request_claims_nothing() -> None:
    hub = Hub.of()

    problem_of(await start(hub, "a-key", {}), 400, "invalid_request")
    assert hub.created == []
    assert (await start(hub)).status_code == 202


async def test_a_claim_holds_neither_the_key_nor_the_material() -> None:
    hub = Hub.of()
    await start(hub, "PRIVATE-KEY", sections("a", input="PRIVATE TEXT"))

    claim = hub.created[0]

    assert claim.name == "claim"
    assert "PRIVATE" not in f"{claim.instance_id}{claim.serialized_input}"
    assert Claim.model_validate_json(claim.serialized_input or "").pattern == "sectioning"


async def test_a_start_that_was_lost_after_its_claim_is_healed_by_the_next(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(triggers.idempotency, "APPEARS_WITHIN_S", 0.0)
    hub = Hub.of()
    hub.refuses = RpcFailure("UNAVAILABLE")  # the start tells its claim of nothing, as one that dies does
    first = json_of(await start(hub))["id"]
    hub.refuses = None
    del hub.rows[first]

    again = await start(hub)

    assert json_of(again)["id"] == first
    assert hub.runs == [first, first]
    assert list(hub.policies[first].replaceableStatus) != []


async def test_a_run_that_was_purged_is_not_started_again_while_its_key_holds() -> None:
    hub = Hub.of()
    first = await start(hub)
    del hub.rows[json_of(first)["id"]]

    again = await start(hub)

    assert (again.status_code, json_of(again)) == (202, json_of(first))
    assert again.headers[REPLAYED] == "true"
    assert len(hub.runs) == 1


async def test_a_run_that_is_about_to_appear_is_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(triggers.idempotency, "FIRST_PAUSE_S", 0.0)
    hub = Hub.of()
    hub.refuses = RpcFailure("UNAVAILABLE")
    first = json_of(await start(hub))["id"]
    late = hub.rows.pop(first)

    hub.meanwhile[len(hub.asked) + 4] = lambda: hub.rows.update({first: late})

    again = await start(hub)

    assert json_of(again)["id"] == first
    assert hub.runs == [first]


async def test_a_key_whose_time_is_over_starts_another_run() -> None:
    hub = Hub.of()
    first = json_of(await start(hub))["id"]
    hub.end(hub.created[0].instance_id)

    again = await start(hub, "a-key", sections("b"))

    assert (again.status_code, REPLAYED in again.headers) == (202, False)
    assert json_of(again)["id"] != first


async def test_a_redrive_is_as_exact() -> None:
    ended = orchestration("COMPLETED", given=given_to(sections("a", "b")), output=result())
    hub = Hub.of(ended)

    def redriven() -> Any:
        return redrive_run(keyed("a-key", b"", route=f"runs/{RUN_ID}/redrive", run_id=RUN_ID), hub)

    answers = await asyncio.gather(*(redriven() for _ in range(5)))

    assert {json_of(answer)["id"] for answer in answers} == set(hub.runs)
    assert {json_of(answer)["redrive_of"] for answer in answers} == {RUN_ID}
    assert len(hub.runs) == 1


@given(body=JSON_VALUES, route=st.sampled_from(["voting", "sectioning"]))
def test_a_request_has_one_fingerprint_however_it_is_written(body: Any, route: str) -> None:
    spaced = fingerprint_of(route, json.dumps(body, indent=2).encode())

    assert fingerprint_of(route, json.dumps(body, separators=(",", ":")).encode()) == spaced
    assert fingerprint_of(f"{route}-2", json.dumps(body).encode()) != spaced


@pytest.mark.parametrize(("one", "other"), [(1, 2), ([1, 2], [2, 1]), ({"a": 1}, {"a": "1"}), (None, ""), (1, True)])
def test_other_values_have_another_fingerprint(one: JSON, other: JSON) -> None:
    assert fingerprint_of("x", json.dumps(one).encode()) != fingerprint_of("x", json.dumps(other).encode())


@pytest.mark.parametrize("body", [b"", b"{", b"[" * 100_000, b"9" * 5_000, b"\xff"])
def test_what_is_no_json_has_a_fingerprint_too(body: bytes) -> None:
    assert fingerprint_of("x", body) != fingerprint_of("x", body + b" {")
