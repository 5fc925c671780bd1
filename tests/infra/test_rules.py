from __future__ import annotations

import re
from collections.abc import Callable, Iterator

import pytest

from tests.infra.bicep import INFRA, Template, all_templates, parse, read, text_of, value_of, walk
from tests.infra.roles import ASSIGNED, ROLES
from tests.infra.rules import (
    NOTHING_REQUIRED,
    REQUIRED,
    RULES,
    odd_resources,
    plain_http,
    secrets_shown,
    undescribed,
    unsafe_resources,
    wide_roles,
)

TEMPLATES = all_templates()
GUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")
ASSIGNMENT = """
resource account 'Microsoft.Storage/storageAccounts@2024-01-01' existing = { name: 'x' }
resource a 'Microsoft.Authorization/roleAssignments@2022-04-01' = {
  name: guid('x')
  scope: account
  properties: {
    description: 'Chorus reads the documents of runs.'
    principalType: 'ServicePrincipal'
    roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', roles.storageBlobDataReader)
  }
}
"""


@pytest.mark.parametrize("template", TEMPLATES, ids=lambda one: one.path.name)
@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.__name__)
def test_a_template_keeps_our_rules(rule: Callable[[Template], list[str]], template: Template) -> None:
    assert rule(template) == []


@pytest.mark.parametrize(
    ("rule", "source"),
    [
        (secrets_shown, "output key string = account.listKeys().keys[0].value"),
        (secrets_shown, "var k = listKeys(account.id, '2024-01-01')"),
        (secrets_shown, "var k = vault.getSecret('x')"),
        (secrets_shown, "var c = listConnectionStrings(x.id, '2024-01-01')"),
        (secrets_shown, "output k string = insights.properties.InstrumentationKey"),
        (secrets_shown, "output k string = hub.properties.connectionString"),
        (secrets_shown, "var s = 'DefaultEndpointsProtocol=https;AccountName=a;AccountKey=${k}'"),
        (secrets_shown, "var s = 'https://a.blob.core.windows.net/c?sv=1&sig=abc'"),
        (secrets_shown, "param callbackSecret string"),
        (secrets_shown, "@secure()\nparam p string = 'hunter2'"),
        (secrets_shown, "@secure()\nparam p string\noutput o string = p"),
        (secrets_shown, "@secure()\nparam p string\nvar v = 'x${p}'"),
        (secrets_shown, "@secure()\nparam p string\nvar settings = { CHORUS_CALLBACK_SECRET: p }"),
        (secrets_shown, "@secure()\nparam p string\nmodule m 'a.bicep' = { params: { setting: p } }"),
        (
            secrets_shown,
            "@secure()\nparam p string\nresource s 'Microsoft.Web/sites@2024-04-01' = { properties: { value: p } }",
        ),
        (plain_http, "output u string = 'http://${name}.example.com'"),
        (plain_http, "var v = 'TLS1_0'"),
        (plain_http, "var v = { minTlsVersion: '1.1' }"),
        (undescribed, "param name string"),
        (undescribed, "@description('')\nparam name string"),
        (undescribed, "@description('A name.')\nparam name string\n@secure()\noutput o string = name"),
        (wide_roles, ASSIGNMENT.replace("roles.storageBlobDataReader", "roles.owner")),
        (wide_roles, ASSIGNMENT.replace("roles.storageBlobDataReader", "'8e3af657-a8ff-443c-a75c-2fe8c4bcb635'")),
        (wide_roles, ASSIGNMENT.replace("  scope: account\n", "")),
        (wide_roles, ASSIGNMENT.replace("scope: account", "scope: resourceGroup()")),
        (wide_roles, ASSIGNMENT.replace("scope: account", "scope: group")),
        (wide_roles, ASSIGNMENT.replace("Chorus reads the documents of runs.", "role")),
        (wide_roles, ASSIGNMENT.replace("    principalType: 'ServicePrincipal'\n", "")),
        (wide_roles, ASSIGNMENT.replace("guid('x')", "'fixed'")),
        (unsafe_resources, "resource x 'Microsoft.Sql/servers@2023-08-01' = { name: 'x' }"),
        (odd_resources, "resource x 'Microsoft.Web/sites@2024-04-01-preview' = { name: 'x', tags: tags }"),
        (odd_resources, "resource x 'Microsoft.Web/sites@2024-04-02' = { name: 'x', tags: tags }"),
        (odd_resources, "resource x 'Microsoft.Sql/servers@2023-08-01' = { name: 'x', tags: tags }"),
        (odd_resources, "resource x 'Microsoft.Network/privateDnsZones@2024-05-01' = { name: 'x', tags: tags }"),
        (odd_resources, "resource x 'Microsoft.Web/sites@2024-04-01' = { name: 'x' }"),
    ],
)
def test_a_template_that_breaks_a_rule_is_seen(rule: Callable[[Template], list[str]], source: str) -> None:
    template = parse(source)
    assert template.syntax_errors == []
    assert rule(template)


