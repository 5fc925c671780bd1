"""The storage that activities use."""

from __future__ import annotations

import asyncio

import pytest

from activities.storage import shared_blobs
from local_host.azurite import azurite_settings, running_azurite
from shared.errors import StorageForbidden

SETTINGS = ("CHORUS_STORAGE", "CHORUS_SOURCE_CONTAINERS", "CHORUS_SINK_CONTAINERS")


@pytest.fixture(autouse=True)
def no_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in SETTINGS:
        monkeypatch.delenv(name, raising=False)


async def test_without_storage_its_use_is_forbidden() -> None:
    with pytest.raises(StorageForbidden, match="CHORUS_STORAGE is not set"):
        shared_blobs()


async def test_with_a_wrong_setting_the_problem_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CHORUS_STORAGE", "nonsense")

    with pytest.raises(StorageForbidden, match="CHORUS_STORAGE is not a URL"):
        shared_blobs()


def test_each_loop_has_one_client_for_the_same_settings(
    azurite: running_azurite, container: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in azurite_settings(azurite.connection_string, {}).items():
        monkeypatch.setenv(name, value)

    async def used() -> object:
        blobs = shared_blobs()
        await blobs.write(container, "a", b"here")
        assert await blobs.read(container, "a") == b"here"
        assert shared_blobs() is blobs
        await blobs.close()
        return blobs

    first, second = asyncio.run(used()), asyncio.run(used())

    assert first is not second
