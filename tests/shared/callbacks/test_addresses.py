"""The addresses that are connected to, and all the others."""

from __future__ import annotations

from ipaddress import IPv4Address, IPv6Address, ip_network

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.callbacks.addresses import refusal_of

PUBLIC = ["8.8.8.8", "20.50.1.1", "2606:4700:4700::1111", "2a01:111:f403::1"]
NOT_PUBLIC = [
    "0.0.0.0", "0.1.2.3", "10.0.0.1", "100.64.0.1", "100.100.100.200", "127.0.0.1", "127.255.255.254",
    "169.254.169.254",
    "168.63.129.16", "172.16.0.1", "172.31.255.255", "192.0.0.1", "192.0.2.1", "192.88.99.1", "192.168.1.1",
    "198.18.0.1", "198.51.100.1", "203.0.113.1", "224.0.0.1", "239.1.1.1", "240.0.0.1", "255.255.255.255",
    "::", "::1", "::127.0.0.1", "::ffff:127.0.0.1", "::ffff:10.0.0.1", "::ffff:169.254.169.254", "64:ff9b::10.0.0.1",
    "64:ff9b::169.254.169.254", "64:ff9b::8.8.8.8", "64:ff9b:1::8.8.8.8",
    "::ffff:8.8.8.8", "100::1", "2001::1", "2001:db8::1", "2002:7f00:1::", "2002:a00:1::1",
    "fc00::1", "fd00:ec2::254", "fe80::1", "fe80::1%eth0", "fec0::1", "ff02::1",
]  # fmt: skip
PRIVATE_NETS = [
    ip_network(net) for net in ("10.0.0.0/8", "127.0.0.0/8", "169.254.0.0/16", "192.168.0.0/16", "0.0.0.0/8")
]


@pytest.mark.parametrize("address", PUBLIC)
def test_a_public_address_is_called(address: str) -> None:
    assert refusal_of(address) is None


@pytest.mark.parametrize("address", [*NOT_PUBLIC, "not an address", ""])
def test_any_other_is_refused(address: str) -> None:
    assert refusal_of(address)


private = st.sampled_from(PRIVATE_NETS).flatmap(
    lambda net: st.integers(int(net.network_address), int(net.broadcast_address)).map(IPv4Address)
)


@given(private)
def test_a_private_address_is_refused_in_every_ipv6_that_carries_it(address: IPv4Address) -> None:
    last = int(address)
    carriers = [0xFFFF << 32 | last, 0x64FF9B << 96 | last, last, 0x2002 << 112 | last << 80 | 1]
    assert all(refusal_of(str(IPv6Address(carrier))) for carrier in carriers)
    assert refusal_of(str(address))


@pytest.mark.parametrize(
    ("address", "may"), [("127.0.0.1", True), ("::1", True), ("10.0.0.1", False), ("8.8.8.8", False)]
)
def test_a_loopback_name_leads_to_this_machine_only(address: str, may: bool) -> None:
    assert (refusal_of(address, loopback=True) is None) == may
