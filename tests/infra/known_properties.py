"""Whether the services know the properties that the templates set, asked of their management SDKs for Python.

The Bicep compiler has the services' types; it cannot be had from a package index, but the SDKs have them too. They are
large, and needed only when a template gets a new property, so they are no part of the development environment, and
their answer is kept in `known_properties.json`:

    python3.13 -m venv /tmp/sdks
    /tmp/sdks/bin/pip install tree-sitter tree-sitter-bicep azure-mgmt-applicationinsights azure-mgmt-authorization \
        azure-mgmt-cognitiveservices azure-mgmt-durabletask azure-mgmt-keyvault azure-mgmt-loganalytics \
        azure-mgmt-network azure-mgmt-privatedns azure-mgmt-storage azure-mgmt-web
    /tmp/sdks/bin/python -m tests.infra.known_properties
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterator
from enum import Enum
from importlib import import_module
from inspect import isclass
from itertools import chain
from pathlib import Path
from typing import Any

from tests.infra.bicep import Declaration, Template, all_templates

RECORD = Path(__file__).with_name("known_properties.json")
ASKED_OF_NOBODY = frozenset(
    {
        "Microsoft.ManagedIdentity/userAssignedIdentities",  # has no properties
        "Microsoft.Resources/resourceGroups",  # nor has this
        "Microsoft.Web/sites/config",  # app settings: any name
    }
)
OF_BICEP = ("name", "parent", "scope", "dependsOn")
MODELS = {
    "Microsoft.Authorization/roleAssignments": "authorization.RoleAssignmentCreateParameters",
    "Microsoft.CognitiveServices/accounts": "cognitiveservices.Account",
    "Microsoft.CognitiveServices/accounts/deployments": "cognitiveservices.Deployment",
    "Microsoft.DurableTask/schedulers": "durabletask.Scheduler",
    "Microsoft.DurableTask/schedulers/taskHubs": "durabletask.TaskHub",
    "Microsoft.Insights/components": "applicationinsights.ApplicationInsightsComponent",
    "Microsoft.KeyVault/vaults": "keyvault.VaultCreateOrUpdateParameters",
    "Microsoft.KeyVault/vaults/secrets": "keyvault.SecretCreateOrUpdateParameters",
    "Microsoft.Network/privateDnsZones": "privatedns.PrivateZone",
    "Microsoft.Network/privateDnsZones/virtualNetworkLinks": "privatedns.VirtualNetworkLink",
    "Microsoft.Network/privateEndpoints": "network.PrivateEndpoint",
    "Microsoft.Network/privateEndpoints/privateDnsZoneGroups": "network.PrivateDnsZoneGroup",
    "Microsoft.Network/virtualNetworks": "network.VirtualNetwork",
    "Microsoft.OperationalInsights/workspaces": "loganalytics.Workspace",
    "Microsoft.Storage/storageAccounts": "storage.StorageAccountCreateParameters",
    "Microsoft.Storage/storageAccounts/blobServices": "storage.BlobServiceProperties",
    "Microsoft.Storage/storageAccounts/blobServices/containers": "storage.BlobContainer",
    "Microsoft.Web/serverfarms": "web.AppServicePlan",
    "Microsoft.Web/sites": "web.Site",
    "Microsoft.Web/sites/basicPublishingCredentialsPolicies": "web.CsmPublishingCredentialsPoliciesEntity",
}


def used_by(templates: list[Template]) -> dict[str, list[str]]:
    """For each type the paths that are set, and for words the word: `sku.name=S0`."""
    used: dict[str, set[str]] = {}
    for one in chain.from_iterable(template.of("resource") for template in templates):
        if not one.existing and one.resource_type not in ASKED_OF_NOBODY:
            used.setdefault(one.resource_type, set()).update(paths_of(one))
    return {kind: sorted(paths) for kind, paths in sorted(used.items())}


def paths_of(one: Declaration) -> Iterator[str]:
    """What one resource sets; the keys of tags and identities are names, not properties."""
    for key, value in one.body.items():
        if key not in OF_BICEP:
            yield from paths_in(value, key)


def paths_in(value: Any, path: str) -> Iterator[str]:
    """The same below a path."""
    if isinstance(value, dict) and path not in {"tags", "identity.userAssignedIdentities"}:
        for key, inner in value.items():
            yield from paths_in(inner, f"{path}.{key}")
    elif isinstance(value, list):
        for inner in value:
            yield from paths_in(inner, path)
    elif isinstance(value, str) and re.fullmatch(r"[A-Z]\w+", value):
        yield f"{path}={value}"
    else:
        yield path


def is_known(path: str, model: type) -> bool:
    """Whether a model of an SDK has a path, and takes the word at its end."""
    steps, _, word = path.partition("=")
    given = steps.split(".")
    for length in range(1, len(given) + 1):
        field = fields_of(model).get(".".join(given[:length]))
        if field is not None:
            return takes(field, given[length:], word, model)
    return False


def takes(field: str, rest: list[str], word: str, model: type) -> bool:
    """Whether a field whose type is written so has the rest of a path, or takes a word."""
    classes = classes_in(field, model)
    words = [one.value for cls in classes if issubclass(cls, Enum) for one in cls]
    if not rest:
        return not (word and words) or word.lower() in (str(known).lower() for known in words)
    path = ".".join(rest) + (f"={word}" if word else "")
    return any(is_known(path, cls) for cls in classes if not issubclass(cls, Enum))


def fields_of(model: type) -> dict[str, str]:
    """The names of a model's fields on the wire, with their types as written; SDKs are generated in two ways."""
    if old := getattr(model, "_attribute_map", None):
        return {entry["key"]: entry["type"] for entry in old.values()}
    fields: dict[str, str] = {}
    for base in reversed(model.__mro__):
        for name, written in vars(base).get("__annotations__", {}).items():
            field = next((vars(cls)[name] for cls in model.__mro__ if name in vars(cls)), None)
            fields[getattr(field, "_rest_name_input", None) or name] = str(written)
    return fields


def classes_in(written: str, model: type) -> list[type]:
    """The models and enumerations of the same SDK that a written type names."""
    package = import_module(model.__module__.partition(".models")[0] + ".models")
    return [cls for name in re.findall(r"\w+", written) if isclass(cls := getattr(package, name, None))]


def main() -> int:
    """Ask the SDKs about everything that is used; keep the answer if they know it all."""
    used, unknown = used_by(all_templates()), list[str]()
    for kind, paths in used.items():
        package, _, name = MODELS[kind].partition(".")
        model = getattr(import_module(f"azure.mgmt.{package}.models"), name)
        unknown += [f"{kind} has no {path}" for path in paths if not is_known(path, model)]
    for problem in unknown:
        print(problem)
    if not unknown:
        RECORD.write_text(json.dumps(used, indent=1) + "\n", encoding="utf-8")
    return 1 if unknown else 0


if __name__ == "__main__":
    sys.exit(main())
