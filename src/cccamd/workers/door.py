"""Inside a worker: accepts connections, runs their protocol objects, and tells the core."""

import asyncio
import json
import os
import socket
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, cast

from cccamd.ids import NodeId
from cccamd.net import AcceptEvent, Acceptor, AtSocket, Connected, Connection, TaskSet
from cccamd.wire.cccam import (
    DEFAULT_VERSION,
    SEED_RANDOM_LENGTH,
    ServerProtocol,
    Version,
    make_seed,
)
from cccamd.wire.link import ServerEvent, State
from cccamd.workers import frames, records
from cccamd.workers.frames import Kind
from cccamd.workers.records import RecordReader, Said, Told

TAKEN_AFTER: Final = 4096
"""Bytes from the core after which it is told that they are on their way to the client."""
LAGGING: Final = 4096
"""Bytes that a client has not taken from which on the core is not told so."""
LOOK_AFTER: Final = 1024
"""Bytes from the core after which it is looked whether the client's machine has room for more: as
often as without workers, where each 32nd message is one to look at."""
LOOK_INTERVAL: Final = 0.05
"""Seconds between two looks at those who lag behind or are held."""

Tell = Callable[[Kind, int, bytes], None]
"""Sends a frame to the core."""


class Guest(Connection[ServerEvent]):
    """One client."""

    def __init__(
        self,
        number: int,
        tell: Tell,
        protocol: ServerProtocol,
        on_failure: Callable[[str, BaseException], None],
    ) -> None:
        super().__init__(protocol, self._pass_on, on_failure=on_failure)
        self.number = number
        self.side = protocol
        self.version: Version = DEFAULT_VERSION
        self.owed = 0
        """Bytes of the core that it has not been told of as taken."""
        self.look_at = LOOK_AFTER
        """How many of them make the next look."""
        self.stuck = (0, False)
        """As the core was told: bytes for which its machine has no room, and whether it goes on
        asking."""
        self._tell = tell
        self._reader = RecordReader()
        self._out: list[bytes] = []

    def _pass_on(self, event: ServerEvent | Connected) -> None:
        if not isinstance(event, Connected):
            self._out.append(records.tell(event))

    def _hear_first(self) -> None:
        super()._hear_first()
        self._out.append(records.pack(Told.HEARD))

    def flush(self) -> None:
        """Write to the client, and tell the core."""
        super().flush()
        if self._out and not self._handling:
            out, self._out = self._out, []
            self._tell(Kind.TELLS, self.number, b"".join(out))

    def carry_out(self, body: bytes) -> None:
        """Do what the core says."""
        self.owed += len(body) + frames.HEAD.size
        for kind, said in self._reader.read(body):
            if self.side.state is not State.CLOSED:
                self._do(kind, said)
        self.flush()

    def _do(self, kind: int, body: bytes) -> None:
        side = self.side
        match kind:
            case Said.ANSWER:
                side.answer(*records.unpack_answer(body))
            case Said.REFUSE:
                side.refuse(*records.unpack_refusal(body))
            case Said.ANNOUNCE:
                side.announce(records.unpack_offer(body))
            case Said.WITHDRAW:
                side.withdraw(records.unpack_withdrawal(body))
            case Said.AUTHENTICATE:
                password, self.version, hold = records.unpack_password(body)
                side.authenticate(password, hold=hold)
            case Said.ACCEPT_LOGIN:
                side.accept_login(self.now())
            case Said.REFUSE_LOGIN:
                side.refuse_login(*records.unpack_end(body))
            case Said.KEEPALIVE:
                side.send_keepalive()
            case _:
                raise ValueError(f"the core said {kind}")

    def cut(self) -> None:
        """Write nothing more."""
        if self._transport is not None:
            self._transport.abort()

    def tell_way(self) -> None:
        """How the way to it is."""
        way = self.way()
        known = way is not None
        trip, jitter, again, unheard = way or (0.0, 0.0, 0, 0.0)
        acked = self.is_acknowledged()
        body = frames.WAY.pack(acked, trip, jitter, known, unheard, again & 0xFFFFFFFF)
        self._tell(Kind.WAY, self.number, body)


