"""The workflows are valid, run the commands that people run, and have no more rights than they need; Dependabot too."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.packaging.checkout import ROOT

GITHUB = ROOT / ".github"
WORKFLOWS = sorted((GITHUB / "workflows").glob("*.yml"))
MAKEFILE_TARGETS = set(re.findall(r"^([a-z][a-z-]*):", (ROOT / "Makefile").read_text("utf-8"), re.MULTILINE))
BY_NAME = pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.stem)


def read(path: Path) -> dict[str, Any]:
    """A YAML file; `on` stays a text, which YAML 1.1 takes for a truth value."""
    text = re.sub(r"^on:", '"on":', path.read_text("utf-8"), flags=re.MULTILINE)
    return yaml.safe_load(text)


def jobs_of(path: Path) -> list[dict[str, Any]]:
    """The jobs of a workflow."""
    return list(read(path)["jobs"].values())


def steps_of(path: Path) -> list[dict[str, Any]]:
    """The steps of all jobs of a workflow."""
    return [step for job in jobs_of(path) for step in job.get("steps", [])]


def commands_of(path: Path) -> str:
    """What a workflow has a shell do."""
    return "\n".join(step.get("run", "") for step in steps_of(path))


def test_there_are_workflows_for_checks_audit_newest_versions_and_deployment() -> None:
    assert [path.stem for path in WORKFLOWS] == ["audit", "ci", "deploy", "newest"]


@pytest.mark.parametrize(
    ("schema", "paths"),
    [("vendor.github-workflows", WORKFLOWS), ("vendor.dependabot", [GITHUB / "dependabot.yml"])],
    ids=["workflows", "dependabot"],
)
def test_each_file_fits_the_public_schema(schema: str, paths: list[Path]) -> None:
    command = [sys.executable, "-m", "check_jsonschema", "--builtin-schema", schema, *map(str, paths)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)

    assert done.returncode == 0, done.stdout


def test_an_audit_of_the_workflows_finds_nothing() -> None:
    zizmor = str(Path(sys.executable).with_name("zizmor"))
    done = subprocess.run(
        [zizmor, "--offline", "--no-progress", "--min-severity", "medium", str(GITHUB)],
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 0, done.stdout


@BY_NAME
def test_each_target_that_a_workflow_makes_is_in_the_makefile(path: Path) -> None:
    assert set(re.findall(r"\bmake ([\w-]+)", commands_of(path))) <= MAKEFILE_TARGETS


def test_a_change_is_checked_and_tested_by_the_commands_that_a_person_has() -> None:
    assert commands_of(GITHUB / "workflows/ci.yml").split("\n") == [*[""] * 3, "make check", *[""] * 3, "make test"]
    assert {"push", "pull_request", "workflow_call"} <= set(read(GITHUB / "workflows/ci.yml")["on"])


def test_the_newest_versions_are_locked_before_they_are_tested() -> None:
    made = re.findall(r"\bmake ([\w-]+)", commands_of(GITHUB / "workflows/newest.yml"))

    assert made == ["lock", "check", "test"]
    assert "schedule" in read(GITHUB / "workflows/newest.yml")["on"]


@BY_NAME
def test_actions_are_pinned_by_their_major(path: Path) -> None:
    used = [step["uses"] for step in steps_of(path) if "uses" in step]

    assert [action for action in used if not re.fullmatch(r"[\w-]+/[\w-]+@v\d+", action)] == []


@BY_NAME
def test_a_workflow_may_read_the_code_and_nothing_else_unless_a_job_says_so(path: Path) -> None:
    assert read(path)["permissions"] == {"contents": "read"}
    more = [job["permissions"] for job in jobs_of(path) if "permissions" in job]
    assert more == ([{"contents": "read", "id-token": "write"}] if path.stem == "deploy" else [])


@BY_NAME
def test_no_workflow_has_a_key_of_azure_or_puts_others_words_into_a_shell(path: Path) -> None:
    secrets = set(re.findall(r"secrets\.(\w+)|secrets\b", re.sub(r"#.*", "", path.read_text("utf-8"))))

    assert secrets <= ({"CHORUS_CALLBACK_SECRET"} if path.stem == "deploy" else set())
    assert "${{" not in commands_of(path)


def test_the_commands_of_the_workflows_are_bash() -> None:
    for path in WORKFLOWS:
        done = subprocess.run(["bash", "-n"], input=commands_of(path), capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr


def test_variables_with_the_app_s_prefix_become_parameters_and_others_do_not(tmp_path: Path) -> None:
    [step] = [step for step in steps_of(GITHUB / "workflows/deploy.yml") if "VARIABLES" in step.get("env", {})]
    given = {"CHORUS_MODEL": "gpt-5-mini", "CHORUS_CALLBACK_HOSTS": "a.example\nPATH=/tmp", "AZURE_LOCATION": "x"}
    env = {**os.environ, "VARIABLES": json.dumps(given), "GITHUB_ENV": str(tmp_path / "env")}
    subprocess.run(["bash", "-ec", step["run"]], env=env, check=True)

    assert (tmp_path / "env").read_text().splitlines() == [
        "CHORUS_MODEL=gpt-5-mini",
        "CHORUS_CALLBACK_HOSTS=a.example PATH=/tmp",
    ]


@BY_NAME
def test_each_job_that_runs_steps_has_a_limit_of_time(path: Path) -> None:
    assert [job["name"] for job in jobs_of(path) if "steps" in job and "timeout-minutes" not in job] == []


@BY_NAME
def test_python_is_the_project_s_and_node_the_one_that_the_readme_names(path: Path) -> None:
    given = [(step["uses"].split("@")[0], step["with"]) for step in steps_of(path) if "uses" in step and "with" in step]
    pythons = {what["python-version-file"] for action, what in given if action == "actions/setup-python"}
    nodes = {what["node-version"] for action, what in given if action == "actions/setup-node"}

    assert pythons <= {".python-version"}
    assert nodes <= {"20"}
    assert "Node.js 20" in (ROOT / "README.md").read_text("utf-8")


def test_nothing_is_deployed_that_has_not_passed_and_no_deployment_is_cut_short() -> None:
    workflow = read(GITHUB / "workflows/deploy.yml")

    assert workflow["jobs"]["ci"]["uses"] == "./.github/workflows/ci.yml"
    assert workflow["jobs"]["deploy"]["needs"] == "ci"
    assert workflow["jobs"]["deploy"]["environment"]
    assert workflow["concurrency"]["cancel-in-progress"] is False


def test_dependabot_watches_everything_that_is_locked_or_pinned() -> None:
    watched = {(entry["package-ecosystem"], entry["directory"]) for entry in read(GITHUB / "dependabot.yml")["updates"]}

    assert watched >= {("pip", "/"), ("npm", "/"), ("github-actions", "/")}
    assert all((ROOT / directory.lstrip("/")).is_dir() for _, directory in watched)
