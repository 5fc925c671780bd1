"""constraints.txt has one version of everything that is required, and the requirements use it."""

from __future__ import annotations

from collections.abc import Iterable
from importlib.metadata import requires
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from tests.packaging.checkout import ROOT


def required_in(path: Path) -> list[Requirement]:
    """The packages that a requirements file names itself."""
    lines = (line.strip() for line in path.read_text("utf-8").splitlines())
    return [Requirement(line) for line in lines if line and not line.startswith(("#", "-"))]


LOCKED = {canonicalize_name(pin.name): pin for pin in required_in(ROOT / "constraints.txt")}
REQUIRED = required_in(ROOT / "requirements.txt") + required_in(ROOT / "requirements-dev.txt")


@pytest.mark.parametrize("required", REQUIRED, ids=lambda required: required.name)
def test_what_is_required_is_locked_to_a_version_that_it_allows(required: Requirement) -> None:
    pin = LOCKED.get(canonicalize_name(required.name))

    assert pin, f"{required.name} is not in constraints.txt: run `make lock`"
    assert required.specifier.contains(version_of(pin), prereleases=True), f"{pin} is not allowed: run `make lock`"


@pytest.mark.parametrize("pin", LOCKED.values(), ids=lambda pin: pin.name)
def test_each_line_of_the_lock_is_one_version(pin: Requirement) -> None:
    assert version_of(pin)
    assert not pin.extras
    assert not pin.url


def test_the_lock_has_what_is_required_and_all_that_this_requires_and_nothing_else() -> None:
    assert set(LOCKED) == needed_by(REQUIRED)


def test_what_azure_installs_is_what_was_tested() -> None:
    assert (ROOT / "requirements.txt").read_text("utf-8").startswith("-c constraints.txt\n")


def test_the_environment_is_built_again_when_the_lock_changes() -> None:
    rule = next(line for line in (ROOT / "Makefile").read_text("utf-8").splitlines() if line.startswith("$(READY):"))

    assert {"requirements.txt", "requirements-dev.txt", "constraints.txt", ".python-version"} <= set(rule.split())


def needed_by(required: Iterable[Requirement]) -> set[str]:
    """The names of these packages and of what they require on this platform, as they are installed."""
    needed: set[tuple[str, str]] = set()
    left = [(canonicalize_name(one.name), extra) for one in required for extra in ("", *one.extras)]
    while left:
        if (wanted := left.pop()) in needed:
            continue
        needed.add(wanted)
        name, extra = wanted
        further = [Requirement(line) for line in requires(name) or []]
        applying = [one for one in further if one.marker is None or one.marker.evaluate({"extra": extra})]
        left += [(canonicalize_name(one.name), more) for one in applying for more in ("", *one.extras)]
    return {name for name, _ in needed}


def version_of(pin: Requirement) -> str:
    """The version of `name==version`."""
    [exactly] = pin.specifier
    assert exactly.operator == "=="
    return exactly.version
