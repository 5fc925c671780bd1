"""Fixtures of these tests. Hypothesis has no time limit a example: the machine that runs the tests may be busy."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable

import pytest
from hypothesis import settings

from local_host.offline_model import OfflineModel
from shared.model_client import OpenAIModel
from tests.shared.model_given import clients

settings.register_profile("chorus", deadline=None, print_blob=True)
settings.load_profile("chorus")


@pytest.fixture
async def client_of() -> AsyncIterator[Callable[..., OpenAIModel]]:
    async with clients() as make:
        yield make


@pytest.fixture
async def offline() -> AsyncIterator[OfflineModel]:
    async with OfflineModel(directed_faults=True) as model:
        yield model
