"""From an HTTP body to a contract, or to the problem with it."""

from __future__ import annotations

from collections.abc import Mapping
from http import HTTPStatus
from typing import cast

import azure.functions as func
from pydantic import ValidationError
from pydantic_core import from_json

from shared.contracts.base import MAX_BODY_BYTES, Contract
from triggers.json_limits import MAX_DEPTH, MAX_TOKENS, has_too_many_tokens, is_too_deep
from triggers.problems import Problem, from_validation


def parsed[C: Contract](req: func.HttpRequest, contract: type[C]) -> C:
    """The request's body as `contract`; raise the `Problem` with it otherwise."""
    body = json_body(req)
    try:
        return contract.model_validate_json(body, strict=True)
    except ValidationError as exc:
        raise from_validation(exc, _lenient(body)) from exc


def json_body(req: func.HttpRequest) -> bytes:
    """The body, once its type, its size, its number of values and their depth are right; it may be no JSON at all."""
    headers = cast(Mapping[str, str], req.headers)
    media_type = headers.get("content-type", "").partition(";")[0].strip().lower()
    if media_type != "application/json":
        raise Problem(
            HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
            "unsupported_media_type",
            f"The body's type is {media_type or 'not stated'!r}; send 'Content-Type: application/json'.",
        )
    encoding = headers.get("content-encoding", "identity").strip().lower()
    if encoding not in {"", "identity"}:
        raise Problem(
            HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
            "unsupported_content_encoding",
            f"The body is encoded as {encoding!r}; send it as it is, without Content-Encoding.",
        )
    body = req.get_body()
    if len(body) > MAX_BODY_BYTES:
        raise Problem(
            HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
            "body_too_large",
            f"The body has {len(body):,} bytes; at most {MAX_BODY_BYTES:,} are accepted. Send less material, split it "
            "over several runs, or put the documents of a map-reduce into a container and name it as its source.",
        )
    check_structure(body)
    return body


def check_structure(body: bytes) -> None:
    """Raise the `Problem` with a body whose parsing would cost too much."""
    if has_too_many_tokens(body):
        raise Problem(
            HTTPStatus.BAD_REQUEST,
            "too_many_values",
            f"The body has more than {MAX_TOKENS:,} names and values. Split the work over several runs.",
        )
    if is_too_deep(body):
        raise Problem(
            HTTPStatus.BAD_REQUEST,
            "too_deep",
            f"Lists and objects in the body are nested deeper than {MAX_DEPTH} levels. Send a flatter request.",
        )


def _lenient(body: bytes) -> object:
    try:
        return from_json(body)
    except ValueError:
        return None
