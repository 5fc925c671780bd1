from __future__ import annotations

import asyncio
import inspect
from typing import Any

from local_host.durable_client import durable_client_config
from shared.kept_client import MOST, kept_client, with_kept_client


def config(hub: str) -> str:
    return durable_client_config("127.0.0.1:1", "http://localhost:1", hub)


async def test_one_configuration_has_one_client() -> None:
    assert kept_client(config("hub")) is kept_client(config("hub"))
    assert kept_client(config("hub")) is not kept_client(config("other"))
    assert kept_client(config("other")).taskHubName == "other"


async def test_only_the_newest_configurations_have_their_clients_kept() -> None:
    first = kept_client(config("hub-0"))
    newest = [kept_client(config(f"hub-{number}")) for number in range(1, MOST + 1)]
    assert [kept_client(config(f"hub-{number}")) for number in range(1, MOST + 1)] == newest
    assert kept_client(config("hub-0")) is not first


def test_each_event_loop_has_a_client_of_its_own() -> None:
    async def own() -> Any:
        return kept_client(config("hub"))

    assert asyncio.run(own()) is not asyncio.run(own())


async def test_a_function_with_a_client_takes_its_configuration_and_leaves_the_client_open() -> None:
    async def hub_of(given: int, client: Any) -> Any:
        return given, client

    bound: Any = with_kept_client(hub_of)
    assert await bound(given=1, client=config("hub")) == (1, kept_client(config("hub")))
    assert (await bound(given=2, client=config("hub")))[1] is kept_client(config("hub"))
    assert (await bound(3, config("hub"))) == (3, kept_client(config("hub")))
    assert list(inspect.signature(bound).parameters) == ["given", "client"]
    assert bound.__annotations__["client"] is str
