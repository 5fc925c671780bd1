"""What we ask of every template: each rule takes one and says what is wrong, with the line."""

from __future__ import annotations

import re
from typing import Any

from tests.infra.bicep import Code, Declaration, Template, text_of, value_of, walk
from tests.infra.roles import ROLES

CLOSED_IF_PRIVATE = Code("privateNetwork ? 'Disabled' : 'Enabled'")
DENIED_IF_PRIVATE = Code("privateNetwork ? 'Deny' : 'Allow'")

REQUIRED: dict[str, dict[str, Any]] = {
    "Microsoft.Storage/storageAccounts": {
        "properties.allowSharedKeyAccess": False,
        "properties.allowBlobPublicAccess": False,
        "properties.allowCrossTenantReplication": False,
        "properties.minimumTlsVersion": "TLS1_2",
        "properties.supportsHttpsTrafficOnly": True,
        "properties.publicNetworkAccess": CLOSED_IF_PRIVATE,
        "properties.networkAcls.defaultAction": DENIED_IF_PRIVATE,
    },
    "Microsoft.Storage/storageAccounts/blobServices/containers": {"properties.publicAccess": "None"},
    "Microsoft.CognitiveServices/accounts": {
        "properties.customSubDomainName": Code("name"),  # Entra ID needs a host name of the account's own
        "properties.disableLocalAuth": True,
        "properties.publicNetworkAccess": CLOSED_IF_PRIVATE,
        "properties.networkAcls.defaultAction": DENIED_IF_PRIVATE,
    },
    "Microsoft.CognitiveServices/accounts/deployments": {
        "properties.model.version": Code("empty(modelVersion) ? null : modelVersion"),  # an empty one is refused
    },
    "Microsoft.KeyVault/vaults": {
        "properties.enableRbacAuthorization": True,
        "properties.enableSoftDelete": True,
        "properties.publicNetworkAccess": CLOSED_IF_PRIVATE,
        "properties.networkAcls.defaultAction": DENIED_IF_PRIVATE,
    },
    "Microsoft.Insights/components": {"properties.DisableLocalAuth": True},
    "Microsoft.OperationalInsights/workspaces": {"properties.features.disableLocalAuth": True},
    "Microsoft.Web/serverfarms": {
        "kind": "functionapp",
        "sku": {"name": "FC1", "tier": "FlexConsumption"},
        "properties.reserved": True,  # Linux
    },
    "Microsoft.Web/sites": {
        "kind": "functionapp,linux",
        "identity.type": "UserAssigned",
        "identity.userAssignedIdentities": {"${identityId}": {}},
        "properties.keyVaultReferenceIdentity": Code("identityId"),
        "properties.httpsOnly": True,
        "properties.siteConfig.minTlsVersion": "1.2",
        "properties.siteConfig.scmMinTlsVersion": "1.2",
        "properties.functionAppConfig.deployment.storage.authentication.type": "UserAssignedIdentity",
    },
    "Microsoft.Web/sites/basicPublishingCredentialsPolicies": {"properties.allow": False},
}
"""What a resource of a type must say, word for word: a safe default of the service is not enough."""

NOTHING_REQUIRED = frozenset(
    {
        "Microsoft.Authorization/roleAssignments",  # a rule of its own
        "Microsoft.DurableTask/schedulers",  # takes Entra ID and TLS only
        "Microsoft.DurableTask/schedulers/taskHubs",
        "Microsoft.KeyVault/vaults/secrets",
        "Microsoft.ManagedIdentity/userAssignedIdentities",
        "Microsoft.Network/privateDnsZones",
        "Microsoft.Network/privateDnsZones/virtualNetworkLinks",
        "Microsoft.Network/privateEndpoints",
        "Microsoft.Network/privateEndpoints/privateDnsZoneGroups",
        "Microsoft.Network/virtualNetworks",
        "Microsoft.Resources/resourceGroups",
        "Microsoft.Storage/storageAccounts/blobServices",
        "Microsoft.Web/sites/config",  # tests/infra/test_settings.py
    }
)
VERSIONS = {
    "Microsoft.Authorization": "2022-04-01",
    "Microsoft.CognitiveServices": "2024-10-01",
    "Microsoft.DurableTask": "2025-11-01",
    "Microsoft.Insights": "2020-02-02",
    "Microsoft.KeyVault": "2023-07-01",
    "Microsoft.ManagedIdentity": "2023-01-31",
    "Microsoft.Network": "2024-05-01",
    "Microsoft.Network/privateDnsZones": "2020-06-01",
    "Microsoft.OperationalInsights": "2023-09-01",
    "Microsoft.Resources": "2024-03-01",
    "Microsoft.Storage": "2024-01-01",
    "Microsoft.Web": "2024-04-01",
}
"""The version of each provider's API, or of some of its types: a mistyped date would fail at Azure only."""
TAGLESS = ("Authorization", "blobServices", "deployments", "taskHubs", "/secrets", "/config", "Policies", "ZoneGroups")

