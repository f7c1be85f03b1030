"""Networks from which a webhook may be called. Pure: no request, no database."""

from collections.abc import Iterable
from ipaddress import IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from typing import Any


def check_network(given: Any) -> str:
    """Return what is wrong with a list of networks, empty when nothing is."""
    if not isinstance(given, list):
        return 'Give a list of networks, for example ["192.0.2.0/24"].'
    for text in given:
        try:
            _network(text)
        except (ValueError, TypeError):
            return f"{text!r} is neither a network such as 192.0.2.0/24 or 2001:db8::/32, nor an address."
    return ""


def is_inside(address: str, networks: Iterable[str]) -> bool:
    """Tell whether the address is in one of the networks. What is no address is in none."""
    try:
        found: Any = ip_address(address.partition("%")[0])
    except ValueError:
        return False
    if isinstance(found, IPv6Address) and found.ipv4_mapped:
        found = found.ipv4_mapped
    return any(found in _network(text) for text in networks)


def _network(text: Any) -> IPv4Network | IPv6Network:
    if not isinstance(text, str):
        raise TypeError
    return ip_network(text.strip(), strict=False)
