"""Writes `connector/templates/`: an ARM template for each sample workflow, and one for the custom connector.

A template has the workflow as it is in `connector/workflows/`, so that there is one place to change it. Run this after
a change; a test says when it was forgotten.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

JSON = dict[str, Any]

CONNECTOR = Path(__file__).parent
TEMPLATES = CONNECTOR / "templates"
SCHEMA = "https://schema.management.azure.com/schemas/2019-04-01/deploymentTemplate.json#"
WORKFLOW_API, CONNECTION_API, CUSTOM_API = "2019-05-01", "2016-06-01", "2016-06-01"
DEFINITION = "apiDefinition.swagger.json"

CHORUS_URL = {
    "type": "string",
    "metadata": {"description": "The root of the routes of your Chorus app, such as https://APP.azurewebsites.net/api"},
}
CHORUS_KEY = {
    "type": "securestring",
    "metadata": {
        "description": "A function key of the app; in a parameter file, a reference to a secret in a key vault"
    },
}
CONNECTOR_NAME = {
    "type": "string",
    "defaultValue": "chorus",
    "metadata": {"description": "The name of the custom connector, as `connector.json` deploys it"},
}
LOCATION = {"type": "string", "defaultValue": "[resourceGroup().location]"}
BY_URL: JSON = {
    "chorus_url": {"name": "chorusUrl", "parameter": CHORUS_URL, "value": "[parameters('chorusUrl')]"},
    "chorus_key": {"name": "chorusKey", "parameter": CHORUS_KEY, "value": "[parameters('chorusKey')]"},
}
MAIL: JSON = {
    "approver": {"name": "approver", "parameter": {"type": "string"}, "value": "[parameters('approver')]"},
    "least_agreement": {
        "name": "leastAgreement",
        "parameter": {"type": "string"},
        "value": "[json(parameters('leastAgreement'))]",
    },
}


def _connection(name: str, title: str, api: str, parameters: JSON, secrets: JSON) -> JSON:
    """A connection that a template makes, and how its workflow is told of it."""
    own = f"{name}Connection"
    resource_id = f"[resourceId('Microsoft.Web/connections', parameters('{own}'))]"
    return {
        "parameters": {own: {"type": "string", "defaultValue": name}, **parameters},
        "value": {"connectionId": resource_id, "connectionName": f"[parameters('{own}')]", "id": api},
        "resource": {
            "type": "Microsoft.Web/connections",
            "apiVersion": CONNECTION_API,
            "name": f"[parameters('{own}')]",
            "location": "[parameters('location')]",
            "properties": {"displayName": title, "api": {"id": api}, **secrets},
        },
    }


CONNECTIONS: JSON = {
    "office365": _connection(
        "office365",
        "Office 365 Outlook",
        "[subscriptionResourceId('Microsoft.Web/locations/managedApis', parameters('location'), 'office365')]",
        {},
        {},
    ),
    "chorus": _connection(
        "chorus",
        "Chorus",
        "[resourceId('Microsoft.Web/customApis', parameters('connectorName'))]",
        {"connectorName": CONNECTOR_NAME, "chorusKey": CHORUS_KEY},
        {"parameterValues": {"api_key": "[parameters('chorusKey')]"}},
    ),
}


def templates() -> dict[str, JSON]:
    """Each template by its file name."""
    workflows = sorted((CONNECTOR / "workflows").glob("*.json"))
    found = {path.name: _workflow_template(path.stem, _read(path)) for path in workflows}
    if (CONNECTOR / DEFINITION).exists():
        found["connector.json"] = _connector_template(_read(CONNECTOR / DEFINITION))
    return found


def text_of(template: JSON) -> str:
    """A template as its file has it."""
    return json.dumps(template, indent=2, ensure_ascii=False) + "\n"


def escaped(value: Any) -> Any:
    """JSON in which no string is an expression of ARM, which begins with a bracket."""
    if isinstance(value, str):
        return f"[{value}" if value.startswith("[") else value
    if isinstance(value, dict):
        return {key: escaped(part) for key, part in value.items()}
    return [escaped(part) for part in value] if isinstance(value, list) else value


def _workflow_template(name: str, definition: JSON) -> JSON:
    connections = [connection for connection in CONNECTIONS if f"['{connection}']" in json.dumps(definition)]
    by_url = {name: part for name, part in BY_URL.items() if name in definition["parameters"]}
    approval = MAIL if "approver" in definition["parameters"] else {}
    parameters: JSON = {
        "logicAppName": {"type": "string", "defaultValue": f"chorus-{name}"},
        "location": LOCATION,
        **{part["name"]: part["parameter"] for part in by_url.values()},
        **{name: part for connection in connections for name, part in CONNECTIONS[connection]["parameters"].items()},
        **{part["name"]: _described(part, definition["parameters"][name]) for name, part in approval.items()},
    }
    values: JSON = {name: {"value": part["value"]} for name, part in {**by_url, **approval}.items()}
    if connections:
        values["$connections"] = {"value": {name: CONNECTIONS[name]["value"] for name in connections}}
    workflow: JSON = {
        "type": "Microsoft.Logic/workflows",
        "apiVersion": WORKFLOW_API,
        "name": "[parameters('logicAppName')]",
        "location": "[parameters('location')]",
        "dependsOn": [CONNECTIONS[name]["value"]["connectionId"] for name in connections],
        "properties": {"state": "Enabled", "definition": escaped(definition), "parameters": values},
    }
    return _template(parameters, [*(CONNECTIONS[name]["resource"] for name in connections), workflow])


def _described(part: JSON, parameter: JSON) -> JSON:
    """A parameter of the template for one of the workflow. ARM has no numbers with a point, so they are texts there."""
    default = {"defaultValue": str(parameter["defaultValue"])} if "defaultValue" in parameter else {}
    return {**part["parameter"], **default, "metadata": parameter["metadata"]}


def _connector_template(swagger: JSON) -> JSON:
    """The custom connector for the app at `chorusHost`, with the definition and the properties of this folder."""
    properties = _read(CONNECTOR / "apiProperties.json")["properties"]
    parameters: JSON = {
        "connectorName": CONNECTOR_NAME,
        "location": LOCATION,
        "chorusHost": {
            "type": "string",
            "metadata": {"description": "The host of your Chorus app, without https://, such as APP.azurewebsites.net"},
        },
    }
    resource: JSON = {
        "type": "Microsoft.Web/customApis",
        "apiVersion": CUSTOM_API,
        "name": "[parameters('connectorName')]",
        "location": "[parameters('location')]",
        "properties": {
            "displayName": swagger["info"]["title"],
            "description": swagger["info"]["description"],
            "apiType": "Rest",
            "brandColor": properties["iconBrandColor"],
            "capabilities": properties["capabilities"],
            "connectionParameters": properties["connectionParameters"],
            "backendService": {
                "serviceUrl": f"[concat('https://', parameters('chorusHost'), '{swagger['basePath']}')]"
            },
            "swagger": "[union(variables('swagger'), createObject('host', parameters('chorusHost')))]",
        },
    }
    return {**_template(parameters, [resource]), "variables": {"swagger": escaped(swagger)}}


def _template(parameters: JSON, resources: list[JSON]) -> JSON:
    return {
        "$schema": SCHEMA,
        "contentVersion": "1.0.0.0",
        "parameters": parameters,
        "variables": {},
        "resources": resources,
        "outputs": {},
    }


def _read(path: Path) -> JSON:
    return json.loads(path.read_text("utf-8"))


def main() -> int:
    """Write all templates."""
    for name, template in templates().items():
        (TEMPLATES / name).write_text(text_of(template), "utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
