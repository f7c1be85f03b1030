"""Where connections may go: a name is resolved once, its addresses are checked, and only those are connected to.

The options `OUTGOING_DENY` and `OUTGOING_ALLOW` say where to. By default the addresses at which clouds hand out
credentials are denied. A connection is given the policy, and asks it for every host, also for one it is sent on to.
"""

import asyncio
import ipaddress
import re
import socket
from dataclasses import dataclass
from fnmatch import fnmatchcase
from functools import lru_cache

from connectors.types.base import ConnectionFailed
from records import configuration

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Network = ipaddress.IPv4Network | ipaddress.IPv6Network

# Link-local, where most clouds have their metadata, and the addresses of those that have it elsewhere; nobody's.
DEFAULT_DENY = (
    "169.254.0.0/16", "fe80::/10", "fd00:ec2::254/128", "fd20:ce::254/128", "100.100.100.200/32", "168.63.129.16/32",
    "192.0.0.192/32", "metadata.google.internal", "0.0.0.0/8", "::/128", "224.0.0.0/4", "ff00::/8",
    "255.255.255.255/32",
)  # fmt: skip
_NAME = re.compile(r"(\*\.)?[\w-]+(\.[\w-]+)*\.?")
# IPv6 addresses that stand for an IPv4 address, which is what would be reached: by how many bits it is shifted.
_WRAPPED = {
    ipaddress.IPv6Network("64:ff9b::/96"): 0,
    ipaddress.IPv6Network("::/96"): 0,
    ipaddress.IPv6Network("2002::/16"): 80,
}


class OutgoingDenied(ConnectionFailed):
    """The policy of this engine does not let connections go there."""


@dataclass(frozen=True)
class Rules:
    """Networks and names of hosts, each with a port or for all."""

    networks: tuple[tuple[Network, int | None], ...] = ()
    names: tuple[tuple[str, int | None], ...] = ()

    def __bool__(self) -> bool:
        return bool(self.networks or self.names)

    def name_matches(self, host: str, port: int) -> bool:
        return any(fnmatchcase(host, name) and only in (None, port) for name, only in self.names)

    def address_matches(self, address: Address, port: int) -> bool:
        return any(
            address.version == network.version and address in network and only in (None, port)
            for network, only in self.networks
        )


@dataclass(frozen=True)
class Policy:
    """What is denied, and what alone is allowed (nothing: everything else)."""

    deny: Rules
    allow: Rules

    async def addresses(self, host: str, port: int) -> list[str]:
        """Return the addresses of this host that may be connected to. Raises OutgoingDenied, ConnectionFailed."""
        name = host.rstrip(".").lower()
        if self.deny.name_matches(name, port):
            raise OutgoingDenied(
                f"Connections to {host} are denied by the policy of this engine (OUTGOING_DENY)."
            )
        may_by_name = not self.allow or self.allow.name_matches(name, port)
        allowed, refused = [], []
        for text in await _resolve(host, port):
            address = unwrapped(ipaddress.ip_address(text.split("%")[0]))
            if self.deny.address_matches(address, port):
                refused.append(f"{address} is denied by the policy of this engine (OUTGOING_DENY)")
            elif not may_by_name and not self.allow.address_matches(address, port):
                refused.append(
                    f"{address} is not among what the policy of this engine allows (OUTGOING_ALLOW)"
                )
            else:
                allowed.append(text)
        if not allowed:
            raise OutgoingDenied(f"No connection is made to {host}: {'; '.join(refused)}.")
        return allowed


def present_policy() -> Policy:
    """Return the policy that is in force."""
    deny, allow = (tuple(configuration.value(name)) for name in ("OUTGOING_DENY", "OUTGOING_ALLOW"))
    return Policy(rules(deny), rules(allow))


@lru_cache(maxsize=16)
def rules(entries: tuple[str, ...]) -> Rules:
    """Return these entries as rules. Raises ValueError for one that is none."""
    networks: list[tuple[Network, int | None]] = []
    names: list[tuple[str, int | None]] = []
    for entry in entries:
        if entry == "default":
            found = rules(DEFAULT_DENY)
            networks += found.networks
            names += found.names
        elif entry != "none":
            place, port = _parted(entry)
            try:
                networks.append((ipaddress.ip_network(place, strict=False), port))
            except ValueError:
                if not _NAME.fullmatch(place):
                    raise ValueError(
                        f"{entry!r} is neither a network such as 10.0.0.0/8, nor an address or a host name, which may"
                        " begin with *. and end in :port."
                    ) from None
                names.append((place.rstrip(".").lower(), port))
    return Rules(tuple(networks), tuple(names))


def check_entry(entry: str) -> None:
    """Raise ValueError when this is no entry of a list of rules."""
    rules((entry,))


def unwrapped(address: Address) -> Address:
    """Return the IPv4 address that an IPv6 address stands for, if it stands for one."""
    if isinstance(address, ipaddress.IPv6Address):
        if address.ipv4_mapped:
            return address.ipv4_mapped
        for network, shift in _WRAPPED.items():
            if address in network and int(address) > 1:
                return ipaddress.IPv4Address(int(address) >> shift & 0xFFFFFFFF)
    return address


def _parted(entry: str) -> tuple[str, int | None]:
    """Part `host:port`, `[address]:port`, or what has no port."""
    if entry.startswith("["):
        place, _, port = entry[1:].partition("]")
        return place, int(port[1:]) if port.startswith(":") and port[1:].isdecimal() else None
    place, colon, port = entry.rpartition(":")
    if colon and port.isdecimal() and ":" not in place:
        return place, int(port)
    return entry, None


async def _resolve(host: str, port: int) -> list[str]:
    try:
        return [str(ipaddress.ip_address(host))]  # no thread is needed for what is an address already
    except ValueError:
        pass
    try:
        found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        words = error.strerror if isinstance(error, OSError) else "it is no name of a host"
        raise ConnectionFailed(f"The host {host!r} is not found: {words}.") from error
    return list(dict.fromkeys(str(each[4][0]) for each in found))
