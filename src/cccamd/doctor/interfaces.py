"""The addresses of this machine, and by which one it reaches the world. No packet is sent."""

import fcntl
import socket
import struct
from collections.abc import Iterable
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address
from pathlib import Path
from typing import Final

_SIOCGIFADDR: Final = 0x8915
_NAME_LENGTH: Final = 15
_NOWHERE_4: Final = "192.0.2.1"
_NOWHERE_6: Final = "2001:db8::1"
"""Documentation addresses: nobody has them, so the way to them is the default route."""


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
    """Ask the kernel."""
    outward = _outward(socket.AF_INET, _NOWHERE_4)
    outward6 = _outward(socket.AF_INET6, _NOWHERE_6)
    names = [name for _, name in socket.if_nameindex()]
    return Addresses(
        outward=IPv4Address(outward) if outward else None,
        interface=_interface_with(outward, names) if outward else "",
        outward6=IPv6Address(outward6.split("%")[0]) if outward6 else None,
        tunnels=tuple(name for name in names if _is_wireguard(name)),
    )


def _outward(family: socket.AddressFamily, nowhere: str) -> str | None:
    """Connecting a UDP socket chooses the route and sends nothing."""
    try:
        with socket.socket(family, socket.SOCK_DGRAM) as probe:
            probe.connect((nowhere, 9))
            return str(probe.getsockname()[0])
    except OSError:
        return None


def _interface_with(address: str, names: Iterable[str]) -> str:
    return next((name for name in names if _address_of(name) == address), "")


def _address_of(interface: str) -> str | None:
    """The first IPv4 address of an interface."""
    request = struct.pack("256s", interface.encode()[:_NAME_LENGTH])
    try:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
            answer = fcntl.ioctl(probe.fileno(), _SIOCGIFADDR, request)
    except OSError:
        return None
    return socket.inet_ntoa(answer[20:24])


def _is_wireguard(interface: str) -> bool:
    try:
        text = Path(f"/sys/class/net/{interface}/uevent").read_text()
    except OSError:
        return False
    return "DEVTYPE=wireguard" in text.splitlines()
