from __future__ import annotations

from collections.abc import Callable, Generator
from typing import Any

import pytest

from shared import deferred
from shared.errors import SettingsError, StorageUnavailable, UnforeseenError
from shared.fault_place import place_of
from shared.settings import load_model_settings
from tests.triggers.requests import RpcFailure


def caught(call: Callable[[Any], object], given: Any) -> Exception:
    try:
        call(given)
    except Exception as exc:
        return exc
    raise AssertionError("it did not fail")


def test_the_place_of_an_error_is_where_it_left_our_code() -> None:
    assert place_of(caught(load_model_settings, {"a": 5})).startswith("AttributeError in shared.settings:")


def test_an_error_that_was_never_ours_has_its_type_alone() -> None:
    assert place_of(caught(int, "PRIVATE")) == "ValueError"


def test_an_error_of_the_task_hub_has_its_status() -> None:
    assert place_of(RpcFailure("UNAVAILABLE", "PRIVATE")) == "RpcFailure UNAVAILABLE"


@pytest.mark.parametrize("error", [StorageUnavailable("the container 'in' is away"), SettingsError(["A is not set"])])
def test_history_has_errors_of_ours_as_they_are(error: Exception) -> None:
    assert deferred.for_history(error, "activities.x:y") is error


async def test_history_has_the_place_of_any_other_error_and_not_its_words(monkeypatch: pytest.MonkeyPatch) -> None:
    async def failing(given: str) -> None:
        raise ValueError(f"what {given} said")

    monkeypatch.setattr(deferred, "resolved", lambda _: failing)

    with pytest.raises(UnforeseenError) as found:
        await deferred.activity("activities.x:y")("PRIVATE")

    assert str(found.value).startswith("activities.x:y failed: ValueError in shared.deferred:")
    assert "PRIVATE" not in str(found.value)
    assert found.value.__cause__ is None
    assert found.value.__suppress_context__


def test_an_orchestration_that_fails_says_where(monkeypatch: pytest.MonkeyPatch) -> None:
    def failing(context: str) -> Generator[int]:
        yield 1
        raise ValueError(f"what {context} said")

    monkeypatch.setattr(deferred, "resolved", lambda _: failing)
    running = deferred.orchestrator("orchestrators.x:y")("PRIVATE")
    assert next(running) == 1

    with pytest.raises(UnforeseenError, match=r"^orchestrators\.x:y failed: ValueError in [\w.:]+$"):
        next(running)
