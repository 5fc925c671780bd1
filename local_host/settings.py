"""What `host.json` and `local.settings.json` say, read as Core Tools reads them."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Mapping, MutableMapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from local_host.log_output import LEVELS
from local_host.settings_section import Section, SettingsError, spelling

DEFAULT_PORT = 7071
DEFAULT_ROUTE_PREFIX = "api"
DEFAULT_TASK_HUB = "TestHubName"
MOST_WORKERS = 64
WORKERS_SETTING = "FUNCTIONS_WORKER_PROCESS_COUNT"

_OVERRIDE_PREFIX = "AzureFunctionsJobHost__"
_PLACEHOLDER = re.compile(r"%([^%\s]+)%")
# A JSON string, or else what Core Tools allows beyond JSON: comments, and a comma before a closing bracket.
_JSON_EXTRAS = re.compile(r'("(?:\\.|[^"\\])*")|//[^\n]*|/\*.*?\*/|,(?=(?:\s|//[^\n]*|/\*.*?\*/)*[}\]])', re.DOTALL)


@dataclass(frozen=True, slots=True)
class Cors:
    """Which browser origins may call the host; `*` is every one."""

    origins: tuple[str, ...] = ()
    credentials: bool = False


def default_limit() -> int:
    """Return how many functions of a kind run at a time when host.json says nothing."""
    return 10 * (os.cpu_count() or 1)


@dataclass(frozen=True, slots=True)
class Limits:
    """How many functions of each kind run at a time."""

    activities: int = field(default_factory=default_limit)
    orchestrators: int = field(default_factory=default_limit)
    entities: int = field(default_factory=default_limit)


@dataclass(frozen=True, slots=True)
class HostSettings:
    """The settings of one app."""

    route_prefix: str = DEFAULT_ROUTE_PREFIX
    task_hub: str = DEFAULT_TASK_HUB
    limits: Limits = Limits()
    log_levels: Mapping[str, str] = field(default_factory=dict[str, str])
    port: int = DEFAULT_PORT
    cors: Cors = Cors()
    default_version: str | None = None


def load_settings(app_dir: Path, environ: MutableMapping[str, str]) -> HostSettings:
    """Read both files of `app_dir` and put the `Values` of local.settings.json into `environ`.

    A variable that `environ` holds already wins over the file.
    """
    local = _read_local_settings(app_dir / "local.settings.json")
    for name, value in local.section("Values").values.items():
        environ.setdefault(name, _setting_text(value))
    path = app_dir / "host.json"
    host_json = _read_host_json(path)
    _apply_overrides(host_json, environ)
    return _host_settings(Section(str(path), host_json), local.section("Host"), environ)


def parse_worker_count(text: str) -> int:
    """Return a number of worker processes; raise `ValueError` when it is none."""
    if not text.isascii() or not text.isdigit() or not 1 <= int(text) <= MOST_WORKERS:
        raise ValueError(f"{text!r} is not a whole number from 1 to {MOST_WORKERS}")
    return int(text)


def worker_count(environ: Mapping[str, str]) -> int:
    """Return how many worker processes the app settings ask for: one, unless they say otherwise."""
    try:
        return parse_worker_count(environ.get(WORKERS_SETTING, "").strip() or "1")
    except ValueError as error:
        raise SettingsError(f"The app setting {WORKERS_SETTING} cannot be used: {error}.") from error


def resolve_placeholders(text: str, environ: Mapping[str, str]) -> str:
    """Replace each `%NAME%` by the app setting of that name; raise `SettingsError` when there is none."""

    def value(match: re.Match[str]) -> str:
        name = match[1]
        if name not in environ:
            raise SettingsError(
                f"{text!r} names the app setting {name!r}, which is not set. "
                "Add it to the Values of local.settings.json."
            )
        return environ[name]

    return _PLACEHOLDER.sub(value, text)


def parse_json_with_comments(text: str) -> Any:
    """Parse JSON that may hold `//` and `/* */` comments and trailing commas."""
    return json.loads(_JSON_EXTRAS.sub(lambda match: match[1] or "", text))


def _read_host_json(path: Path) -> dict[str, Any]:
    if not path.is_file():
        raise SettingsError(
            f"There is no host.json in {str(path.parent)!r}. Name the folder of the function app with --app-dir, "
            'or create the file with the content {"version": "2.0"}.'
        )
    return _read_object(path)


def _read_local_settings(path: Path) -> Section:
    settings = Section(str(path), _read_object(path) if path.is_file() else {})
    if settings.flag("IsEncrypted"):
        raise SettingsError(f"{str(path)!r} is encrypted. Decrypt it with `func settings decrypt`.")
    return settings


def _read_object(path: Path) -> dict[str, Any]:
    try:
        content = parse_json_with_comments(path.read_text(encoding="utf-8-sig"))
    except (ValueError, OSError) as error:
        raise SettingsError(f"{str(path)!r} cannot be read as JSON: {error}") from error
    if not isinstance(content, dict):
        raise SettingsError(f"{str(path)!r} holds no JSON object but {type(content).__name__}.")
    return content


def _host_settings(host_json: Section, local_host: Section, environ: Mapping[str, str]) -> HostSettings:
    extensions = host_json.section("extensions")
    durable_task = extensions.section("durableTask")
    prefix = extensions.section("http").text("routePrefix")
    port = local_host.whole_number("LocalHttpPort", at_least=0)
    return HostSettings(
        route_prefix=DEFAULT_ROUTE_PREFIX if prefix is None else prefix.strip("/"),
        task_hub=resolve_placeholders(durable_task.text("hubName") or DEFAULT_TASK_HUB, environ),
        limits=_limits(durable_task),
        log_levels=_log_levels(host_json.section("logging").section("logLevel")),
        port=DEFAULT_PORT if port is None else port,
        cors=_cors(local_host),
        default_version=durable_task.text("defaultVersion"),
    )


def _limits(durable_task: Section) -> Limits:
    def limit(name: str) -> int:
        return durable_task.whole_number(name, at_least=1) or default_limit()

    return Limits(
        activities=limit("maxConcurrentActivityFunctions"),
        orchestrators=limit("maxConcurrentOrchestratorFunctions"),
        entities=limit("maxConcurrentEntityFunctions"),
    )


def _log_levels(section: Section) -> dict[str, str]:
    levels = {category: section.text(category) or "" for category in section.values}
    for category, level in levels.items():
        if level and level.lower() not in LEVELS:
            raise section.wrong(category, f"one of {', '.join(name.capitalize() for name in LEVELS)}")
    return {category: level for category, level in levels.items() if level}


def _cors(local_host: Section) -> Cors:
    text = local_host.text("CORS") or ""
    origins = tuple(origin.strip().rstrip("/") for origin in text.split(",") if origin.strip())
    return Cors(origins, credentials=local_host.flag("CORSCredentials"))


def _apply_overrides(host_json: dict[str, Any], environ: Mapping[str, str]) -> None:
    """Apply variables such as `AzureFunctionsJobHost__extensions__http__routePrefix`."""
    for name, value in environ.items():
        if not name.lower().startswith(_OVERRIDE_PREFIX.lower()):
            continue
        *path, leaf = name[len(_OVERRIDE_PREFIX) :].split("__")
        section = host_json
        for step in path:
            section = section.setdefault(spelling(section, step), {})
            if not isinstance(section, dict):
                raise SettingsError(f"The variable {name!r} overrides a section of host.json that holds a plain value.")
        section[spelling(section, leaf)] = value


def _setting_text(value: Any) -> str:
    if value is None:
        return ""
    return value if isinstance(value, str) else json.dumps(value)
