"""The app's settings, read from a mapping (the environment) and checked by name."""

from __future__ import annotations

import binascii
import re
from base64 import b64decode
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal, cast, get_args
from urllib.parse import urlsplit

from shared.errors import SettingsError

Provider = Literal["azure", "openai", "compatible"]
ModelApi = Literal["responses", "chat_completions"]

DEFAULT_OPENAI_MODEL = "gpt-5-mini"
OPENAI_HOST = "api.openai.com"
OPENAI_URL = f"https://{OPENAI_HOST}/v1"
LOOPBACK_HOSTS = ("localhost", "127.0.0.1", "::1")

AZURE_OPENAI_ENDPOINT = "AZURE_OPENAI_ENDPOINT"
AZURE_OPENAI_API_KEY = "AZURE_OPENAI_API_KEY"
OPENAI_API_KEY = "OPENAI_API_KEY"
OPENAI_BASE_URL = "OPENAI_BASE_URL"
CHORUS_MODEL = "CHORUS_MODEL"
CHORUS_MODEL_API = "CHORUS_MODEL_API"
CHORUS_STORAGE = "CHORUS_STORAGE"
CHORUS_SOURCE_CONTAINERS = "CHORUS_SOURCE_CONTAINERS"
CHORUS_SINK_CONTAINERS = "CHORUS_SINK_CONTAINERS"
CHORUS_RECIPES = "CHORUS_RECIPES"
CHORUS_CALLBACK_SECRET = "CHORUS_CALLBACK_SECRET"  # noqa: S105 - the setting's name
CHORUS_CALLBACK_HOSTS = "CHORUS_CALLBACK_HOSTS"
CHORUS_CALLBACK_LOOPBACK = "CHORUS_CALLBACK_LOOPBACK"
CHORUS_RETENTION_DAYS = "CHORUS_RETENTION_DAYS"
CHORUS_TELEMETRY_CONTENT = "CHORUS_TELEMETRY_CONTENT"
APPLICATIONINSIGHTS_CONNECTION_STRING = "APPLICATIONINSIGHTS_CONNECTION_STRING"
OTEL_EXPORTER_OTLP_ENDPOINT = "OTEL_EXPORTER_OTLP_ENDPOINT"
OTEL_SERVICE_NAME = "OTEL_SERVICE_NAME"

CONTAINER_NAME = re.compile(r"(?=.{3,63}$)[a-z0-9](-?[a-z0-9])+")
PAYLOADS_CONTAINER = "chorus-payloads"
"""Where large inputs and outputs of orchestrations are kept."""
PRIVATE_CONTAINERS = (PAYLOADS_CONTAINER, "azure-webjobs-")
"""What the names of containers begin with that requests never name: the Functions host keeps its keys in one."""


@dataclass(frozen=True, slots=True)
class ModelSettings:
    """Which model to call and how. An Azure endpoint without a key is called with the app's Entra identity."""

    provider: Provider
    model: str
    api: ModelApi
    base_url: str
    api_key: str | None = field(default=None, repr=False)


def load_model_settings(env: Mapping[str, str]) -> ModelSettings:
    """Read the model settings; raise SettingsError that names each one that is missing or wrong.

    `AZURE_OPENAI_ENDPOINT` wins over `OPENAI_*`. A blank value counts as not set.
    """
    values = _given(env)
    problems: list[str] = []
    api = values.get(CHORUS_MODEL_API, "responses")
    if api not in get_args(ModelApi):
        problems.append(f"{CHORUS_MODEL_API} must be one of {', '.join(get_args(ModelApi))}")
    provider, base_url = _endpoint(values, problems)
    model = values.get(CHORUS_MODEL, "" if provider == "azure" else DEFAULT_OPENAI_MODEL)
    if not model:
        problems.append(f"{CHORUS_MODEL} is not set; with {AZURE_OPENAI_ENDPOINT} it names your deployment")
    if problems:
        raise SettingsError(problems)
    key = values.get(AZURE_OPENAI_API_KEY if provider == "azure" else OPENAI_API_KEY)
    return ModelSettings(provider, model, cast(ModelApi, api), base_url, key)


def _given(env: Mapping[str, str]) -> dict[str, str]:
    return {name: value.strip() for name, value in env.items() if value.strip()}


def _is_on(name: str, values: Mapping[str, str], problems: list[str]) -> bool:
    value = values.get(name, "false").lower()
    if value not in {"true", "false"}:
        problems.append(f"{name} is neither 'true' nor 'false'")
    return value == "true"


