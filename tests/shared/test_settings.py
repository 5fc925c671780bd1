from __future__ import annotations

from typing import Any

import pytest

from shared.errors import SettingsError
from shared.settings import DEFAULT_OPENAI_MODEL, OPENAI_URL, load_model_settings, load_storage_settings

AZURE = {"AZURE_OPENAI_ENDPOINT": "https://res.openai.azure.com", "CHORUS_MODEL": "my-gpt"}
SECRET = "sk-very-secret"


def problems_of(env: dict[str, str]) -> list[str]:
    with pytest.raises(SettingsError) as caught:
        load_model_settings(env)
    return caught.value.problems


def test_a_key_alone_is_openai_with_its_default_model() -> None:
    settings = load_model_settings({"OPENAI_API_KEY": SECRET})

    assert (settings.provider, settings.base_url, settings.model) == ("openai", OPENAI_URL, DEFAULT_OPENAI_MODEL)
    assert (settings.api, settings.api_key) == ("responses", SECRET)


@pytest.mark.parametrize(
    "url", ["http://localhost:8080/v1", "http://127.0.0.1:1/v1", "http://[::1]:1/v1", "https://llm/v1"]
)
def test_a_base_url_is_a_compatible_server_that_may_do_without_a_key(url: str) -> None:
    settings = load_model_settings({"OPENAI_BASE_URL": url})

    assert (settings.provider, settings.base_url, settings.api_key) == ("compatible", url, None)


@pytest.mark.parametrize("url", ["https://api.openai.com/v1", "https://API.OpenAI.com/v1/"])
def test_openai_s_own_url_is_openai(url: str) -> None:
    assert load_model_settings({"OPENAI_BASE_URL": url, "OPENAI_API_KEY": SECRET}).provider == "openai"


@pytest.mark.parametrize(
    ("endpoint", "base_url"),
    [
        ("https://res.openai.azure.com", "https://res.openai.azure.com/openai/v1/"),
        ("https://res.openai.azure.com/", "https://res.openai.azure.com/openai/v1/"),
        ("https://res.openai.azure.com/openai", "https://res.openai.azure.com/openai/v1/"),
        ("https://res.openai.azure.com/openai/v1", "https://res.openai.azure.com/openai/v1/"),
        ("https://res.openai.azure.com/openai/v1/", "https://res.openai.azure.com/openai/v1/"),
        ("https://res.openai.azure.com/openai/v1/responses", "https://res.openai.azure.com/openai/v1/"),
        ("https://res.cognitiveservices.azure.com/", "https://res.cognitiveservices.azure.com/openai/v1/"),
        (
            "https://res.openai.azure.com/openai/deployments/gpt/chat/completions?api-version=2025-01-01-preview",
            "https://res.openai.azure.com/openai/v1/",
        ),
        (
            "https://res.services.ai.azure.com/api/projects/p",
            "https://res.services.ai.azure.com/api/projects/p/openai/v1/",
        ),
        ("https://gateway.azure-api.net/llm/openai", "https://gateway.azure-api.net/llm/openai/v1/"),
        ("  https://res.openai.azure.com  ", "https://res.openai.azure.com/openai/v1/"),
    ],
)
def test_every_form_of_an_azure_endpoint_leads_to_its_v1_api(endpoint: str, base_url: str) -> None:
    settings = load_model_settings({**AZURE, "AZURE_OPENAI_ENDPOINT": endpoint})

    assert (settings.provider, settings.base_url, settings.model) == ("azure", base_url, "my-gpt")


def test_azure_wins_and_takes_its_own_key_alone() -> None:
    env = {**AZURE, "OPENAI_API_KEY": SECRET, "OPENAI_BASE_URL": "https://llm/v1"}

    assert load_model_settings(env).api_key is None
    assert load_model_settings({**env, "AZURE_OPENAI_API_KEY": "azure-key"}).api_key == "azure-key"


@pytest.mark.parametrize("api", ["responses", "chat_completions"])
def test_the_api_is_chosen_by_a_setting(api: str) -> None:
    assert load_model_settings({"OPENAI_API_KEY": SECRET, "CHORUS_MODEL_API": api}).api == api


