"""A run that a recipe started says so wherever it is told of."""

from __future__ import annotations

from typing import Any

import pytest

from shared.contracts.run import RunInput
from shared.contracts.sectioning import SectioningRequest
from tests.triggers.handlers import ask
from tests.triggers.requests import FakeClient, json_of, orchestration, post, result, run_input, sections
from triggers.runs import begin

GIVEN = run_input(sections("a"), recipe="code-review")


async def test_a_recipe_starts_a_checked_request_under_its_name() -> None:
    client: Any = FakeClient()
    request = SectioningRequest.model_validate(sections("a"))
    asked = post("recipes/code-review", {"code": "x = 1"})

    answer = await begin(asked, client, "sectioning", request, "recipes/code-review", recipe="code-review")

    [(name, given, run_id)] = client.started
    assert (answer.status_code, name, json_of(answer)["id"]) == (202, "sectioning", run_id)
    assert RunInput.model_validate(given).recipe == json_of(answer)["recipe"] == "code-review"
    assert json_of(answer)["status_url"] == f"https://chorus.example/api/runs/{run_id}"


@pytest.mark.parametrize(
    ("method", "state"),
    [
        ("VIEW", orchestration("RUNNING", given=GIVEN)),
        ("VIEW", orchestration("COMPLETED", given=GIVEN, output=result(recipe="code-review"))),
        ("VIEW", orchestration("FAILED", given=GIVEN)),
        ("GET", orchestration("COMPLETED", given=GIVEN, output=result(recipe="code-review"))),
        ("GET", orchestration("TERMINATED", given=GIVEN)),
        ("REDRIVE", orchestration("COMPLETED", given=GIVEN, output=result(recipe="code-review"))),
    ],
)
async def test_a_run_s_recipe_is_told(method: str, state: Any) -> None:
    assert json_of(await ask(method, state))["recipe"] == "code-review"


@pytest.mark.parametrize("method", ["VIEW", "GET", "REDRIVE"])
async def test_a_run_without_a_recipe_tells_of_none(method: str) -> None:
    state = orchestration("COMPLETED", given=run_input(sections("a")), output=result())

    assert "recipe" not in json_of(await ask(method, state))
