"""Between the seam's values (`local_host.messages`) and the worker library's `Datum`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from local_host.messages import HttpRequestValue, HttpResponseValue, Value

if TYPE_CHECKING:
    from azure_functions_runtime.bindings.datumdef import Datum


def to_datum(value: Value | HttpRequestValue) -> Datum:
    """Return what the worker library decodes into a function's argument."""
    from azure_functions_runtime.bindings.datumdef import Datum

    if isinstance(value, HttpRequestValue):
        return Datum(_http_request(value), "http")
    return Datum(value.data, value.kind)


def from_datum(datum: Datum, *, is_http: bool) -> Value | HttpResponseValue:
    """Return what a function handed back; `is_http` says that its binding answers an HTTP request."""
    if datum.type == "http":
        return _http_response(datum.value)
    if is_http and datum.type in {"string", "bytes"}:
        body = datum.value.encode() if isinstance(datum.value, str) else datum.value
        return HttpResponseValue(200, {"content-type": "text/plain; charset=utf-8"}, body)
    return Value(datum.type, datum.value)


def _http_request(request: HttpRequestValue) -> dict[str, Any]:
    from azure_functions_runtime.bindings.datumdef import Datum

    def strings(mapping: Any) -> dict[str, Datum]:
        return {name: Datum(text, "string") for name, text in mapping.items()}

    return {
        "method": Datum(request.method, "string"),
        "url": Datum(request.url, "string"),
        "headers": strings(request.headers),
        "query": strings(request.query),
        "params": strings(request.route_params),
        "body": Datum(request.body, "bytes"),
    }


def _http_response(value: dict[str, Any]) -> HttpResponseValue:
    cookies = tuple(morsel.OutputString() for cookie in value.get("cookies") or () for morsel in cookie.values())
    return HttpResponseValue(
        status=int(value["status_code"].value),
        headers={name: datum.value for name, datum in value["headers"].items()},
        body=bytes(value["body"].value),
        cookies=cookies,
    )
