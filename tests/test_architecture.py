"""The rules of the architecture hold, and each check of a rule fails on code that breaks it."""

from __future__ import annotations

import ast
import inspect
import json
import subprocess
import sys
from typing import Any

import pytest

from activities import names
from shared.contracts.run import Pattern
from shared.deferred import resolved
from shared.openapi.operations import OPERATIONS
from tests.architecture import ROOT, SLOW_TO_IMPORT, impurities, module_name, modules, reachable, within

OF_THE_SDK = "BuiltIn__"
"""The SDK adds functions of its own, for `call_http`."""

LOADED_APP = """
import json, sys
import function_app
functions = [
    {"name": function.get_function_name(), "bindings": [binding.get_dict_repr() for binding in function.get_bindings()]}
    for function in function_app.app.get_functions()
]
print(json.dumps({"modules": sorted(sys.modules), "functions": functions}, default=str))
"""


@pytest.fixture(scope="module")
def loaded_app() -> dict[str, Any]:
    """What a process that imports `function_app`, and no more, has loaded and registered."""
    done = subprocess.run([sys.executable, "-c", LOADED_APP], cwd=ROOT, capture_output=True, text=True, check=True)
    loaded = json.loads(done.stdout)
    loaded["functions"] = [found for found in loaded["functions"] if not found["name"].startswith(OF_THE_SDK)]
    return loaded


# Purity

PURE_PACKAGES = {"orchestrators", "shared.aggregation", "shared.contracts", "shared.scheduling", "shared.voting"}
PURE_MODULES = {
    "activities", "activities.names", "shared", "shared.backoff", "shared.branching", "shared.errors",
    "shared.json_values", "shared.normalisation", "shared.prompts", "shared.run_ids", "shared.schemas",
    "shared.sections", "shared.splitting", "shared.token_estimate", "shared.tokens",
}  # fmt: skip


@pytest.mark.parametrize(("module", "path"), reachable("orchestrators").items())
def test_orchestrators_and_all_that_they_reach_are_pure(module: str, path: Any) -> None:
    assert impurities(module, path.read_text()) == []


def test_orchestrators_reach_what_is_pure_and_nothing_else() -> None:
    reached = set(reachable("orchestrators"))

    assert {name for name in reached if not within(name, sorted(PURE_PACKAGES))} == PURE_MODULES
    pure = {module_name(path) for path in modules("orchestrators", "shared/aggregation", "shared/scheduling")}
    assert pure <= reached


@pytest.mark.parametrize(
    "snippet",
    [
        *(
            f"import {name}"
            for name in (
                "time", "random", "uuid", "os", "secrets", "socket", "logging", "asyncio", "threading", "openai",
                "subprocess", "pathlib", "importlib", "sys", "os.path", "urllib.request", "azure.durable_functions",
                "durabletask", "durabletask.client", "durabletask.tasks",
            )
        ),
        "from time import monotonic",
        "from os import environ as e",
        "def f():\n    import random",
        "x = datetime.now(UTC)",
        "x = datetime.utcnow()",
        "x = datetime.datetime.now()",
        "x = date.today()",
        "x = datetime.fromtimestamp(0)",
        "open('f')",
        "print('x')",
        "x = hash('a')",
        "x = id(y)",
        "eval('1')",
        "x = __import__('time')",
        "for x in {1, 2}: pass",
        "for x in set(y): pass",
        "for x in frozenset(y): pass",
        "for x in {a for a in y}: pass",
        "for x in set(y) | z: pass",
        "x = [a for a in {1, 2}]",
        "x = {a: 1 for a in set(y)}",
        "x = list(set(y))",
        "x = ', '.join({'a', 'b'})",
        "x = enumerate(set(y))",
        "x.extend({1, 2})",
        "x = [*set(y)]",
        "def f():\n    yield from {1, 2}",
        "async def f(): pass",
        "def f():\n    global x\n    x = 1",
    ],
)  # fmt: skip
def test_impure_code_is_found(snippet: str) -> None:
    assert len(impurities("m", snippet)) == 1


