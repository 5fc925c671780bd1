"""Starting runs, and refusing to; whatever is refused to a start is refused in the same words to an estimate."""

from __future__ import annotations

import json
from typing import Any

import azure.functions as func
import pytest

from shared.contracts.base import MAX_BODY_BYTES, restored
from shared.contracts.map_reduce import MapReduceRequest
from shared.contracts.sectioning import SectioningRequest
from shared.contracts.voting import VotingRequest
from shared.run_ids import RUN_ID
from tests.triggers.requests import HOST, JSON, FakeClient, is_absolute, json_of, paths_of, post, problem_of
from triggers.estimates import estimate_map_reduce, estimate_sectioning, estimate_voting
from triggers.runs import start_map_reduce, start_sectioning, start_voting

AGENT = {"instructions": "read"}
SECTION = {"name": "tone", "instructions": "judge"}
BODIES: dict[str, JSON] = {
    "sectioning": {"input": "text", "sections": [SECTION]},
    "voting": {"question": "Is it safe?"},
    "map-reduce": {"documents": [{"id": "one", "content": "text"}], "map": AGENT, "reduce": AGENT},
}
STARTS: dict[str, Any] = {"sectioning": start_sectioning, "voting": start_voting, "map-reduce": start_map_reduce}
ESTIMATES: dict[str, Any] = {
    "sectioning": estimate_sectioning, "voting": estimate_voting, "map-reduce": estimate_map_reduce,
}  # fmt: skip
CONTRACTS: dict[str, Any] = {
    "sectioning": SectioningRequest, "voting": VotingRequest, "map-reduce": MapReduceRequest,
}  # fmt: skip


async def refusal(route: str, body: Any, status: int, code: str, **request: Any) -> JSON:
    """The problem with a body, of a start and of an estimate alike; nothing was started."""
    client = FakeClient()
    answer = await STARTS[route](post(route, body, **request), client)
    assert client.started == []
    estimate = await ESTIMATES[route](post(f"{route}/estimate", body, **request))
    assert (estimate.status_code, json_of(estimate)) == (answer.status_code, json_of(answer))
    return problem_of(answer, status, code)


# Accepted


@pytest.mark.parametrize("route", STARTS)
async def test_a_start_is_accepted_with_an_id_and_absolute_urls(route: str) -> None:
    client = FakeClient()

    answer = await STARTS[route](post(route, BODIES[route]), client)

    body = json_of(answer)
    assert answer.status_code == 202
    assert answer.mimetype == "application/json"
    assert RUN_ID.fullmatch(body["id"])
    assert body == {
        "id": body["id"],
        "pattern": route.replace("-", "_"),
        "redrive_of": None,
        "status_url": f"{HOST}/api/runs/{body['id']}",
        "view_url": f"{HOST}/api/runs/{body['id']}/view",
        "cancel_url": f"{HOST}/api/runs/{body['id']}",
    }
    assert answer.headers["Location"] == body["status_url"]
    assert is_absolute(answer.headers["Location"])
    assert int(answer.headers["Retry-After"]) > 0
    assert answer.headers["Cache-Control"] == "no-store"


@pytest.mark.parametrize("route", STARTS)
async def test_a_start_schedules_one_orchestration_with_the_checked_request(route: str) -> None:
    client = FakeClient()

    answer = await STARTS[route](post(route, BODIES[route]), client)

    [(name, given, instance_id)] = client.started
    assert name == route.replace("-", "_")
    assert instance_id == json_of(answer)["id"]
    assert given["redrive"] is None
    assert restored(CONTRACTS[route], given["request"]) == CONTRACTS[route].model_validate(BODIES[route])


async def test_every_run_has_an_id_of_its_own() -> None:
    client = FakeClient()
    for _ in range(5):
        await start_voting(post("voting", BODIES["voting"]), client)  # type: ignore[arg-type]

    assert len({instance_id for _, _, instance_id in client.started}) == 5