@pytest.mark.parametrize(
    ("env", "named"),
    [
        ({}, ["AZURE_OPENAI_ENDPOINT"]),
        ({"OPENAI_API_KEY": "  "}, ["OPENAI_API_KEY"]),
        ({"AZURE_OPENAI_ENDPOINT": "https://res.openai.azure.com"}, ["CHORUS_MODEL"]),
        ({"AZURE_OPENAI_ENDPOINT": "res.openai.azure.com", "CHORUS_MODEL": "m"}, ["AZURE_OPENAI_ENDPOINT"]),
        ({"OPENAI_BASE_URL": "https://api.openai.com/v1"}, ["OPENAI_API_KEY"]),
        ({"OPENAI_BASE_URL": "llm"}, ["OPENAI_BASE_URL"]),
        ({"OPENAI_BASE_URL": "https://"}, ["OPENAI_BASE_URL"]),
        ({"OPENAI_BASE_URL": "https://[half"}, ["OPENAI_BASE_URL"]),
        ({"OPENAI_BASE_URL": "https://host:port/v1"}, ["OPENAI_BASE_URL"]),
        ({"OPENAI_BASE_URL": "https://host:99999/v1"}, ["OPENAI_BASE_URL"]),
        ({"OPENAI_BASE_URL": "ftp://host/v1"}, ["OPENAI_BASE_URL"]),
        ({"OPENAI_BASE_URL": "http://llm.example/v1"}, ["OPENAI_BASE_URL"]),
        ({"OPENAI_BASE_URL": "http://localhost.evil.example/v1"}, ["OPENAI_BASE_URL"]),
        ({"OPENAI_BASE_URL": "http://localhost@evil.example/v1"}, ["OPENAI_BASE_URL"]),
        ({"OPENAI_API_KEY": SECRET, "CHORUS_MODEL_API": "completions"}, ["CHORUS_MODEL_API"]),
        (
            {"AZURE_OPENAI_ENDPOINT": "http://res.example", "CHORUS_MODEL_API": "x"},
            ["CHORUS_MODEL_API", "AZURE_OPENAI_ENDPOINT", "CHORUS_MODEL"],
        ),
    ],
)
def test_every_problem_is_told_by_the_setting_s_name(env: dict[str, str], named: list[str]) -> None:
    problems = problems_of(env)

    assert len(problems) == len(named)
    assert all(name in problem for name, problem in zip(named, problems, strict=True))


@pytest.mark.parametrize("name", ["AZURE_OPENAI_ENDPOINT", "OPENAI_BASE_URL"])
@pytest.mark.parametrize("value", [SECRET, f"http://user:{SECRET}@host/v1", f"http://host/v1?key={SECRET}"])
def test_a_key_in_the_wrong_place_is_not_shown(name: str, value: str) -> None:
    assert SECRET not in " ".join(problems_of({name: value, "CHORUS_MODEL": "m"}))


def test_a_blank_value_is_no_value() -> None:
    blank = dict.fromkeys(["AZURE_OPENAI_ENDPOINT", "AZURE_OPENAI_API_KEY", "OPENAI_BASE_URL", "CHORUS_MODEL"], " \t")

    settings = load_model_settings({**blank, "CHORUS_MODEL_API": "", "OPENAI_API_KEY": f" {SECRET} "})

    assert (settings.provider, settings.model, settings.api_key) == ("openai", DEFAULT_OPENAI_MODEL, SECRET)


@pytest.mark.parametrize("show", [repr, str])
def test_the_key_is_not_in_what_the_settings_print(show: Any) -> None:
    assert SECRET not in show(load_model_settings({"OPENAI_API_KEY": SECRET}))


# Storage

CONNECTION = f"DefaultEndpointsProtocol=https;AccountName=acc;AccountKey={SECRET};EndpointSuffix=core.windows.net"


def storage_problems_of(env: dict[str, str]) -> list[str]:
    with pytest.raises(SettingsError) as caught:
        load_storage_settings(env)
    assert SECRET not in str(caught.value)
    return caught.value.problems


def test_without_storage_there_are_no_storage_settings() -> None:
    assert load_storage_settings({}) is None
    assert load_storage_settings({"CHORUS_STORAGE": " ", "CHORUS_SINK_CONTAINERS": ""}) is None


