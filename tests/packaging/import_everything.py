"""Run by the package's own interpreter: import every module of an app, and say which imports lead nowhere.

Many imports stand inside functions, so those of all lines are looked up, whether they have run or not.
Prints `{"functions": [names], "modules": count, "missing": ["module: name", ...], "foreign": [paths]}`.
"""

from __future__ import annotations

import ast
import importlib
import importlib.util
import json
import sys
from pathlib import Path

APP = Path(sys.argv[1]).resolve()
sys.path.insert(0, str(APP))


def modules_of(app: Path) -> dict[str, Path]:
    """The app's modules by name, but those that run as commands."""
    files = [path for path in sorted(app.rglob("*.py")) if path.name != "__main__.py"]
    return {".".join(path.relative_to(app).with_suffix("").parts).removesuffix(".__init__"): path for path in files}


def imported_in(path: Path) -> set[str]:
    """The modules that a file imports, at its top or further in."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_bytes())):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            names.add(node.module)
    return names


def leads_nowhere(name: str) -> bool:
    """Whether there is no module of that name."""
    try:
        return importlib.util.find_spec(name) is None
    except ModuleNotFoundError:
        return True


modules = modules_of(APP)
imported = {name: importlib.import_module(name) for name in modules}
app = imported["function_app"].app
print(
    json.dumps(
        {
            "functions": sorted(function.get_function_name() for function in app.get_functions()),
            "modules": len(imported),
            "missing": [
                f"{module}: {name}"
                for module, path in modules.items()
                for name in sorted(imported_in(path))
                if leads_nowhere(name)
            ],
            "foreign": [
                str(path)
                for path in (Path(str(module.__file__)) for module in imported.values())
                if APP not in path.parents
            ],
        }
    )
)
