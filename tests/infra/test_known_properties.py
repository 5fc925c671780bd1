from __future__ import annotations

import json

import pytest

from tests.infra.bicep import all_templates, parse
from tests.infra.known_properties import ASKED_OF_NOBODY, MODELS, RECORD, used_by

KNOWN = json.loads(RECORD.read_text(encoding="utf-8"))


def test_the_services_know_every_property_that_is_set() -> None:
    assert used_by(all_templates()) == KNOWN, "tests/infra/known_properties.py says how to ask them again"


def test_every_type_is_asked_about_or_has_nothing_to_ask() -> None:
    types = {one.resource_type for template in all_templates() for one in template.of("resource")}
    assert types == MODELS.keys() | ASKED_OF_NOBODY
    assert KNOWN.keys() == MODELS.keys()


@pytest.mark.parametrize(
    ("body", "path"),
    [
        ("properties: { allowSharedKeyAcces: false }", "properties.allowSharedKeyAcces"),
        ("properties: { minimumTlsVersion: 'TLS9_9' }", "properties.minimumTlsVersion=TLS9_9"),
        ("properties: { networkAcls: { bypas: 'None' } }", "properties.networkAcls.bypas=None"),
        ("kind: 'StorageV9'", "kind=StorageV9"),
    ],
)
def test_a_property_that_nobody_has_asked_about_is_seen(body: str, path: str) -> None:
    kind = "Microsoft.Storage/storageAccounts"
    used = used_by([parse(f"resource x '{kind}@2024-01-01' = {{ name: 'x', {body} }}")])
    assert used == {kind: [path]}
    assert path not in KNOWN[kind]


def test_the_keys_of_tags_and_identities_are_names_and_not_properties() -> None:
    source = """
resource x 'Microsoft.Web/sites@2024-04-01' = {
  tags: { Anything: 'Goes' }
  identity: { userAssignedIdentities: { '${id}': {} } }
}
"""
    assert used_by([parse(source)]) == {"Microsoft.Web/sites": ["identity.userAssignedIdentities", "tags"]}