@pytest.mark.parametrize(
    "text",
    [
        "UseDevelopmentStorage=true",
        CONNECTION,
        f"AccountName=acc;AccountKey={SECRET}",
        f"BlobEndpoint=https://acc.blob.core.windows.net;SharedAccessSignature=sv=1&sig={SECRET};",
        f"DefaultEndpointsProtocol=http;AccountName=d;AccountKey={SECRET};BlobEndpoint=http://127.0.0.1:10000/d;",
    ],
)
def test_storage_is_a_connection_string_that_stays_secret(text: str) -> None:
    settings = load_storage_settings({"CHORUS_STORAGE": text})

    assert settings is not None
    assert (settings.connection_string, settings.account_url) == (text, None)
    assert text not in repr(settings)


def test_storage_may_be_a_url_that_is_used_with_the_app_s_identity() -> None:
    settings = load_storage_settings({"CHORUS_STORAGE": "https://acc.blob.core.windows.net"})

    assert settings is not None
    assert (settings.account_url, settings.connection_string) == ("https://acc.blob.core.windows.net", None)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (SECRET, "CHORUS_STORAGE is not a URL"),
        (f"http://acc.blob.core.windows.net/{SECRET}", "https"),
        (f"https://acc.blob.core.windows.net/?sv=1&sig={SECRET}", "neither a connection string"),
        (f"AccountKey={SECRET}", "neither a connection string"),
        ("AccountName=acc", "neither a connection string"),
        (f"DefaultEndpointsProtocol=http;AccountName=acc;AccountKey={SECRET}", "DefaultEndpointsProtocol=https"),
        (f"AccountName=a;AccountKey={SECRET};BlobEndpoint=http://storage:10000/a", "BlobEndpoint in CHORUS_STORAGE"),
        ("UseDevelopmentStorage=false", "neither a connection string"),
    ],
)
def test_wrong_storage_is_named_without_its_value(text: str, said: str) -> None:
    [problem] = storage_problems_of({"CHORUS_STORAGE": text})

    assert said in problem


def test_containers_are_those_that_are_named_and_no_other() -> None:
    settings = load_storage_settings(
        {
            "CHORUS_STORAGE": CONNECTION,
            "CHORUS_SOURCE_CONTAINERS": " documents ,more-documents,,documents",
            "CHORUS_SINK_CONTAINERS": "results,archive",
        }
    )

    assert settings is not None
    assert (settings.sources, settings.sinks) == (("documents", "more-documents"), ("results", "archive"))
    assert settings.default_sink == "results"
    assert (settings.may_read("documents"), settings.may_read("results"), settings.may_read("doc")) == (
        True,
        False,
        False,
    )
    assert (settings.may_write("archive"), settings.may_write("documents"), settings.may_write("")) == (
        True,
        False,
        False,
    )


def test_without_sinks_there_is_no_default() -> None:
    settings = load_storage_settings({"CHORUS_STORAGE": CONNECTION})

    assert settings is not None
    assert settings.default_sink is None


@pytest.mark.parametrize(
    "name", ["ab", "a" * 64, "Documents", "a--b", "-ab", "ab-", "a/b", "$web", "a b", SECRET + "!"]
)
def test_a_wrong_container_is_told_by_its_place(name: str) -> None:
    [problem] = storage_problems_of({"CHORUS_STORAGE": CONNECTION, "CHORUS_SINK_CONTAINERS": f"results,{name}"})

    assert problem.startswith("name 2 in CHORUS_SINK_CONTAINERS ")


@pytest.mark.parametrize("name", ["chorus-payloads", "azure-webjobs-secrets", "azure-webjobs-hosts"])
@pytest.mark.parametrize("setting", ["CHORUS_SOURCE_CONTAINERS", "CHORUS_SINK_CONTAINERS"])
def test_containers_of_the_app_and_its_host_are_never_named(setting: str, name: str) -> None:
    [problem] = storage_problems_of({"CHORUS_STORAGE": CONNECTION, setting: name})

    assert problem.startswith(f"{setting} has {name!r}")


@pytest.mark.parametrize("setting", ["CHORUS_SOURCE_CONTAINERS", "CHORUS_SINK_CONTAINERS"])
def test_containers_without_storage_are_a_mistake(setting: str) -> None:
    [problem] = storage_problems_of({setting: "documents"})

    assert problem == f"CHORUS_STORAGE is not set, and {setting} names containers in it"