def _endpoint(values: Mapping[str, str], problems: list[str]) -> tuple[Provider, str]:
    if endpoint := values.get(AZURE_OPENAI_ENDPOINT):
        if problem := _url_problem(AZURE_OPENAI_ENDPOINT, endpoint):
            problems.append(problem)
            return "azure", endpoint
        return "azure", _azure_base_url(endpoint)
    if url := values.get(OPENAI_BASE_URL):
        if problem := _url_problem(OPENAI_BASE_URL, url):
            problems.append(problem)
            return "compatible", url
        if _hostname(url) != OPENAI_HOST:
            return "compatible", url
        if OPENAI_API_KEY not in values:
            problems.append(f"{OPENAI_API_KEY} is not set; {OPENAI_BASE_URL} names OpenAI itself, which needs it")
        return "openai", url
    if OPENAI_API_KEY not in values:
        problems.append(
            f"no model is configured: set {AZURE_OPENAI_ENDPOINT} (Azure OpenAI), {OPENAI_API_KEY} (OpenAI) "
            f"or {OPENAI_BASE_URL} (any compatible server)"
        )
    return "openai", OPENAI_URL


def _azure_base_url(endpoint: str) -> str:
    """The v1 API of the resource, project or gateway that `endpoint` names; the portal shows several forms of it."""
    parts = urlsplit(endpoint)
    root = re.sub(r"/openai(/(v1|deployments)\b.*)?$", "", parts.path.rstrip("/"))
    return f"{parts.scheme}://{parts.netloc}{root}/openai/v1/"


def _url_problem(name: str, url: str) -> str | None:
    """Plain http would send the key and the prompts in clear: it is for this machine only.

    The value stays out of the message, which anybody may read: it may be a key in the wrong place.
    """
    try:
        parts = urlsplit(url)
        scheme, host, _ = parts.scheme, parts.hostname, parts.port
    except ValueError:
        scheme, host = "", None
    if not host or scheme not in {"https", "http"}:
        return f"{name} is not a URL; set it to one such as https://host/path"
    if scheme == "http" and host not in LOOPBACK_HOSTS:
        return f"{name} must begin with https:// (http is accepted for localhost only)"
    return None


def _hostname(url: str) -> str | None:
    return urlsplit(url).hostname


@dataclass(frozen=True, slots=True)
class StorageSettings:
    """Where blobs are, and which containers requests may name.

    By a connection string; or by `account_url` and the app's Entra identity.
    """

    sources: tuple[str, ...] = ()
    sinks: tuple[str, ...] = ()
    account_url: str | None = None
    connection_string: str | None = field(default=None, repr=False)

    def may_read(self, container: str) -> bool:
        """Whether a run may read documents there."""
        return container in self.sources

    def may_write(self, container: str) -> bool:
        """Whether a run may write its results there."""
        return container in self.sinks

    @property
    def default_sink(self) -> str | None:
        """Where a run writes that has a source and names no sink; None if nothing may be written."""
        return self.sinks[0] if self.sinks else None


def load_storage_settings(env: Mapping[str, str]) -> StorageSettings | None:
    """Read the settings of storage; None if there are none. Raise SettingsError that names each one that is wrong."""
    values = _given(env)
    problems: list[str] = []
    sources = _containers(CHORUS_SOURCE_CONTAINERS, values, problems)
    sinks = _containers(CHORUS_SINK_CONTAINERS, values, problems)
    if problem := _storage_problem(values):
        problems.append(problem)
    if problems:
        raise SettingsError(problems)
    storage = values.get(CHORUS_STORAGE)
    if storage is None:
        return None
    if _is_url(storage):
        return StorageSettings(sources, sinks, account_url=storage)
    return StorageSettings(sources, sinks, connection_string=storage)


def _storage_problem(values: Mapping[str, str]) -> str | None:
    storage = values.get(CHORUS_STORAGE)
    if storage is not None:
        return _url_problem(CHORUS_STORAGE, storage) if _is_url(storage) else _connection_problem(storage)
    of_no_use = [name for name in (CHORUS_SOURCE_CONTAINERS, CHORUS_SINK_CONTAINERS) if name in values]
    return f"{CHORUS_STORAGE} is not set, and {of_no_use[0]} names containers in it" if of_no_use else None


