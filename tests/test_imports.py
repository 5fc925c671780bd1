"""The rules about imports hold, and each check of a rule fails on code that breaks it."""

from __future__ import annotations

from typing import Any

import pytest

from tests.architecture import (
    ALLOWED,
    PRODUCTION,
    ROOT,
    SLOW_TO_IMPORT,
    forbidden_imports,
    imports,
    module_name,
    modules,
    within,
)

ENVIRONMENT_READERS = {
    "function_app", "activities.call_agent", "activities.read_documents", "activities.storage", "triggers.health",
    "activities.reduce_parts", "activities.deliver_result", "triggers.storage", "triggers.recipes",
    "triggers.callbacks", "triggers.retention",
}  # fmt: skip


# Directions


@pytest.mark.parametrize("path", modules(*PRODUCTION), ids=module_name)
def test_imports_point_one_way(path: Any) -> None:
    assert forbidden_imports(module_name(path), path.read_text()) == []


@pytest.mark.parametrize(
    ("module", "line"),
    [
        ("triggers.x", "from orchestrators.voting import voting"),
        ("triggers.x", "from shared.model_client import OpenAIModel"),
        ("triggers.x", "from shared import model_client"),
        ("triggers.x", "from activities import call_agent"),
        ("triggers.x", "import activities"),
        ("orchestrators.x", "from triggers import runs"),
        ("orchestrators.x", "from activities.call_agent import call_agent"),
        ("orchestrators.x", "from shared.settings import load_model_settings"),
        ("orchestrators.x", "import shared.agent"),
        ("orchestrators.x", "def f():\n    from shared import agent"),
        ("orchestrators.x", "from . import run"),
        ("orchestrators.x", "from ..shared import agent"),
        ("activities.x", "from triggers.views import view_of"),
        ("activities.x", "from orchestrators.run import Run"),
        ("shared.x", "import triggers.runs"),
        ("shared.x", "from activities.names import CALL_AGENT"),
        ("shared.x", "import local_host"),
        ("shared.x", "from tests import architecture"),
        ("shared.x", "if TYPE_CHECKING:\n    from orchestrators.run import Run"),
        ("shared.contracts.x", "from shared.settings import ModelSettings"),
        ("shared.contracts.x", "from shared.aggregation import consensus"),
        ("shared.aggregation.x", "from shared.agent import run_agent"),
        ("shared.aggregation.x", "from shared.scheduling.schedule import Schedule"),
        ("shared.scheduling.x", "from orchestrators.run import Run"),
        ("shared.scheduling.x", "from activities.names import STOP_EVENT"),
        ("shared.scheduling.x", "from shared.aggregation.merge import merged"),
        ("shared.contracts.x", "from shared.scheduling.budget import Budget"),
        ("triggers.x", "from shared.scheduling.schedule import Schedule"),
        ("shared.contractsx", "import orchestrators"),
    ],
)
def test_an_import_against_the_direction_is_found(module: str, line: str) -> None:
    assert len(forbidden_imports(module, f"import json\n{line}\n")) == 1


@pytest.mark.parametrize(
    ("module", "line"),
    [
        ("triggers.x", "from shared.contracts.run import Pattern"),
        ("triggers.x", "from activities.names import CANCEL_EVENT"),
        ("orchestrators.x", "from shared.aggregation import consensus"),
        ("orchestrators.x", "from shared.scheduling.schedule import Schedule"),
        ("shared.scheduling.x", "from shared.aggregation.completion import certainty"),
        ("activities.x", "from shared import agent"),
        ("shared.x", "import azure.functions"),
        ("shared.contracts.x", "from shared.schemas import first_violation"),
    ],
)
def test_an_import_in_the_direction_is_let_pass(module: str, line: str) -> None:
    assert forbidden_imports(module, line) == []


def test_every_module_of_production_has_a_rule() -> None:
    for path in modules(*PRODUCTION):
        assert any(within(module_name(path), [package]) for package in ALLOWED)
    assert len(modules(*PRODUCTION)) > 30


# One module each


def importers_of(package: str) -> set[str]:
    """Our modules that import a package when they run."""
    return {
        module_name(path)
        for path in [*modules(*PRODUCTION), ROOT / "function_app.py"]
        for use in imports(path.read_text())
        if within(use.name, [package]) and not use.typing_only
    }


@pytest.mark.parametrize(
    ("package", "importers"),
    [
        ("openai", {"shared.model_client"}),
        ("azure.identity", {"shared.model_client", "shared.azure_blobs"}),
        ("azure.storage.blob", {"shared.azure_blobs"}),
        ("jsonschema", {"shared.schemas"}),
        ("semantic_text_splitter", {"shared.splitting"}),
        ("aiohttp", {"shared.callbacks.posting"}),
        ("cryptography", {"shared.callbacks.sealing"}),
        ("standardwebhooks", {"shared.callbacks.messages"}),
        ("azure.monitor", {"shared.telemetry.exporters"}),
        (
            "opentelemetry",
            {f"shared.telemetry.{name}" for name in ("exporters", "ids", "log_records", "open_telemetry")},
        ),
        ("durabletask.task", {"orchestrators.arrivals", "orchestrators.shard"}),
        ("os", ENVIRONMENT_READERS),
        ("random", set()),
        ("requests", set()),
    ],
)
def test_a_package_has_one_module_that_imports_it(package: str, importers: set[str]) -> None:
    assert importers_of(package) == importers


@pytest.mark.parametrize("path", modules(*PRODUCTION), ids=module_name)
def test_slow_packages_are_imported_inside_functions(path: Any) -> None:
    at_once = [use.name for use in imports(path.read_text()) if not use.deferred and not use.typing_only]

    assert [name for name in at_once if within(name, sorted(SLOW_TO_IMPORT - {"pydantic"}))] == []


@pytest.mark.parametrize(
    ("source", "typing_only", "deferred"),
    [
        ("from openai import AsyncOpenAI", False, False),
        ("if True:\n    import openai.types", False, False),
        ("class A:\n    import openai.types", False, False),
        ("if TYPE_CHECKING:\n    import openai.types", True, False),
        ("if TYPE_CHECKING:\n    pass\nelse:\n    import openai.types", False, False),
        ("def f():\n    import openai.types", False, True),
        ("async def f():\n    if x:\n        from openai import types", False, True),
    ],
)
def test_an_import_is_known_by_when_it_happens(source: str, typing_only: bool, deferred: bool) -> None:
    [found] = imports(source)

    assert found.root == "openai"
    assert (found.typing_only, found.deferred) == (typing_only, deferred)