@pytest.mark.parametrize(
    ("url", "root"),
    [
        ("http://localhost:7071/api/voting", "http://localhost:7071/api"),
        ("http://localhost:7071/api/voting/", "http://localhost:7071/api"),
        ("http://localhost:7071/voting", "http://localhost:7071"),
        ("http://localhost:7071/voting/", "http://localhost:7071"),
        ("https://h/deep/prefix/voting?code=SECRET", "https://h/deep/prefix"),
        ("https://h/api/Voting", "https://h/api"),
        ("https://h/voting/voting", "https://h/voting"),
        ("https://voting/api/voting", "https://voting/api"),
        ("https://h/runs/api/voting", "https://h/runs/api"),
    ],
)
async def test_urls_follow_the_app_s_route_prefix(url: str, root: str) -> None:
    answer = await start_voting(post("voting", BODIES["voting"], url=url), FakeClient())  # type: ignore[arg-type]

    body = json_of(answer)
    assert body["status_url"] == f"{root}/runs/{body['id']}"
    assert body["view_url"] == f"{root}/runs/{body['id']}/view"
    assert b"SECRET" not in answer.get_body()


@pytest.mark.parametrize(
    "content_type", ["application/json", "application/json; charset=utf-8", "APPLICATION/JSON ;charset=UTF-8"]
)
async def test_json_may_be_named_with_a_charset_and_in_any_case(content_type: str) -> None:
    client = FakeClient()
    answer = await start_voting(post("voting", BODIES["voting"], content_type=content_type), client)  # type: ignore[arg-type]

    assert answer.status_code == 202


async def test_the_name_of_the_header_may_be_in_any_case() -> None:
    request = func.HttpRequest(
        "POST", f"{HOST}/api/voting", headers={"cOnTeNt-TyPe": "application/json"}, body=b'{"question": "q"}'
    )

    assert (await start_voting(request, FakeClient())).status_code == 202  # type: ignore[arg-type]


async def test_a_body_of_the_largest_size_is_accepted() -> None:
    body = json.dumps(BODIES["voting"]).encode()

    client = FakeClient()
    answer = await start_voting(post("voting", body.ljust(MAX_BODY_BYTES)), client)  # type: ignore[arg-type]

    assert answer.status_code == 202


# Refused before it is read


@pytest.mark.parametrize("route", STARTS)
@pytest.mark.parametrize(
    "content_type",
    [None, "", "text/plain", "application/x-www-form-urlencoded", "application/jsonp", "application/problem+json"],
)
async def test_another_content_type_is_415(route: str, content_type: str | None) -> None:
    body = await refusal(route, BODIES[route], 415, "unsupported_media_type", content_type=content_type)

    assert "Content-Type: application/json" in body["detail"]


@pytest.mark.parametrize("route", STARTS)
async def test_a_body_that_is_too_large_is_413_with_both_sizes(route: str) -> None:
    body = await refusal(route, b" " * (MAX_BODY_BYTES + 1), 413, "body_too_large")

    assert "1,048,577" in body["detail"]
    assert "1,048,576" in body["detail"]


@pytest.mark.parametrize("route", STARTS)
@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b" ",
        b"{",
        b'{"question": }',
        b"{'question': 'q'}",
        b'{"question": "q"} more',
        b'{"question": "q",}',
        b"\xff\xfe{",
        b'{"question": "\xff"}',
        b'{"question": "\\ud800"}',
        "{}".encode("utf-16"),
        b"[" * 100,
        b'{"a":' * 100,
        b'"' * 99_999,
        b'{"question": ' + b"9" * 5_000 + b"}",
        b'\xef\xbb\xbf{"question": "q"}',
        b'{"question": "a \x00 b"}',
        b"question=q",
    ],
)
async def test_malformed_json_is_400_and_says_where(route: str, raw: bytes) -> None:
    body = await refusal(route, raw, 400, "malformed_json")

    assert "at line 1 column" in body["detail"]
    assert "errors" not in body


@pytest.mark.parametrize("route", STARTS)
@pytest.mark.parametrize("raw", [b"[" * 99_999, b'{"a":' * 50_000, b"[" * 101 + b"]" * 101])
async def test_a_body_that_is_nested_too_deeply_is_400(route: str, raw: bytes) -> None:
    assert "100 levels" in (await refusal(route, raw, 400, "too_deep"))["detail"]


@pytest.mark.parametrize("route", STARTS)
@pytest.mark.parametrize("raw", [b"[" * 1_000_000, b'"' * 1_000_000, b"{},1" * 200_000])
async def test_a_body_of_too_many_values_is_400(route: str, raw: bytes) -> None:
    assert "100,000" in (await refusal(route, raw, 400, "too_many_values"))["detail"]


