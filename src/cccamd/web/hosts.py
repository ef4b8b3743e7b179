"""Whether a request means this server by its `Host` header.

A page of a stranger may name a server of its own that turns out to have our address ("DNS
rebinding"): then the browser lets that page read ours. It gives itself away by the name that it
asks for.
"""

import socket
from collections.abc import Collection
from typing import Final

from cccamd.errors import NumberError
from cccamd.ids import parse_address
from cccamd.machine import own_addresses

LOCAL_SUFFIXES: Final = ("local", "lan", "home", "home.arpa", "internal", "localdomain")
"""Domains that nobody can have in the world: mDNS, and what routers call a network at home."""


def is_meant(host: str | None, reached_at: str, named: Collection[str]) -> bool:
    """Say whether a `Host` header means us.

    `reached_at` is the address that the connection came to, `named` what the operator added. Who
    sends no such header is no browser. Two old readers write a stray `t` behind the name
    (docs/webinfo.md section 3), which makes none that anybody else could have.
    """
    if host is None:
        return True
    name = _without_port(host).lower().removesuffix(".")
    return any(_is_ours(each, reached_at, named) for each in (name, name.removesuffix("t")))


def _is_ours(name: str, reached_at: str, named: Collection[str]) -> bool:
    if name in {each.lower() for each in named}:
        return True
    try:
        address = str(parse_address(name))
    except NumberError:
        return name in _own_names()
    return address == reached_at or address in own_addresses()


def _without_port(host: str) -> str:
    if host.startswith("["):
        return host[1:].partition("]")[0]
    return host.partition(":")[0]


def _own_names() -> set[str]:
    own = socket.gethostname().lower()
    label = own.partition(".")[0]
    return {"localhost", own, label, *(f"{label}.{suffix}" for suffix in LOCAL_SUFFIXES)}
