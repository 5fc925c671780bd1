"""Recording anew forgets no run that may be under way."""

from __future__ import annotations

import json
from collections.abc import Generator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

import tests.replay.history
from orchestrators.sectioning import sectioning
from tests.orchestrators.durable import APP_VERSION, Durable
from tests.orchestrators.fake_context import Orchestrator
from tests.orchestrators.given import sections_request
from tests.replay.history import FOLDER, History, recorded
from tests.replay.keeping import RunsWouldStrayError, is_kept, make_room, nearest, numbers, stand_ins
from tests.replay.replay import BREAKS_RUNS, SAFE_FOR_RUNS, replay

NAME = "sectioning_succeeds"
HOST_JSON = Path(__file__).parents[2] / "host.json"


def audited(context: Any) -> Generator[Any, Any, Any]:
    """An orchestrator with one more activity, for all runs."""
    yield context.call_activity("audit", {})
    return (yield from sectioning(context))


def audited_from_2(context: Any) -> Generator[Any, Any, Any]:
    """The same, for runs of version 2.0 and later only."""
    if context.version not in {None, "1.0"}:
        yield context.call_activity("audit", {})
    return (yield from sectioning(context))


class Later:
    """A context whose timers go off a second later."""

    def __init__(self, context: Any) -> None:
        self._context = context

    def __getattr__(self, name: str) -> Any:
        return getattr(self._context, name)

    def create_timer(self, fire_at: datetime) -> Any:
        return self._context.create_timer(fire_at + timedelta(seconds=1))


def flat(orchestrator: Any) -> Orchestrator:
    return orchestrator


def old() -> History:
    """A history from before there were versions."""
    return History.load(FOLDER / f"{NAME}.json").of_version(None)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with one history, from before there were versions."""
    monkeypatch.setattr(tests.replay.history, "FOLDER", tmp_path)
    old().save()
    return tmp_path


def recorded_anew(version: str | None, *, with_audit: bool = False) -> History:
    """A history of the same scenario, of this version, as if it had been recorded just now."""
    new = old()
    started = next(event.executionStarted for event in new.events if event.HasField("executionStarted"))
    started.ClearField("version")
    if version is not None:
        started.version.value = version
    if with_audit:
        asked = type(new.events[0])(eventId=99)
        asked.taskScheduled.name = "audit"
        new.events.insert(2, asked)
    return new


def test_a_history_that_the_code_follows_is_replaced(folder: Path) -> None:
    make_room(recorded_anew(None), sectioning)
    make_room(recorded_anew("2.0"), sectioning)
    assert [path.name for path in folder.iterdir()] == [f"{NAME}.json"]


def test_a_history_that_the_code_does_not_follow_stays_even_when_the_version_is_raised(folder: Path) -> None:
    before = (folder / f"{NAME}.json").read_bytes()
    for version in (None, "2.0"):
        with pytest.raises(RunsWouldStrayError, match=r"(?s)audit.*stays as it is") as refused:
            make_room(recorded_anew(version, with_audit=True), flat(audited))
        assert BREAKS_RUNS in str(refused.value)
    assert [path.read_bytes() for path in folder.iterdir()] == [before]


def test_a_change_for_a_newer_version_keeps_the_history_of_the_older_one(folder: Path) -> None:
    new = recorded_anew("2.0", with_audit=True)
    make_room(new, flat(audited_from_2))
    new.save()
    assert sorted(path.name for path in folder.iterdir()) == [f"{NAME}.json", f"{NAME}@0.json"]
    [kept] = [path for path in folder.iterdir() if is_kept(path)]
    assert replay(History.load(kept), flat(audited_from_2)) > 1


def test_a_change_of_nothing_but_a_wait_keeps_the_history_of_the_older_version_too(folder: Path) -> None:
    def later_from_2(context: Any) -> Generator[Any, Any, Any]:
        if context.version not in {None, "1.0"}:
            context = Later(context)
        return (yield from sectioning(context))

    make_room(recorded_anew("2.0"), flat(later_from_2))
    assert [path.name for path in folder.iterdir()] == [f"{NAME}@0.json"]


def test_a_history_whose_payloads_alone_are_other_ones_is_replaced(folder: Path) -> None:
    def wordy(context: Any) -> Generator[Any, Any, Any]:
        result = yield from sectioning(context)
        return result | {"more": "words"}

    with pytest.raises(AssertionError) as differs:
        replay(old(), flat(wordy))
    assert SAFE_FOR_RUNS in str(differs.value)
    make_room(recorded_anew(None), flat(wordy))


def test_a_scenario_that_is_new_has_nothing_in_its_place(folder: Path) -> None:
    (folder / f"{NAME}.json").unlink()
    make_room(recorded_anew("1.0"), flat(audited))


def test_what_is_recorded_has_the_version_of_host_json() -> None:
    assert json.loads(HOST_JSON.read_text())["extensions"]["durableTask"]["defaultVersion"] == APP_VERSION
    with Durable() as durable:
        durable.run("sectioning", sections_request("a", aggregation="concatenate"))
        history = History("new", "sectioning", durable.run_id, durable.history(durable.run_id))
    assert history.version == APP_VERSION


def test_no_history_is_of_a_newer_version_than_the_app_and_kept_ones_are_older() -> None:
    newest = numbers(APP_VERSION)
    assert newest >= (1, 0)
    for of in recorded():
        assert numbers(of.version) < newest or (numbers(of.version) == newest and not is_kept(of.path)), of.name


@pytest.mark.parametrize(
    ("recorded_of", "stands_for", "is_of"),
    [
        (["1.0"], "2.0", "1.0"),
        (["2.0"], "1.0", "2.0"),
        (["1.0", "3.0"], "2.0", "1.0"),
        (["1.0", "10.0"], None, "1.0"),
        ([None, "10.0"], "9.0", None),
    ],
)
def test_the_nearest_older_history_stands_for_a_version_without_one_or_else_a_newer(
    recorded_of: list[str | None], stands_for: str | None, is_of: str | None
) -> None:
    histories = [old().of_version(version) for version in recorded_of]

    assert nearest(histories, stands_for).version == is_of
    assert [history.version for history in stand_ins(histories, [*recorded_of, stands_for])] == [stands_for]
