"""A connection alone: a toy protocol above it, a bare socket at the other end."""

import asyncio
import socket
import struct
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest
from peer import HOST, SMALL, Line, Lines, until

from cccamd.net import (
    Acceptor,
    Connected,
    Connection,
    connect,
    connection,
    fairness,
    peer_address,
)
from cccamd.wire.link import Closed, CloseReason

UNREAD = 200 * 1024
"""Bytes that do not fit into small socket buffers, and are within what a peer may not read."""


class Side:
    """Our side of one connection, and what it was told."""

    def __init__(self, react: Callable[["Side", object], None]) -> None:
        self.protocol = Lines()
        self.told: list[object] = []
        self.failures: list[tuple[str, BaseException]] = []
        self.ends = 0
        self._react = react
        self.connection: Connection[Any] = Connection(
            self.protocol,  # type: ignore[arg-type]
            self._handle,
            on_failure=lambda name, error: self.failures.append((name, error)),
        )
        self.connection.when_ended(self._count)

    @property
    def socket(self) -> socket.socket:
        assert self.connection._transport is not None
        found: socket.socket = self.connection._transport.get_extra_info("socket")
        return found

    @property
    def lines(self) -> list[bytes]:
        return [event.text for event in self.told if isinstance(event, Line)]

    def say(self, text: bytes) -> None:
        self.protocol.say(text)
        self.connection.flush()

    def _handle(self, event: object) -> None:
        self.told.append(event)
        self._react(self, event)

    def _count(self) -> None:
        self.ends += 1


@asynccontextmanager
async def joined(
    react: Callable[[Side, object], None] = lambda side, event: None,
) -> AsyncIterator[tuple[Side, socket.socket]]:
    """Our side, connected, and the bare socket at the other end."""
    loop = asyncio.get_running_loop()
    with socket.create_server((HOST, 0)) as listening:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, SMALL)
        side = Side(react)
        await loop.create_connection(lambda: side.connection, *listening.getsockname())
        peer, _ = listening.accept()
    with peer:
        peer.setblocking(False)
        side.socket.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SMALL)
        try:
            yield side, peer
        finally:
            side.connection.close()
            if side.connection._transport is not None:
                side.connection._transport.abort()
            await asyncio.sleep(0)


async def read_all(peer: socket.socket) -> tuple[int, bool]:
    """How many bytes come until the end, and whether it is an orderly one."""
    loop, count = asyncio.get_running_loop(), 0
    try:
        while data := await loop.sock_recv(peer, 1 << 16):
            count += len(data)
    except ConnectionResetError:
        return count, False
    return count, True


async def test_what_is_told_begins_with_connected_and_ends_with_closed_once() -> None:
    async with joined() as (side, peer):
        peer.send(b"one\ntw")
        await until(lambda: len(side.lines) == 1)
        peer.send(b"o\n")
        peer.shutdown(socket.SHUT_WR)
        await until(lambda: side.ends > 0)
        side.connection.close()
        side.connection.connection_lost(None)
        assert side.told == [
            Connected(HOST),
            Line(b"one"),
            Line(b"two"),
            Closed(CloseReason.PEER_CLOSED),
        ]
        assert side.ends == 1
        assert not side.failures


async def test_all_that_is_to_be_given_back_is_whatever_fails() -> None:
    def fail() -> None:
        raise ZeroDivisionError

    async with joined() as (side, peer):
        side.connection.when_ended(fail)
        side.connection.when_ended(side._count)
        peer.close()
        await until(lambda: side.ends == 2)
        assert [type(error) for _, error in side.failures] == [ZeroDivisionError]


async def test_what_the_system_says_of_a_broken_connection_is_kept() -> None:
    async with joined() as (side, peer):
        peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        peer.close()  # a reset
        await until(lambda: side.ends > 0)
        assert side.told[-1] == Closed(CloseReason.RESET, "Connection reset by peer")


async def test_after_close_the_peer_is_not_heard_any_more() -> None:
    def close_at_stop(side: Side, event: object) -> None:
        if event == Line(b"stop"):
            side.connection.close(CloseReason.SHUTDOWN, "enough")

    async with joined(close_at_stop) as (side, peer):
        peer.send(b"one\nstop\nmore\n")
        await until(lambda: side.ends > 0)
        assert side.told[1:] == [
            Line(b"one"),
            Line(b"stop"),
            Closed(CloseReason.SHUTDOWN, "enough"),
        ]
        assert await read_all(peer) == (0, True)


