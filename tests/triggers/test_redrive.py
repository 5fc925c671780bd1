"""Redriving runs of every kind: what succeeded is taken over as it was, and nothing starts where there is an error."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import pytest
from durabletask.client import OrchestrationState
from hypothesis import given
from hypothesis import strategies as st

from shared.branching import REQUESTS
from shared.contracts.base import MAX_BODY_BYTES, restored
from shared.contracts.run import RunAccepted, RunInput
from shared.run_ids import is_time_ordered
from tests.shared.contracts.rejection import accepted
from tests.shared.strategies import JSON_VALUES
from tests.triggers.handlers import ask
from tests.triggers.requests import (
    EARLIER_ID,
    HOST,
    JSON,
    RUN_ID,
    FakeClient,
    child,
    failure,
    json_of,
    orchestration,
    outcome,
    paths_of,
    problem_of,
    report,
    result,
    run_input,
    sections,
)

AGENT = {"instructions": "read"}
REACHED = "min_successful_reached"
REQUESTED: dict[str, JSON] = {
    "sectioning": sections("a", "b", policy={"attempts": 2, "max_total_tokens": 9}),
    "voting": {"question": "Is it safe?", "voters": [{"name": name, **AGENT} for name in "ab"]},
    "map_reduce": {"documents": [{"id": n, "content": "x"} for n in "ab"], "map": AGENT, "reduce": AGENT},
}
OUTPUTS: dict[str, JSON] = {
    "sectioning": result()["output"],
    "voting": {
        "kind": "decision", "outcome": "tie", "decision": None, "leaders": [], "tally": [], "votes": [],
        "asked": 2, "counted": 1,
    },
    "map_reduce": {"kind": "reduction", "reduction": "agent", "content": "x", "documents": ["a"]},
}  # fmt: skip


def stored(pattern: str) -> JSON:
    """The request as a start wrote it into history."""
    return accepted(REQUESTS[pattern], REQUESTED[pattern]).model_dump(mode="json")  # type: ignore[index]


def run(status: str = "COMPLETED", pattern: str = "sectioning", **fields: Any) -> OrchestrationState:
    given = run_input(stored(pattern))
    output = result(pattern=pattern, output=OUTPUTS[pattern]) if status == "COMPLETED" else None
    return orchestration(status, **{"name": pattern, "given": given, "output": output, **fields})


async def redriven(*states: OrchestrationState, **request: Any) -> RunInput:
    """The input of the one run that was started."""
    client = FakeClient(list(states))
    answer = await ask("REDRIVE", client=client, **request)
    assert answer.status_code == 202, answer.get_body()
    [(name, given, run_id)] = client.started
    assert (name, run_id) == (states[0].name, json_of(answer)["id"])
    return RunInput.model_validate(given)


async def refusal(state: OrchestrationState | None, status: int, code: str, **request: Any) -> JSON:
    """The problem with a redrive; nothing was started."""
    client = FakeClient([state] if state else [])
    answer = await ask("REDRIVE", client=client, **request)
    assert (client.started, client.raised) == ([], [])
    return problem_of(answer, status, code)


def reused(given: RunInput) -> list[str]:
    assert given.redrive is not None
    assert given.redrive.run_id == RUN_ID
    return [outcome.name for outcome in given.redrive.reused]


# Accepted


async def test_a_redrive_is_accepted_with_an_id_of_its_own_and_the_first_run_s() -> None:
    answer = await ask("REDRIVE", run())

    body = RunAccepted.model_validate(json_of(answer))
    url = f"{HOST}/api/runs/{body.id}"
    assert answer.status_code == 202
    assert is_time_ordered(body.id)
    assert body.id != RUN_ID
    assert (body.redrive_of, body.pattern) == (RUN_ID, "sectioning")
    assert (body.status_url, body.view_url, body.cancel_url) == (url, f"{url}/view", url)
    assert answer.headers["Location"] == url
    assert int(answer.headers["Retry-After"]) > 0
    assert answer.headers["Cache-Control"] == "no-store"


@pytest.mark.parametrize("pattern", REQUESTED)
async def test_the_new_run_has_the_old_one_s_request_and_what_succeeded(pattern: str) -> None:
    given = await redriven(run(pattern=pattern))

    assert given.request == stored(pattern)
    assert reused(given) == ["a"]


@pytest.mark.parametrize("status", ["partial", "failed", "cancelled"])
@pytest.mark.parametrize("reason", ["all_completed", "deadline_exceeded", "budget_exhausted", "aggregation_failed"])
async def test_a_run_that_missed_something_can_be_redriven(status: str, reason: str) -> None:
    output = result(status=status, completion_reason=reason, output=None)

    assert reused(await redriven(run(output=output))) == ["a"]


async def test_a_run_whose_branches_all_failed_is_run_again_as_a_whole() -> None:
    output = result(status="failed", outcomes=[outcome("a", "failed"), outcome("b", "timed_out")])

    assert reused(await redriven(run(output=output))) == []


@pytest.mark.parametrize("status", ["TERMINATED", "FAILED"])
@pytest.mark.parametrize(
    ("children", "names"),
    [
        ([], []),
        ([child("a", "RUNNING")], []),
        ([child("b", output=report())], ["b"]),
        ([child("b", output=report()), child("a", output=failure()), child("a~2", output=report())], ["a", "b"]),
        ([child("a", output=failure(retriable=False)), child("~synthesis", output=report())], []),
    ],
)
async def test_a_run_that_died_can_be_redriven_with_what_its_calls_came_to(
    status: str, children: Sequence[OrchestrationState], names: list[str]
) -> None:
    assert reused(await redriven(run(status, error="ValueError"), *children)) == names


async def test_a_redrive_that_died_hands_on_what_it_had_taken_over() -> None:
    given = run_input(stored("sectioning"), reused=[outcome("a", output="first")])
    found = await redriven(run("TERMINATED", given=given), child("b", output=report(output="second")))

    assert reused(found) == ["a", "b"]
    assert found.redrive is not None
    assert [outcome.output for outcome in found.redrive.reused] == ["first", "second"]


@given(output=JSON_VALUES, tokens=st.integers(0, 10**12))
async def test_what_is_taken_over_is_the_same_byte_for_byte(output: Any, tokens: int) -> None:
    kept = outcome("a", output=output, hedges=2, model="m", truncated=True, usage={"total_tokens": tokens})
    first = json.loads(json.dumps(result(outcomes=[kept, outcome("b", "failed")])))
    full = await ask("GET", run(output=first))
    client = FakeClient([run(output=first)])

    await ask("REDRIVE", client=client)
    [(_, given, new_id)] = client.started
    again = FakeClient([run("TERMINATED", instance_id=new_id, given=given)])
    second = json_of(await ask("GET", client=again, run_id=new_id))

    expected = accepted(RunInput, given).model_dump(mode="json")["redrive"]["reused"][0]
    assert json.dumps(second["outcomes"][0]) == json.dumps(expected)
    assert json.dumps(expected["output"]) == json.dumps(json_of(full)["outcomes"][0]["output"])
    assert {name: expected[name] for name in kept if name != "usage"} == {n: kept[n] for n in kept if n != "usage"}
    assert expected["usage"]["total_tokens"] == tokens


@pytest.mark.parametrize(
    ("url", "root"),
    [
        (f"https://h/runs/{RUN_ID}/redrive", "https://h"),
        (f"https://h/api/runs/{RUN_ID}/redrive/?code=SECRET", "https://h/api"),
        (f"https://h/deep/prefix/Runs/{RUN_ID}/Redrive", "https://h/deep/prefix"),
        (f"https://runs/runs/runs/{RUN_ID}/redrive", "https://runs/runs"),
    ],
)
async def test_urls_follow_the_app_s_route_prefix(url: str, root: str) -> None:
    answer = await ask("REDRIVE", run(), url=url)

    body = json_of(answer)
    assert body["status_url"] == answer.headers["Location"] == f"{root}/runs/{body['id']}"
    assert b"SECRET" not in answer.get_body()


async def test_two_redrives_of_a_run_are_two_runs() -> None:
    client = FakeClient([run()])
    ids = {json_of(await ask("REDRIVE", client=client))["id"] for _ in range(2)}

    assert len(ids) == len(client.started) == 2


# The body


@pytest.mark.parametrize("body", [b"", b"{}", b" {\n} ", b'{"policy": null}'])
async def test_without_a_policy_the_old_one_stays(body: bytes) -> None:
    assert (await redriven(run(), body=body)).request["policy"] == stored("sectioning")["policy"]


async def test_a_body_that_is_empty_needs_no_content_type() -> None:
    assert (await redriven(run(), body=b"", content_type=None)).request == stored("sectioning")


async def test_a_policy_takes_the_old_one_s_place_as_a_whole() -> None:
    given = await redriven(run(), body={"policy": {"deadline_s": 50, "hedge": "p95"}})

    policy = given.request["policy"]
    assert (policy["deadline_s"], policy["hedge"], policy["attempts"], policy["max_total_tokens"]) == (
        50, "p95", 3, None,
    )  # fmt: skip
    assert {**given.request, "policy": None} == {**stored("sectioning"), "policy": None}
    assert restored(REQUESTS["sectioning"], given.request).policy.hedge == "p95"


@pytest.mark.parametrize(
    ("body", "status", "code", "paths"),
    [
        (b"null", 400, "invalid_request", ["$"]),
        (b"[]", 400, "invalid_request", ["$"]),
        (b'"again"', 400, "invalid_request", ["$"]),
        (b"3", 400, "invalid_request", ["$"]),
        (b" ", 400, "malformed_json", None),
        (b"{", 400, "malformed_json", None),
        (b"\xff", 400, "malformed_json", None),
        ({"policies": {}}, 400, "invalid_request", ["policies"]),
        ({"sections": []}, 400, "invalid_request", ["sections"]),
        ({"policy": "p95"}, 400, "invalid_request", ["policy"]),
        ({"policy": {"hurry": 1}}, 400, "invalid_request", ["policy.hurry"]),
        ({"policy": {"attempts": 0, "x": 1}}, 400, "invalid_request", ["policy.attempts", "policy.x"]),
        ({"policy": {"min_successful": 3}}, 400, "invalid_request", ["policy.min_successful"]),
        ({"policy": {"stop_early": True}}, 400, "invalid_request", ["policy.stop_early"]),
        ({"policy": {"hedge": "p95", "hedge_after_s": 1}}, 400, "invalid_request", ["policy.hedge"]),
        (
            {"policy": {"stop_early": True, "max_hedge_percentage": 9}},
            400,
            "invalid_request",
            ["policy.stop_early", "policy.max_hedge_percentage"],
        ),
        (b" " * (MAX_BODY_BYTES + 1), 413, "body_too_large", None),
    ],
)  # fmt: skip
async def test_a_body_that_does_not_fit_starts_nothing(
    body: Any, status: int, code: str, paths: list[str] | None
) -> None:
    problem = await refusal(run(), status, code, body=body)

    assert "errors" in problem or paths is None
    assert paths is None or paths_of(problem) == paths
    assert code != "invalid_request" or problem["detail"].endswith("Nothing was started.")


@pytest.mark.parametrize("content_type", [None, "text/plain", "application/x-www-form-urlencoded"])
async def test_a_body_of_another_type_starts_nothing(content_type: str | None) -> None:
    await refusal(run(), 415, "unsupported_media_type", body=b"{}", content_type=content_type)


# What cannot be redriven


@pytest.mark.parametrize("status", ["PENDING", "RUNNING", "SUSPENDED"])
async def test_a_run_that_goes_on_is_409_and_says_what_to_do(status: str) -> None:
    problem = await refusal(run(status), 409, "run_not_ended")

    assert "Wait for its end, or cancel it" in problem["detail"]


@pytest.mark.parametrize("pattern", REQUESTED)
async def test_a_run_that_succeeded_is_409(pattern: str) -> None:
    output = result(pattern=pattern, output=OUTPUTS[pattern], status="succeeded", missing=[])

    await refusal(run(pattern=pattern, output=output), 409, "nothing_to_redrive")


EARLY = {"min_successful": 1, "stop_early": True}


@pytest.mark.parametrize("body", [b"", {"policy": EARLY}])
async def test_a_run_that_stopped_early_and_would_again_is_409_and_says_what_to_send(body: Any) -> None:
    state = run(given=run_input(sections("a", "b", policy=EARLY)), output=result(completion_reason=REACHED))

    problem = await refusal(state, 409, "nothing_to_redrive", body=body)

    assert "without stop_early" in problem["detail"]


@pytest.mark.parametrize(
    ("reason", "body"),
    [
        (REACHED, {"policy": {}}),
        (REACHED, {"policy": {"min_successful": 2, "stop_early": True}}),
        ("aggregation_failed", b""),
        ("cancelled", b""),
    ],
)
async def test_a_run_that_stopped_early_is_redriven_when_something_is_left_to_do(reason: str, body: Any) -> None:
    state = run(given=run_input(sections("a", "b", policy=EARLY)), output=result(completion_reason=reason))

    assert reused(await redriven(state, body=body)) == ["a"]


@pytest.mark.parametrize("body", [b"", {"policy": {"attempts": 5}}])
@pytest.mark.parametrize("status", ["COMPLETED", "FAILED", "TERMINATED"])
@pytest.mark.parametrize(
    "given", [None, "text", 5, [], {}, sections("a"), {"request": {}}, {"request": {"sections": 1}}]
)
async def test_a_run_whose_input_this_version_cannot_read_is_409_and_says_why(
    given: Any, status: str, body: Any
) -> None:
    problem = await refusal(run(status, given=given), 409, "run_not_readable", body=body)

    assert "another version of the app" in problem["detail"]
    assert RUN_ID in problem["detail"]


@pytest.mark.parametrize("run_id", [EARLIER_ID, "x", "", f"{RUN_ID}:a", RUN_ID.upper()])
async def test_an_id_that_is_no_run_is_404(run_id: str) -> None:
    await refusal(run(), 404, "run_not_found", run_id=run_id)
