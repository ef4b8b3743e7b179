"""Where a connection waits for its peer's first word, while many wait.

Theory of operation. In a flood nearly all connections say nothing, and are pushed out by newer
ones after a moment. A session, its protocol object and a transport for each would be most of what
they cost. So when it is crowded, a newcomer is no more than a socket (`AtSocket`; or a number that
a worker gave it, whose socket it has) that was told the first words of the server (`FirstWords`)
and is waited at. When it says something, or has stood there long enough to be told of, a guest is
made that goes on from there, in its place. What it has said lies in the kernel meanwhile.

Who is pushed out here was no login; who leaves without a word has looked at the port.
"""

import asyncio
import socket
from collections.abc import Callable, Hashable
from typing import Final, NamedTuple, Protocol, cast

from cccamd.net.accepting import attach
from cccamd.net.admission import Admission
from cccamd.net.tasks import TaskSet
from cccamd.wire.link import CloseReason

CROWD: Final = 64
"""Connections that are not logged in from which on it is crowded."""
A_LOOK: Final = 20
"""Guests that are made in one go of those who have waited: some milliseconds."""
LONG: Final = 1.0
"""Seconds after which a guest is made of who has said nothing: it will be told of when it ends."""


class Guest(Hashable, Protocol):
    """What the listener needs of a session: a protocol for asyncio, and a way to end it."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin."""

    def when_ended(self, act: Callable[..., object], *words: object) -> None:
        """Call `act` with these words once when it has ended, whatever failed in between."""

    def close(self, reason: CloseReason = ..., detail: str = ...) -> None:
        """End it."""


def hand_over(transport: asyncio.Transport, guest: Guest) -> None:
    """Leave an admitted connection to its guest, as it is."""
    transport.set_protocol(cast(asyncio.Protocol, guest))
    guest.connection_made(transport)


HandOver = Callable[[asyncio.Transport, Guest], None]
"""Gives an admitted connection to its guest."""


class FirstWords(NamedTuple):
    """What a server says before anybody is known, and who goes on from there."""

    data: bytes
    make_guest: Callable[[], Guest]
    """Makes a guest that has said `data`, at the time when this was made."""


class Newcomer(Protocol):
    """A connection for which nothing has been made."""

    def say(self, words: bytes, on_word: Callable[[bool], None]) -> None:
        """Send the first words, and have `on_word` told when it has said something, or (False)
        left; perhaps several times.

        Raises:
            OSError: it has left already.
        """

    def hush(self) -> None:
        """Call `on_word` no more."""

    def close(self) -> None:
        """End it."""

    def lead_in(
        self, tasks: TaskSet, door: asyncio.Protocol, address: str, on_lost: Callable[[], object]
    ) -> None:
        """Make its transport, in a moment, in which `door` speaks. `on_lost`: there is none."""


class AtSocket:
    """A socket that is waited at."""

    __slots__ = ("_loop", "_sock")

    def __init__(self, sock: socket.socket) -> None:
        self._sock = sock
        self._loop = asyncio.get_running_loop()

    def say(self, words: bytes, on_word: Callable[[bool], None]) -> None:
        """Send the first words, and wait for one of its."""
        self._sock.setblocking(False)
        self._sock.send(words)
        self._loop.add_reader(self._sock, self._look, on_word)

    def _look(self, on_word: Callable[[bool], None]) -> None:
        try:
            said = self._sock.recv(1, socket.MSG_PEEK)
        except (BlockingIOError, InterruptedError):
            return
        except OSError:
            said = b""
        on_word(bool(said))

    def hush(self) -> None:
        """Wait no more."""
        self._loop.remove_reader(self._sock)

    def close(self) -> None:
        """End it."""
        self._sock.close()

    def lead_in(
        self, tasks: TaskSet, door: asyncio.Protocol, address: str, on_lost: Callable[[], object]
    ) -> None:
        """Make its transport, in a moment."""
        attach(tasks, self._sock, door, address, on_lost)