SECRET_CALL = re.compile(
    r"list(Account|Admin|Service|Query)?(Keys|Sas|Secrets|Credentials|ConnectionStrings|Key)?$|getSecret", re.I
)
SECRET_PROPERTY = re.compile(
    r"(primary|secondary)Key|connectionString|accessKey|instrumentationKey|sharedKey$|key[12]$|password", re.I
)
SECRET_IN_TEXT = re.compile(
    r"AccountKey=|SharedAccess(Key|Signature)=|\bsig=|whsec_[A-Za-z0-9+/]{8}|\bsk-[A-Za-z0-9]|InstrumentationKey=", re.I
)
HARMLESS = ("insights.properties.ConnectionString",)
"""Names a component whose local authentication is off, so that its key opens nothing: `REQUIRED` sees to that."""
PURPOSE = re.compile(r"(Chorus|The operator) .{10,}\.$")


def secrets_shown(template: Template) -> list[str]:
    """Keys that are asked for, secrets in texts, and secure parameters that go anywhere but into a vault."""
    problems: list[str] = []
    for node in walk(template.root):
        line, text = node.start_point.row + 1, text_of(node)
        if node.type in {"identifier", "property_identifier"} and is_called(node) and SECRET_CALL.match(text):
            problems.append(f"line {line}: {text}() reads a secret; use the identity")
        elif node.type == "property_identifier" and SECRET_PROPERTY.search(text) and not is_harmless(node):
            problems.append(f"line {line}: {text!r} is a secret; use the identity")
        elif node.type == "string" and SECRET_IN_TEXT.search(text):
            problems.append(f"line {line}: a secret in a text")
    return problems + leaks_of_secure_parameters(template)


def leaks_of_secure_parameters(template: Template) -> list[str]:
    """Where a secure parameter goes that is not another secure one, or a vault; and one with a default."""
    problems: list[str] = []
    for param in template.of("param"):
        if "secure" not in param.decorators:
            if re.search(r"(?<!address)(secret|password|apikey|accountkey)$", param.name, re.I):
                problems.append(f"line {param.line}: {param.name!r} is not @secure()")
            continue
        if param.value_node is not None and value_of(param.value_node):
            problems.append(f"line {param.line}: the secret {param.name!r} has a default")
        problems += [
            f"line {node.start_point.row + 1}: the secret {param.name!r} goes where anybody may read it"
            for node in walk(template.root)
            if node.type == "identifier" and text_of(node) == param.name and not is_kept(node, param)
        ]
    return problems


def is_kept(node: Any, param: Declaration) -> bool:
    """Whether this use of a secret shows it to nobody: `empty(…)`, a vault's secret, a module's secure parameter."""
    parent = node.parent
    if parent.type == "parameter_declaration" or (parent.type == "object_property" and parent.children[0] == node):
        return True
    if parent.type == "arguments":
        return text_of(parent.parent.children[0]) == "empty"
    if parent.type != "object_property":
        return False
    owner = parent
    while owner.type not in {"resource_declaration", "module_declaration", "infrastructure"}:
        owner = owner.parent
    key = text_of(parent.children[0])
    if owner.type == "resource_declaration":
        return "Microsoft.KeyVault/vaults/secrets" in text_of(owner) and key == "value"
    return owner.type == "module_declaration" and key == param.name


def is_harmless(node: Any) -> bool:
    """Whether a property that sounds like a secret is one of those that are none."""
    return node.parent is not None and text_of(node.parent) in HARMLESS


