"""Which addresses the app may connect to for a caller: those of the public internet, and no others."""

from __future__ import annotations

from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network

WIRE_SERVER = ip_address("168.63.129.16")
"""Azure's platform, at each virtual machine: public by its number, and nothing that a caller should reach."""
RELAYS = ip_network("192.88.99.0/24")
"""The relays of 6to4: where the packets come out is not to be seen."""


def refusal_of(address: str, *, loopback: bool = False) -> str | None:
    """Why the app does not connect to `address`; None if it may. With `loopback`: to this machine, and nowhere else."""
    try:
        found = ip_address(address.partition("%")[0])
    except ValueError:
        return "it has an address that cannot be read"
    if loopback:
        return None if found.is_loopback else "a loopback name must lead to this machine"
    return None if _is_public(found) else "it leads to an address that is not on the public internet"


def _is_public(address: IPv4Address | IPv6Address) -> bool:
    # What is reserved includes NAT64 and the compatible form, in which an IPv4 address stands at the end.
    special = address.is_multicast or address.is_reserved or address.is_unspecified or address.is_link_local
    if isinstance(address, IPv6Address):
        special = special or address.is_site_local or _carries_ipv4(address)
    else:
        special = special or address in RELAYS
    return address.is_global and not special and address != WIRE_SERVER


def _carries_ipv4(address: IPv6Address) -> bool:
    """Whether the packets go to an IPv4 address that it names: mapped, 6to4, Teredo."""
    return any(carried is not None for carried in (address.ipv4_mapped, address.sixtofour, address.teredo))
