"""Whether a machine has called us: by its address, however it is written, or by its name."""

import pytest

from cccamd.ids import parse_address
from cccamd.net import locate


@pytest.mark.parametrize(
    ("host", "address", "expected"),
    [
        ("192.0.2.7", "192.0.2.7", True),
        ("192.0.2.7", "192.0.2.8", False),
        ("::ffff:192.0.2.7", "192.0.2.7", True),
        ("2001:DB8:0::1", "2001:db8::1", True),
        ("fe80::1%eth0", "fe80::1", True),
        ("fe80::1", "fe80::1%2", True),
        ("localhost", "127.0.0.1", True),
        ("localhost", "192.0.2.7", False),
    ],
)
async def test_a_client_comes_from_a_host(host: str, address: str, expected: bool) -> None:
    found = await locate(host)
    assert found.trouble == ""
    assert (parse_address(address) in found.addresses) is expected


@pytest.mark.parametrize(
    ("host", "words"),
    [("no-such-name.invalid", "the resolver says: "), ("a..b", "cannot be a name")],
)
async def test_a_name_without_an_address_says_why(host: str, words: str) -> None:
    found = await locate(host)
    assert not found.addresses
    assert words in found.trouble