@dataclass(slots=True)
class Knock:
    """A connection about which the core has not decided yet: a socket, and what it says lies in
    the kernel."""

    at_socket: AtSocket
    address: str
    came_at: float
    random: bytes = b""
    """What the first words were made of that it was told while it waits."""


class Entry(asyncio.Protocol):
    """Stands in for a guest until it has a transport; it may have ended meanwhile."""

    def __init__(self, guest: Guest) -> None:
        self._guest = guest

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        found = cast(asyncio.Transport, transport)
        if self._guest.is_closed:
            found.abort()
            return
        found.set_protocol(self._guest)
        self._guest.connection_made(found)


class Door:
    """All connections of one worker."""

    def __init__(self, send: Callable[[bytes], None]) -> None:
        """`send` writes to the core."""
        self._send = send
        self._loop = asyncio.get_running_loop()
        self._node_id = NodeId(bytes(8))
        self._program = ""
        self._count = 0
        self._knocks: dict[int, Knock] = {}
        self._guests: dict[int, Guest] = {}
        self._watched: dict[int, Guest] = {}
        """Those who lag behind or are held."""
        self._held: set[int] = set()
        self._outbox: list[bytes] = []
        self._cutter = frames.FrameCutter()
        self._tasks = TaskSet(on_failure=self._failed)
        self._acceptor = Acceptor(
            greet=lambda address: None,
            keep=self._knocked,
            on_event=self._accepting,
            on_failure=self._failed,
        )

    def be(self, node_id: NodeId, program: str) -> None:
        """Who the server says it is."""
        self._node_id, self._program = node_id, program

    def listen(self, sockets: list[socket.socket]) -> None:
        """Accept on these sockets from now on, and on no others."""
        self._acceptor.listen(sockets)

    def close(self) -> None:
        """The core is gone: everything ends."""
        self._acceptor.close()
        for guest in list(self._guests.values()):
            guest.close()

    def obey(self, data: bytes) -> None:
        """Bytes of the core came."""
        for kind, number, body in self._cutter.cut(data):
            if number == 0:
                self._tell(Kind.LIVES, 0, b"")
            elif kind == Kind.SAYS:
                guest = self._guests.get(number)
                if guest is not None:
                    guest.attempt(guest.carry_out, body)
                    self._note_taken(guest)
            elif kind == Kind.BEGIN:
                self._begin(number, body)
            elif kind == Kind.WAIT:
                self._wait(number)
            else:
                self._manage(kind, number)

    def _manage(self, kind: int, number: int) -> None:
        knock = self._knocks.pop(number, None)
        if knock is not None:
            knock.at_socket.hush()
            knock.at_socket.close()
        guest = self._guests.get(number)
        if guest is None:
            return
        match kind:
            case Kind.END | Kind.DROP:
                guest.close()
                if kind == Kind.DROP:
                    guest.cut()
            case Kind.HOLD:
                self._held.add(number)
                guest.hold()
                self._watch(guest)
            case Kind.GO_ON:
                self._held.discard(number)
                guest.go_on()
            case Kind.LOOK:
                guest.tell_way()
            case _:
                raise ValueError(f"the core sent {kind}")

    def _knocked(self, sock: socket.socket, address: str) -> bool:
        """Somebody has connected."""
        try:
            port = sock.getpeername()[1]
        except OSError:
            sock.close()  # it has left already
            return True
        self._count += 1
        self._knocks[self._count] = Knock(AtSocket(sock), address, self._loop.time())
        self._tell(Kind.CAME, self._count, port.to_bytes(2) + address.encode())
        return True

    def _wait(self, number: int) -> None:
        """Say the first words; the rest is made of who says something (`net/lobby.py`)."""
        knock = self._knocks.get(number)
        if knock is None:
            return
        knock.random = os.urandom(SEED_RANDOM_LENGTH)

        def on_word(said: bool) -> None:
            knock.at_socket.hush()
            self._tell(Kind.SPOKE, number, bytes((said,)))

        try:
            knock.at_socket.say(make_seed(knock.random), on_word)
        except OSError:
            self._tell(Kind.SPOKE, number, b"\0")

    def _begin(self, number: int, body: bytes) -> None:
        knock = self._knocks.pop(number)
        knock.at_socket.hush()
        login_timeout, queue_limit = frames.BEGIN.unpack(body)
        protocol = ServerProtocol(
            node_id=self._node_id,
            program=self._program,
            random=knock.random or os.urandom(SEED_RANDOM_LENGTH),
            now=knock.came_at,
            login_timeout=login_timeout,
            queue_limit=queue_limit,
            version_for=lambda user: guest.version,
        )
        if knock.random:
            protocol.data_to_send()  # the first words, which were said
        guest = Guest(number, self._tell, protocol, self._failed)
        self._guests[number] = guest
        guest.when_ended(self._forget, number)
        knock.at_socket.lead_in(self._tasks, Entry(guest), knock.address, guest.close)

    def _forget(self, number: int) -> None:
        self._guests.pop(number, None)
        self._watched.pop(number, None)
        self._held.discard(number)

    # Who does not take what it is sent.

    def _note_taken(self, guest: Guest) -> None:
        if guest.owed >= guest.look_at:
            guest.look_at = guest.owed + LOOK_AFTER
            if not self._is_level(guest):
                self._watch(guest)

    def _is_level(self, guest: Guest) -> bool:
        """Tell the core how far it is; whether it has taken what it was sent."""
        unread = guest.unread()
        is_full = unread > 0 and guest.is_full()
        self._tell_stuck(guest, unread if is_full else 0)
        if is_full or (guest.owed >= TAKEN_AFTER and unread > LAGGING):
            return False
        if guest.owed >= TAKEN_AFTER:
            owed, guest.owed, guest.look_at = guest.owed, 0, LOOK_AFTER
            self._tell(Kind.TAKEN, guest.number, frames.TAKEN.pack(owed))
        return True

    def _tell_stuck(self, guest: Guest, unread: int) -> None:
        stuck = (unread, unread > 0 and guest.asks_more())
        if stuck != guest.stuck:
            guest.stuck = stuck
            self._tell(Kind.STUCK, guest.number, frames.STUCK.pack(*stuck))

    def _watch(self, guest: Guest) -> None:
        if guest.is_closed:
            return
        if not self._watched:
            self._loop.call_later(LOOK_INTERVAL, self._look)
        self._watched[guest.number] = guest

    def _look(self) -> None:
        """Tell what was taken meanwhile; who is held and has left is noticed here only."""
        for number, guest in list(self._watched.items()):
            is_level = self._is_level(guest)
            is_held = number in self._held and not guest.peer_left()
            if is_level and not is_held:
                self._watched.pop(number, None)
        if self._watched:
            self._loop.call_later(LOOK_INTERVAL, self._look)

    # What the core is told.

    def _tell(self, kind: Kind, number: int, body: bytes) -> None:
        if not self._outbox:
            self._loop.call_soon(self._post)
        self._outbox.append(frames.pack(kind, number, body))

    def _post(self) -> None:
        outbox, self._outbox = self._outbox, []
        self._send(b"".join(outbox))

    def _accepting(self, event: AcceptEvent) -> None:
        told = {"event": type(event).__name__, **event._asdict()}
        self._tell(Kind.ACCEPTING, 0, json.dumps(told).encode())

    def _failed(self, what: str, error: BaseException) -> None:
        self._tell(Kind.FAILED, 0, f"{what}: {type(error).__name__}".encode())
