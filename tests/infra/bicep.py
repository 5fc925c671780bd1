"""`Template`: a Bicep file as its declarations, read by the tree-sitter grammar of Bicep.

There is no Bicep compiler for Python, and Azure's own is not in a package index. The grammar says whether a file is
Bicep at all; `tests/infra/names.py` adds what a compiler would say about names, `tests/infra/rules.py` what we ask for.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import tree_sitter_bicep
from tree_sitter import Language, Node, Parser

ROOT = Path(__file__).parents[2]
INFRA = ROOT / "infra"
PARSER = Parser(Language(tree_sitter_bicep.language()))
KINDS = {
    "parameter_declaration": "param",
    "variable_declaration": "var",
    "resource_declaration": "resource",
    "module_declaration": "module",
    "output_declaration": "output",
    "type_declaration": "type",
}
BODIES = ("for_statement", "if_statement", "object")


@dataclass(frozen=True)
class Code:
    """An expression that only Azure can evaluate, as its text."""

    text: str


@dataclass(frozen=True)
class Declaration:
    """One declaration. `target` is a resource's type with its API version, or a module's path, or a type's text."""

    kind: str
    name: str
    node: Node
    target: str = ""
    existing: bool = False
    decorators: dict[str, list[Any]] = field(default_factory=dict)

    @property
    def line(self) -> int:
        """Where it begins."""
        return self.node.start_point.row + 1

    @property
    def body(self) -> dict[str, Any]:
        """The object of a resource or a module, below its condition and its loop."""
        return value_of(self.body_node)

    @property
    def body_node(self) -> Node:
        """The same, as it stands in the tree."""
        node = next(child for child in self.node.children if child.type in BODIES)
        while node.type != "object":
            node = next(child for child in reversed(node.children) if child.type in BODIES)
        return node

    @property
    def value_node(self) -> Node | None:
        """What stands behind the equals sign; None where nothing does."""
        types = [child.type for child in self.node.children]
        return self.node.children[types.index("=") + 1] if "=" in types else None

    @property
    def resource_type(self) -> str:
        """The type of a resource, without its API version."""
        return self.target.partition("@")[0]

    def at(self, path: str) -> Any:
        """The value at a path such as `properties.siteConfig.minTlsVersion`; None if there is none."""
        found: Any = self.body
        for step in path.split("."):
            found = found.get(step) if isinstance(found, dict) else None
        return found


@dataclass(frozen=True)
class Template:
    """A Bicep file."""

    path: Path
    root: Node
    declarations: tuple[Declaration, ...]
    imports: tuple[str, ...]

    def of(self, kind: str) -> list[Declaration]:
        """The declarations of a kind: param, var, resource, module, output or type."""
        return [one for one in self.declarations if one.kind == kind]

    def named(self, name: str) -> Declaration:
        """The declaration of a name."""
        return next(one for one in self.declarations if one.name == name)

    @property
    def syntax_errors(self) -> list[str]:
        """Where the file is not Bicep."""
        return [
            f"line {node.start_point.row + 1}: {text_of(node)[:40]!r} is not Bicep"
            for node in walk(self.root)
            if node.is_error or node.is_missing
        ]


def read(path: Path) -> Template:
    """Read a file of `infra/`."""
    return parse(path.read_text(encoding="utf-8"), path)


def parse(source: str, path: Path = INFRA / "main.bicep") -> Template:
    """Read a text as if it stood in the file `path`."""
    root = PARSER.parse(source.encode()).root_node
    imports = [
        text_of(child)
        for node in root.children
        if node.type == "import_functionality"
        for child in node.children
        if child.type == "identifier"
    ]
    return Template(path, root, tuple(declared_in(root)), tuple(imports))


def all_templates() -> list[Template]:
    """Every Bicep file of the project, `main.bicep` first."""
    return [read(INFRA / "main.bicep"), *(read(path) for path in sorted((INFRA / "modules").glob("*.bicep")))]


def declared_in(node: Node, parent_type: str = "") -> Iterator[Declaration]:
    """The declarations of a file, those of child resources within their parents included."""
    decorators: dict[str, list[Any]] = {}
    for child in node.children:
        if child.type == "decorators":
            decorators = dict(map(decorator_of, child.children))
        elif child.type in KINDS:
            one = declaration_of(child, decorators, parent_type)
            yield one
            decorators = {}
            yield from declared_in(child, one.resource_type if one.kind == "resource" else "")
        else:
            yield from declared_in(child, parent_type)


def declaration_of(node: Node, decorators: dict[str, list[Any]], parent_type: str) -> Declaration:
    """One declaration; the type of a child resource gets its parent's in front."""
    kind = KINDS[node.type]
    target = ""
    if kind in {"resource", "module"}:
        target = value_of(next(child for child in node.children if child.type == "string"))
        if parent_type:
            target = f"{parent_type}/{target}"
    elif kind in {"param", "output"}:
        target = next((text_of(child) for child in node.children if child.type in {"type", "primitive_type"}), "")
    existing = any(child.type == "existing" for child in node.children)
    return Declaration(kind, text_of(node.children[1]), node, target, existing, decorators)


def decorator_of(node: Node) -> tuple[str, list[Any]]:
    """A decorator's name and arguments."""
    call = next(child for child in node.children if child.type == "call_expression")
    arguments = next(child for child in call.children if child.type == "arguments")
    return text_of(call.children[0]), [value_of(child) for child in arguments.children if child.is_named]


def value_of(node: Node) -> Any:
    """A literal as the Python value, an object as a dict, anything else as `Code`. `${…}` stays in a string."""
    if node.type == "array":
        return [value_of(child) for child in node.children if child.is_named and child.type != "comment"]
    if node.type == "object":
        return {key: value_of(value) for key, value in properties_of(node)}
    return SCALARS.get(node.type, lambda other: Code(text_of(other)))(node)


def string_of(node: Node) -> str:
    """The text between the quotes."""
    return "".join(text_of(child).replace("\\'", "'") for child in node.children if child.is_named)


def properties_of(node: Node) -> Iterator[tuple[str, Node]]:
    """The properties of an object: key and value."""
    for child in node.children:
        if child.type == "object_property" and child.children[0].type != "resource_declaration":
            key, value = child.children[0], child.children[-1]
            yield (value_of(key) if key.type == "string" else text_of(key)), value


def walk(node: Node) -> Iterator[Node]:
    """A node and everything in it."""
    yield node
    for child in node.children:
        yield from walk(child)


def text_of(node: Node) -> str:
    """The text of a node."""
    return (node.text or b"").decode()


SCALARS: dict[str, Callable[[Node], Any]] = {
    "string": string_of,
    "number": lambda node: int(text_of(node)),
    "boolean": lambda node: text_of(node) == "true",
    "null": lambda _: None,
}
