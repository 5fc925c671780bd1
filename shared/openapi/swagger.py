"""The API as OpenAPI 2.0, for custom connectors of Logic Apps and Power Platform.

It is made from the OpenAPI 3.1 definition and says less, because it can: a value of several types has none here, what
may be null is optional, and problems have one schema. What designers of workflows show and hide is added.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, cast
from urllib.parse import urlsplit

from shared.openapi.alternatives import alternatives_of, in_words, types_of
from shared.openapi.document import BY_THE_HOST, JSON, KEY, KEY_HEADER, PROBLEM_JSON, Document, openapi_document
from shared.openapi.operation import Operation, Parameter, Visibility
from shared.openapi.operations import OPERATIONS
from shared.openapi.schemas import REFERENCE, reachable
from shared.openapi.tags import CALLBACKS

PLACEHOLDER = "https://your-app.azurewebsites.net/api"
"""Where the app is, for a definition that was made before it was deployed."""
DEFINITION = "#/definitions/"

KEPT = {
    "description", "enum", "type", "format", "pattern", "minimum", "maximum", "minLength", "maxLength", "minItems",
    "maxItems", "uniqueItems", "default", "required",
}  # fmt: skip
"""Keywords that mean the same in both versions."""

IMPORTANT = {
    "aggregation", "ballot", "callback_url", "context", "documents", "input", "options", "output", "rule", "source",
    "status", "tie_break", "voters",
}  # fmt: skip
"""Optional properties that a designer of workflows shows at once; what is required is shown in any case."""


def swagger_document(root: str = PLACEHOLDER) -> Document:
    """The API whose routes hang under the URL `root`."""
    document = openapi_document(root)
    url = urlsplit(root)
    info: Document = document["info"]
    paths = _paths(document)
    definitions = {name: _definition(schema) for name, schema in document["components"]["schemas"].items()}
    return {
        "swagger": "2.0",
        "info": {"title": info["title"], "description": info["description"], "version": info["version"]},
        "host": url.netloc,
        "basePath": url.path or "/",
        "schemes": [url.scheme],
        "consumes": [JSON],
        "produces": [JSON],
        "paths": paths,
        "definitions": _referred_to(paths, definitions),
        "securityDefinitions": {KEY: {"type": "apiKey", "in": "header", "name": KEY_HEADER}},
        "security": [{KEY: []}],
        "tags": [tag for tag in document["tags"] if tag["name"] != CALLBACKS],
    }


def _paths(document: Document) -> Document:
    paths: dict[str, Document] = {}
    for operation in OPERATIONS:
        if operation.in_connector:
            path, method = f"/{operation.route}", operation.method.lower()
            paths.setdefault(path, {})[method] = _operation(operation, document["paths"][path][method])
    return paths


def _referred_to(paths: Document, definitions: Mapping[str, Document]) -> Document:
    named = reachable({**definitions, "": paths}, [""], DEFINITION)
    return {name: definition for name, definition in definitions.items() if name in named}


def _operation(operation: Operation, given: Document) -> Document:
    told: Document = {
        "operationId": operation.id,
        "tags": given["tags"],
        "summary": operation.summary,
        "description": operation.description,
        "x-ms-visibility": operation.visibility,
    }
    parameters = [_parameter(parameter) for parameter in operation.parameters]
    if operation.request:
        parameters.append(_body(operation, given["requestBody"]))
    if parameters:
        told["parameters"] = parameters
    if operation.all_problems:
        told["produces"] = [JSON, PROBLEM_JSON]
    told["responses"] = {status: _response(answer, status) for status, answer in given["responses"].items()}
    if operation.anonymous:
        told["security"] = []
    return told


def _parameter(parameter: Parameter) -> Document:
    schema = {key: value for key, value in plain(parameter.schema).items() if key in KEPT - {"required"}}
    return {
        "name": parameter.name,
        "in": parameter.place,
        "description": parameter.description,
        "required": parameter.required,
        "x-ms-summary": parameter.title,
        "x-ms-visibility": parameter.visibility,
        **({"x-ms-url-encoding": "single"} if parameter.place == "path" else {}),
        **parameter.extensions,
        **schema,
    }


def _body(operation: Operation, given: Document) -> Document:
    schema = plain(given["content"][JSON]["schema"])
    if operation.body_extensions:
        schema = {"type": "object", **operation.body_extensions}
    return {
        "name": "body",
        "in": "body",
        "description": f"The request of {operation.id}.",
        "required": given["required"],
        "x-ms-summary": "Request",
        "x-ms-visibility": "important" if given["required"] else "advanced",
        "schema": schema,
    }


def _response(answer: Document, status: str) -> Document:
    told: Document = {"description": answer["description"]}
    for media in answer.get("content", {}).values():
        schema: Document = media["schema"]
        told["schema"] = plain(schema["allOf"][0] if "allOf" in schema else schema)
    if int(status) not in BY_THE_HOST:
        headers: Mapping[str, Document] = answer["headers"]
        told["headers"] = {
            name: {"type": "string", "description": header["description"]} for name, header in headers.items()
        }
    return told


def _definition(schema: Document) -> Document:
    """A contract's schema, with what a designer shows of its properties."""
    needed = schema.get("required", [])
    told = plain({**schema, "properties": {}})
    told["properties"] = {
        name: _property(given, "important" if name in {*needed, *IMPORTANT} else "advanced")
        for name, given in schema["properties"].items()
    }
    return told


def _property(given: Document, visibility: Visibility) -> Document:
    return {**plain(given), "x-ms-summary": given["title"], "x-ms-visibility": visibility}


def plain(schema: Mapping[str, Any]) -> Document:
    """A schema of JSON Schema 2020-12 as one of OpenAPI 2.0, which accepts no less."""
    if "$ref" in schema:
        reference = {"$ref": str(schema["$ref"]).replace(REFERENCE, DEFINITION)}
        return {**reference, "description": schema["description"]} if "description" in schema else reference
    if alternatives := alternatives_of(schema):
        return _one_of_several(schema, alternatives)
    told: Document = {key: value for key, value in schema.items() if key in KEPT}
    if "const" in schema:
        told["enum"] = [schema["const"]]
    for bound in ("minimum", "maximum"):
        if (limit := schema.get(f"exclusive{bound.capitalize()}")) is not None:
            told |= {bound: limit, f"exclusive{bound.capitalize()}": True}
    if "items" in schema:
        told["items"] = plain(schema["items"])
    if "properties" in schema:
        told["properties"] = {name: plain(each) for name, each in schema["properties"].items()}
    if isinstance(values := schema.get("additionalProperties"), dict):
        told["additionalProperties"] = plain(cast(Document, values))
    return told


def _one_of_several(schema: Mapping[str, Any], alternatives: Sequence[Mapping[str, Any]]) -> Document:
    """The one alternative to null; of several others none, and the description says which there are."""
    others = [each for each in alternatives if each.get("type") != "null"]
    shared: Document = {key: value for key, value in schema.items() if key in {"description", "default"}}
    if len(others) == 1:
        return {**plain(others[0]), **shared}
    kinds = types_of(schema)
    told: Document = {"type": kinds.pop()} if len(kinds) == 1 else {}
    meaning = f"{shared.pop('description', '')} It is {in_words(schema)}."
    return {**told, **shared, "description": meaning.strip()}
