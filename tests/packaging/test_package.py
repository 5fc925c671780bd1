"""The zip that is deployed, unpacked where there is nothing else: it imports, and it answers a request.

Two environments of their own. `bare` has what requirements.txt installs, which is all that the app may import. `hosted`
has the same and the worker library, which Azure brings along, so that the local host runs in it. Neither sees the
checkout or the development environment.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
import urllib.request
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from local_host.testing import running_host
from tests.packaging.checkout import ROOT, files_of_the_checkout, kept, write_package
from tests.packaging.ignore_rules import as_core_tools_reads

OF_THE_LOCAL_HOST = ("azure-functions-runtime", "croniter", "rich")
"""What of requirements-dev.txt the local host imports."""
RUN_LIMIT_S = 60.0
APART: dict[str, str | None] = {"PYTHONPATH": None, "VIRTUAL_ENV": None, "PYTHONDONTWRITEBYTECODE": "1"}
REQUEST = {
    "input": "The service lost its database connections at 09:00 and recovered at 09:20.",
    "sections": [
        {"name": "cause", "instructions": "Name the cause."},
        {"name": "impact", "instructions": "Name the impact."},
    ],
    "aggregation": "concatenate",
}


@pytest.fixture(scope="module")
def package(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The unpacked package."""
    place = tmp_path_factory.mktemp("package")
    leaves_out = as_core_tools_reads((ROOT / ".funcignore").read_text("utf-8"))
    write_package(place / "package.zip", kept(files_of_the_checkout(), leaves_out))
    with zipfile.ZipFile(place / "package.zip") as archive:
        archive.extractall(place / "app")
    return place / "app"


@pytest.fixture(scope="module")
def bare(package: Path) -> Path:
    """The interpreter of an environment with the package's requirements and nothing else."""
    python = new_environment(package.parent / "bare")
    install(python, "--requirement", str(package / "requirements.txt"))
    return python


@pytest.fixture(scope="module")
def hosted(package: Path, bare: Path) -> Iterator[running_host]:
    """The local host, copied away from the checkout, on the package; with the offline model."""
    place = package.parent / "host"
    shutil.copytree(ROOT / "local_host", place / "local_host", ignore=shutil.ignore_patterns("__pycache__"))
    install(bare, "--constraint", str(package / "constraints.txt"), *of_the_local_host())
    no_model = dict.fromkeys(("OPENAI_API_KEY", "OPENAI_BASE_URL", "AZURE_OPENAI_ENDPOINT", "CHORUS_STORAGE"))
    with running_host(
        package, env={**APART, **no_model}, args=["--with-offline-model"], python=bare, root=place
    ) as host:
        yield host


def new_environment(place: Path) -> Path:
    """Make a virtual environment with pip; return its interpreter."""
    subprocess.run([sys.executable, "-m", "venv", str(place)], check=True)
    return place / "bin" / "python"


def install(python: Path, *what: str) -> None:
    """Have pip install something into the interpreter's environment."""
    command = [str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check", *what]
    done = subprocess.run(command, env=apart(), capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{' '.join(command)}\n{done.stderr}"


def apart() -> dict[str, str]:
    """This process's environment without what leads to its own packages."""
    return {name: value for name, value in os.environ.items() if name not in APART}


def of_the_local_host() -> list[str]:
    """The requirements of the local host, as requirements-dev.txt has them."""
    lines = (ROOT / "requirements-dev.txt").read_text("utf-8").splitlines()
    return [line for line in lines if line.startswith(OF_THE_LOCAL_HOST)]


def call(url: str, body: dict[str, Any] | None = None) -> dict[str, Any]:
    """POST the body, else GET; return the JSON of the answer."""
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(url, data, {"Content-Type": "application/json"})
    with urllib.request.urlopen(request, timeout=RUN_LIMIT_S) as answer:
        return json.load(answer)


def result_of(url: str) -> dict[str, Any]:
    """Ask for a run until it has ended."""
    limit = time.monotonic() + RUN_LIMIT_S
    while (run := call(url)).get("status") in {"running", "pending"}:
        assert time.monotonic() < limit, run
        time.sleep(0.05)
    return run


def test_with_its_requirements_alone_every_module_imports(package: Path, bare: Path) -> None:
    script = ROOT / "tests/packaging/import_everything.py"
    done = subprocess.run(
        [str(bare), "-I", "-B", str(script), str(package)], env=apart(), capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    seen = json.loads(done.stdout)

    assert seen["missing"] == []
    assert seen["foreign"] == []
    assert seen["modules"] == len([path for path in package.rglob("*.py") if path.name != "__main__.py"])
    assert {"start_sectioning", "sectioning", "call_agent"} <= set(seen["functions"])


def test_the_installed_versions_are_the_locked_ones(package: Path, bare: Path) -> None:
    freeze = [str(bare), "-m", "pip", "freeze", "--disable-pip-version-check"]
    installed = subprocess.run(freeze, env=apart(), capture_output=True, text=True, check=True).stdout.split()
    locked = (package / "constraints.txt").read_text("utf-8").splitlines()

    assert installed
    assert set(installed) <= set(locked)


def test_a_run_on_the_package_is_answered(hosted: running_host) -> None:
    accepted = call(f"{hosted.base_url}/api/sectioning", REQUEST)
    result = result_of(f"{hosted.base_url}/api/runs/{accepted['id']}")

    assert (result["status"], result["completion_reason"]) == ("succeeded", "all_completed")
    assert [outcome["name"] for outcome in result["outcomes"]] == ["cause", "impact"]


def test_the_recipes_of_the_package_are_served(hosted: running_host, package: Path) -> None:
    listed = call(f"{hosted.base_url}/api/recipes")

    assert {recipe["name"] for recipe in listed["recipes"]} == {
        path.stem for path in (package / "recipes").glob("*.toml")
    }


def test_the_definition_of_the_api_is_served_from_the_package(hosted: running_host) -> None:
    assert call(f"{hosted.base_url}/api/openapi.json")["openapi"].startswith("3.1")


def test_the_workers_run_in_the_package_s_environment(hosted: running_host, package: Path, bare: Path) -> None:
    environment = str(bare.parent.parent)
    pids = hosted.worker_pids

    assert pids
    for pid in pids:
        assert Path(f"/proc/{pid}/cwd").resolve() == package
        assert Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")[0].decode().startswith(environment)
        assert str(ROOT) not in Path(f"/proc/{pid}/maps").read_text()
