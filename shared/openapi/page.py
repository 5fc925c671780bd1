"""The definition of the API as a page for people: HTML that needs no script and nothing from elsewhere."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from collections.abc import Iterable, Mapping
from functools import cache
from html import escape
from pathlib import Path
from typing import Any, cast

from shared.openapi.document import JSON, Document
from shared.openapi.schemas import REFERENCE

BOUNDS: Mapping[str, str] = {
    "minimum": "at least {}",
    "maximum": "at most {}",
    "exclusiveMinimum": "more than {}",
    "exclusiveMaximum": "less than {}",
    "minLength": "at least {} characters",
    "maxLength": "at most {} characters",
    "minItems": "at least {} items",
    "maxItems": "at most {} items",
    "pattern": "like {}",
    "default": "by default {}",
}
"""What a schema says of a value besides its type, in words."""

CALLBACK = "callback_url"
"""Where the app sends, which is no route of its own."""


@cache
def style() -> str:
    """The page's style sheet, which stands in the page."""
    return Path(__file__).with_suffix(".css").read_text("utf-8")


def security_policy() -> str:
    """The page's Content-Security-Policy: its own style sheet, and nothing else at all."""
    digest = base64.b64encode(hashlib.sha256(style().encode()).digest()).decode()
    return (
        f"default-src 'none'; style-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    )


def page_of(document: Document) -> str:
    """The HTML page of an OpenAPI 3.1 `document`."""
    info: Document = document["info"]
    root = document["servers"][0]["url"]
    schemas: Mapping[str, Document] = document["components"]["schemas"]
    by_tag = _by_tag(document)
    contents = "".join(_contents(tag["name"], [each[2] for each in told]) for tag, told in by_tag)
    sections = "".join(_tag(tag, told, root) for tag, told in by_tag)
    return f"""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{escape(info["title"])} API</title>
<style>{style()}</style>
</head>
<body>
<a class="skip" href="#content">Skip to the content</a>
<div class="layout">
<nav aria-label="Contents">{contents}{_schema_contents(schemas)}</nav>
<main id="content">
<h1>{escape(info["title"])} API</h1>
<p>{escape(info["summary"])} Version {escape(info["version"])}.</p>
{_prose(info["description"])}
<p>All routes hang under <code>{escape(root)}</code>. Where the app is deployed, each request but that for its health
carries a function key in the header <code>x-functions-key</code>; a browser may send it as <code>?code=KEY</code>.
Machines read this as OpenAPI 3.1 at <code>{escape(root)}/openapi.json</code>, and custom connectors as OpenAPI 2.0 at
<code>{escape(root)}/swagger.json</code>.</p>
{sections}
<h2 id="schemas">Schemas</h2>
{"".join(_schema(name, schema) for name, schema in schemas.items())}
</main>
</div>
</body>
</html>
"""


def _by_tag(document: Document) -> list[tuple[Document, list[tuple[str, str, Document]]]]:
    """Each tag with its operations: their paths, methods and definitions, the callback's last."""
    operations = [
        (path, method, operation)
        for path, methods in cast(dict[str, Document], document["paths"]).items()
        for method, operation in methods.items()
    ]
    operations += [(CALLBACK, "post", each["post"]) for each in document["webhooks"].values()]
    return [(tag, [each for each in operations if tag["name"] in each[2]["tags"]]) for tag in document["tags"]]


def _contents(name: str, operations: Iterable[Document]) -> str:
    links = "".join(f'<li><a href="#{each["operationId"]}">{escape(each["summary"])}</a></li>' for each in operations)
    return f"<h2>{escape(name)}</h2><ul>{links}</ul>"


def _schema_contents(schemas: Iterable[str]) -> str:
    links = "".join(f'<li><a href="#schema-{name}">{name}</a></li>' for name in schemas)
    return f'<div class="schemas"><h2>Schemas</h2><ul>{links}</ul></div>'


def _tag(tag: Document, operations: Iterable[tuple[str, str, Document]], root: str) -> str:
    told = "".join(_operation(path, method, operation, root) for path, method, operation in operations)
    return f"<h2>{escape(tag['name'])}</h2>{_prose(tag['description'])}{told}"


def _operation(path: str, method: str, operation: Document, root: str) -> str:
    place = path if path == CALLBACK else root + path
    parts = [
        f'<h3 id="{operation["operationId"]}">{escape(operation["summary"])}</h3>',
        f'<p class="route"><span class="method {method}">{method.upper()}</span><code>{escape(place)}</code>'
        f'<span class="faint">{operation["operationId"]}</span></p>',
        _prose(operation["description"]),
        _parameters(operation.get("parameters", [])),
        _request(operation["requestBody"]) if "requestBody" in operation else "",
        "<h4>Answers</h4>",
        _table(("status", "body", "meaning"), (_answer(*each) for each in operation["responses"].items())),
    ]
    return "".join(parts)


def _parameters(parameters: Iterable[Document]) -> str:
    rows = [
        (f"<code>{escape(each['name'])}</code> <span class='faint'>{each['in']}</span>", _kind(each["schema"]),
         _prose(each["description"]))
        for each in parameters
    ]  # fmt: skip
    return f"<h4>Parameters</h4>{_table(('name', 'type', 'meaning'), rows)}" if rows else ""


def _request(body: Document) -> str:
    media: Document = body["content"][JSON]
    need = "required" if body["required"] else "may be left out"
    examples = "".join(
        f"<h4>Example: {escape(each['summary'])}</h4><pre tabindex='0'><code>{_json(each['value'])}</code></pre>"
        for each in media.get("examples", {}).values()
    )
    return f"<h4>Request</h4><p>{_kind(media['schema'])}, {need}</p>{examples}"


def _answer(status: str, answer: Document) -> tuple[str, str, str]:
    bodies = "<br>".join(
        _kind(media["schema"]) if "$ref" in media["schema"] or "allOf" in media["schema"] else escape(name)
        for name, media in answer.get("content", {}).items()
    )
    ours = [name for name in answer.get("headers", {}) if name != "Cache-Control"]
    headers = f"<p>Headers: {', '.join(f'<code>{escape(name)}</code>' for name in ours)}</p>" if ours else ""
    return status, bodies, _prose(answer["description"]) + headers


def _schema(name: str, schema: Document) -> str:
    needed = schema.get("required", [])
    rows = [
        (f"<code>{escape(field)}</code>{' <strong>required</strong>' if field in needed else ''}", _kind(each),
         _prose(each.get("description", "")))
        for field, each in schema.get("properties", {}).items()
    ]  # fmt: skip
    return (
        f'<h3 id="schema-{name}">{name}</h3>{_prose(schema.get("description", ""))}'
        f"{_table(('property', 'type', 'meaning'), rows)}"
    )


def _table(heads: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    head = "".join(f'<th scope="col">{name}</th>' for name in heads)
    body = "".join(f"<tr>{''.join(f'<td>{cell}</td>' for cell in row)}</tr>" for row in rows)
    return f"<div class='scroll'><table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>"


def _kind(schema: Document) -> str:
    """The type of a value, with links to the schemas that it refers to, and its bounds."""
    told = schema["allOf"][0] if "allOf" in schema else schema
    if "$ref" in told:
        name = str(told["$ref"]).removeprefix(REFERENCE)
        return f'<a href="#schema-{name}">{name}</a>'
    return _type(told) + _bounds(told)


def _type(schema: Document) -> str:
    if alternatives := schema.get("anyOf", schema.get("oneOf")):
        return " or ".join(dict.fromkeys(map(_kind, alternatives)))
    if values := [schema["const"]] if "const" in schema else schema.get("enum"):
        return " or ".join(f"<code>{_json(value)}</code>" for value in values)
    if schema.get("type") == "array":
        return f"list of {_kind(schema['items'])}"
    return escape(str(schema.get("type", "any value")))


def _bounds(schema: Mapping[str, Any]) -> str:
    told = [
        words.format(f"<code>{_json(schema[key])}</code>" if key in {"pattern", "default"} else _number(schema[key]))
        for key, words in BOUNDS.items()
        if key in schema
    ]
    return f" <span class='faint'>({', '.join(told)})</span>" if told else ""


def _number(value: float) -> str:
    return f"{value:,}" if isinstance(value, int) else f"{value:g}"


def _json(value: object) -> str:
    indent = 2 if isinstance(value, dict) else None
    return escape(json.dumps(value, ensure_ascii=False, indent=indent), quote=False)


def _prose(text: str) -> str:
    """Paragraphs, lists and code of a description."""
    blocks: list[str] = []
    for block in text.split("\n\n"):
        lines = block.splitlines()
        if lines and all(line.startswith("- ") for line in lines):
            items = "".join(f"<li>{_inline(line.removeprefix('- '))}</li>" for line in lines)
            blocks.append(f"<ul>{items}</ul>")
        elif lines:
            blocks.append(f"<p>{_inline(block)}</p>")
    return "".join(blocks)


def _inline(text: str) -> str:
    return re.sub(r"`([^`]+)`", r"<code>\1</code>", escape(text, quote=False))
