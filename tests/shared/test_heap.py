"""What has been imported is left out of collections; what runs make is not."""

from __future__ import annotations

import gc
from collections.abc import Callable, Iterator

import pytest

from local_host.offline_model import OfflineModel
from shared import deferred
from shared.heap import keep_modules
from shared.model_client import OpenAIModel
from tests.shared.model_given import MATERIAL, agent


@pytest.fixture(autouse=True)
def thawed() -> Iterator[None]:
    """What other tests have imported is looked through here, and so is all afterwards."""
    gc.unfreeze()
    yield
    gc.unfreeze()


def is_looked_through(thing: object) -> bool:
    """Whether the collector would look at it."""
    return any(other is thing for other in gc.get_objects())


def test_what_is_there_is_looked_through_no_more_and_what_comes_is() -> None:
    before: list[object] = [[]]
    assert is_looked_through(before)

    keep_modules()

    after: list[object] = [[]]
    assert not is_looked_through(before)
    assert is_looked_through(after)


def test_the_modules_of_a_function_are_left_out_once_it_is_imported() -> None:
    deferred.resolved.cache_clear()
    imported: list[object] = [[]]
    deferred.resolved("shared.prompts:instructions_for")
    assert not is_looked_through(imported)

    called_again: list[object] = [[]]
    deferred.resolved("shared.prompts:instructions_for")
    assert is_looked_through(called_again), "only the first call imports anything"


async def test_those_of_the_model_s_client_are_left_out_once_it_is_there(
    offline: OfflineModel, client_of: Callable[..., OpenAIModel]
) -> None:
    imported: list[object] = [[]]
    client = client_of(offline.base_url)
    await client.complete(agent(), MATERIAL, 5.0)
    assert not is_looked_through(imported)

    called_again: list[object] = [[]]
    await client.complete(agent(), MATERIAL, 5.0)
    assert is_looked_through(called_again)
