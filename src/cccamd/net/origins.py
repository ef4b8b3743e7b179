"""Where a connection comes from, as far as one person can hold it: address, and network.

Whoever has one IPv6 address mostly has 2**64 of them, so those count as one source. A network is
what one customer of a provider, or one rented rack, may have: it is looked at after the source.
"""

from functools import lru_cache
from ipaddress import IPv6Address, IPv6Network
from typing import Final, NamedTuple

from cccamd.errors import NumberError
from cccamd.ids import parse_address

SOURCE_BITS: Final = 64
"""Of an IPv6 address; of an IPv4 address all are its source's."""
NETWORK_BITS: Final = 48
"""Of an IPv6 address: what providers give to one site. Of an IPv4 address 24."""


class Origin(NamedTuple):
    """The two names under which a connection is counted; both are for people, too."""

    source: str
    """`192.0.2.7`, `2001:db8:1:2::/64`."""
    network: str
    """`192.0.2.0/24`, `2001:db8:1::/48`."""


@lru_cache(maxsize=512)  # asked several times for each connection
def origin_of(address: str) -> Origin:
    """Where an address, as sockets name it, belongs; what is no address is a source of its own."""
    try:
        parsed = parse_address(address)
    except NumberError:
        return Origin(address, address)
    if isinstance(parsed, IPv6Address):
        return Origin(_network(parsed, SOURCE_BITS), _network(parsed, NETWORK_BITS))
    text = str(parsed)
    if text == address:
        text = address  # one object for all who keep it
    return Origin(text, f"{text.rpartition('.')[0]}.0/24")


def is_network(name: str) -> bool:
    """Whether one of the two names is that of a network."""
    return name.endswith(("/24", f"/{NETWORK_BITS}"))


def _network(address: IPv6Address, bits: int) -> str:
    return str(IPv6Network((int(address), bits), strict=False))
