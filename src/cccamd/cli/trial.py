"""Go to one server step by step, over one connection, and note how far one gets."""

import asyncio
import os
import socket
import time
from contextlib import closing
from dataclasses import replace
from typing import Any, Final

from cccamd.net import Client, ConnectError, Step, TlsCall, connect, resolve, way_of
from cccamd.why import RoundTrip, Trial, is_seed
from cccamd.wire.callers import caller_of
from cccamd.wire.cccam import SEED_LENGTH, Caller, Identity, Target
from cccamd.wire.newcamd import GREETING_LENGTH, NewcamdTarget
from cccamd.wire.strangers import ENOUGH

STEP_TIMEOUT: Final = 5.0
"""Seconds for each of: the name, the connection, the first bytes."""


async def try_server(target: Target | NewcamdTarget, *, identity: Identity, log_in: bool) -> Trial:
    """Resolve, connect, wait for the seed or greeting, log in, learn the cards.

    Without `log_in` it stops after that: a second login with the same account would throw
    out the first one, or be refused. Nothing is sent then, so no server takes it for a login.
    """
    is_newcamd = isinstance(target, NewcamdTarget)
    first, wanted = (Step.NO_GREETING, GREETING_LENGTH) if is_newcamd else (Step.SEED, SEED_LENGTH)
    trial = Trial()
    try:
        addresses = await resolve(target.host, timeout=STEP_TIMEOUT)
        trial = replace(trial, addresses=tuple(address[0] for address in addresses))
        started = time.perf_counter()
        sock = await connect(addresses, host=target.host, port=target.port, patience=STEP_TIMEOUT)
    except ConnectError as error:
        return replace(trial, reached=error.step, detail=error.detail)
    with closing(sock):
        took = time.perf_counter() - started
        trial = replace(trial, round_trip=_round_trip(sock, took), reached=first)
        greeting, hung_up = await _greeting(sock, wanted)
        trial = replace(trial, greeting=greeting, hung_up=hung_up)
        if not (len(greeting) == wanted if is_newcamd else is_seed(greeting)):
            return trial  # no stranger is told our user name
        trial = replace(trial, reached=Step.LOGIN)
        if not log_in:
            return replace(trial, failed=False)
        return await _log_in(trial, target, identity, sock)


async def try_paired(
    target: Target, tls: TlsCall, *, port: int, identity: Identity, log_in: bool
) -> Trial:
    """Go to a server that is paired: by TLS or not at all.

    Without `log_in` it stops when there is a connection.
    """
    trial = Trial()
    try:
        tls.expected()
        addresses = await resolve(target.host, timeout=STEP_TIMEOUT)
        trial = replace(trial, addresses=tuple(address[0] for address in addresses))
        started = time.perf_counter()
        sock = await connect(addresses, host=target.host, port=port, patience=STEP_TIMEOUT)
        with closing(sock):
            round_trip = _round_trip(sock, time.perf_counter() - started)
        trial = replace(trial, round_trip=round_trip, reached=Step.LOGIN, failed=False)
        if not log_in:
            return trial
        caller = Caller(replace(target, login_timeout=STEP_TIMEOUT), identity)
        client = await Client.connect(target.host, port, caller, tls=tls)
    except ConnectError as error:
        return replace(trial, reached=error.step, detail=error.detail, failed=True)
    return await _learn(trial, client)


def _round_trip(sock: socket.socket, connecting: float, *, used: bool = False) -> RoundTrip:
    """What the system knows of the way; before anything was sent, one packet is all there is."""
    way = way_of(sock)
    if way is None:
        return RoundTrip(connecting)
    return RoundTrip(way.round_trip, way.jitter if used else None, lost=way.sent_again)


async def _greeting(sock: socket.socket, wanted: int) -> tuple[bytes, bool]:
    """The first bytes, and whether the server hung up before there were enough of them."""
    loop = asyncio.get_running_loop()
    received = b""
    try:
        async with asyncio.timeout(STEP_TIMEOUT):
            while len(received) < wanted:
                more = await loop.sock_recv(sock, ENOUGH)
                if not more:
                    return received, True
                received += more
    except TimeoutError:
        return received, False
    except OSError:  # a reset
        return received, True
    return received, False


async def _log_in(
    trial: Trial, target: Target | NewcamdTarget, identity: Identity, sock: socket.socket
) -> Trial:
    timed: Target | NewcamdTarget
    if isinstance(target, NewcamdTarget):
        timed = replace(target, step_timeout=STEP_TIMEOUT)
    else:
        timed = replace(target, login_timeout=STEP_TIMEOUT)
    caller = caller_of(timed, identity, os.urandom)
    try:
        client = await Client.resume(sock, caller, received=trial.greeting)
    except ConnectError as error:
        return replace(trial, reached=error.step, detail=error.detail)
    return await _learn(trial, client, sock)


async def _learn(trial: Trial, client: Client[Any], sock: socket.socket | None = None) -> Trial:
    """Note what there is to be had, and leave; `sock` says how the way was."""
    await client.learn_cards()
    if (failure := client.failure) is not None:
        return replace(trial, reached=failure.step, detail=failure.text, failed=True)
    server = client.server
    if sock is not None and trial.round_trip is not None:
        usual = _round_trip(sock, trial.round_trip.seconds, used=True)
        trial = replace(trial, round_trip=usual)
    await client.close()
    return replace(
        trial,
        reached=Step.UP,
        failed=False,
        node_id=server.node_id if server else None,
        program=server.program if server else "",
        cards=tuple(client.cards.values()),
    )
