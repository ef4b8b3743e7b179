"""Accepts connections on listening sockets, as many as there are means for.

Theory of operation. asyncio accepts as long as there is something to accept, a thousand in one
go, and when descriptors are short it fills the log and starts again. Here a *turn* of accepting
takes a few, so that what they say is read in between: else a flood would push out an honest
client of the same turn before its first word was looked at. When the system has no descriptor
or memory for one more, accepting *pauses*: whoever comes waits in the kernel's queue. Whoever
can make room is asked to; then it is tried again at once, else after a moment, for ever. That it
is *short* is told once, and once that it has not been for a while.
"""

import asyncio
import errno
import socket
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Final, NamedTuple

from cccamd.errors import CccamdError
from cccamd.ids import unwrap_address
from cccamd.net.failures import explain_listen_error
from cccamd.net.socketoptions import set_socket_options
from cccamd.net.tasks import TaskSet

BACKLOG: Final = 1024
"""Connections that the kernel keeps for us while we are busy."""
TURN: Final = 8
"""Connections that are taken before others have their turn: half a millisecond."""
PAUSE: Final = 0.1
"""Seconds without accepting when the system has nothing left; each time twice as many."""
LONGEST_PAUSE: Final = 1.0
BREATH: Final = 0.01
"""Seconds in which descriptors come back from those who made room."""
CALM: Final = 3.0
"""Seconds without a shortage after which it is over."""

FAMILY_MISSING = frozenset({errno.EAFNOSUPPORT, errno.EADDRNOTAVAIL})
"""A machine without IPv6 is a machine that listens on IPv4."""
_SHORTAGE: Final = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM})


class ListenError(CccamdError):
    """A port cannot be listened on, or a path (port 0)."""

    def __init__(self, address: str, port: int, reason: str) -> None:
        super().__init__(address, port, reason)
        self.address = address
        self.port = port
        self.reason = reason

    def __str__(self) -> str:
        where = f"{self.address} port {self.port}" if self.port else self.address
        return f"cannot listen on {where}: {self.reason}"


class AcceptPaused(NamedTuple):
    """The system has nothing left for one more connection."""

    door: str
    """Where, for people: `port 12000`, or `socket /run/...`."""
    reason: str
    """In the system's words."""


class AcceptResumed(NamedTuple):
    """Connections are accepted again."""

    door: str
    seconds: float
    """How long there was none."""


class AcceptEnded(NamedTuple):
    """The door was closed while nothing could be accepted."""

    door: str


AcceptEvent = AcceptPaused | AcceptResumed | AcceptEnded


class Acceptor:
    """Takes connections from sockets that listen, until it is closed."""

    def __init__(
        self,
        *,
        greet: Callable[[str], asyncio.BaseProtocol | None],
        on_event: Callable[[AcceptEvent], None],
        on_failure: Callable[[str, BaseException], None],
        make_room: Callable[[], bool] = lambda: False,
        keep: Callable[[socket.socket, str], bool] = lambda sock, address: False,
    ) -> None:
        """`keep` may take a socket as it is, and says whether it did. Else `greet` gets the address
        of each who comes, and returns who speaks; None: close it.

        `make_room` may end connections that are dispensable when the system has nothing left, and
        says whether it did.
        """
        self._greet = greet
        self._on_event = on_event
        self._on_failure = on_failure
        self._make_room = make_room
        self._keep = keep
        self._loop = asyncio.get_running_loop()
        self._tasks = TaskSet(on_failure=on_failure)
        self._sockets: list[socket.socket] = []
        self._retry: asyncio.TimerHandle | None = None
        self._pause = PAUSE
        self._short_since: float | None = None
        self._short_at = 0.0
        self._calm: asyncio.TimerHandle | None = None

    @property
    def is_open(self) -> bool:
        """Whether anything is listened on."""
        return bool(self._sockets)

    @property
    def ports(self) -> list[int]:
        """The ports that are open; of use where port 0 was asked for."""
        return [_port(sock) for sock in self._sockets]

    @property
    def addresses(self) -> list[str]:
        """The addresses that are listened on."""
        return [sock.getsockname()[0] for sock in self._sockets]

    def listen(self, sockets: Sequence[socket.socket]) -> None:
        """Accept on these sockets, which are ours from now on, instead of on those before."""
        self.close()
        self._sockets = list(sockets)
        for sock in self._sockets:
            sock.setblocking(False)
        self._resume()

    def close(self) -> None:
        """Stop listening; connections stay."""
        for sock in self.let_go():
            sock.close()

    def let_go(self) -> list[socket.socket]:
        """Accept nothing more; the sockets still listen, and are the caller's from now on."""
        for timer in (self._retry, self._calm):
            if timer is not None:
                timer.cancel()
        if self._short_since is not None and self._sockets:
            self._tell(AcceptEnded(_door(self._sockets[0])))
        self._retry = self._calm = self._short_since = None
        for sock in self._sockets:
            self._loop.remove_reader(sock)
        sockets, self._sockets = self._sockets, []
        return sockets

    def _resume(self) -> None:
        self._retry = None
        for sock in self._sockets:
            self._loop.add_reader(sock, self._take_some, sock)

    def _take_some(self, listening: socket.socket) -> None:
        for _ in range(TURN):
            try:
                sock, peer = listening.accept()
            except (BlockingIOError, InterruptedError):
                return
            except OSError as error:
                if error.errno not in _LOST:
                    self._rest(listening, error)
                    return
            else:
                self.receive(sock, peer[0] if peer else "")  # a UNIX socket's has no name

    def _rest(self, listening: socket.socket, error: OSError) -> None:
        """Accept nothing for a moment: it would fail again, thousands of times a second."""
        for sock in self._sockets:
            self._loop.remove_reader(sock)
        self._short_at = self._loop.time()
        if self._short_since is None:
            self._short_since, self._pause = self._short_at, PAUSE
            self._calm = self._loop.call_later(CALM, self._look_whether_it_is_over)
            self._tell(AcceptPaused(_door(listening), error.strerror or str(error)))
        if error.errno in _SHORTAGE and self._room_was_made():
            pause = BREATH
        else:
            pause, self._pause = self._pause, min(2 * self._pause, LONGEST_PAUSE)
        self._retry = self._loop.call_later(pause, self._resume)

    def _room_was_made(self) -> bool:
        try:
            return self._make_room()
        except Exception as error:
            self._on_failure("making room for connections", error)
            return False

    def _look_whether_it_is_over(self) -> None:
        if self._short_since is None or not self._sockets:
            return
        over_at = self._short_at + CALM
        if self._loop.time() < over_at:
            self._calm = self._loop.call_at(over_at, self._look_whether_it_is_over)
            return
        seconds, self._short_since = self._short_at - self._short_since, None
        self._tell(AcceptResumed(_door(self._sockets[0]), seconds))

    def _tell(self, event: AcceptEvent) -> None:
        try:
            self._on_event(event)
        except Exception as error:
            self._on_failure("telling of the door", error)

    def receive(self, sock: socket.socket, address: str) -> None:
        """Hand over a connection that was accepted; whatever goes wrong, it does not stay open."""
        try:
            if self._keep(sock, unwrap_address(address)):
                return
            protocol = self._greet(unwrap_address(address))
        except Exception as error:
            sock.close()
            self._on_failure("the door", error)
            return
        if protocol is None:
            sock.close()
        else:
            attach(self._tasks, sock, protocol, address)


