"""What `host.json` and `local.settings.json` say, read as Core Tools reads them."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, MutableMapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

DEFAULT_PORT = 7071
DEFAULT_ROUTE_PREFIX = "api"
DEFAULT_TASK_HUB = "TestHubName"

_OVERRIDE_PREFIX = "AzureFunctionsJobHost__"
_PLACEHOLDER = re.compile(r"%([^%\s]+)%")
# A JSON string, or else what Core Tools allows beyond JSON: comments, and a comma before a closing bracket.
_JSON_EXTRAS = re.compile(r'("(?:\\.|[^"\\])*")|//[^\n]*|/\*.*?\*/|,(?=(?:\s|//[^\n]*|/\*.*?\*/)*[}\]])', re.DOTALL)


class SettingsError(Exception):
    """A settings file is missing or wrong; the message says which, where and what to do."""


@dataclass(frozen=True, slots=True)
class Cors:
    """Which browser origins may call the host; `*` is every one."""

    origins: tuple[str, ...] = ()
    credentials: bool = False


@dataclass(frozen=True, slots=True)
class HostSettings:
    """The settings of one app."""

    route_prefix: str = DEFAULT_ROUTE_PREFIX
    task_hub: str = DEFAULT_TASK_HUB
    durable_task: Mapping[str, Any] = field(default_factory=dict[str, Any])
    log_levels: Mapping[str, str] = field(default_factory=dict[str, str])
    port: int = DEFAULT_PORT
    cors: Cors = Cors()


def load_settings(app_dir: Path, environ: MutableMapping[str, str]) -> HostSettings:
    """Read both files of `app_dir` and put the `Values` of local.settings.json into `environ`.

    A variable that `environ` holds already wins over the file.
    """
    local = _read_local_settings(app_dir / "local.settings.json")
    for name, value in _section(local, "Values").items():
        environ.setdefault(name, _setting_text(value))
    host_json = _read_host_json(app_dir)
    _apply_overrides(host_json, environ)
    return _host_settings(host_json, _section(local, "Host"), environ)


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


def _read_host_json(app_dir: Path) -> dict[str, Any]:
    path = app_dir / "host.json"
    if not path.is_file():
        raise SettingsError(
            f"There is no host.json in {str(app_dir)!r}. Name the folder of the function app with --app-dir, "
            'or create the file with the content {"version": "2.0"}.'
        )
    return _read_object(path)


def _read_local_settings(path: Path) -> dict[str, Any]:
    if not path.is_file():
        return {}
    settings = _read_object(path)
    if _item(settings, "IsEncrypted") is True:
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


def _host_settings(
    host_json: Mapping[str, Any], local_host: Mapping[str, Any], environ: Mapping[str, str]
) -> HostSettings:
    extensions = _section(host_json, "extensions")
    durable_task = _section(extensions, "durableTask")
    prefix = _item(_section(extensions, "http"), "routePrefix")
    hub = str(_item(durable_task, "hubName") or DEFAULT_TASK_HUB)
    levels = _section(_section(host_json, "logging"), "logLevel")
    return HostSettings(
        route_prefix=DEFAULT_ROUTE_PREFIX if prefix is None else str(prefix).strip("/"),
        task_hub=resolve_placeholders(hub, environ),
        durable_task=durable_task,
        log_levels={name: str(level) for name, level in levels.items()},
        port=_port(_item(local_host, "LocalHttpPort")),
        cors=_cors(local_host),
    )


def _port(value: Any) -> int:
    if value is None:
        return DEFAULT_PORT
    try:
        return int(value)
    except (TypeError, ValueError):
        raise SettingsError(f"Host.LocalHttpPort of local.settings.json is {value!r}, which is no port.") from None


def _cors(local_host: Mapping[str, Any]) -> Cors:
    text = str(_item(local_host, "CORS") or "")
    origins = tuple(origin.strip().rstrip("/") for origin in text.split(",") if origin.strip())
    return Cors(origins, credentials=_item(local_host, "CORSCredentials") is True)


def _apply_overrides(host_json: dict[str, Any], environ: Mapping[str, str]) -> None:
    """Apply variables such as `AzureFunctionsJobHost__extensions__http__routePrefix`."""
    for name, value in environ.items():
        if not name.lower().startswith(_OVERRIDE_PREFIX.lower()):
            continue
        *path, leaf = name[len(_OVERRIDE_PREFIX) :].split("__")
        section = host_json
        for step in path:
            section = section.setdefault(_spelling(section, step), {})
            if not isinstance(section, dict):
                raise SettingsError(f"The variable {name!r} overrides a section of host.json that holds a plain value.")
        section[_spelling(section, leaf)] = value


def _spelling(section: Mapping[str, Any], name: str) -> str:
    """Return the section's own spelling of a name, which is found regardless of case."""
    return next((key for key in section if key.lower() == name.lower()), name)


def _item(section: Mapping[str, Any], name: str) -> Any:
    return section.get(_spelling(section, name))


def _section(parent: Mapping[str, Any], name: str) -> dict[str, Any]:
    value = _item(parent, name)
    return value if isinstance(value, dict) else {}


def _setting_text(value: Any) -> str:
    if value is None:
        return ""
    return value if isinstance(value, str) else json.dumps(value)