@pytest.mark.parametrize("route", STARTS)
@pytest.mark.parametrize("raw", [b"[]", b"null", b"3", b'"text"', b"true", b"[{}]"])
async def test_json_that_is_no_object_is_400_at_the_root(route: str, raw: bytes) -> None:
    assert paths_of(await refusal(route, raw, 400, "invalid_request")) == ["$"]


# Refused by field

DEEP_SCHEMA: JSON = {"type": "object"}
for _ in range(30):
    DEEP_SCHEMA = {"type": "object", "properties": {"a": DEEP_SCHEMA}}


@pytest.mark.parametrize(
    ("route", "changes", "paths"),
    [
        ("sectioning", {"surprise": 1}, ["surprise"]),
        ("sectioning", {"input": 5}, ["input"]),
        ("sectioning", {"sections": [SECTION, {**SECTION, "name": "a b"}]}, ["sections[1].name"]),
        ("sectioning", {"sections": [{"instructions": "i"}]}, ["sections[0].name"]),
        ("sectioning", {"sections": [SECTION, {"name": "b"}]}, ["sections[1].instructions"]),
        ("sectioning", {"sections": [SECTION, SECTION]}, ["sections"]),
        ("sectioning", {"sections": [SECTION] * 201}, ["sections"]),
        ("sectioning", {"sections": {"name": "a"}}, ["sections"]),
        ("sectioning", {"sections": [{**SECTION, "extra": 1}]}, ["sections[0].extra"]),
        ("sectioning", {"sections": [{"name": "a", "agent": {"instructions": 1}}]}, ["sections[0].agent.instructions"]),
        (
            "sectioning",
            {"sections": [{"name": "a", "agent": {**AGENT, "output_schema": DEEP_SCHEMA}}]},
            ["sections[0].agent.output_schema"],
        ),
        ("sectioning", {"aggregation": "sum"}, ["aggregation"]),
        ("sectioning", {"synthesizer": {}}, ["synthesizer.instructions"]),
        ("sectioning", {"aggregation": "merge", "synthesizer": AGENT}, ["synthesizer"]),
        ("sectioning", {"policy": {"attempts": 0}}, ["policy.attempts"]),
        ("sectioning", {"policy": {"attempts": "3"}}, ["policy.attempts"]),
        ("sectioning", {"policy": {"min_successful": 2}}, ["policy.min_successful"]),
        ("sectioning", {"policy": {"hurry": True}}, ["policy.hurry"]),
        ("sectioning", {"policy": {"stop_early": True}}, ["policy.stop_early"]),
        ("voting", {"policy": {"hedge": "p95", "hedge_after_s": 1}}, ["policy.hedge"]),
        ("voting", {"policy": {"max_hedge_percentage": 5}}, ["policy.max_hedge_percentage"]),
        ("map-reduce", {"policy": {"hedge_after_s": 120}}, ["policy.hedge_after_s"]),
        ("map-reduce", {"policy": {"branch_timeout_s": 9, "deadline_s": 8}}, ["policy.branch_timeout_s"]),
        ("map-reduce", {"policy": {"max_total_tokens": 0}}, ["policy.max_total_tokens"]),
        ("sectioning", {"defaults": {"temperature": 3}}, ["defaults.temperature"]),
        ("sectioning", {"input": 1, "sections": [], "x": 1}, ["input", "sections", "x"]),
        ("voting", {"voters": "3"}, ["voters"]),
        ("voting", {"voters": 0}, ["voters"]),
        ("voting", {"voters": 201}, ["voters"]),
        ("voting", {"voters": []}, ["voters"]),
        ("voting", {"voters": None}, ["voters"]),
        ("voting", {"voters": [{"name": "ann", "weight": 0}]}, ["voters[0].weight"]),
        ("voting", {"voters": [AGENT, 7]}, ["voters[1]"]),
        ("voting", {"voters": [{**AGENT, "count": 1}]}, ["voters[0].count"]),
        ("voting", {"voters": {"max": 5, "count": 3}}, ["voters.count"]),
        ("voting", {"ballot": {"type": "choice"}}, ["ballot.options"]),
        ("voting", {"ballot": {"type": "choice", "options": ["a"]}}, ["ballot.options"]),
        ("voting", {"ballot": {"type": "choice", "options": ["a", 5]}}, ["ballot.options[1]"]),
        ("voting", {"ballot": {"type": "choice", "options": ["a", "A"]}}, ["ballot.options"]),
        ("voting", {"ballot": {"type": "choice", "choice": ["a", "b"]}}, ["ballot.options", "ballot.choice"]),
        ("voting", {"ballot": {"type": "free", "free": 1}}, ["ballot.free"]),
        ("voting", {"ballot": {"type": "free", "options": []}}, ["ballot.options"]),
        ("voting", {"ballot": {"options": ["a", "b"]}}, ["ballot.type"]),
        ("voting", {"ballot": {"type": "rank"}}, ["ballot.type"]),
        ("voting", {"ballot": "free"}, ["ballot"]),
        ("voting", {"choice": 1}, ["choice"]),
        ("map-reduce", {"documents": []}, ["documents"]),
        ("map-reduce", {"documents": [{"id": "a"}]}, ["documents[0].content"]),
        ("map-reduce", {"documents": [{"id": "a:b", "content": "x"}]}, ["documents[0].id"]),
        ("map-reduce", {"map": None}, ["map"]),
        ("map-reduce", {"reduce": {"instructions": ""}}, ["reduce.instructions"]),
        ("map-reduce", {"map": {**AGENT, "output_schema": {"type": "array"}}}, ["map.output_schema"]),
    ],
)
async def test_a_field_that_does_not_fit_is_400_with_its_path(route: str, changes: JSON, paths: list[str]) -> None:
    body = await refusal(route, {**BODIES[route], **changes}, 400, "invalid_request")

    assert paths_of(body) == paths
    assert f"contract: {paths[0]}: " in body["detail"]
    assert body["detail"].endswith("Nothing was started.")
    assert all(error["message"] and not error["message"].startswith("Value error") for error in body["errors"])


