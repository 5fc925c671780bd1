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
LOCATION = {"type": "string", "defaultValue": "[resourceGroup().location]"}
OFFICE365 = "[subscriptionResourceId('Microsoft.Web/locations/managedApis', parameters('location'), 'office365')]"
CONNECTION = "[resourceId('Microsoft.Web/connections', parameters('office365Connection'))]"


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
    by_mail = "$connections" in definition["parameters"]
    parameters: JSON = {
        "logicAppName": {"type": "string", "defaultValue": f"chorus-{name}"},
        "location": LOCATION,
        "chorusUrl": CHORUS_URL,
        "chorusKey": CHORUS_KEY,
    }
    values: JSON = {
        "chorus_url": {"value": "[parameters('chorusUrl')]"},
        "chorus_key": {"value": "[parameters('chorusKey')]"},
    }
    if by_mail:
        parameters |= _mail_parameters(definition)
        values |= {
            "approver": {"value": "[parameters('approver')]"},
            "least_agreement": {"value": "[json(parameters('leastAgreement'))]"},
            "$connections": {
                "value": {
                    "office365": {
                        "connectionId": CONNECTION,
                        "connectionName": "[parameters('office365Connection')]",
                        "id": OFFICE365,
                    }
                }
            },
        }
    workflow: JSON = {
        "type": "Microsoft.Logic/workflows",
        "apiVersion": WORKFLOW_API,
        "name": "[parameters('logicAppName')]",
        "location": "[parameters('location')]",
        "dependsOn": [CONNECTION] if by_mail else [],
        "properties": {"state": "Enabled", "definition": escaped(definition), "parameters": values},
    }
    return _template(parameters, [*([_mail_connection()] if by_mail else []), workflow])


def _mail_parameters(definition: JSON) -> JSON:
    agreement = definition["parameters"]["least_agreement"]
    return {
        "office365Connection": {
            "type": "string",
            "defaultValue": "office365",
            "metadata": {"description": "The connection that sends the mail; sign in to it once after the deployment"},
        },
        "approver": {"type": "string", "metadata": definition["parameters"]["approver"]["metadata"]},
        "leastAgreement": {
            "type": "string",
            "defaultValue": str(agreement["defaultValue"]),
            "metadata": agreement["metadata"],
        },
    }


def _mail_connection() -> JSON:
    return {
        "type": "Microsoft.Web/connections",
        "apiVersion": CONNECTION_API,
        "name": "[parameters('office365Connection')]",
        "location": "[parameters('location')]",
        "properties": {"displayName": "Office 365 Outlook", "api": {"id": OFFICE365}},
    }


def _connector_template(swagger: JSON) -> JSON:
    """The custom connector for the app at `chorusHost`, with the definition and the properties of this folder."""
    properties = _read(CONNECTOR / "apiProperties.json")["properties"]
    parameters: JSON = {
        "connectorName": {"type": "string", "defaultValue": "chorus"},
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
