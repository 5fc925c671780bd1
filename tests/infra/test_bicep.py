from __future__ import annotations

import pytest

from tests.infra.bicep import INFRA, Code, Template, all_templates, parse
from tests.infra.names import misfits_of_modules, unknown_names, unused_names

TEMPLATES = all_templates()


@pytest.mark.parametrize("template", TEMPLATES, ids=lambda one: one.path.name)
@pytest.mark.parametrize("problems", [unknown_names, unused_names, misfits_of_modules], ids=lambda one: one.__name__)
def test_a_template_is_bicep_and_its_names_fit(template: Template, problems) -> None:
    assert template.syntax_errors == []
    assert template.declarations
    assert problems(template) == []


def test_every_module_is_used() -> None:
    used = {INFRA / one.target for one in TEMPLATES[0].of("module")} | {INFRA / "modules" / "roles.bicep"}
    assert used == {template.path for template in TEMPLATES[1:]}


@pytest.mark.parametrize(
    "source",
    ["param name string =", "resource x 'A/b@2024-01-01' = {", "var a = [1, 2", "output x string 'a'", "module m = {}"],
)
def test_a_text_that_is_not_bicep_is_seen(source: str) -> None:
    assert parse(source).syntax_errors


@pytest.mark.parametrize(
    ("problems", "source", "said"),
    [
        (unknown_names, "var a = b", "nothing declares 'b'"),
        (unknown_names, "var a = 'x${b}'", "nothing declares 'b'"),
        (unknown_names, "var a = uniqeString('x')", "nothing declares 'uniqeString'"),
        (unknown_names, "param a string[]\nvar b = [for c in a: d]", "nothing declares 'd'"),
        (unused_names, "param a string", "'a' is used nowhere"),
        (unused_names, "import { roles } from 'roles.bicep'", "'roles' is used nowhere"),
        (misfits_of_modules, "module m 'modules/none.bicep' = {}", "there is no modules/none.bicep"),
        (misfits_of_modules, "module m 'modules/identity.bicep' = { params: {} }", "'name' is not given"),
        (
            misfits_of_modules,
            "module m 'modules/identity.bicep' = { params: { sku: 1 } }",
            "'sku' is no parameter of it",
        ),
        (
            misfits_of_modules,
            "module m 'modules/identity.bicep' = {}\noutput o string = true ? '' : m!.outputs.key",
            "'key' is no output of it",
        ),
    ],
)
def test_a_name_that_does_not_fit_is_seen(problems, source: str, said: str) -> None:
    template = parse(source)
    assert template.syntax_errors == []
    assert any(said in problem for problem in problems(template)), problems(template)


def test_a_declaration_has_what_is_written() -> None:
    template = parse(
        """
@description('It\\'s a key.')
@allowed([1, 2])
param a int = 2
resource r 'A/b@2024-01-01' existing = [for (c, i) in cs: if (a == 1) {
  name: 'x-${c}'
  properties: { on: true, list: [null, -1], other: f(a) }
  resource child 'c' = { name: 'inner' }
}]
"""
    )
    param, resource, child = template.declarations
    assert (param.name, param.target, param.decorators) == (
        "a",
        "int",
        {"description": ["It's a key."], "allowed": [[1, 2]]},
    )
    assert resource.existing
    assert resource.at("properties.list") == [None, -1]
    assert resource.at("properties.other") == Code("f(a)")
    assert (resource.at("name"), resource.at("properties.on"), resource.at("nothing.there")) == ("x-${c}", True, None)
    assert (child.target, child.body) == ("A/b/c", {"name": "inner"})
