"""Which version orchestrations have, shown through the SDK's own worker and client."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from durabletask import task


def version_of(ctx: task.OrchestrationContext, _: Any) -> str | None:
    return ctx.version


def versions_of_family(ctx: task.OrchestrationContext, version: str | None):
    child = yield ctx.call_sub_orchestrator(version_of, version=version)
    return [ctx.version, child]


ORCHESTRATORS = [version_of, versions_of_family]


@pytest.fixture(scope="module")
def hub(hub_of: Callable[..., Any]) -> Any:
    return hub_of(orchestrators=ORCHESTRATORS, default_version="2.0")


def test_a_run_and_its_children_have_the_default_version(hub: Any) -> None:
    assert hub.run(versions_of_family).get_output() == ["2.0", "2.0"]


def test_who_names_a_version_gets_it(hub: Any) -> None:
    assert hub.run(versions_of_family, version="1.0", input="1.5").get_output() == ["1.0", "1.5"]


def test_without_a_default_there_is_none(hub_of: Callable[..., Any]) -> None:
    assert hub_of(orchestrators=ORCHESTRATORS).run(versions_of_family).get_output() == [None, None]