def attach(
    tasks: TaskSet,
    sock: socket.socket,
    protocol: asyncio.BaseProtocol,
    address: str,
    on_lost: Callable[[], object] = lambda: None,
) -> None:
    """Give an accepted socket a transport in a moment, in which `protocol` speaks; it does not stay
    open whatever goes wrong. `on_lost`: called when it did."""

    async def attaching() -> None:
        try:
            loop = asyncio.get_running_loop()
            set_socket_options(sock)
            await loop.connect_accepted_socket(lambda: protocol, sock)
        except Exception:
            sock.close()
            on_lost()
            raise

    task = tasks.start(f"a connection from {address}", attaching())
    # A task that is cancelled before its first step does not close it.
    task.add_done_callback(lambda done: sock.close() if done.cancelled() else None)


_LOST: Final = frozenset({errno.ECONNABORTED, errno.EPROTO, errno.ECONNRESET})
"""It had ended before it was accepted: the next one may be all right."""


def _port(sock: socket.socket) -> int:
    return 0 if sock.family == socket.AF_UNIX else int(sock.getsockname()[1])


def _door(sock: socket.socket) -> str:
    return f"port {port}" if (port := _port(sock)) else f"socket {sock.getsockname()}"


def open_sockets(
    addresses: Sequence[str], port: int, *, shared: bool = False, early: bool = True
) -> list[socket.socket]:
    """Listen on a port of each address; `shared`: as one of several of this program.

    An address that this machine does not have is listened on as soon as it does, where the system
    can do that (Linux): a router that starts later than we do gives it to us later. `early`: also
    when none of the addresses is there; else that is an error.

    Raises:
        ListenError: one of them is not to be had; the others are closed again.
    """
    sockets: list[socket.socket] = []
    absent: list[tuple[str, OSError]] = []
    try:
        for address in addresses:
            try:
                sockets.append(_listen(address, port, shared=shared, waiting=False))
            except OSError as error:
                if error.errno not in FAMILY_MISSING:
                    raise ListenError(address, port, explain_listen_error(error)) from error
                absent.append((address, error))
        for address, why in absent if sockets or early else ():
            if why.errno == errno.EADDRNOTAVAIL:
                with suppress(OSError):
                    sockets.append(_listen(address, port, shared=shared, waiting=True))
        for address, why in () if sockets else absent:
            raise ListenError(address, port, explain_listen_error(why)) from why
    except BaseException:
        for opened in sockets:
            opened.close()
        raise
    return sockets


_FREE_BIND: Final = {
    socket.AF_INET: (socket.IPPROTO_IP, 15),
    socket.AF_INET6: (socket.IPPROTO_IPV6, 78),
}
"""Linux's IP_FREEBIND and IPV6_FREEBIND, which Python does not name."""


def _listen(address: str, port: int, *, shared: bool, waiting: bool) -> socket.socket:
    """As `socket.create_server`; `waiting`: for an address that this machine does not have."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    sock = socket.socket(family, socket.SOCK_STREAM)
    try:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if shared:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        if family == socket.AF_INET6:
            sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        if waiting:
            sock.setsockopt(*_FREE_BIND[family], 1)
        sock.bind((address, port))
        sock.listen(BACKLOG)
        set_socket_options(sock)  # those that are accepted inherit them
    except BaseException:
        sock.close()
        raise
    return sock
