"""Every recipe from its example to its result, over HTTP, on the offline model."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from shared.schemas import first_violation
from tests.end_to_end.conftest import APP_DIR, JSON, Chorus

pytestmark = pytest.mark.asyncio(loop_scope="module")

NAMES = sorted(path.stem for path in Path(APP_DIR, "recipes").glob("*.toml"))


def at(result: JSON, path: str) -> Any:
    value: Any = result
    for key in path.split("."):
        value = value[key]
    return value


async def test_the_list_has_every_recipe_and_none_is_broken(chorus: Chorus) -> None:
    status, body, _ = await chorus.get("recipes")
    assert status == 200
    assert [(recipe["name"], recipe["status"]) for recipe in body["recipes"]] == [(name, "ok") for name in NAMES]


@pytest.mark.parametrize("name", NAMES)
async def test_the_example_of_each_recipe_runs_and_its_result_fits_the_schemas(chorus: Chorus, name: str) -> None:
    _, recipe, _ = await chorus.get(f"recipes/{name}")
    assert first_violation(recipe["example"], recipe["input_schema"]) is None
    status, estimate, _ = await chorus.post(f"recipes/{name}/estimate", recipe["example"])
    assert (status, estimate["pattern"]) == (200, recipe["pattern"])

    result = await chorus.run(f"recipes/{name}", recipe["example"])

    assert (result["status"], result["missing"]) == ("succeeded", []), result
    assert (result["recipe"], result["pattern"]) == (name, recipe["pattern"])
    answer = at(result, recipe["output_path"])
    assert answer or result["output"]["outcome"] in {"tie", "no_consensus"}
    if recipe["output_schema"] is not None:
        assert first_violation(answer, recipe["output_schema"]) is None
    assert estimate["model_calls"]["at_least"] <= result["usage"]["model_calls"] <= estimate["model_calls"]["at_most"]


async def test_a_recipe_s_run_follows_its_policy_with_the_caller_s_fields_in_it(chorus: Chorus) -> None:
    body = {"change": "We close the store in Lyon.", "policy": {"attempts": 2, "deadline_s": 50}}
    result = await chorus.run("recipes/stakeholder-impact", body)
    policy = result["policy"]
    assert (policy["attempts"], policy["deadline_s"], policy["branch_timeout_s"]) == (2, 50, 50)
    assert (policy["min_successful"], policy["hedge_after_s"]) == (4, 45)


async def test_data_extraction_gives_a_table_with_the_caller_s_fields(chorus: Chorus) -> None:
    body = {
        "documents": [{"id": "mail", "content": "Invoice 2026-118 over 1240.50 EUR, issued on 2026-03-03."}],
        "fields": {"invoice": "text", "total": "number"},
        "format": "csv",
    }
    result = await chorus.run("recipes/data-extraction", body)
    assert result["output"]["content"].splitlines()[0].split(",")[1:] == ["invoice", "total"]
