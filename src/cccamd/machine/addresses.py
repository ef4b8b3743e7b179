"""The addresses of this machine, and by which one it reaches the world."""

import socket
from collections.abc import Iterable
from dataclasses import dataclass
from enum import Enum
from ipaddress import (
    IPv4Address,
    IPv4Network,
    IPv6Address,
    IPv6Network,
    ip_address,
    ip_network,
)
from pathlib import Path
from typing import Final

import psutil

from cccamd.errors import NumberError
from cccamd.ids import parse_address

SocketAddress = tuple[str, int] | tuple[str, int, int, int]
"""As sockets have them: of IPv4, or of IPv6 with flow and scope."""

_NOWHERE_4: Final = "192.0.2.1"
_NOWHERE_6: Final = "2001:db8::1"
"""Documentation addresses: nobody has them, so the way to them is the default route."""
_NOWHERE: Final[tuple[SocketAddress, ...]] = ((_NOWHERE_4, 0), (_NOWHERE_6, 0, 0, 0))
_LOOPBACK_INTERFACE: Final = "lo"
_LOOPBACK: Final = "127.0.0.1"
_DISCARD_PORT: Final = 9
KNOCK_TIMEOUT: Final = 2.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Addresses:
    """How this machine is connected."""

    outward: IPv4Address | None
    """The IPv4 address with which we reach the world; None: there is no default route."""
    interface: str
    """The interface that has it; empty if unknown."""
    outward6: IPv6Address | None
    tunnels: tuple[str, ...]
    """WireGuard interfaces."""


def look_at_addresses() -> Addresses:
    """Ask the kernel; no packet is sent."""
    outward = _outward(socket.AF_INET, _NOWHERE_4)
    outward6 = _outward(socket.AF_INET6, _NOWHERE_6)
    return Addresses(
        outward=IPv4Address(outward) if outward else None,
        interface=_interface_with(outward) if outward else "",
        outward6=IPv6Address(outward6.split("%")[0]) if outward6 else None,
        tunnels=tuple(_wireguards(name for _, name in socket.if_nameindex())),
    )


def own_address() -> str:
    """The address by which others in the network reach this machine; no packet is sent."""
    return _outward(socket.AF_INET, _NOWHERE_4) or _LOOPBACK


def route_to(address: SocketAddress) -> str | None:
    """The own address with which one gets to another; None: this machine knows no way there.

    No packet is sent: connecting a UDP socket chooses the route.
    """
    family = socket.AF_INET if len(address) == 2 else socket.AF_INET6
    try:
        with socket.socket(family, socket.SOCK_DGRAM) as probe:
            probe.connect((address[0], _DISCARD_PORT, *address[2:]))
            return str(probe.getsockname()[0])
    except OSError:
        return None


def has_default_route() -> bool:
    """Whether this machine knows a way to the world, by IPv4 or IPv6."""
    return any(route_to(nowhere) is not None for nowhere in _NOWHERE)


def is_cut_off() -> bool:
    """Whether no way leads out of this machine: no interface is up that has an address."""
    states = psutil.net_if_stats()
    return not any(
        states[name].isup
        and name != _LOOPBACK_INTERFACE
        and any(_is_routed(own.family, own.address) for own in addresses)
        for name, addresses in psutil.net_if_addrs().items()
        if name in states
    )


def _is_routed(family: int, address: str) -> bool:
    """Whether it is more than what an interface gives itself (fe80::, 169.254)."""
    if family not in (socket.AF_INET, socket.AF_INET6):
        return False
    return not parse_address(address.split("%")[0]).is_link_local


def own_addresses() -> frozenset[str]:
    """All addresses of this machine's interfaces, as they are compared; without zones."""
    return frozenset(
        own.address.split("%")[0]
        for addresses in psutil.net_if_addrs().values()
        for own in addresses
        if own.family in (socket.AF_INET, socket.AF_INET6)
    )


def is_near(address: str) -> bool:
    """Whether an address lies in a network that an interface of this machine is part of."""
    try:
        wanted = parse_address(address)
    except NumberError:
        return False
    return any(
        wanted in network for network in _own_networks() if network.version == wanted.version
    )


def _own_networks() -> Iterable[IPv4Network | IPv6Network]:
    for addresses in psutil.net_if_addrs().values():
        for own in addresses:
            if own.family in (socket.AF_INET, socket.AF_INET6) and own.netmask:
                mask = bin(int(ip_address(own.netmask))).count("1")
                yield ip_network(f"{own.address.split('%')[0]}/{mask}", strict=False)


def _outward(family: socket.AddressFamily, nowhere: str) -> str | None:
    return route_to((nowhere, 0) if family == socket.AF_INET else (nowhere, 0, 0, 0))


def _interface_with(address: str) -> str:
    for name, addresses in psutil.net_if_addrs().items():
        if any(found.address == address for found in addresses):
            return name
    return ""


def _wireguards(names: Iterable[str]) -> Iterable[str]:
    """psutil knows no kinds of interfaces, and leaves out those without an address."""
    for name in names:
        try:
            text = Path(f"/sys/class/net/{name}/uevent").read_text()
        except OSError:
            continue
        if "DEVTYPE=wireguard" in text.splitlines():
            yield name


# A connection to ourselves.


class Knock(Enum):
    """What a connection from this machine to its own outward address came to."""

    ANSWERED = "answered"
    SILENT = "no answer"
    REFUSED = "refused"
    NOT_TRIED = "not tried"


def knock(address: IPv4Address | None, port: int) -> Knock:
    """Connect to an address of our own, as a client would; nothing leaves the machine."""
    if address is None:
        return Knock.NOT_TRIED
    try:
        with socket.create_connection((str(address), port), timeout=KNOCK_TIMEOUT):
            return Knock.ANSWERED
    except TimeoutError:
        return Knock.SILENT
    except OSError:
        return Knock.REFUSED
