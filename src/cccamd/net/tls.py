"""TLS 1.3 between paired servers: the key at the other end is proved before anything is said.

Theory of operation. What both sides prove and why is told in `wire/certificates.py`: the handshake
proves that the peer has the secret key of the certificate it shows; here that key is compared
with those that are paired, and only then does the transport go to the connection, which does
not know the difference. Whoever dials expects one key; whoever listens takes any paired one and
notes whose it is (`Connection.paired`); an account may insist on that.

A stranger at the listening side costs little. The door has counted and admitted it before TLS
begins, so it can be pushed out like anybody; it is read from only when its turn comes, and turns
are rationed (`HANDSHAKES_A_SECOND`), one for each address in its turn, so that a flood from one
address does not hold up another. A handshake that is not over `HANDSHAKE_TIMEOUT` seconds after the
connection came ends. No session is resumed, so there is nothing to keep and each link has fresh
secrets. Renegotiation does not exist in TLS 1.3.
"""

import asyncio
import socket
import ssl
from collections import deque
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Final, Protocol, TypeVar, cast

from cccamd.errors import CccamdError
from cccamd.facts import Step
from cccamd.net.connection import LINGER, Connection, PairedPeer
from cccamd.net.failures import ConnectError, explain_tls_error
from cccamd.net.lobby import Guest
from cccamd.net.tasks import TaskSet
from cccamd.wire.keycodes import KeyCode, format_key_code
from cccamd.wire.link import CloseReason

HANDSHAKE_TIMEOUT: Final = 5.0
"""Seconds for the handshake."""
HANDSHAKES_A_SECOND: Final = 100
"""Begun by the listening side; each costs it about a millisecond."""

E = TypeVar("E")


class KnownKey(Protocol):
    """A server that is paired."""

    @property
    def name(self) -> str:
        """What it is called here."""

    @property
    def code(self) -> KeyCode:
        """By which its key is known."""

    @property
    def since_day(self) -> str:
        """When it was paired, for people."""


class Keyring(Protocol):
    """Our own key and those of paired servers, as they are now."""

    @property
    def key_path(self) -> Path:
        """The secret key and its certificate, as PEM."""

    def own_code(self) -> KeyCode:
        """The code of our key."""

    def paired(self) -> Mapping[str, KnownKey]:
        """All of them by name."""

    def find(self, code: KeyCode) -> KnownKey | None:
        """That which has this key."""


def is_paired_still(peer: PairedPeer, keyring: Keyring) -> bool:
    """Whether a link that stands would still be made."""
    known = keyring.paired().get(peer.name)
    return known is not None and known.code == peer.code


def _context(keyring: Keyring, side: int) -> ssl.SSLContext:
    """Raises what the key file gives reason to: OSError, or ssl.SSLError, which is one."""
    from cccamd.wire.certificates import formal_signer  # heavy; most servers are not paired

    context = ssl.SSLContext(side)
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    context.check_hostname = False  # keys are what counts
    context.verify_mode = ssl.CERT_REQUIRED
    context.load_verify_locations(cadata=formal_signer())
    context.load_cert_chain(keyring.key_path)
    if side == ssl.PROTOCOL_TLS_SERVER:
        context.num_tickets = 0
    return context


def _proved_key(transport: asyncio.BaseTransport) -> KeyCode:
    """The key that the other end of a TLS transport has proved to have."""
    from cccamd.wire.certificates import code_of

    certificate = transport.get_extra_info("ssl_object").getpeercert(binary_form=True)
    return code_of(certificate)


class _Vestibule(asyncio.Protocol):
    """Stands in for the connection until it is known who is there."""

    def __init__(self) -> None:
        self.early = b""
        """What came with the last of the handshake: we are called a turn of the loop later."""
        self.lost: BaseException | None = None
        self.is_over = False

    def data_received(self, data: bytes) -> None:
        self.early += data

    def connection_lost(self, exc: BaseException | None) -> None:
        self.is_over, self.lost = True, exc

    def leave_to(self, guest: asyncio.Protocol, transport: asyncio.Transport) -> None:
        transport.set_protocol(guest)
        guest.connection_made(transport)
        if self.early:
            guest.data_received(self.early)
        if self.is_over:
            guest.connection_lost(cast("Exception | None", self.lost))


