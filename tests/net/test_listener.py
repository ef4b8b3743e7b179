"""The door: who is let in, what happens to the others, and which ports are open."""

import asyncio
import errno
import socket
import struct
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from peer import HOST, Lines, no_socket_left, unexpected, until

from cccamd.lab.ports import free_port
from cccamd.net import (
    AcceptEnded,
    AcceptEvent,
    Acceptor,
    AcceptPaused,
    Admission,
    AdmissionLimits,
    Connection,
    FirstWords,
    Listener,
    ListenError,
    NoEntry,
    lobby,
    open_sockets,
)
from cccamd.server.loglines import DoorLog
from cccamd.wire.link import Closed, CloseReason

NOWHERE = "2001:db8::1"
"""An address that this machine does not have."""


class Door:
    """A listener whose guests are toys, and what it told."""

    def __init__(
        self,
        *,
        connections: int = 9,
        pending: int = 9,
        make: Callable[[], Any] | None = None,
        first_words: bytes = b"",
    ) -> None:
        self.refused: list[tuple[str, NoEntry]] = []
        self.failures: list[tuple[str, BaseException]] = []
        self.ends: list[Closed] = []
        self.guests: list[Connection[Any]] = []
        self.pushed_out: list[str] = []
        self.admitted = True
        self._callers: list[socket.socket] = []
        limits = AdmissionLimits(connections=connections, pending_logins=pending)
        self.admission = Admission(limits, admits=lambda address: self.admitted)
        self.listener = Listener(
            self.admission,
            make_guest=make or self._make,
            on_refused=lambda address, why: self.refused.append((address, why)),
            on_failure=lambda name, error: self.failures.append((name, error)),
            first_words=(lambda: FirstWords(first_words, make or self._make))
            if first_words
            else None,
            on_pushed_out=self.pushed_out.append,
        )

    def _make(self) -> Connection[Any]:
        guest: Connection[Any] = Connection(
            Lines(),  # type: ignore[arg-type]
            self._handle,
            on_failure=lambda name, error: self.failures.append((name, error)),
        )
        self.guests.append(guest)
        return guest

    def _handle(self, event: object) -> None:
        if isinstance(event, Closed):
            self.ends.append(event)

    async def call(self, port: int, host: str = HOST) -> socket.socket:
        """Somebody outside connects."""
        caller = socket.socket()
        self._callers.append(caller)
        caller.setblocking(False)
        await asyncio.get_running_loop().sock_connect(caller, (host, port))
        return caller

    @asynccontextmanager
    async def open(self) -> AsyncIterator[int]:
        await self.listener.open([HOST], 0)
        try:
            yield self.listener.ports[0]
        finally:
            await self.listener.close()
            self.listener.dismiss(CloseReason.SHUTDOWN)
            for caller in self._callers:
                caller.close()
            await until(lambda: self.admission.connections == 0)  # each place is given back


async def is_closed(caller: socket.socket) -> bool:
    """Whether the server closes a connection, in whatever way."""
    try:
        async with asyncio.timeout(10.0):
            return await asyncio.get_running_loop().sock_recv(caller, 1) == b""
    except ConnectionResetError:
        return True


async def test_a_guest_gets_the_connection_and_its_place_is_free_afterwards() -> None:
    door = Door()
    async with door.open() as port:
        caller = await door.call(port)
        await until(lambda: len(door.guests) == 1 and door.guests[0].address == HOST)
        assert (door.admission.connections, door.admission.pending) == (1, 1)
        caller.close()
        await until(lambda: door.admission.connections == 0)
        assert door.ends == [Closed(CloseReason.PEER_CLOSED)]


async def test_who_is_refused_is_closed_and_told() -> None:
    door = Door()
    door.admitted = False
    async with door.open() as port:
        assert await is_closed(await door.call(port))
        assert door.refused == [(HOST, NoEntry.NETWORK)]
        assert not door.guests
        assert door.admission.connections == 0


async def test_who_is_gone_before_he_is_met_is_not_refused() -> None:
    door = Door()
    door.admission._admits = bool  # any address, and not none
    async with door.open() as port:
        caller = socket.create_connection((HOST, port))  # the listener has no turn in between
        caller.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        caller.close()
        await door.call(port)
        await until(lambda: door.guests)
        assert len(door.guests) == 1
        assert not door.refused


async def test_a_new_one_pushes_out_the_oldest_that_is_not_logged_in() -> None:
    door = Door(pending=1)
    async with door.open() as port:
        first = await door.call(port)
        await until(lambda: len(door.guests) == 1)
        await door.call(port)
        assert await is_closed(first)
        assert door.ends == [Closed(CloseReason.TOO_MANY_LOGINS)]
        assert door.admission.inside == (door.guests[1],)


async def test_the_server_is_full_of_those_who_are_logged_in_only() -> None:
    door = Door(connections=1)
    async with door.open() as port:
        for count in (1, 2):
            await door.call(port)
            await until(lambda count=count: len(door.guests) == count)  # type: ignore[misc]
        assert not door.refused
        door.admission.logged_in(door.guests[0])
        assert await is_closed(await door.call(port))
        assert door.refused == [(HOST, NoEntry.FULL)]


