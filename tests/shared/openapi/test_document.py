"""The OpenAPI 3.1 definition is valid, complete, and says of requests and answers what is so."""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Iterator
from typing import Any

import pytest
from durabletask.client import OrchestrationState
from hypothesis import given, settings
from jsonschema import Draft202012Validator
from openapi_spec_validator import OpenAPIV31SpecValidator

from shared.callbacks.messages import MAX_BODY_BYTES, message_of
from shared.contracts.base import Contract
from shared.contracts.run import RunResult, RunView
from shared.contracts.voting import VotingRequest
from shared.openapi.bodies import HealthReport, RunCompleted
from shared.openapi.document import VERSION, openapi_document
from shared.openapi.examples import RECIPE
from shared.openapi.operation import Operation
from shared.openapi.operations import OPERATIONS
from shared.openapi.parameters import RECIPE_NAME
from shared.openapi.tags import TAGS
from shared.recipes.catalog import catalog_of
from shared.recipes.folder import folder_of
from tests.architecture import ROOT
from tests.shared.callbacks.given import result_of_run, run_that
from tests.shared.openapi.requests import shown_requests
from tests.shared.strategies import voting_requests
from triggers.health import health_of

API = "https://chorus.example/api"
DOCUMENT = openapi_document(API)
TOO_LARGE = run_that("COMPLETED", result_of_run("x" * MAX_BODY_BYTES))
BY_ID = {operation.id: operation for operation in OPERATIONS}
each_operation = pytest.mark.parametrize("operation", OPERATIONS, ids=lambda operation: operation.id)


def described(operation: Operation) -> Any:
    return DOCUMENT["paths"][f"/{operation.route}"][operation.method.lower()]


def validator_of(name: str) -> Draft202012Validator:
    return Draft202012Validator({"$ref": f"#/components/schemas/{name}", "components": DOCUMENT["components"]})


def fits(contract: type[Contract], value: Any) -> bool:
    return validator_of(contract.__name__).is_valid(value)


def properties() -> Iterator[tuple[str, str, Any]]:
    for name, schema in DOCUMENT["components"]["schemas"].items():
        for field, told in schema.get("properties", {}).items():
            yield name, field, told


def test_a_validator_finds_nothing_wrong_with_the_definition() -> None:
    assert [error.message for error in OpenAPIV31SpecValidator(DOCUMENT).iter_errors()] == []


def test_the_version_is_the_project_s() -> None:
    assert tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]["version"] == VERSION


def test_every_operation_has_an_id_of_its_own_in_pascal_case() -> None:
    ids = [operation.id for operation in OPERATIONS]

    assert len(set(ids)) == len(ids)
    assert all(re.fullmatch(r"([A-Z][a-z]+)+", name) for name in ids)


@each_operation
def test_every_operation_has_a_summary_a_description_and_a_known_tag(operation: Operation) -> None:
    assert 0 < len(operation.summary) <= 80
    assert not operation.summary.endswith(".")
    assert operation.description.endswith(".")
    assert operation.tag in TAGS


@each_operation
def test_every_operation_wants_a_key_but_the_app_s_health(operation: Operation) -> None:
    wanted = described(operation).get("security", DOCUMENT["security"])

    assert wanted == ([] if operation.id == "GetHealth" else [{"functionKey": []}])
    assert ("401" in described(operation)["responses"]) == (operation.id != "GetHealth")


def test_a_local_host_asks_for_no_key() -> None:
    assert {} in openapi_document("http://localhost:7071/api", asks_for_keys=False)["security"]


@each_operation
def test_problems_are_told_as_problem_json_with_their_codes(operation: Operation) -> None:
    told = [
        code
        for answer in described(operation)["responses"].values()
        if "application/problem+json" in answer.get("content", {})
        for code in answer["content"]["application/problem+json"]["schema"]["allOf"][1]["properties"]["code"]["enum"]
    ]

    assert sorted(told) == sorted(operation.all_problems)
    assert len(set(told)) == len(told)


@each_operation
def test_what_takes_a_body_says_what_is_wrong_with_it(operation: Operation) -> None:
    assert (operation.request is not None) == ("unsupported_media_type" in operation.problems)


@pytest.mark.parametrize(("operation_id", "where", "request_body"), shown_requests())
def test_a_request_that_is_shown_fits_the_contract_and_the_schema(
    operation_id: str, where: str, request_body: Any
) -> None:
    contract = BY_ID[operation_id].request

    assert contract is not None
    contract.model_validate_json(json.dumps(request_body), strict=True)
    assert [error.message for error in validator_of(contract.__name__).iter_errors(request_body)] == []