# The side that dials.


class TlsCall:
    """How a link is made to one paired server, whose key is looked up each time."""

    def __init__(self, keyring: Keyring, name: str) -> None:
        self.name = name
        """What the server is called here."""
        self._keyring = keyring

    def expected(self) -> KnownKey:
        """The key that must be there.

        Raises:
            ConnectError: none is paired.
        """
        known = self._keyring.paired().get(self.name)
        if known is None:
            detail = f"no server is paired as {self.name} here: cccamd pair {self.name} CODE"
            raise ConnectError(Step.NOT_PAIRED, detail)
        return known

    def is_expected(self, peer: PairedPeer) -> bool:
        """Whether a link that stands would still be made."""
        return peer.name == self.name and is_paired_still(peer, self._keyring)

    def unwelcome(self) -> ConnectError:
        """What it means that the server left without a word when it had seen our key."""
        try:
            code = format_key_code(self._keyring.own_code())
        except CccamdError:
            code = "CODE"  # it was moved away meanwhile
        detail = f"it hung up when it had seen our key; there: cccamd pair NAME {code}"
        return ConnectError(Step.NOT_PAIRED, detail)

    async def open(self, sock: socket.socket, make: Callable[[], Connection[E]]) -> Connection[E]:
        """Make the handshake on a TCP connection, then the connection that `make` makes.

        Raises:
            ConnectError: there is no TLS, or another key than the paired one. The socket is
                closed then.
        """
        vestibule = _Vestibule()
        try:
            known = self.expected()
            context = _context(self._keyring, ssl.PROTOCOL_TLS_CLIENT)
        except ConnectError:
            sock.close()
            raise
        except OSError as error:
            sock.close()
            said = error.strerror or type(error).__name__
            detail = f"our own key cannot be used ({said}): see what `cccamd pair` says of it"
            raise ConnectError(Step.NOT_PAIRED, detail) from error
        try:
            transport, _ = await asyncio.get_running_loop().create_connection(
                lambda: vestibule,
                sock=sock,
                ssl=context,
                server_hostname="",
                ssl_handshake_timeout=HANDSHAKE_TIMEOUT,
                ssl_shutdown_timeout=LINGER,
            )
        except OSError as error:
            sock.close()
            raise ConnectError(Step.TLS, explain_tls_error(error, HANDSHAKE_TIMEOUT)) from error
        code = _proved_key(transport)
        if code != known.code:
            transport.abort()
            raise _other_key(known, code)
        connection = make()
        connection.paired = PairedPeer(known.name, known.code)
        vestibule.leave_to(connection, transport)
        return connection


def _other_key(known: KnownKey, code: KeyCode) -> ConnectError:
    detail = (
        f"this is not the key that was paired as {known.name} on {known.since_day}; nothing was"
        f" said to it. If {known.name} has a new key, its owner reads you {format_key_code(code)},"
        f" and you say: cccamd pair --replace {known.name} CODE; else somebody is in between"
    )
    return ConnectError(Step.OTHER_KEY, detail)


# The side that listens.


class TlsGuest(Guest, Protocol):
    """What comes in over TLS: a connection."""

    paired: PairedPeer | None
    address: str

    def meet(self, transport: asyncio.BaseTransport) -> None:
        """Take note who is there, before there is a connection to it."""


class _Visit:
    """Somebody who waits for the handshake, or is at it."""

    def __init__(self, sock: socket.socket, guest: TlsGuest, arrived_at: float) -> None:
        self.sock = sock
        self.guest = guest
        self.arrived_at = arrived_at
        self.is_over = False
        self._is_waiting = True

    def begin(self) -> None:
        """From now on the socket belongs to a transport."""
        self._is_waiting = False

    def abandon(self) -> None:
        """The guest has ended, perhaps pushed out: what never became its connection must go."""
        if self.is_over:
            return
        self.is_over = True
        if self._is_waiting:
            self.sock.close()
        else:
            with suppress(OSError):
                self.sock.shutdown(socket.SHUT_RDWR)  # its transport notices, and closes it