@pytest.mark.parametrize(
    "snippet",
    [
        "from datetime import datetime, timedelta",
        "from durabletask.task import CompletableTask",
        "from heapq import heappop",
        "from shared.contracts.run import Pattern",
        "if TYPE_CHECKING:\n    from azure.durable_functions import DurableOrchestrationContext",
        "x = context.current_utc_datetime",
        "x = y in {1, 2}",
        "x = set(y) == set(z)",
        "x = sorted(set(y))",
        "x = len({1, 2})",
        "x = hashlib.sha256(b'').digest()",
        "for x in sorted({1, 2}): pass",
        "x = frozenset(a for a in y)",
    ],
)
def test_pure_code_is_let_pass(snippet: str) -> None:
    assert impurities("m", snippet) == []


# The map of the app


def test_importing_the_app_loads_nothing_slow(loaded_app: dict[str, Any]) -> None:
    loaded = set(loaded_app["modules"])

    assert {"azure.functions", "azure.durable_functions", "shared.deferred", "shared.settings"} <= loaded
    assert loaded & SLOW_TO_IMPORT == set()
    ours = {name for name in loaded if within(name, ["orchestrators", "triggers", "activities", "shared"])}
    assert ours == {
        "shared", "shared.deferred", "shared.errors", "shared.heap", "shared.kept_client", "shared.recipes",
        "shared.recipes.first_look", "shared.recipes.folder", "shared.settings", "shared.startup", "shared.telemetry",
        "shared.telemetry.telemetry",
    }  # fmt: skip


def deferred_paths() -> dict[str, str]:
    """Each path in `function_app.py`, and which of the makers of `shared.deferred` gets it."""
    return {
        str(node.args[0].value): node.func.attr
        for node in ast.walk(ast.parse((ROOT / "function_app.py").read_text()))
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute)
        and isinstance(node.args[0] if node.args else None, ast.Constant)
        and ast.unparse(node.func.value) == "deferred"
        and isinstance(node.args[0], ast.Constant)
    }


PARAMETERS = {
    "orchestrator": [["context"]],
    "run_orchestrator": [["context"]],
    "native_orchestrator": [["context", "given"]],
    "http_trigger": [["req"]],
    "client_http_trigger": [["req", "client"]],
    "client_timer_trigger": [["timer", "client"]],
    "activity": [["given"]],
    "client_activity": [["call", "client"], ["given", "client"]],
}


@pytest.mark.parametrize(("path", "maker"), deferred_paths().items())
def test_every_deferred_path_leads_to_a_function_of_its_kind(path: str, maker: str) -> None:
    function = resolved(path)

    assert list(inspect.signature(function).parameters) in PARAMETERS[maker]
    orchestrates = maker in {"orchestrator", "run_orchestrator", "native_orchestrator"}
    assert inspect.isgeneratorfunction(function) == orchestrates
    assert inspect.iscoroutinefunction(function) != orchestrates
    assert function.__name__ == path.partition(":")[2]


@pytest.mark.parametrize("path", ["triggers.runs:missing", "triggers.missing:get_run", "triggers.runs"])
def test_a_path_that_leads_nowhere_is_an_error(path: str) -> None:
    with pytest.raises((AttributeError, ModuleNotFoundError)):
        resolved(path)


def test_every_function_of_the_app_has_its_deferred_path(loaded_app: dict[str, Any]) -> None:
    registered = [function["name"] for function in loaded_app["functions"]]

    assert sorted(registered) == sorted(path.partition(":")[2] for path in deferred_paths())


def triggers_of(loaded: dict[str, Any], kind: str) -> dict[str, dict[str, Any]]:
    return {
        function["name"]: binding
        for function in loaded["functions"]
        for binding in function["bindings"]
        if binding["type"] == kind
    }


def test_all_http_functions_but_health_want_a_function_key(loaded_app: dict[str, Any]) -> None:
    levels = {name: str(binding["authLevel"]) for name, binding in triggers_of(loaded_app, "httpTrigger").items()}

    assert {name for name, level in levels.items() if "ANONYMOUS" in level.upper()} == {"health"}
    assert all("FUNCTION" in level.upper() for name, level in levels.items() if name != "health")


