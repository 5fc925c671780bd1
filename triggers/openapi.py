"""The definitions of the API: for machines, for custom connectors, for people."""

from __future__ import annotations

import asyncio
import json
from functools import lru_cache
from urllib.parse import urlsplit

import azure.functions as func

from shared.openapi.document import openapi_document
from shared.openapi.page import page_of, security_policy
from shared.openapi.swagger import swagger_document
from shared.settings import LOOPBACK_HOSTS
from triggers.answers import answering_problems, api_root

MAX_KEPT = 4
"""Definitions that a process keeps; the host's name, which a caller chooses, is in each."""


@answering_problems
async def get_openapi(req: func.HttpRequest) -> func.HttpResponse:
    """`GET /api/openapi.json`: OpenAPI 3.1."""
    return _json(await asyncio.to_thread(openapi_json, api_root(req, "openapi.json")))


@answering_problems
async def get_swagger(req: func.HttpRequest) -> func.HttpResponse:
    """`GET /api/swagger.json`: OpenAPI 2.0."""
    return _json(await asyncio.to_thread(swagger_json, api_root(req, "swagger.json")))


@answering_problems
async def view_docs(req: func.HttpRequest) -> func.HttpResponse:
    """`GET /api/docs`: a page."""
    page = await asyncio.to_thread(page_html, api_root(req, "docs"))
    return func.HttpResponse(page, mimetype="text/html", headers={"Content-Security-Policy": security_policy()})


@lru_cache(MAX_KEPT)
def openapi_json(root: str) -> str:
    """The definition of the API under the URL `root`, as JSON."""
    return json.dumps(openapi_document(root, asks_for_keys=not is_local(root)))


@lru_cache(MAX_KEPT)
def swagger_json(root: str) -> str:
    """The same for custom connectors."""
    return json.dumps(swagger_document(root))


@lru_cache(MAX_KEPT)
def page_html(root: str) -> str:
    """The same for people."""
    return page_of(openapi_document(root, asks_for_keys=not is_local(root)))


def is_local(root: str) -> bool:
    """Whether the app runs on a developer's machine, where the host asks for no keys."""
    return urlsplit(root).hostname in LOOPBACK_HOSTS


def _json(body: str) -> func.HttpResponse:
    return func.HttpResponse(body, mimetype="application/json")