class TlsDoor:
    """Makes the handshake with whoever was admitted, and hands the guest its TLS transport."""

    def __init__(self, keyring: Keyring, *, tasks: TaskSet) -> None:
        self._keyring = keyring
        self._tasks = tasks
        self._context: ssl.SSLContext | None = None
        self._waiting: dict[str, deque[_Visit]] = {}
        self._is_at_work = False
        self._loop = asyncio.get_running_loop()

    def prepare(self) -> None:
        """Read our key; before this nobody can be handed over.

        Raises:
            OSError: it cannot be used.
        """
        self._context = _context(self._keyring, ssl.PROTOCOL_TLS_SERVER)

    def hand_over(self, transport: asyncio.Transport, guest: Guest) -> None:
        """Let a guest that was admitted wait for its turn; called by the listener.

        Until then its socket is in no event loop: nothing is read, and nothing can be lost.
        """
        visitor = cast(TlsGuest, guest)
        visitor.meet(transport)
        try:
            sock = transport.get_extra_info("socket").dup()
        except OSError as error:
            guest.close(CloseReason.NO_TLS, explain_tls_error(error, HANDSHAKE_TIMEOUT))
            return
        finally:
            transport.abort()  # it closes its own descriptor, and not the connection
        sock.setblocking(False)
        visit = _Visit(sock, visitor, self._loop.time())
        guest.when_ended(visit.abandon)
        self._waiting.setdefault(visitor.address, deque()).append(visit)
        if not self._is_at_work:
            self._is_at_work = True
            self._tasks.start("turns of TLS handshakes", self._give_turns())

    async def _give_turns(self) -> None:
        try:
            while self._waiting:
                address = next(iter(self._waiting))
                of_address = self._waiting.pop(address)
                visit = of_address.popleft()
                if of_address:
                    self._waiting[address] = of_address  # behind all others
                if visit.is_over:
                    continue
                self._tasks.start(f"TLS handshake with {address}", self._welcome(visit))
                await asyncio.sleep(1 / HANDSHAKES_A_SECOND)
        finally:
            self._is_at_work = False

    async def _welcome(self, visit: _Visit) -> None:
        if visit.is_over:
            return
        visit.begin()  # here, as a task that is cancelled before its first step has no socket
        guest, vestibule = visit.guest, _Vestibule()
        left = visit.arrived_at + HANDSHAKE_TIMEOUT - self._loop.time()
        assert self._context is not None
        try:
            transport, _ = await self._loop.connect_accepted_socket(
                lambda: vestibule,
                visit.sock,
                ssl=self._context,
                ssl_handshake_timeout=max(left, 0.1),
                ssl_shutdown_timeout=LINGER,
            )
        except Exception as error:
            visit.sock.close()
            guest.close(CloseReason.NO_TLS, explain_tls_error(error, HANDSHAKE_TIMEOUT))
            return
        try:
            known, code = self._identify(transport)
        except Exception as error:
            transport.abort()
            guest.close(CloseReason.NO_TLS, explain_tls_error(error, HANDSHAKE_TIMEOUT))
            return
        if visit.is_over or known is None:
            transport.abort()
            guest.close(CloseReason.KEY_UNKNOWN, _its_code(code))
            return
        visit.is_over = True
        guest.paired = PairedPeer(known.name, known.code)
        vestibule.leave_to(cast(asyncio.Protocol, guest), transport)

    def _identify(self, transport: asyncio.Transport) -> tuple[KnownKey | None, KeyCode]:
        code = _proved_key(transport)
        return self._keyring.find(code), code


def _its_code(code: KeyCode) -> str:
    shown = format_key_code(code)
    return f"if the other server's owner reads you this code: cccamd pair NAME {shown}"
