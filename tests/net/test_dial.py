"""Whether a machine has called us: by its address, however it is written, or by its name."""

import pytest

from cccamd.net import comes_from


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
        ("no-such-name.invalid", "192.0.2.7", False),
        ("a..b", "192.0.2.7", False),
    ],
)
async def test_a_client_comes_from_a_host(host: str, address: str, expected: bool) -> None:
    assert await comes_from(host, address) is expected