async def test_what_a_handler_says_goes_out_at_once_and_in_order() -> None:
    def echo(side: Side, event: object) -> None:
        if isinstance(event, Line):
            side.say(b"<" + event.text)
            side.say(event.text + b">")

    async with joined(echo) as (side, peer):
        peer.send(b"one\ntwo\n")
        await until(lambda: len(side.lines) == 2)
        got = await asyncio.get_running_loop().sock_recv(peer, 100)
        assert got == b"<one\none>\n<two\ntwo>\n"


async def test_what_follows_from_an_event_is_told_after_those_that_came_with_it() -> None:
    def more(side: Side, event: object) -> None:
        if event == Line(b"one"):
            side.protocol.receive_data(b"inner\n", 0.0)
            side.say(b"first")
            side.say(b"second")

    async with joined(more) as (side, peer):
        transport = side.connection._transport
        assert transport is not None
        written: list[bytes] = []
        transport.write = written.append  # type: ignore[assignment, method-assign]
        peer.send(b"one\ntwo\n")
        await until(lambda: len(side.lines) == 3)
        assert side.lines == [b"one", b"two", b"inner"]
        assert written == [b"first\nsecond\n"], "all at once"


async def test_what_is_to_be_said_at_once_goes_out_at_once() -> None:
    def greet(side: Side, event: object) -> None:
        if isinstance(event, Connected):
            side.protocol.say(b"hello")

    async with joined(greet) as (_, peer):
        assert await asyncio.get_running_loop().sock_recv(peer, 100) == b"hello\n"


async def test_the_last_words_reach_whoever_reads() -> None:
    async with joined() as (side, peer):
        side.say(bytes(UNREAD))
        side.connection.close()
        assert side.connection.unsent > 0
        assert await read_all(peer) == (UNREAD + 1, True)
        await until(lambda: side.connection.unsent == 0)


async def test_a_closed_link_that_does_not_drain_is_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connection, "LINGER", 0.3)
    async with joined() as (side, peer):
        side.say(bytes(UNREAD))
        side.connection.close()
        assert side.connection.unsent > 0
        await asyncio.sleep(0.02)
        assert side.connection.unsent > 0, "it has a while"
        await until(lambda: side.connection.unsent == 0)
        received, _ = await read_all(peer)
        assert received < UNREAD
        assert (side.ends, side.told[-1]) == (1, Closed(CloseReason.LOCAL))


async def test_who_reads_nothing_is_dropped_at_the_bound() -> None:
    async with joined() as (side, peer):
        said = 0
        while side.connection.unsent + 1025 <= fairness.WRITE_BUFFER_LIMIT:
            side.say(bytes(1024))
            said += 1025
            await asyncio.sleep(0)
        assert side.ends == 0
        side.say(bytes(2048))
        assert side.told[-1] == Closed(CloseReason.NOT_READING, "256 KiB unread")
        await until(lambda: side.connection.unsent == 0)
        received, _ = await read_all(peer)
        assert received < said


async def test_deadlines_are_kept_and_may_move() -> None:
    async with joined() as (side, _):
        now = side.connection.now()
        for delay in (5.0, 0.05):
            side.protocol.deadline_at = now + delay
            side.connection.flush()
        await until(lambda: bool(side.protocol.rung))
        assert 0.05 <= side.protocol.rung[0] - now < 4.0
        assert not side.failures


async def test_nothing_rings_after_the_end() -> None:
    async with joined() as (side, peer):
        side.protocol.deadline_at = side.connection.now() + 0.3
        side.connection.flush()
        peer.close()
        await until(lambda: side.ends > 0 and side.connection._transport is None)
        await asyncio.sleep(0.31)
        assert not side.protocol.rung


