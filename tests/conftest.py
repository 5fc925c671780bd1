"""Azurite for tests: one process for the whole session, a container of its own for each test."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import count

import pytest

from local_host.azurite import running_azurite

_numbers = count(1)


@pytest.fixture(scope="session")
def azurite() -> Iterator[running_azurite]:
    """Azurite, started by the first test that asks for it. Those that stop it start one of their own."""
    with running_azurite() as running:
        yield running


@pytest.fixture
def container() -> str:
    """The name of a container that no other test uses, and that is not there yet."""
    return f"test-{next(_numbers)}"