async def test_a_guest_that_cannot_be_made_leaves_nothing_half_open() -> None:
    def fail() -> None:
        raise ZeroDivisionError

    door = Door(make=fail)
    async with door.open() as port:
        assert await is_closed(await door.call(port))
        ((name, error),) = door.failures
        assert name == "the door"
        assert isinstance(error, ZeroDivisionError)


async def test_a_connection_that_is_dropped_before_its_first_step_is_closed() -> None:
    """As when the program ends in the very moment that somebody calls."""
    door = Door()
    with no_socket_left():
        async with door.open() as port:
            calling = asyncio.get_running_loop().create_task(door.call(port))
            while not (begun := _tasks_of_new_connections()):
                await asyncio.sleep(0)
            begun[0].cancel()
            assert await is_closed(await calling)


def _tasks_of_new_connections() -> list[asyncio.Task[Any]]:
    return [each for each in asyncio.all_tasks() if "a connection from" in each.get_name()]


async def test_all_can_be_dismissed() -> None:
    door = Door()
    async with door.open() as port:
        callers = [await door.call(port) for _ in range(3)]
        await until(lambda: len(door.guests) == 3)
        door.listener.dismiss(CloseReason.CONFIG_CHANGED)
        assert all([await is_closed(caller) for caller in callers])
        assert door.ends == 3 * [Closed(CloseReason.CONFIG_CHANGED)]


async def test_guests_stay_when_listening_ends() -> None:
    door = Door()
    async with door.open() as port:
        await door.call(port)
        await until(lambda: len(door.guests) == 1)
        await door.listener.close()
        assert door.listener.ports == []
        with pytest.raises(ConnectionRefusedError):
            await door.call(port)
        assert door.admission.connections == 1


async def test_another_port_is_opened_instead() -> None:
    door = Door()
    async with door.open() as before:
        after = free_port()
        await door.listener.open([HOST], after)
        assert door.listener.ports == [after]
        await door.call(after)
        await until(lambda: len(door.guests) == 1)
        with pytest.raises(ConnectionRefusedError):
            await door.call(before)


async def test_a_port_that_is_taken_changes_nothing() -> None:
    door = Door()
    with socket.create_server((HOST, 0)) as other:
        taken = other.getsockname()[1]
        async with door.open() as port:
            # The first address is to be had, the second not.
            with pytest.raises(ListenError) as caught:
                await door.listener.open(["127.0.0.2", HOST], taken)
            error = caught.value
            assert (error.address, error.port) == (HOST, taken)
            assert str(error).startswith(f"cannot listen on {HOST} port {taken}: ")
            assert door.listener.ports == [port]
            await door.call(port)
            with pytest.raises(ConnectionRefusedError):
                await door.call(taken, "127.0.0.2")


async def test_an_address_that_is_not_there_yet_is_waited_for_but_moved_to_by_no_mistake() -> None:
    door = Door()
    async with door.open():
        for addresses in ([HOST, NOWHERE], [NOWHERE, HOST]):
            await door.listener.open(addresses, 0)
            assert set(door.listener.addresses) == {HOST, NOWHERE}
        with pytest.raises(ListenError, match=NOWHERE):
            await door.listener.open([NOWHERE], 0)
        assert HOST in door.listener.addresses
        await door.listener.close()
        await door.listener.open([NOWHERE], 0)
        assert door.listener.addresses == [NOWHERE]


def test_what_is_accepted_inherits_how_dead_peers_are_noticed() -> None:
    (listening,) = open_sockets([HOST], 0)
    with (
        listening,
        socket.create_connection(listening.getsockname()),
        listening.accept()[0] as sock,
    ):
        assert sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT) == 30_000
        assert sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE) == 15
        assert sock.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE) == 1


def test_sockets_for_a_server_with_a_protocol_of_its_own() -> None:
    opened = open_sockets([NOWHERE, HOST], 0)
    assert [sock.getsockname()[0] for sock in opened] == [HOST, NOWHERE]
    taken = opened[0].getsockname()[1]
    with pytest.raises(ListenError, match=f"cannot listen on {HOST} port {taken}"):
        open_sockets(["127.0.0.2", HOST], taken)
    # What was opened before the failure is closed again.
    again = open_sockets(["127.0.0.2"], taken)
    for sock in opened + again:
        sock.close()
    with pytest.raises(ListenError, match=NOWHERE):
        open_sockets([NOWHERE], 0, early=False)


class _Full(socket.socket):
    """A socket that listens on a system that has nothing left."""

    def accept(self) -> tuple[socket.socket, object]:
        raise OSError(errno.EMFILE, "Too many open files")


