"""What Resource Manager must know, and when: each rule takes a template and says what it could not have deployed."""

from __future__ import annotations

from collections.abc import Iterator
from graphlib import CycleError, TopologicalSorter

from tree_sitter import Node

from tests.infra.bicep import Declaration, Template, properties_of, text_of, walk
from tests.infra.names import is_key

READ_LATE = (".outputs", ".properties")
"""What is known only once the resource or the module is there."""


def late_names(template: Template) -> list[str]:
    """Names, scopes, conditions and loops that hang on something which is not there when the deployment is planned."""
    return [
        f"{one.name}: {text_of(node)!r} must be known before anything is made"
        for one in (*template.of("resource"), *template.of("module"))
        for node in planned_by(one)
        if any(late in text_of(node) for late in READ_LATE)
    ]


def planned_by(one: Declaration) -> Iterator[Node]:
    """What says whether, how often, where and under which name something is made."""
    yield from (value for key, value in properties_of(one.body_node) if key in {"name", "scope"})
    for node in walk(one.node):
        if node.start_byte >= one.body_node.start_byte:
            return
        if node.type == "if_statement":
            yield node.children[1]
        elif node.type == "for_statement":
            yield node.children[node.children.index(next(child for child in node.children if child.type == "in")) + 1]


def unguarded_reads(template: Template) -> list[str]:
    """Outputs of a module that is not always made, read where its condition need not be true."""
    conditions = {one.name: condition for one in template.of("module") if (condition := condition_of(one))}
    return [
        f"line {node.start_point.row + 1}: {text_of(node)!r} is there only if {conditions[text_of(node)]}"
        for node in walk(template.root)
        if node.type == "identifier"
        and text_of(node) in conditions
        and is_read(node, template)
        and conditions[text_of(node)] not in set(true_at(node, template))
    ]


def condition_of(one: Declaration) -> str:
    """When a declaration is made; empty for always."""
    found = next((node for node in walk(one.node) if node.type == "if_statement"), None)
    return text_of(found.children[1])[1:-1] if found else ""


def is_read(node: Node, template: Template) -> bool:
    """Whether an identifier is that of a module whose outputs follow."""
    return (template.root.text or b"")[node.end_byte :].removeprefix(b"!").startswith(b".outputs")


def true_at(node: Node, template: Template) -> Iterator[str]:
    """The conditions that hold where a node stands: of the branches that it is in, and of its module."""
    while node.parent is not None:
        parent = node.parent
        if parent.type == "ternary_expression" and node != parent.children[0]:
            condition = text_of(parent.children[0])
            yield condition if node == parent.children[2] else f"!{condition}"
        if parent.type == "module_declaration":
            yield condition_of(template.named(text_of(parent.children[1])))
        node = parent


def rings(template: Template) -> list[str]:
    """Declarations that wait for each other."""
    declared = {one.name: one.node for one in template.declarations if one.kind != "output"}
    graph = {name: set(names_in(node)) & declared.keys() - {name} for name, node in declared.items()}
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as ring:
        return [" waits for ".join(ring.args[1])]
    return []


def names_in(node: Node) -> Iterator[str]:
    """The names that something uses."""
    return (text_of(one) for one in walk(node) if one.type == "identifier" and not is_key(one))


RULES = (late_names, unguarded_reads, rings)