def test_a_role_assignment_as_it_should_be_breaks_no_rule() -> None:
    assert wide_roles(parse(ASSIGNMENT)) == []


@pytest.mark.parametrize(
    ("module", "said", "instead"),
    [
        ("host-storage", "allowSharedKeyAccess: false", "allowSharedKeyAccess: true"),
        ("host-storage", "    allowSharedKeyAccess: false\n", ""),
        ("documents", "minimumTlsVersion: 'TLS1_2'", "minimumTlsVersion: 'TLS1_1'"),
        ("documents", "supportsHttpsTrafficOnly: true", "supportsHttpsTrafficOnly: onlyHttps"),
        ("documents", "allowBlobPublicAccess: false", "allowBlobPublicAccess: true"),
        ("documents", "privateNetwork ? 'Deny' : 'Allow'", "'Allow'"),
        ("documents", "publicAccess: 'None'", "publicAccess: 'Blob'"),
        ("model", "disableLocalAuth: true", "disableLocalAuth: false"),
        ("monitoring", "DisableLocalAuth: true", "DisableLocalAuth: false"),
        ("secrets", "enableRbacAuthorization: true", "accessPolicies: []"),
        ("app", "httpsOnly: true", "httpsOnly: false"),
        ("app", "'${identityId}': {}", ""),
        ("app", "kind: 'functionapp,linux'", "kind: 'functionapp'"),
        ("app", "reserved: true", "reserved: false"),
        ("model", "empty(modelVersion) ? null : modelVersion", "modelVersion"),
        ("app", "      minTlsVersion: '1.2'\n", ""),
        ("app", "type: 'UserAssignedIdentity'", "type: 'StorageAccountConnectionString'"),
        ("app", "allow: false", "allow: true"),
    ],
)
def test_one_of_our_modules_made_unsafe_is_seen(module: str, said: str, instead: str) -> None:
    source = (INFRA / "modules" / f"{module}.bicep").read_text(encoding="utf-8")
    assert said in source
    template = parse(source.replace(said, instead, 1))
    assert template.syntax_errors == []
    assert unsafe_resources(template)


def test_a_type_is_required_of_or_not_and_used_either_way() -> None:
    used = {one.resource_type for template in TEMPLATES for one in template.of("resource")}
    assert not REQUIRED.keys() & NOTHING_REQUIRED
    assert used == REQUIRED.keys() | NOTHING_REQUIRED


def test_the_roles_have_the_ids_that_azure_publishes() -> None:
    node = read(INFRA / "modules" / "roles.bicep").named("roles").value_node
    assert node is not None
    assert value_of(node) == {name: guid for name, (_, guid) in ROLES.items()}
    assert all(GUID.fullmatch(guid) for _, guid in ROLES.values())


def test_the_roles_are_named_in_their_table_as_azure_names_them() -> None:
    source = (INFRA / "modules" / "roles.bicep").read_text(encoding="utf-8")
    for name, (title, _) in ROLES.items():
        assert re.search(rf"// {title}: .+\.\n  {name}: ", source), title


def test_every_role_of_the_table_is_assigned() -> None:
    texts = [
        text_of(node) for template in TEMPLATES for node in walk(template.root) if node.type == "member_expression"
    ]
    assert {name for name in ROLES if f"roles.{name}" in texts} == set(ROLES)


def assigned_in(template: Template) -> Iterator[tuple[str, str, str, str]]:
    """Module, who, role and type of resource of each assignment; those of a loop over a variable one by one."""
    types = {one.name: one.resource_type for one in template.of("resource")}
    for one in template.of("resource"):
        if one.resource_type == "Microsoft.Authorization/roleAssignments":
            role, scope = one.at("properties.roleDefinitionId").text, one.at("scope").text.partition("[")[0]
            who = one.at("properties.principalId").text.removesuffix("PrincipalId")
            written = text_of(template.named("appRoles").node) if "given.role" in role else role
            for name in re.findall(r"roles\.(\w+)", written):
                yield template.path.stem, who, name, types[scope]


def test_everybody_gets_the_roles_that_are_needed_where_they_are_needed_and_no_others() -> None:
    assert {found for template in TEMPLATES for found in assigned_in(template)} == ASSIGNED


def test_an_id_stands_in_the_table_of_roles_and_nowhere_else() -> None:
    elsewhere = [
        one.path.name for one in TEMPLATES if GUID.search(text_of(one.root)) and one.path.name != "roles.bicep"
    ]
    assert elsewhere == []