def is_called(node: Any) -> bool:
    """Whether a name is that of a function that is called."""
    parent = node.parent
    if parent is not None and parent.type == "member_expression" and parent.children[-1] == node:
        node, parent = parent, parent.parent
    return parent is not None and parent.type == "call_expression" and parent.children[0] == node


def unsafe_resources(template: Template) -> list[str]:
    """Resources that do not say what `REQUIRED` wants of their type, and types that nobody has thought about."""
    problems: list[str] = []
    for one in template.of("resource"):
        if one.existing:
            continue
        if one.resource_type not in REQUIRED and one.resource_type not in NOTHING_REQUIRED:
            problems.append(f"{one.name}: say in tests/infra/rules.py what {one.resource_type} must have")
        for path, wanted in REQUIRED.get(one.resource_type, {}).items():
            if one.at(path) != wanted:
                problems.append(f"{one.name}: {path} must be {wanted!r}, and is {one.at(path)!r}")
    return problems


def plain_http(template: Template) -> list[str]:
    """URLs that are not https, and older TLS."""
    return [
        f"line {node.start_point.row + 1}: {text_of(node)}"
        for node in walk(template.root)
        if node.type == "string" and re.search(r"http://|TLS1_[01]\b|^'1\.[01]'$", text_of(node))
    ]


def undescribed(template: Template) -> list[str]:
    """Parameters and outputs without a sentence that says what they are."""
    problems: list[str] = []
    for one in (*template.of("param"), *template.of("output")):
        description = (one.decorators.get("description") or [""])[0]
        if not re.fullmatch(r"(?s).{8,}\.", description):
            problems.append(f"line {one.line}: describe {one.name!r} in a sentence")
    return problems


def wide_roles(template: Template) -> list[str]:
    """Role assignments that are not of the table, not on one resource, or do not say what for."""
    problems: list[str] = []
    for one in template.of("resource"):
        if one.resource_type != "Microsoft.Authorization/roleAssignments":
            continue
        role = one.at("properties.roleDefinitionId")
        by_table = r"subscriptionResourceId\('Microsoft.Authorization/roleDefinitions', (roles\.(\w+)|given\.role)\)"
        named = re.fullmatch(by_table, role.text) if isinstance(role, Code) else None
        if not named or (named[2] and named[2] not in ROLES):
            problems.append(f"{one.name}: its role is none of modules/roles.bicep")
        if not is_resource(one.at("scope"), template):
            problems.append(f"{one.name}: its scope is no resource of this template, so it may be the whole group")
        purpose = one.at("properties.description")
        if purpose != Code("given.purpose") and not (isinstance(purpose, str) and PURPOSE.match(purpose)):
            problems.append(f"{one.name}: its description does not say who does what")
        if not one.at("properties.principalType"):
            problems.append(f"{one.name}: without a principalType a new identity is not found")
        if not isinstance(one.at("name"), Code) or not one.at("name").text.startswith("guid("):
            problems.append(f"{one.name}: its name is not made with guid()")
    return problems


def is_resource(scope: Any, template: Template) -> bool:
    """Whether a scope is a resource that the template declares, or one of several."""
    name = scope.text.partition("[")[0] if isinstance(scope, Code) else ""
    return name in {one.name for one in template.of("resource")}


def odd_resources(template: Template) -> list[str]:
    """Versions of the API that nobody has looked up, and resources without the tags."""
    problems: list[str] = []
    for one in template.of("resource"):
        if one.node.parent is not None and one.node.parent.type == "object_property":
            continue  # a child has its parent's version
        wanted = [VERSIONS[kind] for kind in sorted(VERSIONS) if f"{one.resource_type}/".startswith(f"{kind}/")]
        if one.target.partition("@")[2] not in wanted[-1:]:
            problems.append(f"{one.name}: {one.target!r} has a version that is not in VERSIONS; look it up")
        tagless = one.existing or any(part in one.resource_type for part in TAGLESS)
        if not tagless and "tags" not in one.body:
            problems.append(f"{one.name}: it has no tags")
    return problems


RULES = (secrets_shown, unsafe_resources, plain_http, undescribed, wide_roles, odd_resources)