class Lobby:
    """Those who have not said a word."""

    def __init__(
        self,
        admission: Admission[Guest],
        first_words: Callable[[], FirstWords],
        *,
        hand_over: HandOver,
        on_pushed_out: Callable[[str], None],
        on_failure: Callable[[str, BaseException], None],
    ) -> None:
        """`on_pushed_out` gets the address of each who made room for somebody newer."""
        self._admission = admission
        self._leave = admission.leave  # one method object for all guests
        self._first_words = first_words
        self._hand_over = hand_over
        self._on_pushed_out = on_pushed_out
        self._on_failure = on_failure
        self._loop = asyncio.get_running_loop()
        self._tasks = TaskSet(on_failure=on_failure)
        self._waiting: dict[_Stranger, None] = {}
        """The oldest first."""
        self._timer: asyncio.TimerHandle | None = None

    @property
    def is_crowded(self) -> bool:
        """Whether newcomers are to wait here."""
        return self._admission.pending >= CROWD

    def enter(self, newcomer: Newcomer, address: str) -> None:
        """Take in an admitted connection, which is ours from now on, also if this raises."""
        try:
            words, until = self._first_words(), self._loop.time() + LONG
            stranger = _Stranger(self, newcomer, address, words.make_guest, until)
            newcomer.say(words.data, stranger.heard)
        except OSError:
            newcomer.close()  # it has left already
            return
        except BaseException:
            newcomer.close()
            raise
        self._waiting[stranger] = None
        try:
            crowded_out = self._admission.enter(stranger, address)
        except BaseException:
            self.leave(stranger)
            raise
        if crowded_out is not None:
            crowded_out.close(CloseReason.TOO_MANY_LOGINS)
        if self._timer is None:
            self._timer = self._loop.call_later(LONG, self._look_who_waits)

    def heard(self, stranger: "_Stranger", said: bool) -> None:
        """It has said something, or left."""
        if not said:
            self.leave(stranger)
        elif stranger in self._waiting:
            self._promote(stranger)

    def leave(self, stranger: "_Stranger") -> None:
        """Forget it, and close its socket."""
        if self._forget(stranger):
            stranger.newcomer.close()
            self._admission.leave(stranger)

    def push_out(self, stranger: "_Stranger") -> None:
        """It makes room for somebody newer."""
        if stranger in self._waiting:
            self.leave(stranger)
            self._on_pushed_out(stranger.address)

    def _forget(self, stranger: "_Stranger") -> bool:
        if stranger not in self._waiting:
            return False
        del self._waiting[stranger]
        stranger.newcomer.hush()
        return True

    def _promote(self, stranger: "_Stranger") -> None:
        """Make a guest that goes on from here; whatever goes wrong, nothing stays half open."""
        try:
            guest = stranger.make_guest()
            guest.when_ended(self._leave, guest)
        except Exception as error:
            self.leave(stranger)
            self._on_failure("the door", error)
            return
        self._forget(stranger)
        self._admission.succeed(stranger, guest)
        door = _Door(guest, self._admission, self._hand_over, self._on_failure)
        stranger.newcomer.lead_in(
            self._tasks,
            door,
            stranger.address,
            lambda: guest.close(CloseReason.INTERNAL_ERROR),
        )

    def _look_who_waits(self) -> None:
        """Make guests of those who have waited long. They are few: a flood pushes itself out."""
        self._timer = None
        now = self._loop.time()
        for stranger in list(self._waiting)[:A_LOOK]:
            if stranger.until > now:
                break
            self._promote(stranger)
        if (oldest := next(iter(self._waiting), None)) is not None:
            self._timer = self._loop.call_at(max(oldest.until, now), self._look_who_waits)


class _Stranger:
    """A connection that waits: a guest as far as the door knows."""

    __slots__ = ("_lobby", "address", "make_guest", "newcomer", "until")

    def __init__(
        self,
        lobby: Lobby,
        newcomer: Newcomer,
        address: str,
        make_guest: Callable[[], Guest],
        until: float,
    ) -> None:
        self._lobby = lobby
        self.newcomer = newcomer
        self.address = address
        self.make_guest = make_guest
        self.until = until

    def heard(self, said: bool) -> None:
        """It has said something, or left."""
        self._lobby.heard(self, said)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """It never gets that far."""

    def when_ended(self, act: Callable[..., object], *words: object) -> None:
        """Nothing depends on it."""

    def close(self, reason: CloseReason = CloseReason.LOCAL, detail: str = "") -> None:
        """End it."""
        if reason is CloseReason.TOO_MANY_LOGINS:
            self._lobby.push_out(self)
        else:
            self._lobby.leave(self)


class _Door(asyncio.Protocol):
    """Stands in for the guest until there is a transport; it may have ended meanwhile."""

    def __init__(
        self,
        guest: Guest,
        admission: Admission[Guest],
        hand_over: HandOver,
        on_failure: Callable[[str, BaseException], None],
    ) -> None:
        self._guest = guest
        self._admission = admission
        self._hand_over = hand_over
        self._on_failure = on_failure

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        found = cast(asyncio.Transport, transport)
        if self._guest not in self._admission:
            found.abort()
            return
        try:
            self._hand_over(found, self._guest)
        except Exception as error:
            found.abort()
            self._guest.close(CloseReason.INTERNAL_ERROR)
            self._on_failure("the door", error)
