"""The private network: the subnet that Flex Consumption wants, and an endpoint with a zone for all that is private."""

from __future__ import annotations

import re
from itertools import pairwise

from tests.infra.bicep import INFRA, properties_of, read, text_of, value_of, walk

MAIN = read(INFRA / "main.bicep")
NETWORK = read(INFRA / "modules" / "network.bicep")
SUBNETS = {one["name"]: one["properties"] for one in NETWORK.named("network").at("properties.subnets")}
ZONES = {
    "blobZone": ("blob", "privatelink.blob.${storageSuffix}"),
    "queueZone": ("queue", "privatelink.queue.${storageSuffix}"),
    "tableZone": ("table", "privatelink.table.${storageSuffix}"),
    "modelZone": ("account", "privatelink.openai.azure.com"),
    "vaultZone": ("vault", "privatelink.vaultcore.azure.net"),
}
"""Zone and group of a private endpoint ("Azure Private Endpoint private DNS zone values")."""


def endpoints() -> list[dict[str, str]]:
    """The private endpoints of `main.bicep`, each property as it is written."""
    objects = [node for node in walk(MAIN.named("privateEndpoints").node) if node.type == "object"]
    found = [{key: text_of(value).strip("'") for key, value in properties_of(node)} for node in objects]
    return [one for one in found if "targetId" in one]


def test_the_subnet_of_the_app_is_one_that_flex_consumption_takes() -> None:
    delegations = SUBNETS["app"]["delegations"]
    assert [one["properties"]["serviceName"] for one in delegations] == ["Microsoft.App/environments"]
    assert "delegations" not in SUBNETS["private-endpoints"]
    assert all("_" not in name for name in SUBNETS)


def test_the_subnets_lie_beside_each_other_and_are_large_enough() -> None:
    parts = [
        tuple(map(int, re.fullmatch(r"cidrSubnet\(addressPrefix, (\d+), (\d+)\)", one["addressPrefix"].text).groups()))  # type: ignore[union-attr]
        for one in SUBNETS.values()
    ]
    assert all(size <= 27 for size, _ in parts)  # the least for Flex Consumption, "Subnets"
    assert all(one[0] == other[0] and one[1] < other[1] for one, other in pairwise(parts))


def test_the_outputs_name_the_subnets_that_are_made() -> None:
    outputs = [value_of(one.value_node) for one in NETWORK.of("output") if one.value_node]
    assert outputs == [f"${{network.id}}/subnets/{name}" for name in SUBNETS]


def test_every_endpoint_has_the_zone_of_its_group() -> None:
    assert {name: group for name, (group, _) in ZONES.items()} == {one["zone"]: one["group"] for one in endpoints()}
    for name, (_, zone) in ZONES.items():
        assert value_of(MAIN.named(name).value_node) == zone  # type: ignore[arg-type]


def test_every_zone_is_made_where_its_endpoints_are() -> None:
    zones = text_of(next(value for key, value in properties_of(params_of("network")) if key == "zoneNames"))
    assert zones == (
        "concat([blobZone, queueZone, tableZone], makesModel ? [modelZone] : [], sendsCallbacks ? [vaultZone] : [])"
    )


def test_all_that_is_closed_to_the_public_has_its_endpoints() -> None:
    closed = {one.name for one in MAIN.of("module") if "privateNetwork" in one.at("params")}
    reached = {(re.sub(r"!?\.outputs\.\w+", "", one["targetId"]), one["group"]) for one in endpoints()}
    assert {name for name, _ in reached} == closed
    assert {group for name, group in reached if name == "hostStorage"} == {"blob", "queue", "table"}


def params_of(module: str):
    """The parameters of a module of `main.bicep`, as they stand in the tree."""
    return next(value for key, value in properties_of(MAIN.named(module).body_node) if key == "params")
