"""Which addresses the app may connect to for a caller: those of the public internet, and no others."""

from __future__ import annotations

from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address, ip_network

WIRE_SERVER = ip_address("168.63.129.16")
"""Azure's platform at each virtual machine: public by its number, and not for tenants' tenants."""

WITH_IPV4_AT_THE_END = (IPv6Network("64:ff9b::/96"), IPv6Network("64:ff9b:1::/48"), IPv6Network("::/96"))
"""NAT64, and the compatible form of old: the last 32 bits say where the packets go."""
RELAYS = (IPv6Network("2001::/32"), ip_network("192.88.99.0/24"))
"""Teredo and the 6to4 relays: where the packets come out is not to be seen."""


def refusal_of(address: str, *, loopback: bool = False) -> str | None:
    """Why the app does not connect to `address`; None if it may. With `loopback`: to this machine, and nowhere else."""
    try:
        found = ip_address(address.partition("%")[0])
    except ValueError:
        return "it has an address that cannot be read"
    if loopback:
        return None if found.is_loopback else "a loopback name must lead to this machine"
    meant = [found, *_carried_by(found)]
    return None if all(map(_is_public, meant)) else "it leads to an address that is not on the public internet"


def _carried_by(address: IPv4Address | IPv6Address) -> list[IPv4Address]:
    """The IPv4 addresses that an IPv6 address stands for."""
    if isinstance(address, IPv4Address):
        return []
    last = [IPv4Address(int(address) & 0xFFFF_FFFF)] if any(address in net for net in WITH_IPV4_AT_THE_END) else []
    return [carried for carried in (address.ipv4_mapped, address.sixtofour, *last) if carried is not None]


def _is_public(address: IPv4Address | IPv6Address) -> bool:
    special = address.is_multicast or address.is_reserved or address.is_unspecified or address.is_link_local
    relayed = any(address.version == net.version and address in net for net in RELAYS)
    return _is_global(address) and not special and not relayed and address != WIRE_SERVER


def _is_global(address: IPv4Address | IPv6Address) -> bool:
    # An address that only carries another is judged by what it carries.
    return address.is_global or (isinstance(address, IPv6Address) and address.ipv4_mapped is not None)
