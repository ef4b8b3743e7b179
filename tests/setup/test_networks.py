from ipaddress import ip_address, ip_network

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cccamd.setup.toml import AllowedNetworks
from cccamd.setup.toml.networks import parse_network

STRICT = AllowedNetworks()


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1",
        "127.255.255.255",
        "::1",
        "10.1.2.3",
        "172.16.0.1",
        "172.31.255.255",
        "192.168.178.20",
        "169.254.1.1",
        "fd12:3456::1",
        "fe80::1",
        "fe80::1%eth0",
        "::ffff:192.168.1.1",
        "::ffff:c0a8:0101",
        "::ffff:127.0.0.1",
    ],
)
def test_local_addresses_are_admitted(address: str) -> None:
    assert STRICT.admits(address)


@pytest.mark.parametrize(
    "address",
    [
        "8.8.8.8",
        "172.15.255.255",
        "172.32.0.0",
        "192.169.0.1",
        "100.64.0.1",
        "0.0.0.0",
        "::",
        "2001:db8::1",
        "::ffff:8.8.8.8",
        "::127.0.0.1",
        "64:ff9b::127.0.0.1",
        "2002:7f00:1::",
        "",
        "localhost",
        "127.0.0.1 ",
        "127.1",
        "0x7f.0.0.1",
        "127.0.0.01",
        "127.0.0.1:80",
        "127.0.0.1%eth0",
        "fe80::1%",
        "[::1]",
        "/tmp/socket",
    ],
)
def test_the_world_and_rubbish_are_not(address: str) -> None:
    assert not STRICT.admits(address)


@given(st.text(max_size=30))
def test_any_text_gets_an_answer(text: str) -> None:
    assert STRICT.admits(text) in (True, False)


@given(st.ip_addresses(), st.integers(0, 32))
def test_added_networks_admit_their_addresses(address: object, prefix: int) -> None:
    network = ip_network(f"{address}/{prefix}", strict=False)
    allowed = AllowedNetworks((parse_network(str(network)),))
    if prefix and address not in ip_network("::ffff:0:0/96"):
        assert allowed.admits(str(address))


def test_added_networks_admit_ipv4_written_as_ipv6() -> None:
    allowed = AllowedNetworks((parse_network("203.0.113.0/24"),))
    assert allowed.admits("::ffff:203.0.113.9")
    assert not allowed.admits("::ffff:203.0.114.9")


def test_a_network_written_as_mapped_ipv6_is_an_ipv4_one() -> None:
    assert parse_network("::ffff:203.0.113.0/120") == ip_network("203.0.113.0/24")
    assert parse_network("::ffff:0:0/96") == ip_network("0.0.0.0/0")


def test_one_address_is_a_network() -> None:
    assert AllowedNetworks((parse_network("203.0.113.7"),)).admits("203.0.113.7")


@pytest.mark.parametrize(
    ("text", "mended"),
    [("203.0.113.7/24", "203.0.113.0/24"), ("2001:db8::1/32", "2001:db8::/32")],
)
def test_bits_behind_the_prefix_get_the_mended_network(text: str, mended: str) -> None:
    with pytest.raises(ValueError, match=f'write "{mended}" for the network'):
        parse_network(text)


@given(st.text(max_size=20) | st.from_regex(r"[0-9a-f:.]{1,20}(/\d{1,3})?", fullmatch=True))
def test_any_text_is_a_network_or_explained(text: str) -> None:
    try:
        network = parse_network(text)
    except ValueError as error:
        explained = str(error)
    else:
        explained = f"expected {ip_address(network.network_address)}"
    assert explained.startswith("expected ")
