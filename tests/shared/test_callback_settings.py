"""The settings of callbacks, by name, and never with a secret in a message."""

from __future__ import annotations

import pytest

from shared.errors import SettingsError
from shared.settings import load_callback_settings
from tests.shared.callbacks.given import OLD_SECRET, SECRET, settings


def test_without_settings_there_are_no_callbacks() -> None:
    assert load_callback_settings({}) is None
    assert load_callback_settings({"CHORUS_CALLBACK_SECRET": " ", "CHORUS_CALLBACK_LOOPBACK": "true"}) is None


def test_the_secrets_are_kept_in_their_order_and_not_shown() -> None:
    found = settings(f"{SECRET}  {OLD_SECRET}")

    assert found.secrets == (b"\1" * 32, b"\2" * 32)
    assert "x01" not in repr(found)


@pytest.mark.parametrize("padding", ["=", ""])
def test_a_secret_may_lack_its_padding(padding: str) -> None:
    assert settings(SECRET.rstrip("=") + padding).secrets == (b"\1" * 32,)


@pytest.mark.parametrize(
    ("listed", "host", "port", "may"),
    [
        ("hooks.example.com", "hooks.example.com", 443, True),
        ("Hooks.Example.Com", "hooks.example.com", 443, True),
        ("hooks.example.com", "hooks.example.com", 8443, False),
        ("hooks.example.com:8443", "hooks.example.com", 8443, True),
        ("hooks.example.com:8443", "hooks.example.com", 443, False),
        ("a.example, b.example", "b.example", 443, True),
        ("*.logic.azure.com", "prod-1.westeurope.logic.azure.com", 443, True),
        ("*.logic.azure.com", "logic.azure.com", 443, False),
        ("*.logic.azure.com", "evillogic.azure.com", 443, False),
        ("*.logic.azure.com", "x..logic.azure.com", 443, False),
        ("*.logic.azure.com", ".logic.azure.com", 443, False),
    ],
)
def test_a_host_is_listed_by_its_name_or_by_what_is_above_it(listed: str, host: str, port: int, may: bool) -> None:
    assert settings(hosts=listed).may_call(host, port) is may


@pytest.mark.parametrize(
    ("env", "setting"),
    [
        ({"CHORUS_CALLBACK_SECRET": SECRET}, "CHORUS_CALLBACK_HOSTS"),
        ({"CHORUS_CALLBACK_HOSTS": "hooks.example.com"}, "CHORUS_CALLBACK_SECRET"),
        ({"CHORUS_CALLBACK_LOOPBACK": "yes"}, "CHORUS_CALLBACK_LOOPBACK"),
        ({"CHORUS_CALLBACK_LOOPBACK": "true", "WEBSITE_INSTANCE_ID": "1"}, "CHORUS_CALLBACK_LOOPBACK"),
        *(
            ({"CHORUS_CALLBACK_SECRET": secret, "CHORUS_CALLBACK_HOSTS": "a.example"}, "CHORUS_CALLBACK_SECRET")
            for secret in (
                "guess-me-not", SECRET.removeprefix("whsec_"), "whsec_c2hvcnQ=", "whsec_!!!", SECRET + "A" * 99,
            )
        ),
        *(
            ({"CHORUS_CALLBACK_SECRET": SECRET, "CHORUS_CALLBACK_HOSTS": hosts}, "CHORUS_CALLBACK_HOSTS")
            for hosts in (
                "*", "*.", "*.com", "com", "https://a.example", "a.example/x", "a.example:0", "a.example:99999",
                "a.example:x", "10.0.0.1", "127.1", "[::1]", "a..example", "a.example.", "a.*.example",
                "a_b.example", "user@a.example",
            )
        ),
    ],
)  # fmt: skip
def test_a_wrong_setting_is_named_without_its_value(env: dict[str, str], setting: str) -> None:
    with pytest.raises(SettingsError, match=setting) as error:
        load_callback_settings(env)

    assert env.get("CHORUS_CALLBACK_SECRET", "nothing") not in str(error.value)
