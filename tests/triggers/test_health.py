from __future__ import annotations

import azure.functions as func
import pytest

from shared.version import VERSION
from tests.triggers.requests import HOST, JSON, json_of
from triggers.health import health

SECRET = "sk-very-secret"
NAMES = (
    "AZURE_OPENAI_ENDPOINT",
    "AZURE_OPENAI_API_KEY",
    "OPENAI_API_KEY",
    "OPENAI_BASE_URL",
    "CHORUS_MODEL",
    "CHORUS_MODEL_API",
    "CHORUS_STORAGE",
    "CHORUS_SOURCE_CONTAINERS",
    "CHORUS_SINK_CONTAINERS",
    "CHORUS_CALLBACK_SECRET",
    "CHORUS_CALLBACK_HOSTS",
    "CHORUS_CALLBACK_LOOPBACK",
    "CHORUS_RETENTION_DAYS",
)


@pytest.fixture(autouse=True)
def no_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in NAMES:
        monkeypatch.delenv(name, raising=False)


async def ask() -> tuple[func.HttpResponse, JSON]:
    answer = await health(func.HttpRequest("GET", f"{HOST}/api/health", body=b""))
    assert answer.status_code == 200
    assert answer.mimetype == "application/json"
    assert answer.headers["Cache-Control"] == "no-store"
    return answer, json_of(answer)


@pytest.mark.parametrize(
    ("settings", "model"),
    [
        ({"OPENAI_API_KEY": SECRET}, {"provider": "openai", "name": "gpt-5-mini", "api": "responses"}),
        (
            {"OPENAI_BASE_URL": f"https://user:{SECRET}@llm/v1", "OPENAI_API_KEY": SECRET, "CHORUS_MODEL": "m"},
            {"provider": "compatible", "name": "m", "api": "responses"},
        ),
        (
            {
                "AZURE_OPENAI_ENDPOINT": "https://res.openai.azure.com",
                "AZURE_OPENAI_API_KEY": SECRET,
                "CHORUS_MODEL": "deployed",
                "CHORUS_MODEL_API": "chat_completions",
            },
            {"provider": "azure", "name": "deployed", "api": "chat_completions"},
        ),
    ],
)
async def test_with_settings_it_says_which_model_and_no_secret(
    settings: dict[str, str], model: JSON, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in settings.items():
        monkeypatch.setenv(name, value)

    answer, body = await ask()

    assert body == {"status": "ok", "version": VERSION, "model": model}
    assert SECRET.encode() not in answer.get_body()


@pytest.mark.parametrize(
    ("settings", "named"),
    [
        ({}, ["OPENAI_API_KEY"]),
        ({"AZURE_OPENAI_ENDPOINT": SECRET}, ["AZURE_OPENAI_ENDPOINT", "CHORUS_MODEL"]),
        ({"OPENAI_BASE_URL": f"http://llm.example/v1?key={SECRET}"}, ["OPENAI_BASE_URL"]),
        ({"OPENAI_API_KEY": SECRET, "CHORUS_MODEL_API": "old"}, ["CHORUS_MODEL_API"]),
        ({"OPENAI_API_KEY": SECRET, "CHORUS_STORAGE": f"AccountKey={SECRET}"}, ["CHORUS_STORAGE"]),
        (
            {"OPENAI_API_KEY": SECRET, "CHORUS_SINK_CONTAINERS": SECRET.upper()},
            ["CHORUS_SINK_CONTAINERS", "CHORUS_STORAGE"],
        ),
    ],
)
async def test_with_a_missing_or_wrong_setting_it_names_it_and_shows_no_secret(
    settings: dict[str, str], named: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in settings.items():
        monkeypatch.setenv(name, value)

    answer, body = await ask()

    assert (body["status"], body["version"]) == ("misconfigured", VERSION)
    assert len(body["problems"]) == len(named)
    assert all(name in problem for name, problem in zip(named, body["problems"], strict=True))
    assert SECRET.encode() not in answer.get_body()


async def test_with_storage_it_says_how_many_containers_and_no_more(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", SECRET)
    monkeypatch.setenv("CHORUS_STORAGE", f"AccountName=acc;AccountKey={SECRET}")
    monkeypatch.setenv("CHORUS_SOURCE_CONTAINERS", "documents, more")
    monkeypatch.setenv("CHORUS_SINK_CONTAINERS", "results")

    answer, body = await ask()

    assert (body["status"], body["storage"]) == ("ok", {"sources": 2, "sinks": 1})
    assert SECRET.encode() not in answer.get_body()


async def test_with_callbacks_it_says_how_many_hosts_and_no_more(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", SECRET)
    monkeypatch.setenv("CHORUS_CALLBACK_SECRET", "whsec_" + "A" * 32)
    monkeypatch.setenv("CHORUS_CALLBACK_HOSTS", "hooks.example.com, *.logic.azure.com")
    _, body = await ask()
    assert (body["status"], body["callbacks"]) == ("ok", {"hosts": 2})

    monkeypatch.setenv("CHORUS_CALLBACK_SECRET", SECRET)
    answer, body = await ask()
    assert (body["status"], "CHORUS_CALLBACK_SECRET" in body["problems"][0]) == ("misconfigured", True)
    assert SECRET.encode() not in answer.get_body()