def test_the_example_of_a_recipe_is_accepted_by_that_recipe() -> None:
    [name] = RECIPE_NAME.schema["examples"]

    for example in RECIPE.values():
        recipe = catalog_of(folder_of({})).recipe(name)
        assert recipe.request(recipe.filled(recipe.given(example)))


@each_operation
def test_every_operation_with_a_request_shows_one(operation: Operation) -> None:
    assert bool(operation.examples) == (operation.request is not None)


@settings(deadline=None)
@given(request=voting_requests())
def test_a_vote_that_the_contract_accepts_fits_the_schema(request: Any) -> None:
    assert validator_of("VotingRequest").is_valid(request)


@pytest.mark.parametrize(
    ("changed", "is_valid"),
    [
        ({"rule": "majority"}, True),
        ({"rule": {"type": "majority"}}, True),
        ({"rule": "veto"}, False),
        ({"rule": {"type": "veto", "answer": "spam"}}, True),
        ({"rule": {}}, False),
        ({"stop": "decided"}, True),
        ({"stop": {}}, False),
        ({"ballot": {"type": "score", "criteria": ["clarity", {"name": "depth", "weight": 2}]}}, True),
        ({"ballot": {"options": ["a", "b"]}}, False),
        ({"voters": True}, False),
        ({"voters": 0}, False),
        ({"voters": [{"name": "ann"}]}, True),
        ({"colour": "red"}, False),
        ({"context": None}, True),
        ({"question": " "}, False),
    ],
)
def test_what_may_be_written_short_and_what_must_be_said_is_in_the_schema(changed: Any, is_valid: bool) -> None:
    request = {"question": "Is this spam?", **changed}

    assert fits(VotingRequest, request) == is_valid


@pytest.mark.parametrize(
    ("reduce", "is_valid"),
    [
        ("concatenate", True),
        ("tree", False),
        ({"instructions": "Sum up."}, True),
        ({"type": "tree", "agent": {"instructions": "Sum up."}}, True),
        ({"type": "table"}, True),
        ({"format": "csv"}, False),
    ],
)
def test_a_reduction_fits_one_schema_or_none(reduce: Any, is_valid: bool) -> None:
    request = {"documents": [{"id": "a", "content": "b"}], "map": {"instructions": "Read."}, "reduce": reduce}

    assert validator_of("MapReduceRequest").is_valid(request) == is_valid


def test_what_only_history_has_is_no_part_of_a_request() -> None:
    assert "chunks" not in DOCUMENT["components"]["schemas"]["MapReduceRequest"]["properties"]


def test_requests_are_closed_and_answers_are_open_to_later_versions() -> None:
    schemas = DOCUMENT["components"]["schemas"]

    assert schemas["VotingRequest"]["additionalProperties"] is False
    assert schemas["RunPolicy"]["additionalProperties"] is False
    assert "additionalProperties" not in schemas["RunResult"]


@pytest.mark.parametrize("contract", [RunResult, RunView])
def test_what_is_left_out_when_there_is_none_is_not_required(contract: type[Contract]) -> None:
    assert not {"files", "counts", "recipe"} & {*DOCUMENT["components"]["schemas"][contract.__name__]["required"]}


@pytest.mark.parametrize("env", [{}, {"OPENAI_API_KEY": "k"}, {"CHORUS_STORAGE": "nonsense"}])
def test_the_report_of_the_app_s_health_fits_its_schema(env: dict[str, str]) -> None:
    HealthReport.model_validate(health_of(env))
    assert fits(HealthReport, health_of(env))


@pytest.mark.parametrize(
    "run",
    [run_that("COMPLETED", result_of_run(recipe="research", output=None)), run_that("FAILED"), TOO_LARGE],
    ids=["whole", "dead", "too large"],
)
def test_what_receivers_get_of_a_run_fits_its_schema(run: OrchestrationState) -> None:
    body = json.loads(message_of(run, "https://chorus.example/api/runs/0"))

    RunCompleted.model_validate_json(json.dumps(body))
    assert [error.message for error in validator_of("RunCompleted").iter_errors(body)] == []


def test_no_schema_is_left_that_nobody_refers_to() -> None:
    text = json.dumps(DOCUMENT)

    for name in DOCUMENT["components"]["schemas"]:
        assert f'"#/components/schemas/{name}"' in text
