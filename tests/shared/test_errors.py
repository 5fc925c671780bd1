from __future__ import annotations

import re

import pytest

import shared.errors
from shared.errors import AgentError, ChorusError, PermanentAgentError, RetriableAgentError, SettingsError

LINE = re.compile(r"^(?P<indent>[│├└─ ]*)(?P<name>[A-Z]\w+)(?: {2,}(?P<code>[a-z_]+) {2,})?")


def drawn_tree() -> dict[str, tuple[str | None, str | None]]:
    """Each class of the module docstring's tree: its parent and its code."""
    tree: dict[str, tuple[str | None, str | None]] = {}
    path: list[tuple[int, str]] = []
    lines = [line for line in (shared.errors.__doc__ or "").splitlines() if re.match(r" {4}\S|[ │├└─]+[A-Z]", line)]
    for line in lines:
        match = LINE.match(line)
        assert match, line
        depth = len(match["indent"])
        while path and path[-1][0] >= depth:
            path.pop()
        tree[match["name"]] = (path[-1][1] if path else None, match["code"])
        path.append((depth, match["name"]))
    return tree


def classes(root: type[Exception] = ChorusError) -> list[type[Exception]]:
    return [root, *(found for child in root.__subclasses__() for found in classes(child))]


def leaves() -> list[type[AgentError]]:
    return [error for error in classes(AgentError) if issubclass(error, AgentError) and not error.__subclasses__()]


def test_the_tree_in_the_docstring_is_the_tree_of_the_classes() -> None:
    parents = {error.__name__: error.__bases__[0].__name__ for error in classes() if error is not ChorusError}

    assert {name: parent for name, (parent, _) in drawn_tree().items() if parent} == parents
    assert len(parents) == 29


def test_the_codes_in_the_docstring_are_the_codes_of_the_classes() -> None:
    drawn = {name: code for name, (_, code) in drawn_tree().items() if code}

    assert drawn == {error.__name__: error.code for error in leaves()}


def test_every_code_is_its_own() -> None:
    codes = [error.code for error in leaves()]

    assert len(set(codes)) == len(codes)
    assert AgentError.code not in codes


@pytest.mark.parametrize("error", leaves())
def test_every_agent_error_is_either_retriable_or_permanent(error: type[AgentError]) -> None:
    assert issubclass(error, RetriableAgentError) != issubclass(error, PermanentAgentError)
    assert error.retriable == issubclass(error, RetriableAgentError)


def test_every_error_of_the_module_has_its_place_in_the_tree() -> None:
    defined = {name for name, value in vars(shared.errors).items() if isinstance(value, type)}

    assert defined == set(drawn_tree())


def test_a_settings_error_joins_its_problems() -> None:
    error = SettingsError(["A is not set", "B is wrong"])

    assert str(error) == "A is not set; B is wrong"
    assert error.problems == ["A is not set", "B is wrong"]
