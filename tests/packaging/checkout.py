"""The files of the checkout, what else lies around on a developer's machine, and the package made of them."""

from __future__ import annotations

import os
import zipfile
from pathlib import Path

from tests.packaging.ignore_rules import LeavesOut, as_git_reads

ROOT = Path(__file__).parents[2]

LEFTOVERS = (
    ".DS_Store",
    ".azure/prod/.env",
    ".coverage",
    ".env",
    ".git/config",
    ".hypothesis/unicode_data/16.0.0/charmap.json.gz",
    ".python_packages/lib/site-packages/openai/__init__.py",
    ".ruff_cache/CACHEDIR.TAG",
    ".venv-peers/bin/python",
    ".venv/lib/python3.13/site-packages/openai/__init__.py",
    ".vscode/settings.json",
    "AzuriteConfig",
    "__azurite_db_blob__.json",
    "__blobstorage__/0a1b",
    "__pycache__/function_app.cpython-313.pyc",
    "__queuestorage__/0a1b",
    "local.settings.json",
    "node_modules/.bin/azurite",
    "node_modules/@azure/core-http/index.js",
    "node_modules/azurite/package.json",
    "shared/.DS_Store",
    "shared/__pycache__/settings.cpython-313.pyc",
    "shared/contracts/__pycache__/run.cpython-313.pyc",
    "triggers/__pycache__/runs.cpython-313.pyc",
)
"""What work on the project leaves behind, beside what is in the repository."""


def files_of_the_checkout() -> list[str]:
    """The paths of all files but those that .gitignore names, sorted."""
    ignored = as_git_reads((ROOT / ".gitignore").read_text("utf-8") + "\n.git\n/node_modules\n/.venv\n")
    found: list[str] = []
    for folder, folders, names in os.walk(ROOT):
        here = Path(folder).relative_to(ROOT)
        folders[:] = [name for name in folders if not ignored(f"{(here / name).as_posix()}/")]
        found += [path for name in names if not ignored(path := (here / name).as_posix())]
    return sorted(found)


def kept(paths: list[str], leaves_out: LeavesOut) -> list[str]:
    """Those of the paths that are in the package."""
    return [path for path in paths if not leaves_out(path)]


def write_package(archive: Path, paths: list[str]) -> None:
    """Write the zip that is deployed."""
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as package:
        for path in paths:
            package.write(ROOT / path, path)
