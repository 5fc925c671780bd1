"""The API as OpenAPI 3.1."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache
from http import HTTPStatus
from typing import Any

from shared.contracts.base import Contract
from shared.openapi.bodies import ProblemDetails, RunCompleted
from shared.openapi.operation import Answer, Header, Operation, Parameter
from shared.openapi.operations import OPERATIONS
from shared.openapi.problems import PROBLEMS
from shared.openapi.schemas import REFERENCE, schemas_of
from shared.openapi.tags import CALLBACKS, TAGS
from shared.version import VERSION

Document = dict[str, Any]

TITLE = "Chorus"
SUMMARY = "LLM agents in parallel, durably, as a serverless API."
DESCRIPTION = (
    "Splits a task over several agents, puts the same question to several voters, or reads many documents at once, and "
    "joins what they say into one answer. A start is answered with 202 and the place to ask; that answers 202 while "
    "the run goes on, and 200 with its result."
)
KEY_HEADER = "x-functions-key"
KEY = "functionKey"
JSON = "application/json"
PROBLEM_JSON = "application/problem+json"

BY_THE_HOST: Mapping[int, str] = {
    401: "The function key is missing or wrong. The Functions host answers, without a body of ours.",
    429: "The app has too many requests in work. The Functions host answers, without a body of ours.",
}
"""What a request meets before it reaches the app."""
NO_STORE = Header("Cache-Control", "Nobody keeps the answer.", "no-store")


def openapi_document(root: str, *, asks_for_keys: bool = True) -> Document:
    """The API whose routes hang under the URL `root`; a local host asks for no keys."""
    return {
        "openapi": "3.1.0",
        "info": {"title": TITLE, "summary": SUMMARY, "description": DESCRIPTION, "version": VERSION},
        "servers": [{"url": root}],
        "security": [{KEY: []}] if asks_for_keys else [{}, {KEY: []}],
        "tags": [{"name": name, "description": description} for name, description in TAGS.items()],
        "paths": _paths(),
        "webhooks": {"runCompleted": {"post": _callback()}},
        "components": {
            "schemas": _schemas(),
            "securitySchemes": {
                KEY: {
                    "type": "apiKey",
                    "in": "header",
                    "name": KEY_HEADER,
                    "description": "A function key or host key of the app. In a browser, `?code=KEY` does the same.",
                }
            },
        },
    }


@cache
def _schemas() -> dict[str, Any]:
    return schemas_of(OPERATIONS, ProblemDetails, RunCompleted)


@cache
def _paths() -> dict[str, Any]:
    paths: dict[str, dict[str, Any]] = {}
    for operation in OPERATIONS:
        paths.setdefault(f"/{operation.route}", {})[operation.method.lower()] = _operation(operation)
    return paths


def _callback() -> Document:
    """What the app sends to a `callback_url`, with the headers of Standard Webhooks."""
    headers = {
        "webhook-id": "The id of the message, the same at each attempt: it comes at least once, so remember the ids.",
        "webhook-timestamp": "When this attempt was made, in seconds since 1970.",
        "webhook-signature": "Signatures by each of the app's secrets, the newest first.",
    }
    text: Document = {"type": "string"}
    return {
        "operationId": "RunCompleted",
        "tags": [CALLBACKS],
        "summary": "Take a run's end",
        "description": "Sent to the `callback_url` of a request when its run has ended. Any 2xx takes it, and 410 "
        "wants no more; after everything else it comes again, for up to a day.",
        "security": [],
        "parameters": [
            {"name": name, "in": "header", "required": True, "description": told, "schema": text}
            for name, told in headers.items()
        ],
        "requestBody": {"required": True, "content": {JSON: {"schema": reference_to(RunCompleted)}}},
        "responses": {
            "2XX": {"description": "It was taken."},
            "410": {"description": "It was not wanted, and is not sent again."},
        },
    }


def _operation(operation: Operation) -> Document:
    told: Document = {
        "operationId": operation.id,
        "tags": [operation.tag],
        "summary": operation.summary,
        "description": operation.description,
    }
    if operation.parameters:
        told["parameters"] = [_parameter(parameter) for parameter in operation.parameters]
    if operation.request:
        told["requestBody"] = _body(operation, operation.request)
    told["responses"] = _responses(operation)
    if operation.anonymous:
        told["security"] = []
    return told


def _parameter(parameter: Parameter) -> Document:
    told: Document = {
        "name": parameter.name,
        "in": parameter.place,
        "description": parameter.description,
        "schema": {"title": parameter.title, **parameter.schema},
    }
    return {**told, "required": True} if parameter.required else told


def _body(operation: Operation, contract: type[Contract]) -> Document:
    examples = {
        name.lower().replace(" ", "-").replace(",", ""): {"summary": name, "value": value}
        for name, value in operation.examples.items()
    }
    media: Document = {"schema": reference_to(contract)}
    if examples:
        media["examples"] = examples
    return {"required": operation.request_required, "content": {JSON: media}}


def reference_to(contract: type[Contract]) -> Document:
    """Where the schema of a contract is."""
    return {"$ref": f"{REFERENCE}{contract.__name__}"}


def _responses(operation: Operation) -> Document:
    told = {str(answer.status): _answer(answer) for answer in operation.answers}
    told |= {str(status): _problem(codes) for status, codes in problems_by_status(operation).items()}
    if not operation.anonymous:
        told["401"] = {"description": BY_THE_HOST[401]}
    told["429"] = {"description": BY_THE_HOST[429]}
    return dict(sorted(told.items()))


def problems_by_status(operation: Operation) -> dict[int, list[str]]:
    """The codes of the problems that an operation can meet, by their HTTP status."""
    found: dict[int, list[str]] = {}
    for code in operation.all_problems:
        found.setdefault(PROBLEMS[code].status, []).append(code)
    return found


def _answer(answer: Answer) -> Document:
    schema: Document = reference_to(answer.contract) if answer.contract else {"type": "object"}
    if answer.media_type != JSON:
        schema = {"type": "string"}
    return {
        "description": answer.description,
        "headers": _headers([*answer.headers, NO_STORE]),
        "content": {answer.media_type: {"schema": schema}},
    }


def _headers(headers: Sequence[Header]) -> Document:
    return {
        header.name: {
            "description": header.description,
            "required": header.required,
            "schema": {"type": "string", "examples": [header.example]},
        }
        for header in headers
    }


def _problem(codes: Sequence[str]) -> Document:
    status = HTTPStatus(PROBLEMS[codes[0]].status)
    told = "\n".join(f"- `{code}`: {PROBLEMS[code].when}." for code in codes)
    kinds: Document = {"properties": {"status": {"const": status.value}, "code": {"enum": list(codes)}}}
    return {
        "description": f"{status.phrase}:\n\n{told}",
        "headers": _headers([NO_STORE]),
        "content": {PROBLEM_JSON: {"schema": {"allOf": [reference_to(ProblemDetails), kinds]}}},
    }
