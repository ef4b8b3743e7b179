"""Go to one server step by step, and note how far one gets."""

import asyncio
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from typing import Final

from cccamd.machine import SocketAddress
from cccamd.net import Client, ConnectError, Step, connect, resolve
from cccamd.why import Trial, is_seed
from cccamd.wire.cccam import SEED_LENGTH, Caller, Identity, Target
from cccamd.wire.strangers import ENOUGH

STEP_TIMEOUT: Final = 5.0
"""Seconds for each of: the name, the connection, the first bytes."""
CONNECTS: Final = 4
"""How often the round trip is measured; few enough that nobody takes it for an attack."""


async def try_server(target: Target, *, identity: Identity, log_in: bool) -> Trial:
    """Resolve, connect some times, wait for the seed, log in, learn the cards.

    Without `log_in` it stops after the seed: a second login with the same account would throw
    out the first one, or be refused.
    """
    trial = Trial()
    try:
        addresses = await resolve(target.host, timeout=STEP_TIMEOUT)
        trial = replace(trial, addresses=tuple(address[0] for address in addresses))
        address, times = await _measure(addresses, target)
        trial = replace(trial, round_trips=times, reached=Step.SEED)
        greeting, hung_up = await _greeting(address, target)
    except ConnectError as error:
        return replace(trial, reached=error.step, detail=error.detail)
    trial = replace(trial, greeting=greeting, hung_up=hung_up)
    if not is_seed(greeting):
        return trial  # no stranger is told our user name
    trial = replace(trial, reached=Step.LOGIN)
    return await _log_in(trial, target, identity) if log_in else replace(trial, failed=False)


async def _measure(
    addresses: Sequence[SocketAddress], target: Target
) -> tuple[SocketAddress, tuple[float, ...]]:
    """Find an address that answers, and connect to it some times more."""
    for address in addresses[:-1]:
        with suppress(ConnectError):
            return address, await _connect_times(address, target)
    return addresses[-1], await _connect_times(addresses[-1], target)


async def _connect_times(address: SocketAddress, target: Target) -> tuple[float, ...]:
    return tuple([await _connect_time(address, target) for _ in range(CONNECTS)])


async def _connect_time(address: SocketAddress, target: Target) -> float:
    started = time.perf_counter()
    _, writer = await _open(address, target)
    took = time.perf_counter() - started
    writer.close()
    return took


async def _open(
    address: SocketAddress, target: Target
) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    sock = await connect((address,), host=target.host, port=target.port, patience=STEP_TIMEOUT)
    return await asyncio.open_connection(sock=sock)


async def _greeting(address: SocketAddress, target: Target) -> tuple[bytes, bool]:
    """The first bytes, and whether the server hung up before there were enough of them."""
    reader, writer = await _open(address, target)
    received = b""
    try:
        async with asyncio.timeout(STEP_TIMEOUT):
            while len(received) < SEED_LENGTH:
                more = await reader.read(ENOUGH)
                if not more:
                    return received, True
                received += more
    except TimeoutError:
        return received, False
    except OSError:  # a reset
        return received, True
    finally:
        writer.close()
    return received, False


async def _log_in(trial: Trial, target: Target, identity: Identity) -> Trial:
    try:
        caller = Caller(replace(target, login_timeout=STEP_TIMEOUT), identity)
        client = await Client.connect(target.host, target.port, caller)
    except ConnectError as error:
        return replace(trial, reached=error.step, detail=error.detail)
    await client.learn_cards()
    if (failure := client.failure) is not None:
        return replace(trial, reached=failure.step, detail=failure.text)
    server = client.server
    await client.close()
    return replace(
        trial,
        reached=Step.UP,
        failed=False,
        node_id=server.node_id if server else None,
        program=server.program if server else "",
        cards=tuple(client.cards.values()),
    )