def _is_url(storage: str) -> bool:
    """A connection string is of names and values; a URL with a signature in its query is not meant to be used."""
    return "=" not in storage


def _containers(setting: str, values: Mapping[str, str], problems: list[str]) -> tuple[str, ...]:
    """The containers that a setting names, each once, in its order."""
    names = tuple(dict.fromkeys(name.strip() for name in values.get(setting, "").split(",") if name.strip()))
    for number, name in enumerate(names, start=1):
        if not CONTAINER_NAME.fullmatch(name):
            # Without the name itself: it may be a connection string in the wrong place.
            problems.append(
                f"name {number} in {setting} is none of a container, which has 3 to 63 lower-case letters, digits "
                "and single hyphens; separate names by commas"
            )
        elif name.startswith(PRIVATE_CONTAINERS):
            problems.append(f"{setting} has {name!r}, which is not for documents or results; choose another container")
    return names


def _connection_problem(text: str) -> str | None:
    """What is wrong with a connection string, without a word of it: it has the key."""
    parts = [part.partition("=") for part in text.split(";") if part.strip()]
    given = {name.strip().lower(): value.strip() for name, _, value in parts}
    if given.get("usedevelopmentstorage") == "true":
        return None
    endpoint = given.get("blobendpoint")
    has_key = "accountkey" in given or "sharedaccesssignature" in given
    if not has_key or not (endpoint or given.get("accountname")):
        return (
            f"{CHORUS_STORAGE} is neither a connection string with an account and its key, nor a URL such as "
            "https://NAME.blob.core.windows.net"
        )
    if endpoint:
        return _url_problem(f"the BlobEndpoint in {CHORUS_STORAGE}", endpoint)
    if given.get("defaultendpointsprotocol", "https").lower() != "https":
        return f"{CHORUS_STORAGE} must say DefaultEndpointsProtocol=https (http is accepted for localhost only)"
    return None


SECRET_PREFIX = "whsec_"  # noqa: S105 - of the form, not of a secret
SECRET_BYTES = (24, 64)
"""The least and the most that Standard Webhooks allows."""
HOST_NAME = re.compile(r"(?=.{4,253}$)([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z]([a-z0-9-]{0,61}[a-z0-9])")
"""A name of two labels or more in lower-case ASCII; the last begins with a letter, so it is no address."""
ON_AZURE = "WEBSITE_INSTANCE_ID"
APP_NAME = "WEBSITE_SITE_NAME"


@dataclass(frozen=True, slots=True)
class CallbackSettings:
    """How callbacks are signed, and whom the app may call.

    The first of `secrets` is the newest. `hosts` are `(name, port)`; a name that begins with `*.` stands for all names
    below it. `loopback` lets plain http go to this machine, in development.
    """

    secrets: tuple[bytes, ...] = field(repr=False)
    hosts: tuple[tuple[str, int], ...] = ()
    loopback: bool = False

    def may_call(self, host: str, port: int) -> bool:
        """Whether the list of hosts has this one, which is a name in lower case."""
        return any(
            port == listed_port and (host.endswith(name[1:]) if name.startswith("*.") else host == name)
            for name, listed_port in self.hosts
            if HOST_NAME.fullmatch(host)
        )


def load_callback_settings(env: Mapping[str, str]) -> CallbackSettings | None:
    """Read the settings of callbacks; None if there are none. Raise SettingsError that names each one that is wrong."""
    values = _given(env)
    problems: list[str] = []
    secrets = _secrets(values.get(CHORUS_CALLBACK_SECRET, ""), problems)
    hosts = _hosts(values.get(CHORUS_CALLBACK_HOSTS, ""), problems)
    loopback = _loopback(values, problems)
    if CHORUS_CALLBACK_SECRET in values and not loopback and CHORUS_CALLBACK_HOSTS not in values:
        problems.append(f"{CHORUS_CALLBACK_HOSTS} is not set, so no callback could be sent anywhere")
    if CHORUS_CALLBACK_HOSTS in values and CHORUS_CALLBACK_SECRET not in values:
        problems.append(f"{CHORUS_CALLBACK_SECRET} is not set, and callbacks are never sent unsigned")
    if problems:
        raise SettingsError(problems)
    return CallbackSettings(secrets, hosts, loopback) if secrets else None


