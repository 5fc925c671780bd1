"""The fake durable client agrees with the real one."""

from __future__ import annotations

import inspect
from typing import Any

import pytest
from azure.durable_functions import DurableFunctionsClient

from tests.triggers.hub import Hub
from tests.triggers.requests import FakeClient


def methods(kind: type) -> list[str]:
    return [name for name, value in vars(kind).items() if inspect.iscoroutinefunction(value) and name[0] != "_"]


@pytest.mark.parametrize(("kind", "name"), [(kind, name) for kind in (FakeClient, Hub) for name in methods(kind)])
def test_the_real_client_takes_every_argument_that_the_fake_takes(kind: type, name: str) -> None:
    real: Any = inspect.signature(getattr(DurableFunctionsClient, name)).parameters
    fake = inspect.signature(getattr(kind, name)).parameters

    assert inspect.iscoroutinefunction(getattr(DurableFunctionsClient, name))
    assert set(fake) <= set(real)
    required = {
        key
        for key, value in real.items()
        if value.default is value.empty and value.kind not in {value.VAR_KEYWORD, value.VAR_POSITIONAL}
    }
    assert required <= set(fake)


def test_the_real_client_has_the_stub_that_lists_ask() -> None:
    assert callable(getattr(DurableFunctionsClient, "_get_stub"))  # noqa: B009 - private, and yet needed


def test_the_fake_has_methods_to_compare() -> None:
    assert len(methods(FakeClient)) == 4
