"""Every problem that a handler can answer with is documented, and nothing else is."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from http import HTTPStatus

import pytest

from shared.openapi.bodies import ProblemDetails
from shared.openapi.operations import OPERATIONS
from shared.openapi.problems import PROBLEMS
from tests.architecture import modules
from tests.shared.openapi.test_document import fits
from tests.triggers.requests import json_of
from triggers.problems import FieldError, Problem


def raised() -> Iterator[tuple[str, int]]:
    """The code and the status of every `Problem` that is made under `triggers/`."""
    for path in modules("triggers"):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.Call) and ast.unparse(node.func) == "Problem":
                status, code = map(ast.unparse, node.args[:2])
                if (status, code) != ("problem.status", "problem.code"):  # one that was made before, in other words
                    yield ast.literal_eval(code), HTTPStatus[status.removeprefix("HTTPStatus.")].value


def test_the_codes_and_statuses_of_all_problems_are_those_of_the_handlers() -> None:
    assert {(code, kind.status) for code, kind in PROBLEMS.items()} == set(raised())


def test_every_problem_is_met_by_some_operation() -> None:
    assert {code for operation in OPERATIONS for code in operation.all_problems} == {*PROBLEMS}


@pytest.mark.parametrize("errors", [[], [FieldError("sections[2].name", "must be unique")]])
def test_a_problem_s_body_fits_its_schema(errors: list[FieldError]) -> None:
    body = json_of(Problem(HTTPStatus.BAD_REQUEST, "invalid_request", "Mend it.", errors).response())

    ProblemDetails.model_validate(body)
    assert fits(ProblemDetails, body)
