"""Sorts an app's functions by who runs them, and prints them as Core Tools does."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from local_host.messages import LoadedFunction
from local_host.routes import RouteTemplate, TemplateError, parse_template
from local_host.settings import HostSettings

_NO_FUNCTIONS = "No job functions found. Does function_app.py register its functions on the app that it defines?"


@dataclass(frozen=True, slots=True)
class HttpFunction:
    """A function with an HTTP trigger; no methods means all of them."""

    function: LoadedFunction
    route: str
    template: RouteTemplate
    methods: tuple[str, ...]


@dataclass(slots=True)
class AppFunctions:
    """The functions of an app. `errors` holds the reason by name for those that cannot be run at all."""

    http: list[HttpFunction] = field(default_factory=list[HttpFunction])
    durable: list[LoadedFunction] = field(default_factory=list[LoadedFunction])
    timers: list[LoadedFunction] = field(default_factory=list[LoadedFunction])
    not_run: list[LoadedFunction] = field(default_factory=list[LoadedFunction])
    errors: dict[str, str] = field(default_factory=dict[str, str])

    def named(self, name: str) -> LoadedFunction | None:
        """Return the function of that name that is no HTTP or durable function, whatever its case."""
        return next((f for f in (*self.timers, *self.not_run) if f.name.lower() == name.lower()), None)


def sort_functions(functions: Sequence[LoadedFunction], settings: HostSettings) -> AppFunctions:
    """Sort the functions; one that is wrong becomes an entry of `errors` and the others go on."""
    app = AppFunctions()
    for function in functions:
        problem = _input_problem(function)
        if problem is None:
            problem = _place(function, app, settings)
        if problem is not None:
            app.errors[function.name] = problem
    return app


def binding_type(binding: Mapping[str, Any]) -> str:
    """Return the type of a binding in lower case."""
    return str(binding.get("type", "")).lower()


def is_output(binding: Mapping[str, Any]) -> bool:
    """Whether a binding carries a value out of the function."""
    return str(binding.get("direction", "")).lower() in {"out", "1"}


def describe(app: AppFunctions, base_url: str, route_prefix: str) -> list[str]:
    """Return the lines that list the functions and where each is reached."""
    lines = {http.function.name: _http_line(http, base_url, route_prefix) for http in app.http}
    for function in (*app.durable, *app.timers):
        if function.name not in app.errors:
            lines[function.name] = f"{function.name}: {function.trigger.get('type')}"
    for function in app.not_run:
        trigger = function.trigger.get("type", "no trigger")
        lines[function.name] = f"{function.name}: {trigger} (not run by the local host)"
    listed = [f"        {lines[name]}" for name in sorted(lines, key=_http_first(app))]
    failed = [f"The function {name!r} is in error: {reason}" for name, reason in sorted(app.errors.items())]
    heading = "Functions:" if lines or failed else _NO_FUNCTIONS
    return [line for entry in (heading, *listed, *failed) for line in (entry, "")]


def _http_first(app: AppFunctions) -> Any:
    served = {http.function.name for http in app.http}
    return lambda name: (name not in served, name.lower())


def _http_line(http: HttpFunction, base_url: str, route_prefix: str) -> str:
    methods = f"[{','.join(http.methods)}] " if http.methods else ""
    path = "/".join(part for part in (route_prefix, http.route) if part)
    return f"{http.function.name}: {methods}{base_url}/{path}"


def _input_problem(function: LoadedFunction) -> str | None:
    """Return why an input of the function cannot be given, if so."""
    for binding in function.bindings:
        kind = binding_type(binding)
        if not (is_output(binding) or kind.endswith("trigger") or kind == "durableclient"):
            return (
                f"its input binding {str(binding.get('name'))!r} is of the type {str(binding.get('type'))!r}, "
                "which the local host cannot provide. Run the app with Core Tools for this function."
            )
    return None


def _place(function: LoadedFunction, app: AppFunctions, settings: HostSettings) -> str | None:
    kind = binding_type(function.trigger)
    if kind == "httptrigger":
        return _place_http(function, app, settings)
    if function.is_durable:
        app.durable.append(function)
    elif kind == "timertrigger":
        app.timers.append(function)
    else:
        app.not_run.append(function)
    return None


def _place_http(function: LoadedFunction, app: AppFunctions, settings: HostSettings) -> str | None:
    route = function.trigger.get("route")
    route = function.name if route is None else str(route).strip("/")
    methods = tuple(str(method).upper() for method in function.trigger.get("methods") or ())
    prefix = f"{settings.route_prefix}/" if settings.route_prefix else ""
    try:
        template = parse_template(prefix + route)
    except TemplateError as error:
        return str(error)
    app.http.append(HttpFunction(function, route, template, methods))
    return None
