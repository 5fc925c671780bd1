"""Every route answers with the same headers, and with a problem whatever fails: also those that are added later."""

from __future__ import annotations

import ast
from pathlib import Path
from typing import Any

import azure.functions as func
import pytest

from shared.deferred import resolved
from tests.triggers.requests import json_of
from triggers.headers import SECURITY_HEADERS, secured

NOT_READING = {"triggers.health:health", "triggers.recipes:list_recipes"}
"""What answers the same to every request, and so does not fail on one."""
APP = Path(__file__).parents[2] / "function_app.py"


def http_handlers() -> list[str]:
    """The paths of all HTTP functions in the map of the app."""
    return [
        str(node.args[0].value)
        for node in ast.walk(ast.parse(APP.read_text()))
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute)
        and node.func.attr in {"http_trigger", "client_http_trigger"}
        and isinstance(node.args[0], ast.Constant)
    ]


class Broken:
    """A request or a client of which everything fails."""

    def __getattribute__(self, name: str) -> Any:
        raise LookupError("a defect")


def takes_a_client(path: str) -> bool:
    function = resolved(path)
    return "client" in getattr(function, "__wrapped__", function).__code__.co_varnames[:2]


async def asked(path: str, request: Any) -> func.HttpResponse:
    client = [Broken()] if takes_a_client(path) else []
    return await resolved(path)(request, *client)


@pytest.mark.parametrize("path", sorted(set(http_handlers()) - NOT_READING))
async def test_a_handler_that_fails_answers_with_a_problem(path: str) -> None:
    answer = await asked(path, Broken())

    assert (answer.status_code, json_of(answer)["code"]) == (500, "internal_error")
    assert answer.mimetype == "application/problem+json"
    assert b"defect" not in answer.get_body()


@pytest.mark.parametrize("path", http_handlers())
async def test_every_answer_has_the_security_headers(path: str) -> None:
    answer = await asked(path, func.HttpRequest("GET", "https://h/api/x", body=b""))

    own = {"Content-Security-Policy"} if answer.mimetype == "text/html" else set[str]()
    found = {name: answer.headers.get(name) for name in SECURITY_HEADERS}
    assert {name for name in SECURITY_HEADERS if found[name] != SECURITY_HEADERS[name]} == own
    assert str(found["Content-Security-Policy"]).startswith("default-src 'none'; ")


def test_a_header_that_the_handler_chose_stays() -> None:
    page = func.HttpResponse("<p>", headers={"content-security-policy": "default-src 'self'"})

    assert secured(page).headers.getlist("Content-Security-Policy") == ["default-src 'self'"]
