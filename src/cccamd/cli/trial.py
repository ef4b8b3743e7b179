"""Go to one server step by step, and note how far one gets."""

import asyncio
import socket
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from typing import Final

from cccamd.net import Client, ConnectError, Step, explain_connect_error
from cccamd.why import Trial, is_seed
from cccamd.wire.cccam import SEED_LENGTH, Caller, Identity, Target

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
        trial = replace(trial, addresses=await _resolve(target))
        address, times = await _measure(trial.addresses, target)
        trial = replace(trial, round_trips=times, reached=Step.SEED)
        greeting, hung_up = await _greeting(address, target)
    except ConnectError as error:
        return replace(trial, reached=error.step, detail=error.detail)
    trial = replace(trial, greeting=greeting, hung_up=hung_up)
    if not is_seed(greeting):
        return trial  # no stranger is told our user name
    trial = replace(trial, reached=Step.LOGIN)
    return await _log_in(trial, target, identity) if log_in else replace(trial, failed=False)


async def _resolve(target: Target) -> tuple[str, ...]:
    loop = asyncio.get_running_loop()
    try:
        async with asyncio.timeout(STEP_TIMEOUT):
            found = await loop.getaddrinfo(target.host, target.port, type=socket.SOCK_STREAM)
    except UnicodeError:
        raise ConnectError(Step.RESOLVE, f"{target.host} cannot be a name") from None
    except TimeoutError:
        raise ConnectError(Step.RESOLVE, "the name server of this machine is silent") from None
    except OSError as error:
        raise explain_connect_error(error, host=target.host, port=target.port) from error
    return tuple(dict.fromkeys(str(sockaddr[0]) for *_, sockaddr in found))


async def _measure(addresses: Sequence[str], target: Target) -> tuple[str, tuple[float, ...]]:
    """Find an address that answers, and connect to it some times more."""
    for address in addresses[:-1]:
        with suppress(ConnectError):
            return address, await _connect_times(address, target)
    return addresses[-1], await _connect_times(addresses[-1], target)


async def _connect_times(address: str, target: Target) -> tuple[float, ...]:
    return tuple([await _connect_time(address, target) for _ in range(CONNECTS)])


async def _connect_time(address: str, target: Target) -> float:
    started = time.perf_counter()
    _, writer = await _open(address, target)
    took = time.perf_counter() - started
    writer.close()
    return took


async def _open(address: str, target: Target) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    try:
        async with asyncio.timeout(STEP_TIMEOUT):
            return await asyncio.open_connection(address, target.port)
    except OSError as error:
        raise explain_connect_error(error, host=target.host, port=target.port) from error


async def _greeting(address: str, target: Target) -> tuple[bytes, bool]:
    """The first bytes, and whether the server hung up before there were enough of them."""
    reader, writer = await _open(address, target)
    received = b""
    try:
        async with asyncio.timeout(STEP_TIMEOUT):
            while len(received) < SEED_LENGTH:
                more = await reader.read(SEED_LENGTH - len(received))
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