def _secrets(text: str, problems: list[str]) -> tuple[bytes, ...]:
    """The secrets, newest first; what is wrong with one is told by its number."""
    secrets: list[bytes] = []
    for number, word in enumerate(text.split(), start=1):
        encoded = word.removeprefix(SECRET_PREFIX)
        try:
            secret = b64decode(encoded + "=" * (-len(encoded) % 4), validate=True)
        except (binascii.Error, ValueError):
            secret = b""
        least, most = SECRET_BYTES
        if word.startswith(SECRET_PREFIX) and least <= len(secret) <= most:
            secrets.append(secret)
        else:
            problems.append(
                f"secret {number} in {CHORUS_CALLBACK_SECRET} is not {SECRET_PREFIX} and {least} to {most} random "
                "bytes in base64; separate several by spaces, the newest first"
            )
    return tuple(secrets)


def _hosts(text: str, problems: list[str]) -> tuple[tuple[str, int], ...]:
    hosts: list[tuple[str, int]] = []
    for number, entry in enumerate((part.strip().lower() for part in text.split(",") if part.strip()), start=1):
        name, _, port = entry.partition(":")
        fits = HOST_NAME.fullmatch(name.removeprefix("*.")) is not None
        if fits and (not port or (port.isdecimal() and port.isascii() and 0 < int(port) <= 65_535)):  # noqa: PLR2004
            hosts.append((name, int(port or 443)))
        else:
            problems.append(
                f"host {number} in {CHORUS_CALLBACK_HOSTS} is none: give names such as hooks.example.com, "
                "hooks.example.com:8443 or *.logic.azure.com, separated by commas, without https:// and no addresses"
            )
    return tuple(hosts)


def _loopback(values: Mapping[str, str], problems: list[str]) -> bool:
    loopback = _is_on(CHORUS_CALLBACK_LOOPBACK, values, problems)
    if loopback and ON_AZURE in values:
        problems.append(f"{CHORUS_CALLBACK_LOOPBACK} is for development; take it out of the settings of this app")
    return loopback


LEAST_RETENTION_DAYS = 3
"""A run lasts a day at most, and its callback is tried for a day after; a third one for what is late."""
MOST_RETENTION_DAYS = 3_650


def load_retention_days(env: Mapping[str, str]) -> int | None:
    """After how many days ended runs are purged; None, the default, for never. Raise SettingsError if it is wrong."""
    value = env.get(CHORUS_RETENTION_DAYS, "").strip()
    if not value:
        return None
    if not (value.isascii() and value.isdecimal()) or not LEAST_RETENTION_DAYS <= int(value) <= MOST_RETENTION_DAYS:
        raise SettingsError(
            [
                f"{CHORUS_RETENTION_DAYS} is not a whole number from {LEAST_RETENTION_DAYS} to {MOST_RETENTION_DAYS}; "
                "leave it out to keep runs until somebody purges them"
            ]
        )
    return int(value)


@dataclass(frozen=True, slots=True)
class TelemetrySettings:
    """Where spans, metrics and logs go; `with_content` says that spans have the prompts and the answers.

    `service_name` is who tells: as OpenTelemetry's setting says, or the function app's name.
    """

    connection_string: str | None = field(default=None, repr=False)
    has_otlp_endpoint: bool = False
    with_content: bool = False
    service_name: str = "chorus"


def load_telemetry_settings(env: Mapping[str, str]) -> TelemetrySettings | None:
    """Read the settings of telemetry; None if nothing is to be told. Raise SettingsError for those that are wrong."""
    values = _given(env)
    problems: list[str] = []
    connection_string = values.get(APPLICATIONINSIGHTS_CONNECTION_STRING)
    if connection_string is not None and "instrumentationkey=" not in connection_string.lower():
        problems.append(
            f"{APPLICATIONINSIGHTS_CONNECTION_STRING} has no InstrumentationKey; copy it from the overview of the "
            "Application Insights resource"
        )
    endpoint = values.get(OTEL_EXPORTER_OTLP_ENDPOINT)
    if endpoint is not None and urlsplit(endpoint).scheme not in {"http", "https"}:
        problems.append(f"{OTEL_EXPORTER_OTLP_ENDPOINT} is not a URL; set it to one such as http://localhost:4318")
    with_content = _is_on(CHORUS_TELEMETRY_CONTENT, values, problems)
    if problems:
        raise SettingsError(problems)
    if connection_string is None and endpoint is None:
        return None
    name = values.get(OTEL_SERVICE_NAME) or values.get(APP_NAME) or "chorus"
    return TelemetrySettings(connection_string, endpoint is not None, with_content, name)
