from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.infra.bicep import INFRA, Template, all_templates, parse, text_of, walk
from tests.infra.order import RULES, condition_of, late_names, rings, unguarded_reads

TEMPLATES = all_templates()
MAIN = TEMPLATES[0]
MODULE = "module m 'modules/identity.bicep' = if (on) { name: 'm' }\n"


@pytest.mark.parametrize("template", TEMPLATES, ids=lambda one: one.path.name)
@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.__name__)
def test_a_template_can_be_deployed_in_the_order_that_it_says(
    rule: Callable[[Template], list[str]], template: Template
) -> None:
    assert rule(template) == []


@pytest.mark.parametrize(
    ("rule", "source"),
    [
        (late_names, "resource r 'A/b@2024-01-01' = { name: x.properties.id }"),
        (late_names, "resource r 'A/b@2024-01-01' = { name: guid(m.outputs.id) }"),
        (late_names, "module m 'a.bicep' = { name: 'm', scope: resourceGroup(other.outputs.group) }"),
        (late_names, "module m 'a.bicep' = if (!empty(other.outputs.id)) { name: 'm' }"),
        (late_names, "module m 'a.bicep' = [for id in other.outputs.ids: { name: 'm' }]"),
        (unguarded_reads, f"{MODULE}output o string = m!.outputs.id"),
        (unguarded_reads, f"{MODULE}output o string = m.outputs.id"),
        (unguarded_reads, f"{MODULE}output o string = on ? '' : m!.outputs.id"),
        (unguarded_reads, f"{MODULE}output o string = other ? m!.outputs.id : ''"),
        (unguarded_reads, f"{MODULE}module n 'b.bicep' = if (other) {{ params: {{ id: m!.outputs.id }} }}"),
        (rings, "var a = b\nvar b = a"),
        (rings, "module m 'a.bicep' = { params: { x: n.outputs.x } }\nmodule n 'b.bicep' = { dependsOn: [m] }"),
    ],
)
def test_what_could_not_be_deployed_is_seen(rule: Callable[[Template], list[str]], source: str) -> None:
    template = parse(source)
    assert template.syntax_errors == []
    assert rule(template)


@pytest.mark.parametrize(
    "source",
    [
        f"{MODULE}output o string = on ? m!.outputs.id : ''",
        f"{MODULE}output o array = concat([], on ? [{{ id: m!.outputs.id }}] : [])",
        f"{MODULE}module n 'b.bicep' = if (on) {{ params: {{ id: m!.outputs.id }} }}",
        "module m 'a.bicep' = if (!on) { name: 'm' }\noutput o string = on ? '' : m!.outputs.id",
        "module m 'a.bicep' = { name: 'm' }\noutput o string = m.outputs.id",
    ],
)
def test_an_output_is_read_where_its_module_is_made(source: str) -> None:
    assert unguarded_reads(parse(source)) == []


def test_the_modules_that_are_not_always_made_are_found() -> None:
    conditions = {one.name: condition_of(one) for one in MAIN.of("module") if condition_of(one)}
    assert conditions == {
        "model": "makesModel",
        "existingModel": "!makesModel",
        "secrets": "sendsCallbacks",
        "scheduler": "usesScheduler",
        "network": "privateNetwork",
        "privateEndpoints": "privateNetwork",
    }


def test_the_app_waits_for_every_module_that_gives_it_a_role_and_for_the_private_network() -> None:
    given = {
        one.name
        for one in MAIN.of("module")
        if "Microsoft.Authorization/roleAssignments" in (INFRA / one.target).read_text(encoding="utf-8")
    }
    waited_for = {text_of(node) for node in walk(MAIN.named("app").node) if node.type == "identifier"}
    assert given > {"hostStorage", "monitoring", "secrets"}
    assert given | {"privateEndpoints"} <= waited_for