async def test_whatever_raises_ends_the_connection_and_is_told_by_name(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def fail(*_: object) -> None:
        raise ZeroDivisionError

    for method in ("receive_data", "receive_eof", "handle_deadline", "data_to_send"):
        async with joined() as (side, peer):
            monkeypatch.setattr(side.protocol, method, fail, raising=False)
            side.protocol.deadline_at = side.connection.now()
            if method != "receive_eof":
                peer.send(b"one\n")
            else:
                peer.close()
            await until(lambda side=side: side.ends > 0)  # type: ignore[misc]
            assert side.told[-1] == Closed(CloseReason.INTERNAL_ERROR, "ZeroDivisionError")
            name, error = side.failures[0]
            assert name == f"the connection of {side.connection.peer}"
            assert isinstance(error, ZeroDivisionError)
            if method != "receive_eof":
                async with asyncio.timeout(1.0):
                    await read_all(peer)
        assert side.ends == 1


async def test_what_was_said_before_an_error_still_goes_out() -> None:
    def fail(side: Side, event: object) -> None:
        if isinstance(event, Line):
            side.protocol.say(b"goodbye")
            raise ZeroDivisionError

    async with joined(fail) as (side, peer):
        peer.send(b"one\n")
        await until(lambda: side.ends > 0)
        assert await read_all(peer) == (len(b"goodbye\n"), True)
        assert len(side.failures) == 1


async def test_the_kernel_tells_the_round_trip() -> None:
    async with joined() as (side, peer):
        peer.send(b"one\n")
        await until(lambda: bool(side.lines))
        told = side.connection.way()
        assert told is not None
        assert 0 < told.round_trip < 1.0
        assert 0 < told.jitter < 1.0
        assert (told.sent_again, told.unheard) == (0, 0.0)
        peer.close()
        await until(lambda: side.connection._transport is None)
        assert side.connection.way() is None


def options_of(sock: socket.socket) -> dict[str, int]:
    tcp = ("TCP_NODELAY", "TCP_KEEPIDLE", "TCP_KEEPINTVL", "TCP_KEEPCNT", "TCP_USER_TIMEOUT")
    found = {name: sock.getsockopt(socket.IPPROTO_TCP, getattr(socket, name)) for name in tcp}
    return found | {"SO_KEEPALIVE": sock.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE)}


async def test_sockets_send_at_once_and_notice_dead_machines() -> None:
    """Those that were accepted, whatever they inherit, and those that called."""
    wanted = {
        "TCP_NODELAY": 1,
        "TCP_KEEPIDLE": 15,
        "TCP_KEEPINTVL": 5,
        "TCP_KEEPCNT": 3,
        "TCP_USER_TIMEOUT": 30_000,
        "SO_KEEPALIVE": 1,
    }
    side, failures = Side(lambda side, event: None), list[str]()
    acceptor = Acceptor(
        greet=lambda address: side.connection,
        on_event=lambda event: None,
        on_failure=lambda what, error: failures.append(what),
    )
    listening = socket.create_server((HOST, 0))  # it has none of them
    acceptor.listen([listening])
    address = listening.getsockname()
    try:
        with await connect([address], host=HOST, port=address[1], patience=5.0) as calling:
            await until(lambda: side.connection._transport is not None)
            assert options_of(side.socket) == wanted
            assert options_of(calling) == wanted
            assert not failures
    finally:
        side.connection.close()
        acceptor.close()


class FromAddress(asyncio.Transport):
    """A transport of which nothing is known but where it leads."""

    def __init__(self, peername: tuple[object, ...] | None) -> None:
        super().__init__({"peername": peername})


@pytest.mark.parametrize(
    ("peername", "told"),
    [
        (("192.0.2.1", 7), ("192.0.2.1", 7)),
        (("::ffff:192.0.2.1", 7, 0, 0), ("192.0.2.1", 7)),
        (("2001:db8::1", 7, 0, 0), ("2001:db8::1", 7)),
        (None, ("", 0)),
    ],
)
def test_addresses(peername: tuple[object, ...] | None, told: tuple[str, int]) -> None:
    assert peer_address(FromAddress(peername)) == told


@pytest.mark.parametrize(
    "peername", [("127.0.0.1", 7), ("::1", 7, 0, 0), ("::ffff:127.0.0.1", 7, 0, 0)]
)
async def test_the_way_to_a_peer_is_looked_for_as_the_system_names_it(
    peername: tuple[object, ...],
) -> None:
    side = Side(lambda side, event: None)
    side.connection.meet(FromAddress(peername))
    assert not side.connection._has_no_way()


async def test_a_peer_is_named_as_in_a_log() -> None:
    async with joined() as (side, peer):
        port = peer.getsockname()[1]
        assert side.connection.peer == f"{HOST}:{port}"
        side.connection.address = "2001:db8::1"
        assert side.connection.peer == f"[2001:db8::1]:{port}"
