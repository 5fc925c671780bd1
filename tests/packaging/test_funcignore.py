"""The package holds what runs and nothing else, whichever tool deploys it."""

from __future__ import annotations

import re
from fnmatch import fnmatch

import pytest

from tests.packaging.checkout import LEFTOVERS, ROOT, files_of_the_checkout, kept
from tests.packaging.ignore_rules import LeavesOut, as_core_tools_reads, as_git_reads

FUNCIGNORE = (ROOT / ".funcignore").read_text("utf-8")
RUNS = {
    "activities",
    "constraints.txt",
    "function_app.py",
    "host.json",
    "orchestrators",
    "recipes",
    "requirements.txt",
    "shared",
    "triggers",
}
"""What is deployed, at the top."""

READ = ("recipes/*.toml", "shared/openapi/page.css", "shared/openapi/wording.toml")
"""What is deployed beside modules, further down."""

READINGS = [
    pytest.param(as_git_reads(FUNCIGNORE), id="azd"),
    pytest.param(as_core_tools_reads(FUNCIGNORE), id="Core Tools"),
    pytest.param(as_core_tools_reads(FUNCIGNORE, whole_words=False), id="older Core Tools"),
]


@pytest.mark.parametrize("leaves_out", READINGS)
def test_the_package_is_what_runs_and_all_of_it(leaves_out: LeavesOut) -> None:
    files = files_of_the_checkout()

    assert kept(files, leaves_out) == [path for path in files if path.split("/")[0] in RUNS]


@pytest.mark.parametrize("leaves_out", READINGS)
def test_nothing_that_lies_around_is_deployed(leaves_out: LeavesOut) -> None:
    assert kept(list(LEFTOVERS), leaves_out) == []


def test_what_is_deployed_is_modules_and_the_few_files_that_they_read() -> None:
    deployed = [path for path in files_of_the_checkout() if path.split("/")[0] in RUNS and "/" in path]
    modules = [path for path in deployed if re.fullmatch(r"(?!.*/(test_\w+|conftest)\.py).+\.py", path)]
    read = [path for path in deployed if any(fnmatch(path, pattern) for pattern in READ)]

    assert sorted({*modules, *read}) == deployed


def test_everything_that_runs_is_there() -> None:
    assert {path.split("/")[0] for path in files_of_the_checkout()} >= RUNS


@pytest.mark.parametrize(
    ("line", "path", "by_git", "by_core_tools"),
    [
        ("__pycache__/", "shared/__pycache__/a.pyc", True, False),
        ("package*.json", "package.json", True, False),
        ("node_modules/", "node_modules/@azure/core/index.js", True, False),
        ("/docs", "docs.py", False, True),
        ("/tests", "tests/test_a.py", True, True),
        ("**/__pycache__", "shared/voting/__pycache__/a.pyc", True, True),
        ("/*.md", "shared/wording.md", False, False),
    ],
)
def test_where_the_tools_read_a_line_in_their_own_way(line: str, path: str, by_git: bool, by_core_tools: bool) -> None:
    assert (as_git_reads(line)(path), as_core_tools_reads(line)(path)) == (by_git, by_core_tools)
