"""What a compiler would say about the names in a template: unknown, unused, a module's that do not fit."""

from __future__ import annotations

from collections.abc import Iterator

from tree_sitter import Node

from tests.infra.bicep import Declaration, Template, properties_of, read, text_of, walk

FUNCTIONS = frozenset(
    {
        "cidrSubnet",
        "concat",
        "contains",
        "empty",
        "environment",
        "fail",
        "filter",
        "guid",
        "join",
        "length",
        "map",
        "replace",
        "resourceGroup",
        "resourceId",
        "split",
        "subscription",
        "subscriptionResourceId",
        "take",
        "tenant",
        "toLower",
        "trim",
        "union",
        "uniqueString",
    }
)
"""The functions of Bicep that the templates may use; another one is added here when it is needed."""
DECORATORS = frozenset(
    {
        "allowed",
        "description",
        "export",
        "maxLength",
        "maxValue",
        "metadata",
        "minLength",
        "minValue",
        "secure",
    }
)
LOOP_NAMES = {"loop_variable", "loop_enumerator"}


def unknown_names(template: Template) -> list[str]:
    """Names that nothing declares."""
    known = {one.name for one in template.declarations} | {*template.imports} | local_names(template) | FUNCTIONS
    known |= DECORATORS | {"targetScope"}
    return [
        f"line {node.start_point.row + 1}: nothing declares {text_of(node)!r}"
        for node in walk(template.root)
        if node.type == "identifier" and not is_key(node) and text_of(node) not in known
    ]


def unused_names(template: Template) -> list[str]:
    """Parameters, variables and imports that nothing uses."""
    uses = [text_of(node) for node in walk(template.root) if node.type == "identifier" and not is_key(node)]
    declared = [one.name for kind in ("param", "var") for one in template.of(kind) if "export" not in one.decorators]
    return [f"{name!r} is used nowhere" for name in (*declared, *template.imports) if uses.count(name) < 2]


def misfits_of_modules(template: Template) -> list[str]:
    """Parameters that a module lacks or does not know, and outputs that it does not have."""
    return [problem for module in template.of("module") for problem in misfits_of(module, template)]


def misfits_of(module: Declaration, template: Template) -> Iterator[str]:
    """The same of one module."""
    path = template.path.parent / module.target
    if not path.is_file():
        yield f"{module.name}: there is no {module.target}"
        return
    inside = read(path)
    params = {one.name: one for one in inside.of("param")}
    given = module.body.get("params", {})
    yield from (f"{module.name}: {name!r} is no parameter of it" for name in given if name not in params)
    required = (name for name, one in params.items() if one.value_node is None)
    yield from (f"{module.name}: {name!r} is not given" for name in required if name not in given)
    outputs = {one.name for one in inside.of("output")}
    asked = (name for asked_module, name in outputs_asked_for(template.root) if asked_module == module.name)
    yield from (f"{module.name}: {name!r} is no output of it" for name in asked if name not in outputs)


def outputs_asked_for(root: Node) -> Iterator[tuple[str, str]]:
    """Module and output of each `module.outputs.name`."""
    for node in walk(root):
        if node.type == "member_expression" and node.children[0].type == "member_expression":
            inner = node.children[0]
            if text_of(inner.children[-1]) == "outputs":
                # The grammar takes `a ? b : c.d` for `(a ? b : c).d`, so what is asked is the last name before the dot.
                asked = [text_of(one) for one in walk(inner.children[0]) if one.type == "identifier"]
                yield asked[-1], text_of(node.children[-1])


def local_names(template: Template) -> set[str]:
    """Variables of loops and of lambdas."""
    names = {text_of(node) for node in walk(template.root) if node.type in LOOP_NAMES}
    for node in walk(template.root):
        if node.type == "for_statement":
            names |= {text_of(child) for child in node.children[:3] if child.type == "identifier"}
        if node.type == "lambda_expression":
            names.add(text_of(node.children[0]))
    return names


def is_key(node: Node) -> bool:
    """Whether an identifier is the key of a property."""
    parent = node.parent
    return parent is not None and parent.type == "object_property" and parent.children[0] == node


def keys_in(node: Node) -> list[str]:
    """The keys of all objects in an expression, such as those that `union` joins; not of objects within them."""
    if node.type == "object":
        return [key for key, _ in properties_of(node)]
    return [key for child in node.children for key in keys_in(child)]
