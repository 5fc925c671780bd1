"""The workflows that are shipped in `connector/workflows/`."""

from __future__ import annotations

import json
from pathlib import Path

from tests.logic_apps.sending import JSON

CONNECTOR = Path(__file__).parents[2] / "connector"
WORKFLOWS = sorted(path.stem for path in (CONNECTOR / "workflows").glob("*.json"))


def workflow(name: str) -> JSON:
    """The definition of this name."""
    return json.loads((CONNECTOR / "workflows" / f"{name}.json").read_text("utf-8"))
