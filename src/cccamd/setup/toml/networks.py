"""Which addresses clients may come from."""

from dataclasses import dataclass
from functools import lru_cache
from ipaddress import IPv4Network, IPv6Network, ip_interface, ip_network

from cccamd.errors import NumberError
from cccamd.ids import parse_address

Network = IPv4Network | IPv6Network

LOOPBACK: tuple[Network, ...] = (ip_network("127.0.0.0/8"), ip_network("::1/128"))
"""This machine itself."""
LOCAL_NETWORKS: tuple[Network, ...] = LOOPBACK + tuple(
    ip_network(text)
    for text in (
        "10.0.0.0/8",  # private: RFC 1918
        "172.16.0.0/12",
        "192.168.0.0/16",
        "fc00::/7",  # private: RFC 4193
        "169.254.0.0/16",  # link-local
        "fe80::/10",
    )
)
"""Where clients may always come from."""

_MAPPED = IPv6Network("::ffff:0:0/96")


@dataclass(frozen=True, slots=True)
class AllowedNetworks:
    """The local networks, and those that the operator added by name."""

    added: tuple[Network, ...] = ()

    def admits(self, address: str) -> bool:
        """Say whether a client of this address may connect.

        Takes what sockets report: IPv4 addresses written as IPv6 (`::ffff:192.0.2.1`), zones
        (`fe80::1%eth0`). Anything that is no address is not admitted.
        """
        return is_local(address) or is_in(address, self.added)


def is_loopback(address: str) -> bool:
    """Whether an address is this machine's own, which others cannot reach."""
    return is_in(address, LOOPBACK)


@lru_cache(maxsize=512)  # asked several times for every connection of a flood
def is_local(address: str) -> bool:
    """Whether an address is one of the operator's own: in the local networks."""
    return _is_in(address, LOCAL_NETWORKS)


@lru_cache(maxsize=512)  # for those who are not local; to hash the networks costs more than most
def is_in(address: str, networks: tuple[Network, ...]) -> bool:
    """Whether an address is in one of these networks, however a socket writes it."""
    return _is_in(address, networks)


def _is_in(address: str, networks: tuple[Network, ...]) -> bool:
    try:
        parsed = parse_address(address)
    except NumberError:
        return False
    return any(parsed in network for network in networks)


def parse_network(text: str) -> Network:
    """Read `203.0.113.0/24`, `2001:db8::/32`, or one address.

    Raises:
        ValueError: says what was expected.
    """
    try:
        return _without_mapping(ip_network(text))
    except ValueError:
        pass  # why not is found out below, which takes three times as long
    try:
        interface = ip_interface(text)
    except ValueError:
        raise ValueError(
            'expected a network such as "203.0.113.0/24" or "2001:db8::/32", '
            'or one address such as "203.0.113.7"'
        ) from None
    network: Network = interface.network
    if "/" in text and interface.ip != network.network_address:
        raise ValueError(
            f'expected no bits set behind the prefix: write "{network}" for the network, '
            f'or "{interface.ip}" for the one address'
        )
    return _without_mapping(network)


def _without_mapping(network: Network) -> Network:
    """Turn `::ffff:192.0.2.0/120` into `192.0.2.0/24`: addresses are compared that way."""
    if isinstance(network, IPv4Network) or not network.subnet_of(_MAPPED):
        return network
    first = network.network_address.ipv4_mapped
    return IPv4Network((int(first or 0), network.prefixlen - 96))
