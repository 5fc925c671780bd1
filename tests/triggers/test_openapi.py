"""The definitions of the API, as handlers give them."""

from __future__ import annotations

import azure.functions as func
import pytest

from tests.triggers.requests import json_of
from triggers.openapi import get_openapi, get_swagger, is_local, view_docs


def asked(url: str) -> func.HttpRequest:
    return func.HttpRequest("GET", url, body=b"")


@pytest.mark.parametrize("root", ["https://chorus.example/api", "https://chorus.example", "http://localhost:7071/api"])
async def test_the_definition_names_the_server_that_was_asked(root: str) -> None:
    answer = await get_openapi(asked(f"{root}/openapi.json?code=key-4711"))

    assert (answer.status_code, answer.mimetype) == (200, "application/json")
    assert json_of(answer)["servers"] == [{"url": root}]
    assert b"key-4711" not in answer.get_body()


async def test_only_a_local_host_asks_for_no_keys() -> None:
    local = json_of(await get_openapi(asked("http://127.0.0.1:7071/api/openapi.json")))
    deployed = json_of(await get_openapi(asked("https://chorus.example/api/openapi.json")))

    assert {} in local["security"]
    assert deployed["security"] == [{"functionKey": []}]


async def test_the_connector_s_definition_names_the_host_that_was_asked() -> None:
    answer = await get_swagger(asked("https://chorus.example/api/swagger.json"))

    told = json_of(answer)
    assert (told["swagger"], told["host"], told["basePath"]) == ("2.0", "chorus.example", "/api")


async def test_the_page_is_html_with_a_policy_of_its_own() -> None:
    answer = await view_docs(asked("https://chorus.example/api/docs?code=key-4711"))

    assert (answer.status_code, answer.mimetype) == (200, "text/html")
    assert "style-src 'sha256-" in answer.headers["Content-Security-Policy"]
    assert b"key-4711" not in answer.get_body()
    assert answer.get_body().startswith(b"<!doctype html>")


@pytest.mark.parametrize("handler", [get_openapi, get_swagger, view_docs])
async def test_nobody_keeps_guesses_about_or_passes_on_where_it_came_from(handler: object) -> None:
    answer = await handler(asked("https://chorus.example/api/docs"))  # type: ignore[operator]

    assert answer.headers["Cache-Control"] == "no-store"
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert answer.headers["Referrer-Policy"] == "no-referrer"


@pytest.mark.parametrize(
    ("root", "local"),
    [("http://localhost:7071/api", True), ("http://[::1]:1/api", True), ("https://localhost.example/api", False)],
)
def test_a_local_host_is_known_by_its_name(root: str, local: bool) -> None:
    assert is_local(root) == local
