"""The rules for custom connectors that Microsoft publishes, as far as files can be checked for them.

They are those for certified connectors where these are stricter: lengths and forms of texts, an icon on a colour, an
API key that is a secure parameter. `complaints` is for the definition, `icon_complaints` for the icon.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Iterator
from typing import Any

from tests.logic_apps.sending import JSON

METHODS = {"get", "post", "put", "patch", "delete"}
MAX_TITLE, MAX_SUMMARY, MAX_BYTES = 30, 80, 1_000_000
DESCRIPTION_CHARS = range(30, 501)
ICON_SIDES = range(100, 231)
NOT_ALLOWED_COLOURS = {"#007ee5", "#ffffff"}
OPERATION_ID = re.compile(r"[A-Z][a-z0-9]+(?:[A-Z][a-z0-9]+)*")
PNG = b"\x89PNG\r\n\x1a\n"
RGB = 2
"""The colour type of a PNG without transparency."""


def complaints(definition: JSON) -> list[str]:
    """What is wrong with an `apiDefinition.swagger.json`."""
    return [*_of_the_frame(definition), *_of_operations(definition)]


def icon_complaints(png: bytes) -> list[str]:
    """What is wrong with an icon."""
    if not png.startswith(PNG):
        return ["the icon is no PNG"]
    width, height, _, colour = struct.unpack(">IIBB", png[16:26])
    return [
        *(["the icon is not square"] if width != height else []),
        *(["the icon has not 100 to 230 pixels"] if width not in ICON_SIDES else []),
        *(["the icon is larger than 1 MB"] if len(png) > MAX_BYTES else []),
        *(["the icon may be transparent"] if colour != RGB else []),
    ]


def operations_of(definition: JSON) -> Iterator[tuple[str, JSON]]:
    """Each operation with its method and path."""
    for path, item in definition["paths"].items():
        for method in METHODS & set(item):
            yield f"{method.upper()} {path}", item[method]


def _of_the_frame(definition: JSON) -> Iterator[str]:
    info = definition["info"]
    if definition.get("swagger") != "2.0":
        yield "connectors take OpenAPI 2.0 only"
    if not 0 < len(info["title"]) <= MAX_TITLE:
        yield "the title has more than 30 characters, or none"
    if len(info["description"]) not in DESCRIPTION_CHARS:
        yield "the description has not 30 to 500 characters"
    for name in ("title", "description"):
        if re.search(r"\b(API|Power|Copilot|Logic Apps)\b", info[name]):
            yield f"the {name} has a word that is not allowed there"
    if not definition.get("host") or "/" in definition["host"] or not definition.get("basePath", "").startswith("/"):
        yield "the definition has no host, or no base path"
    if definition.get("schemes") != ["https"]:
        yield "the scheme is not https alone"
    schemes = definition.get("securityDefinitions", {}).values()
    if [(found["type"], found["in"], found["name"]) for found in schemes] != [("apiKey", "header", "x-functions-key")]:
        yield "the key is not asked for as the header x-functions-key"
    if [list(found.values()) for found in definition.get("security", [])] != [[[]]]:
        yield "the operations do not ask for the key"


def _of_operations(definition: JSON) -> Iterator[str]:
    ids = [operation.get("operationId") for _, operation in operations_of(definition)]
    if len(ids) != len(set(ids)):
        yield "an operationId is there twice"
    for name, operation in operations_of(definition):
        if not OPERATION_ID.fullmatch(operation.get("operationId", "")):
            yield f"{name}: the operationId is not in PascalCase"
        summary = operation.get("summary", "")
        if not re.fullmatch(rf"[A-Z][^/]{{1,{MAX_SUMMARY - 2}}}[A-Za-z0-9]", summary):
            yield f"{name}: the summary {summary!r} is no phrase of at most {MAX_SUMMARY} characters"
        if not re.fullmatch(r"(?s)[A-Z].*[.)]", operation.get("description", "")):
            yield f"{name}: the description is no sentence"
        if operation.get("description") == summary:
            yield f"{name}: the description repeats the summary"
        if not any(status.startswith("2") for status in operation["responses"]):
            yield f"{name}: no answer is a success"
        yield from _of_answers(name, operation)
        for parameter in operation.get("parameters", []):
            yield from _of_parameter(name, parameter, definition)


def _of_answers(name: str, operation: JSON) -> Iterator[str]:
    for status, answer in operation["responses"].items():
        if "$ref" not in answer and not answer.get("description"):
            yield f"{name}: the answer {status} is not described"


def _of_parameter(name: str, parameter: JSON, definition: JSON) -> Iterator[str]:
    found = _resolved(parameter, definition)
    label = f"{name}: the parameter {found.get('name')!r}"
    summary = found.get("x-ms-summary", "")
    if found["in"] != "body" and not 0 < len(summary) <= MAX_SUMMARY:
        yield f"{label} has no x-ms-summary, or one that is too long"
    if found["in"] != "body" and not found.get("description"):
        yield f"{label} is not described"
    if found["in"] == "path" and found.get("x-ms-url-encoding") is None:
        yield f"{label} does not say how it is encoded"


def _resolved(part: JSON, definition: JSON) -> JSON:
    found: Any = part
    if "$ref" in part:
        found = definition
        for key in part["$ref"].removeprefix("#/").split("/"):
            found = found[key]
    return found
