import json
import logging
import os
from pathlib import Path

import pytest

from local_host.log_output import function_level
from local_host.settings import (
    Cors,
    SettingsError,
    load_settings,
    parse_json_with_comments,
    resolve_placeholders,
)


def app(tmp_path: Path, host: object = None, local: object = None) -> Path:
    (tmp_path / "host.json").write_text(json.dumps(host if host is not None else {"version": "2.0"}))
    if local is not None:
        (tmp_path / "local.settings.json").write_text(json.dumps(local))
    return tmp_path


def test_an_app_without_settings_gets_the_defaults_of_core_tools(tmp_path):
    settings = load_settings(app(tmp_path), {})
    assert (settings.route_prefix, settings.task_hub, settings.port) == ("api", "TestHubName", 7071)
    assert settings.default_version is None
    assert settings.cors == Cors()


def test_host_json_gives_prefix_hub_limits_and_log_levels(tmp_path):
    host = {
        "extensions": {
            "http": {"routePrefix": "/v1/"},
            "durableTask": {"hubName": "%HUB%", "maxConcurrentActivityFunctions": 3, "defaultVersion": "2.1"},
        },
        "logging": {"logLevel": {"default": "Warning"}},
    }
    settings = load_settings(app(tmp_path, host), {"HUB": "Mine"})
    assert (settings.route_prefix, settings.task_hub) == ("v1", "Mine")
    assert (settings.limits.activities, settings.limits.entities) == (3, 10 * (os.cpu_count() or 1))
    assert settings.default_version == "2.1"
    assert settings.log_levels == {"default": "Warning"}


def test_names_are_found_in_any_case(tmp_path):
    host = {
        "Extensions": {
            "HTTP": {"RoutePrefix": "v2"},
            "DurableTask": {
                "HubName": "Mine",
                "MaxConcurrentOrchestratorFunctions": "5",
                "maxconcurrententityfunctions": 6,
            },
        },
        "Logging": {"LogLevel": {"Default": "warning"}},
    }
    settings = load_settings(app(tmp_path, host, {"values": {"A": "b"}, "host": {"localhttpport": "7090"}}), {})
    assert (settings.route_prefix, settings.task_hub, settings.port) == ("v2", "Mine", 7090)
    assert (settings.limits.orchestrators, settings.limits.entities) == (5, 6)
    assert settings.log_levels == {"Default": "warning"}


@pytest.mark.parametrize(
    ("levels", "level"),
    [
        ({"DEFAULT": "Warning"}, logging.WARNING),
        ({"default": "Warning", "FUNCTION": "error"}, logging.ERROR),
        ({"Host.Results": "Error"}, logging.INFO),
    ],
)
def test_log_levels_are_found_in_any_case(levels, level):
    assert function_level(levels) == level


def test_the_route_prefix_may_be_empty(tmp_path):
    assert load_settings(app(tmp_path, {"extensions": {"http": {"routePrefix": ""}}}), {}).route_prefix == ""


def test_values_become_environment_variables_unless_they_are_set_already(tmp_path):
    environ = {"SET": "by the shell", "EMPTY": ""}
    values = {"SET": "by the file", "EMPTY": "by the file", "NEW": "new", "NUMBER": 5, "FLAG": True, "NOTHING": None}
    load_settings(app(tmp_path, local={"Values": values}), environ)
    assert environ == {
        "SET": "by the shell",
        "EMPTY": "",
        "NEW": "new",
        "NUMBER": "5",
        "FLAG": "true",
        "NOTHING": "",
    }


def test_the_host_section_gives_port_and_cors(tmp_path):
    local = {"Host": {"LocalHttpPort": 7080, "CORS": "https://a.org/, https://b.org", "CORSCredentials": True}}
    settings = load_settings(app(tmp_path, local=local), {})
    assert settings.port == 7080
    assert settings.cors == Cors(("https://a.org", "https://b.org"), credentials=True)


def test_environment_variables_override_host_json(tmp_path):
    environ = {
        "AzureFunctionsJobHost__extensions__http__routePrefix": "x",
        "azurefunctionsjobhost__Extensions__durableTask__hubName": "ByVariable",
    }
    settings = load_settings(app(tmp_path, {"extensions": {"http": {"routePrefix": "y"}}}), environ)
    assert (settings.route_prefix, settings.task_hub) == ("x", "ByVariable")


@pytest.mark.parametrize(
    ("files", "reason"),
    [
        ({}, "no host.json"),
        ({"host.json": "{"}, "cannot be read as JSON"),
        ({"host.json": "[]"}, "no JSON object but list"),
        ({"host.json": "{}", "local.settings.json": '{"IsEncrypted": true}'}, "func settings decrypt"),
        ({"host.json": "{}", "local.settings.json": '{"Host": {"LocalHttpPort": "x"}}'}, "LocalHttpPort"),
        ({"host.json": "{}", "local.settings.json": '{"Values": []}'}, r"Values of '.*local\.settings\.json' is \[\]"),
        ({"host.json": '{"extensions": {"durableTask": {"hubName": "%NONE%"}}}'}, "'NONE', which is not set"),
        (
            {"host.json": '{"extensions": {"durableTask": {"maxConcurrentActivityFunctions": "%MAXA%"}}}'},
            r"extensions\.durableTask\.maxConcurrentActivityFunctions of '.*host\.json' is '%MAXA%'; .* 1 or more",
        ),
        ({"host.json": '{"extensions": {"durableTask": {"maxConcurrentEntityFunctions": 0}}}'}, "is 0; it must be"),
        ({"host.json": '{"extensions": {"durableTask": {"maxConcurrentEntityFunctions": true}}}'}, "is True; it must"),
        ({"host.json": '{"extensions": {"durableTask": 5}}'}, r"extensions\.durableTask of .* is 5; .* an object"),
        ({"host.json": '{"extensions": {"http": {"routePrefix": ["a"]}}}'}, r"http\.routePrefix of .* a text"),
        ({"host.json": '{"logging": {"logLevel": {"default": "Loud"}}}'}, r"logLevel\.default of .* 'Loud'; .*Warning"),
    ],
)
def test_what_is_missing_or_wrong_is_told(tmp_path, files, reason):
    for name, text in files.items():
        (tmp_path / name).write_text(text)
    with pytest.raises(SettingsError, match=reason):
        load_settings(tmp_path, {})


def test_json_may_hold_comments_and_trailing_commas():
    text = """
    // first
    { "url": "http://x/*no comment*/", /* a
      longer one */ "list": [1, 2, // last
      ], "text": "a, ]  \\" // b",
    }
    """
    assert parse_json_with_comments(text) == {
        "url": "http://x/*no comment*/",
        "list": [1, 2],
        "text": 'a, ]  " // b',
    }


def test_a_byte_order_mark_is_no_content(tmp_path):
    (tmp_path / "host.json").write_bytes(b"\xef\xbb\xbf" + b'{"version": "2.0"}')
    assert load_settings(tmp_path, {}).route_prefix == "api"


def test_placeholders_are_replaced_within_a_text():
    assert resolve_placeholders("0 */%MINUTES% * * * *", {"MINUTES": "5"}) == "0 */5 * * * *"
    assert resolve_placeholders("100% of 5%", {}) == "100% of 5%"