ROUTES = {
    "health": ("GET", "health"),
    "start_sectioning": ("POST", "sectioning"),
    "start_voting": ("POST", "voting"),
    "start_map_reduce": ("POST", "map-reduce"),
    "estimate_sectioning": ("POST", "sectioning/estimate"),
    "estimate_voting": ("POST", "voting/estimate"),
    "estimate_map_reduce": ("POST", "map-reduce/estimate"),
    "list_recipes": ("GET", "recipes"),
    "describe_recipe": ("GET", "recipes/{name}"),
    "start_recipe": ("POST", "recipes/{name}"),
    "estimate_recipe": ("POST", "recipes/{name}/estimate"),
    "list_runs": ("GET", "runs"),
    "cancel_run_of_key": ("DELETE", "runs"),
    "get_run": ("GET", "runs/{id}"),
    "view_run": ("GET", "runs/{id}/view"),
    "cancel_run": ("DELETE", "runs/{id}"),
    "redrive_run": ("POST", "runs/{id}/redrive"),
    "get_openapi": ("GET", "openapi.json"),
    "get_swagger": ("GET", "swagger.json"),
    "view_docs": ("GET", "docs"),
}


def test_every_http_function_answers_one_method_on_its_route(loaded_app: dict[str, Any]) -> None:
    found = {
        name: (*map(str, binding["methods"]), binding["route"])
        for name, binding in triggers_of(loaded_app, "httpTrigger").items()
    }

    assert found == ROUTES


def test_the_definitions_have_the_app_s_operations_and_their_levels(loaded_app: dict[str, Any]) -> None:
    registered = {
        (name, *map(str, binding["methods"]), binding["route"], "ANONYMOUS" in str(binding["authLevel"]).upper())
        for name, binding in triggers_of(loaded_app, "httpTrigger").items()
    }

    assert {(each.function, each.method, each.route, each.anonymous) for each in OPERATIONS} == registered


def test_what_starts_nothing_has_no_durable_client(loaded_app: dict[str, Any]) -> None:
    with_client = set(triggers_of(loaded_app, "durableClient")) & set(ROUTES)

    assert set(ROUTES) - with_client == {
        "health", "estimate_sectioning", "estimate_voting", "estimate_map_reduce", "estimate_recipe", "list_recipes",
        "describe_recipe", "get_openapi", "get_swagger", "view_docs",
    }  # fmt: skip


def test_durable_functions_are_registered_under_their_durable_names(loaded_app: dict[str, Any]) -> None:
    assert set(triggers_of(loaded_app, "orchestrationTrigger")) == {
        names.SECTIONING, names.VOTING, names.MAP_REDUCE, names.AGENT_ATTEMPT, names.SHARD, names.DELIVERY,
        names.CLAIM,
    }  # fmt: skip
    assert set(triggers_of(loaded_app, "activityTrigger")) == {
        names.CALL_AGENT, names.STOP_CALLS, names.PLAN_DOCUMENTS, names.OPEN_PAGE, names.READ_DOCUMENTS,
        names.CLOSE_PAGE, names.FINISH_MAP, names.TAKE_OVER, names.PLAN_LEVEL, names.REDUCE_PARTS, names.JOIN_OUTPUTS,
        names.ANNOUNCE_END, names.LOOK_FOR_END, names.DELIVER_RESULT,
    }  # fmt: skip


def test_a_pattern_s_name_is_its_orchestration_s(loaded_app: dict[str, Any]) -> None:
    assert set(Pattern.__args__) == set(triggers_of(loaded_app, "orchestrationTrigger")) - {
        names.AGENT_ATTEMPT, names.SHARD, names.DELIVERY, names.CLAIM,
    }  # fmt: skip


def test_no_two_functions_answer_the_same_request(loaded_app: dict[str, Any]) -> None:
    answered = [
        (binding["route"], method)
        for binding in triggers_of(loaded_app, "httpTrigger").values()
        for method in binding["methods"]
    ]

    assert len(set(map(str, answered))) == len(answered)
