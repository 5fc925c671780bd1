"""Rules of the architecture, as checks of source text: what a module imports, and whether it is pure.

They read the syntax tree, so they see what is written and not what a variable holds: a set that is kept in a
variable and iterated over later goes unnoticed.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[1]
PRODUCTION = ("activities", "orchestrators", "shared", "triggers")
FIRST_PARTY = {*PRODUCTION, "benchmarks", "function_app", "local_host", "tests"}

ALLOWED: Mapping[str, Sequence[str]] = {
    "triggers": (
        "triggers", "shared.contracts", "shared.settings", "shared.errors", "shared.task_hub",
        "shared.backoff", "shared.branching", "shared.estimation", "shared.stored_estimation", "shared.recipes",
        "shared.callbacks", "shared.fault_place", "shared.openapi", "shared.run_ids", "shared.version",
        "activities.names", "activities.storage",
    ),
    "orchestrators": (
        "orchestrators", "shared.contracts", "shared.aggregation", "shared.scheduling", "shared.voting",
        "shared.branching", "shared.prompts", "shared.sections", "shared.backoff", "shared.token_estimate",
        "activities.names",
    ),
    "activities": ("activities", "shared"),
    "shared": ("shared",),
    "shared.contracts": (
        "shared.contracts", "shared.schemas", "shared.normalisation", "shared.splitting", "shared.token_estimate",
    ),
    "shared.aggregation": (
        "shared.aggregation", "shared.contracts", "shared.prompts", "shared.normalisation", "shared.token_estimate",
        "shared.tokens",
    ),
    "shared.voting": (
        "shared.voting", "shared.contracts", "shared.aggregation.completion", "shared.normalisation", "shared.prompts",
    ),
    "shared.scheduling": (
        "shared.scheduling", "shared.contracts", "shared.aggregation.completion", "shared.backoff", "shared.errors",
        "shared.prompts", "shared.token_estimate", "shared.tokens",
    ),
}  # fmt: skip
"""What the modules of a package may import of our own; the longest name that fits a module counts."""

PURE_LIBRARIES = {
    "__future__", "bisect", "codecs", "collections", "contextvars", "dataclasses", "datetime", "durabletask.task",
    "fractions", "functools", "hashlib", "heapq", "html", "itertools", "json", "jsonschema", "math", "pydantic",
    "pydantic_core", "re", "re2", "referencing", "semantic_text_splitter", "typing", "unicodedata",
}  # fmt: skip
"""What pure code may import: no clock, no random, no I/O, no environment. Of the SDK, only what tasks are."""

SLOW_TO_IMPORT = {
    "openai",
    "azure.identity",
    "azure.storage.blob",
    "jsonschema",
    "pydantic",
    "referencing",
    "semantic_text_splitter",
    "aiohttp",
    "cryptography",
    "standardwebhooks",
}
"""What a cold start must not pay for."""

IMPURE_CALLS = {
    "__import__", "breakpoint", "compile", "eval", "exec", "hash", "id", "input", "open", "print",
}  # fmt: skip
"""Built-ins with effects, or whose answer is another in another process."""

CLOCKS = {"now", "utcnow", "today", "fromtimestamp"}
ORDERED = {"list", "tuple", "enumerate", "iter", "next", "zip", "map", "filter", "reversed", "join", "extend"}


@dataclass(frozen=True, slots=True)
class Import:
    """`name` is the whole dotted name: `from a.b import c` imports `a.b.c`."""

    name: str
    line: int
    typing_only: bool
    deferred: bool

    @property
    def root(self) -> str:
        return self.name.partition(".")[0]


def module_name(path: Path) -> str:
    return ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")


def modules(*packages: str) -> list[Path]:
    return sorted(path for package in packages for path in (ROOT / package).rglob("*.py"))


def imports(source: str) -> list[Import]:
    """Every import statement, wherever it stands."""
    return list(_imports(ast.parse(source), typing_only=False, deferred=False))


def _imports(node: ast.AST, *, typing_only: bool, deferred: bool) -> Iterator[Import]:
    if isinstance(node, ast.Import):
        yield from (Import(alias.name, node.lineno, typing_only, deferred) for alias in node.names)
    elif isinstance(node, ast.ImportFrom):
        module = "." * node.level + (node.module or "")
        yield from (Import(f"{module}.{alias.name}", node.lineno, typing_only, deferred) for alias in node.names)
    elif isinstance(node, ast.If) and ast.unparse(node.test) in {"TYPE_CHECKING", "typing.TYPE_CHECKING"}:
        for child in node.body:
            yield from _imports(child, typing_only=True, deferred=deferred)
        for child in node.orelse:
            yield from _imports(child, typing_only=typing_only, deferred=deferred)
    else:
        inside = deferred or isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda)
        for child in ast.iter_child_nodes(node):
            yield from _imports(child, typing_only=typing_only, deferred=inside)


def within(name: str, packages: Sequence[str]) -> bool:
    return any(name == package or name.startswith(f"{package}.") for package in packages)


def forbidden_imports(module: str, source: str) -> list[str]:
    """Imports against the directions of `ALLOWED`; relative ones too, because they hide their direction."""
    allowed = ALLOWED[max((name for name in ALLOWED if within(module, [name])), key=len)]
    return [
        f"{module}:{found.line} imports {found.name}"
        for found in imports(source)
        if found.root == "" or (found.root in FIRST_PARTY and not within(found.name, allowed))
    ]


def impurities(module: str, source: str) -> list[str]:
    """What pure code must not do."""
    found = [
        f"{module}:{use.line} imports {use.name}"
        for use in imports(source)
        if not use.typing_only and not within(use.name, sorted(PURE_LIBRARIES | FIRST_PARTY))
    ]
    for node in ast.walk(ast.parse(source)):
        found += [f"{module}:{line} {what}" for line, what in _impure(node)]
    return found


def _impure(node: ast.AST) -> Iterator[tuple[int, str]]:
    if isinstance(node, ast.Call):
        name = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
        if isinstance(node.func, ast.Name) and name in IMPURE_CALLS:
            yield node.lineno, f"calls {name}()"
        if isinstance(node.func, ast.Attribute) and name in CLOCKS:
            yield node.lineno, f"reads the clock by .{name}()"
        if name in ORDERED and any(_is_set(argument) for argument in node.args):
            yield node.lineno, f"gives {name}() the order of a set"
    elif isinstance(node, ast.For | ast.comprehension) and _is_set(node.iter):
        yield node.iter.lineno, "iterates over a set"
    elif isinstance(node, ast.Starred | ast.YieldFrom) and node.value and _is_set(node.value):
        yield node.lineno, "unpacks a set"
    elif isinstance(node, ast.AsyncFunctionDef | ast.Await | ast.AsyncFor | ast.AsyncWith):
        yield node.lineno, "is asynchronous"
    elif isinstance(node, ast.Global | ast.Nonlocal):
        yield node.lineno, "changes a variable outside"


def _is_set(node: ast.expr) -> bool:
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.BitAnd | ast.BitOr | ast.Sub | ast.BitXor):
        return _is_set(node.left) or _is_set(node.right)
    called = isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in {"set", "frozenset"}
    return called or isinstance(node, ast.Set | ast.SetComp)


def reachable(*packages: str) -> dict[str, Path]:
    """Our own modules that the packages' modules import when they run, and those that these import, and so on."""
    known = {module_name(path): path for path in modules(*PRODUCTION)}
    waiting = [module_name(path) for path in modules(*packages)]
    found: dict[str, Path] = {}
    while waiting:
        name = waiting.pop()
        if name in found:
            continue
        found[name] = known[name]
        for use in imports(known[name].read_text()):
            if not use.typing_only:
                parts = use.name.split(".")
                candidates = [".".join(parts[:length]) for length in range(1, len(parts) + 1)]
                waiting += [candidate for candidate in candidates if candidate in known]
    return found
