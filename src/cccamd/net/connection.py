"""One TCP connection: moves bytes between a transport and a protocol object.

This is the only code that ties the sans-IO core to asyncio. It owns the clock, one timer
and the transport; everything it learns goes to one handler, event by event.
"""

import asyncio
import socket
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final, Generic, NamedTuple, TypeVar, cast

from cccamd.ids import format_endpoint, unwrap_address
from cccamd.machine import SocketAddress, route_to
from cccamd.net.failures import explain_loss
from cccamd.net.fairness import AT_ONCE, BYTES_A_LOOK, WRITE_BUFFER_LIMIT, FairPlay, Intake
from cccamd.net.kernel import (
    Way,
    held_up,
    in_kernel,
    is_established,
    is_shut,
    peer_has_left,
    waiting,
    way_of,
)
from cccamd.net.tasks import Alarm
from cccamd.net.unixsockets import Credentials, credentials
from cccamd.wire.link import CLOSED, CLOSED_BY_PEER, Closed, CloseReason, Loss, SansIo

LINGER = 5.0
"""Seconds for the last words to a peer whose connection we end."""

_UNANSWERED: Final = frozenset(
    {CloseReason.NO_ANSWER, CloseReason.NO_ANSWER_TO_LOGIN, CloseReason.NO_INTRODUCTION}
)
"""Ends by which a protocol object notices sooner than the kernel that nobody is there."""

E = TypeVar("E")


class PairedPeer(NamedTuple):
    """Whose key the peer has proved to have, by TLS."""

    name: str
    """What the paired server is called here."""
    code: bytes
    """The code of its key."""


@dataclass(frozen=True, slots=True)
class Connected:
    """There is a TCP connection; nothing was said yet."""

    address: str