@pytest.mark.parametrize("route", STARTS)
async def test_a_missing_field_is_400_with_its_path(route: str) -> None:
    body = await refusal(route, {}, 400, "invalid_request")

    assert paths_of(body) == {
        "sectioning": ["input", "sections"], "voting": ["question"], "map-reduce": ["map", "reduce"],
    }[route]  # fmt: skip


@pytest.mark.parametrize("token", ["NaN", "Infinity", "1e999"])
async def test_a_number_that_is_not_finite_is_400_with_its_path(token: str) -> None:
    raw = b'{"question": "q", "policy": {"deadline_s": %s}}' % token.encode()

    assert paths_of(await refusal("voting", raw, 400, "invalid_request")) == ["policy.deadline_s"]


async def test_many_errors_are_listed_up_to_a_limit_and_counted() -> None:
    body = await refusal(
        "voting", {"question": "q", **{f"x{number}": 1 for number in range(30)}}, 400, "invalid_request"
    )

    assert len(body["errors"]) == 20
    assert "(and 10 more)" in body["detail"]


async def test_errors_beyond_counting_are_told_as_a_number() -> None:
    fields = {f"x{number}": 1 for number in range(20_000)}
    body = await refusal("voting", {"question": "q", **fields}, 400, "invalid_request")

    assert body["errors"] == [{"path": "$", "message": "20,000 fields do not fit, too many to be listed"}]


async def test_what_was_sent_is_not_sent_back() -> None:
    answer = await start_voting(post("voting", {"question": ["PRIVATE"], "voters": "PRIVATE"}), FakeClient())  # type: ignore[arg-type]

    assert b"PRIVATE" not in answer.get_body()


async def test_an_encoded_body_is_415() -> None:
    client: Any = FakeClient()
    request = func.HttpRequest(
        method="POST",
        url="https://h/api/voting",
        headers={"Content-Type": "application/json", "Content-Encoding": "gzip"},
        body=b'{"question": "x"}',
    )
    problem_of(await start_voting(request, client), 415, "unsupported_content_encoding")
    assert client.started == []


async def test_more_material_than_history_should_hold_is_400_with_the_field_s_path() -> None:
    sections = [{"name": f"s{number}", "instructions": "i"} for number in range(30)]
    body = await refusal("sectioning", {"input": "x" * 150_000, "sections": sections}, 400, "invalid_request")
    assert paths_of(body) == ["input"]