@pytest.mark.parametrize("family", [socket.AF_INET, socket.AF_UNIX])
async def test_a_door_that_is_closed_during_a_shortage_is_told_of_as_well(
    family: int, tmp_path: Path
) -> None:
    told: list[AcceptEvent] = []
    acceptor = Acceptor(greet=lambda address: None, on_event=told.append, on_failure=unexpected)
    listening = _Full(family)
    listening.bind(("127.0.0.1", 0) if family == socket.AF_INET else str(tmp_path / "door"))
    listening.listen()
    where = listening.getsockname()
    name = f"port {where[1]}" if family == socket.AF_INET else f"socket {tmp_path}/door"
    acceptor.listen([listening])
    with socket.socket(family) as caller:
        caller.connect(where)
        await until(lambda: bool(told))
        acceptor.close()
    assert told == [AcceptPaused(name, "Too many open files"), AcceptEnded(name)]
    log = DoorLog()
    log.accepting(told[0])
    assert [(door.door, door.reason) for door in log.shut] == [(name, "Too many open files")]
    log.accepting(told[1])
    assert log.shut == ()


@pytest.fixture
def crowded(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody is made a guest of at once."""
    monkeypatch.setattr(lobby, "CROWD", 0)


async def heard_of(caller: socket.socket, count: int) -> bytes:
    async with asyncio.timeout(10.0):
        return await asyncio.get_running_loop().sock_recv(caller, count)


@pytest.mark.usefixtures("crowded")
async def test_in_a_crowd_a_guest_is_made_when_something_is_said() -> None:
    door = Door(first_words=b"hello")
    async with door.open() as port:
        caller = await door.call(port)
        assert await heard_of(caller, 9) == b"hello"
        assert (door.admission.connections, door.admission.pending) == (1, 1)
        assert not door.guests
        await asyncio.get_running_loop().sock_sendall(caller, b"word\n")
        await until(lambda: bool(door.guests) and door.guests[0].has_heard)
        assert door.guests[0].address == HOST
        assert door.admission.inside == (door.guests[0],)
        door.guests[0].close()
        assert await is_closed(caller)
    assert not door.failures


@pytest.mark.usefixtures("crowded")
async def test_a_guest_that_ends_before_it_has_a_connection_gets_none() -> None:
    told: list[object] = []

    def make() -> Connection[Any]:
        guest: Connection[Any] = Connection(
            Lines(),  # type: ignore[arg-type]
            told.append,
            on_failure=lambda name, error: door.failures.append((name, error)),
        )
        asyncio.get_running_loop().call_soon(guest.close)
        return guest

    door = Door(first_words=b"hello", make=make)
    async with door.open() as port:
        caller = await door.call(port)
        assert await heard_of(caller, 9) == b"hello"
        await asyncio.get_running_loop().sock_sendall(caller, b"word\n")
        assert await is_closed(caller)
    assert told == [Closed(CloseReason.LOCAL)]
    assert not door.failures


@pytest.mark.usefixtures("crowded")
async def test_of_a_silent_crowd_the_oldest_make_room_and_no_guest_is_made() -> None:
    door = Door(pending=3, first_words=b"hello")
    async with door.open() as port:
        callers = []
        for _ in range(9):
            callers.append(await door.call(port))
            assert await heard_of(callers[-1], 9) == b"hello"
        for caller in callers[:6]:
            assert await is_closed(caller)
        assert (door.pushed_out, door.admission.pending) == ([HOST] * 6, 3)
        assert not door.guests
        callers[-1].close()
        await until(lambda: door.admission.pending == 2)
    assert (door.pushed_out, door.guests, door.failures) == ([HOST] * 6, [], [])


@pytest.mark.usefixtures("crowded")
async def test_who_stands_silent_for_long_becomes_a_guest(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lobby, "LONG", 0.01)
    monkeypatch.setattr(lobby, "CROWD", 0)
    door = Door(first_words=b"hello")
    async with door.open() as port:
        await door.call(port)
        await until(lambda: len(door.guests) == 1 and door.guests[0].address == HOST)
        assert door.admission.inside == (door.guests[0],)


@pytest.mark.usefixtures("crowded")
async def test_in_a_crowd_who_may_not_come_in_is_closed_before_a_word() -> None:
    door = Door(first_words=b"hello")
    door.admitted = False
    async with door.open() as port:
        assert await is_closed(await door.call(port))
        assert door.refused == [(HOST, NoEntry.NETWORK)]


@pytest.mark.usefixtures("crowded")
@pytest.mark.parametrize("at", ["the guest", "its first word"])
async def test_a_guest_that_cannot_be_made_of_a_waiting_one_leaves_nothing(at: str) -> None:
    def fail() -> None:
        raise ZeroDivisionError

    door = Door(make=fail if at == "the guest" else None, first_words=b"hello")
    if at == "its first word":
        door._handle = lambda event: fail()  # type: ignore[method-assign]
    async with door.open() as port:
        caller = await door.call(port)
        await asyncio.get_running_loop().sock_sendall(caller, b"word\n")
        assert await heard_of(caller, 9) == b"hello"
        assert await is_closed(caller)
        assert isinstance(door.failures[0][1], ZeroDivisionError)
        await until(lambda: door.admission.connections == 0)