class Connection(asyncio.Protocol, Generic[E]):
    """A protocol object with a socket, a clock and a timer; `E` is what the object may tell.

    `handle` gets each event in order: first `Connected`, last `Closed`, each exactly once;
    after `close` nothing but `Closed` follows. Whoever makes the protocol object send
    something calls `flush` afterwards.

    Whatever `handle` or the protocol object raises is told to `on_failure` (with a name for
    this connection) and ends this connection, and nothing else: `Closed` follows as always.
    """

    # There are thousands: without them each takes a third more.
    __slots__ = (
        "_alarm",
        "_closed_reported",
        "_closing",
        "_failed",
        "_handle",
        "_handling",
        "_loop",
        "_on_end",
        "_on_failure",
        "_peername",
        "_transport",
        "address",
        "has_heard",
        "heard_at",
        "heard_messages",
        "intake",
        "paired",
        "port",
        "protocol",
    )

    def __init__(
        self,
        protocol: SansIo[E],
        handle: Callable[[E | Connected | Closed], None],
        *,
        on_failure: Callable[[str, BaseException], None],
        fair: FairPlay | None = None,
    ) -> None:
        """`fair`: with whom it takes turns, and what it may ask; None: everything at once."""
        self.protocol = protocol
        self.paired: PairedPeer | None = None
        """The paired server at the other end; None: nothing is proved, and nothing encrypted by
        TLS."""
        self.address = ""
        """The peer's IP address."""
        self.port = 0
        self.heard_at = asyncio.get_running_loop().time()
        """When bytes came last, on the clock of `now`; before that, when it was made."""
        self.has_heard = False
        """Whether any byte came."""
        self._peername: SocketAddress | None = None
        """The address at the other end as the system writes it, if it is no IPv4 one."""
        self._handle = handle
        self._on_failure = on_failure
        self._on_end: tuple[tuple[Any, ...], ...] = ()
        self._transport: asyncio.Transport | None = None
        self._loop = asyncio.get_running_loop()
        self._alarm = Alarm(self, None if fair is None else fair.wheel)
        self._closing: Closed | None = None
        self._closed_reported = False
        self._failed = False
        self._handling = False
        self.heard_messages = 0
        """How many events there were: each message of the peer makes one at least."""
        self.intake = None if fair is None else Intake(fair, self)
        """How what comes is taken in."""

    def __repr__(self) -> str:
        return f"<Connection {self.peer} {self.protocol.state.name}>"

    @property
    def peer(self) -> str:
        """The peer as logs name it: address and port."""
        return format_endpoint(self.address, self.port or None)

    def meet(self, transport: asyncio.BaseTransport) -> None:
        """Take note who is there, before there is a connection to it."""
        peername = transport.get_extra_info("peername") or ("", 0)
        self._peername = peername if len(peername) > 2 else None
        self.address, self.port = _address_in(peername)

    def when_ended(self, act: Callable[..., object], *words: object) -> None:
        """Give something back after `Closed` was handled: `act` is called once with these words,
        whatever else fails. (Tuples: every client has some, and closures are large.)"""
        self._on_end = (*self._on_end, (act, *words))

    @property
    def is_closed(self) -> bool:
        """Whether it is over; the handler may not have been told yet."""
        return self._closing is not None or self.protocol.state is CLOSED

    def now(self) -> float:
        """The clock that the protocol object is fed with."""
        return self._loop.time()

    @property
    def unsent(self) -> int:
        """How many bytes the peer has not taken yet."""
        return self._transport.get_write_buffer_size() if self._transport is not None else 0

    def flush(self) -> None:
        """Pass on what happened, and write what the protocol object has to send.

        Called from within the handler it does nothing: the outer call writes it all at once.
        """
        if not self._handling:
            self._handle_events()
            try:
                self._write()
            except Exception as error:
                self.fail(error)

    @property
    def _socket(self) -> socket.socket | None:
        transport = self._transport
        return transport.get_extra_info("socket") if transport is not None else None

    def way(self) -> Way | None:
        """How the way to the peer is now; None where the kernel does not tell."""
        sock = self._socket
        return way_of(sock) if sock is not None else None

    @property
    def local_peer(self) -> Credentials | None:
        """Which process is at the other end of a UNIX socket; None for other connections."""
        sock = self._socket
        return credentials(sock) if sock is not None else None

    def is_acknowledged(self) -> bool:
        """Whether the peer's machine has acknowledged every byte that was sent.

        So its machine runs, and holds the connection open. False where the system does not tell.
        """
        sock = self._socket
        if sock is None or self.unsent:
            return False
        return is_established(sock) and not in_kernel(sock)

    def close(self, reason: CloseReason = CloseReason.LOCAL, detail: str = "") -> None:
        """End the connection; `Closed` follows through the handler."""
        self._end_with(reason, detail)
        self.flush()

    def attempt(self, act: Callable[..., object], *words: object) -> None:
        """Do something for the peer; if that fails, this connection ends, and nothing else."""
        try:
            act(*words)
        except Exception as error:
            self.fail(error)

    def fail(self, error: Exception) -> None:
        """End the connection because of an error of ours, which is reported."""
        self._on_failure(f"the connection of {self.peer}", error)
        self._end_with(CloseReason.INTERNAL_ERROR, type(error).__name__)
        if not self._failed:
            self._failed = True
            self.flush()
        elif self._transport is not None:
            self._transport.abort()  # not even the end goes as it should

    # asyncio calls these.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        self.meet(transport)
        self.attempt(self._begin)
        self.flush()

    def data_received(self, data: bytes) -> None:
        self.heard_at = now = self._loop.time()
        if not self.has_heard:
            self._hear_first()
        intake = self.intake
        if intake is not None and (intake.waits or len(data) > AT_ONCE):
            intake.queue(data)
            return
        try:
            self.protocol.receive_data(data, now)
        except Exception as error:
            self.fail(error)
        self.flush()
        if intake is not None:
            intake.size += len(data)
            if self.heard_messages >= intake.look_at or intake.size >= BYTES_A_LOOK:
                self.attempt(intake.look)

    def eof_received(self) -> bool:
        """Return whether the transport stays open until the end has had its turn."""
        if self.intake is None or self.paired is not None:  # TLS transports do not stay open
            self._receive_eof(CLOSED_BY_PEER)
            return False
        self.intake.departs(self._receive_eof, CLOSED_BY_PEER)
        return True

    def connection_lost(self, exc: Exception | None) -> None:
        transport, self._transport = self._transport, None
        if self.intake is None or self._closed_reported:
            self._lose(transport, exc)
        else:
            self.intake.departs(self._lose, transport, exc)

    # What is not worked on at once: `Intake` calls these.

    def take(self, data: bytes) -> None:
        """Work on a piece of what came, without writing answers yet."""
        try:
            self.protocol.receive_data(data, self._loop.time())
        except Exception as error:
            self.fail(error)
        self._handle_events()

    def hold(self) -> None:
        """Do not read any more for now."""
        if self._transport is not None and not self._transport.is_closing():
            self._transport.pause_reading()

    def go_on(self) -> None:
        """Read again."""
        if self._transport is not None and not self._transport.is_closing():
            self._transport.resume_reading()

    def unread(self) -> int:
        """How many bytes wait here and in the kernel because the peer's machine takes no more.

        What is on the way does not count: on a long way that is much.
        """
        sock = self._socket
        return self.unsent + (held_up(sock) if sock is not None else 0)

    def is_full(self) -> bool:
        """Whether bytes wait here though all that was sent has arrived: the peer's machine has
        no room for more. False where the system does not tell."""
        sock = self._socket
        return sock is not None and is_shut(sock)

    def asks_more(self) -> bool:
        """Whether bytes of the peer wait in the kernel."""
        sock = self._socket
        return sock is not None and waiting(sock) > 0

    def peer_left(self) -> bool:
        """End the connection if the peer has, and say so: what is not read does not notice."""
        sock = self._socket
        if sock is not None and not self.is_closed and not peer_has_left(sock):
            return False
        self._receive_eof(CLOSED_BY_PEER)
        return True

    # Inside.

    def _lose(self, transport: asyncio.Transport | None, error: Exception | None) -> None:
        self._receive_eof(self._explain(error))
        self._let_go(transport)

    def _let_go(self, transport: asyncio.Transport | None) -> None:
        """Open the circles, so that everything is freed now and nobody has to look for it."""
        self._alarm.end()
        self._handle = _nobody
        self._on_end = ()
        self.intake = None
        # asyncio's own transport holds itself by a bound method; others have no such thing.
        getattr(transport, "__dict__", {}).pop("_read_ready_cb", None)

    def _end_with(self, reason: CloseReason, detail: str) -> None:
        if not self.is_closed:
            self._closing = Closed(reason, detail)

    def _begin(self) -> None:
        self._handle(Connected(self.address))

    def _hear_first(self) -> None:
        self.has_heard = True

    def _explain(self, error: Exception | None) -> Loss:
        loss = explain_loss(error)
        if loss.reason is CloseReason.PEER_GONE and self._has_no_way():
            return Loss(CloseReason.NETWORK_LOST, f"{loss.said}; this machine knows no way to it")
        return loss

    def _has_no_way(self) -> bool:
        return route_to(self._peername or (self.address, self.port)) is None

    def _receive_eof(self, loss: Loss) -> None:
        self.attempt(lambda: self.protocol.receive_eof(self._loop.time(), loss))
        self.flush()

    def _handle_events(self) -> None:
        self._handling = True
        try:
            protocol, handle = self.protocol, self._handle
            while self._closing is None and (events := protocol.events_received()):
                self.heard_messages += len(events)
                for event in events:
                    try:
                        if isinstance(event, Closed):
                            self._closing = self._closing or self._with_cause(event)
                        elif self._closing is None and protocol.state is not CLOSED:
                            handle(event)
                        # else it was closed while an event before this one was handled
                    except Exception as error:
                        self.fail(error)
            if self._closing is not None:
                self._tell_of_end(self._closing)
        finally:
            self._handling = False

    def _with_cause(self, closed: Closed) -> Closed:
        """A machine that is gone answers nothing: its silence towards TCP is the cause then."""
        way = self.way() if closed.reason in _UNANSWERED else None
        if way is None or not way.unheard:
            return closed
        gone = f"its machine has acknowledged nothing for {way.unheard:.0f} s"
        return Closed(CloseReason.PEER_GONE, gone)

    def _tell_of_end(self, closed: Closed) -> None:
        if self._closed_reported:
            return
        self._closed_reported = True
        if self.intake is not None:
            self.intake.drop()
        try:
            self._handle(closed)
        except Exception as error:
            self.fail(error)
        finally:
            for act, *words in self._on_end:
                self.attempt(act, *words)

    def _write(self) -> None:
        data = self.protocol.data_to_send()
        transport = self._transport
        if transport is None:
            return
        if data and not transport.is_closing():
            transport.write(data)
            if transport.get_write_buffer_size() > WRITE_BUFFER_LIMIT:
                self._drop_reader(transport)
                return
        if self._closing is not None or self.protocol.state is CLOSED:
            self._end(transport)
        else:
            self._alarm.set(self.protocol.next_deadline())

    def _end(self, transport: asyncio.Transport) -> None:
        if transport.is_closing():
            return  # asyncio's TLS transports are of no use after a second `close`
        transport.close()
        if transport.get_write_buffer_size():
            self._loop.call_later(LINGER, transport.abort)

    def _drop_reader(self, transport: asyncio.Transport) -> None:
        transport.abort()
        self._end_with(CloseReason.NOT_READING, f"{WRITE_BUFFER_LIMIT // 1024} KiB unread")
        self._handle_events()

    def ring(self) -> None:
        """Do what is due."""
        self.attempt(lambda: self.protocol.handle_deadline(self._loop.time()))
        self.flush()


def _nobody(event: object) -> None:
    """Nothing happens any more."""


def untaken(transport: asyncio.WriteTransport) -> int:
    """How many bytes that were written the peer's machine has not taken yet.

    Those that wait here and in the kernel, and those on the way; where the system does not tell,
    only those that wait here.
    """
    sock = transport.get_extra_info("socket")
    return transport.get_write_buffer_size() + (in_kernel(sock) if sock is not None else 0)


def peer_address(transport: asyncio.BaseTransport) -> tuple[str, int]:
    """The address and port at the other end; an IPv4 address inside an IPv6 one unwrapped."""
    return _address_in(transport.get_extra_info("peername") or ("", 0))


def _address_in(peername: SocketAddress) -> tuple[str, int]:
    return unwrap_address(str(peername[0])), int(peername[1])
