"""Whether a machine has called us: by its address, however it is written, or by its name."""

import asyncio
import socket
import time
from contextlib import suppress

import pytest
from peer import HOST, no_socket_left

from cccamd.ids import parse_address
from cccamd.net import ConnectError, Step, connect, locate


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
    assert (parse_address(address) in await locate(host)) is expected


@pytest.mark.parametrize("host", ["no-such-name.invalid", "a..b", "x" * 70 + ".example"])
async def test_a_host_without_an_address_is_told_apart_from_another_host(host: str) -> None:
    with pytest.raises(ConnectError) as raised:
        await locate(host)
    assert raised.value.step in (Step.RESOLVE, Step.NAME_SERVER)


async def test_a_connection_that_nobody_waits_for_any_more_is_closed() -> None:
    """Whoever called is cancelled at any step, the last one too, and no descriptor stays."""
    with socket.create_server((HOST, 0)) as listening, no_socket_left():
        port = listening.getsockname()[1]
        for steps in range(12):
            calling = asyncio.get_running_loop().create_task(
                connect([(HOST, port)], host=HOST, port=port, patience=1.0)
            )
            for _ in range(steps):
                await asyncio.sleep(0)
            calling.cancel()
            with suppress(asyncio.CancelledError):
                (await calling).close()


async def test_an_answer_that_our_own_loop_was_too_late_to_hear_is_no_silence() -> None:
    with socket.create_server((HOST, 0)) as server:
        port = server.getsockname()[1]
        calling = asyncio.create_task(  # noqa: TID251
            connect([(HOST, port)], host=HOST, port=port, patience=0.05)
        )
        while not _is_called(server):
            await asyncio.sleep(0)
        time.sleep(0.3)  # a machine that is busy with something else
        (await calling).close()


def _is_called(server: socket.socket) -> bool:
    server.setblocking(False)
    with suppress(BlockingIOError):
        server.accept()[0].close()
        return True
    return False
