"""One upstream: log in, stay logged in, come back after trouble.

Theory of operation. A link is always in one `LinkState`:

    CONNECTING  the name is resolved and a TCP connection made; a failure leads to WAITING
    LOGGING_IN  there is a connection (`Connected`), the protocol object does the rest
    UP          the server has introduced itself (`Introduced`): it may be asked
    WAITING     an attempt failed or a login ended (`Closed`): `LinkWaiting` tells why and how
                long; the delay grows with each failure and starts anew after a good while UP

The delay protects a server that is down from all its clients, so it is long when nobody misses
the link, and is cut short when somebody does (`hurry`: a client is asking), or when this machine
has got a way to the server that it did not have. What the server itself has refused (a login, an
address) is not tried sooner for that, and nothing is tried more often than every few seconds.

`ask`, `send_emm` and `forget` may be called at any time; outside of UP they raise
`ConnectionError`, or have nothing to forget. What was asked and not answered when a login ends
is the caller's to give up: no answer follows. Whatever the handler raises ends that login, never
the link.
"""

import asyncio
import random
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Final, Generic, TypeVar

from cccamd.errors import NumberError
from cccamd.facts import LinkState, Step
from cccamd.ids import format_endpoint, parse_address
from cccamd.machine import has_default_route, route_to
from cccamd.net.connection import Connected, Connection, PairedPeer
from cccamd.net.dial import dial
from cccamd.net.failures import ConnectError, Failure, explain_end
from cccamd.net.fairness import FairPlay
from cccamd.net.tls import TlsCall
from cccamd.values import Emm, Request
from cccamd.wire.link import (
    Answered,
    ClientEvent,
    ClientSide,
    Closed,
    CloseReason,
    Introduced,
    OfferAdded,
    Refused,
    State,
)

WELL_AFTER: Final = 30.0
"""Seconds of a login after which the next failure counts as the first again."""
LEAST_PAUSE: Final = 3.0
"""Seconds between two attempts, however great the hurry, once the delay is as long as that."""
HURRIED_PART: Final = 6.0
"""What part of a long delay has to pass even so."""
SETTLED_AFTER: Final = 2.0
"""Seconds after which a server that ends a login has not just thrown us out."""
ROUTE_LOOK: Final = 2.0
"""Seconds between two looks whether there is a way to the server."""

_NOT_HURRIED: Final = frozenset(
    {
        *(Step.LOGIN, Step.INTRODUCTION, Step.HUNG_UP, Step.NEWCAMD, Step.STRANGER),
        *(Step.THROWN_OUT, Step.UNANSWERED, Step.UNSOUND, Step.ENDED),
        *(Step.CCCAM, Step.NOT_NEWCAMD, Step.DES_KEY, Step.DENIED, Step.NO_CARD_DATA),
        *(Step.NOT_PAIRED, Step.TLS, Step.OTHER_KEY),  # `look_at_keys` knows better
    }
)
"""The server is there: trying sooner would not help, and might get us banned."""


_OF_KEYS: Final = frozenset({Step.NOT_PAIRED, Step.OTHER_KEY})
_NOT_A_WORD: Final = frozenset({CloseReason.HUNG_UP})


@dataclass(frozen=True, slots=True)
class LinkWaiting:
    """An attempt failed or a login ended; the next attempt comes after `delay` seconds."""

    failure: Failure
    delay: float


LinkEvent = ClientEvent | Connected | LinkWaiting
P = TypeVar("P", bound=ClientSide)


@dataclass(slots=True, kw_only=True)
class Backoff:
    """Delays that double from `first` to `most` seconds, each shortened by up to a half.

    Servers that come back after a power cut are not met by all their clients at once.
    """

    first: float = 1.0
    most: float = 60.0
    failures: int = 0

    def next_delay(self, random: Callable[[], float]) -> float:
        """Seconds to wait after one more failure; `random` gives numbers from 0 to 1."""
        longest = min(self.most, self.first * 2.0 ** min(self.failures, 30))
        self.failures += 1
        return longest * (1.0 - 0.5 * random())

    def reset(self) -> None:
        """Begin anew after an attempt that succeeded for a while."""
        self.failures = 0


@dataclass(frozen=True, slots=True)
class _Pause:
    """Between two attempts; times of the loop."""

    soonest: float
    """When the next one comes if somebody is in a hurry."""
    until: float
    """When it comes otherwise."""

    @classmethod
    def of(cls, delay: float, now: float) -> "_Pause":
        return cls(now + min(delay, max(LEAST_PAUSE, delay / HURRIED_PART)), now + delay)


class Link(Generic[P]):
    """Keeps one login at one server alive, for ever; names are resolved at each attempt.

    `make` makes the protocol object of each attempt, given the time. `handle` gets all its
    events, `Closed` at each end, and `LinkWaiting` before each pause.
    """

    def __init__(
        self,
        host: str,
        port: int,
        make: Callable[[float], P],
        *,
        handle: Callable[[LinkEvent], None],
        on_failure: Callable[[str, BaseException], None],
        backoff: Backoff | None = None,
        tls: TlsCall | None = None,
        fair: FairPlay | None = None,
    ) -> None:
        """`tls`: the server is paired, and has to prove its key at each attempt; `fair`: with
        which links it takes turns, None: all that comes is worked on at once."""
        self.address = format_endpoint(host, port)
        """Host and port as logs name them."""
        self._host, self._port = host, port
        self.state = LinkState.WAITING
        self.failure: Failure | None = None
        """Why the last attempt or login ended."""
        self.peer_address = ""
        """The address that the host's name led to."""
        self.protocol: P | None = None
        """The protocol object of the present login, if there is one."""
        self._make = make
        self._handle = handle
        self._on_failure = on_failure
        self._backoff = backoff or Backoff()
        self._tls = tls
        self._fair = fair
        self._connection: Connection[ClientEvent] | None = None
        self._ended = asyncio.Event()
        self._hurried = asyncio.Event()
        self._pause: _Pause | None = None
        self._introduced_at: float | None = None
        self._welcomed = False

    def __repr__(self) -> str:
        return f"<Link {self.address} {self.state.value}>"

    @property
    def is_up(self) -> bool:
        """Whether ECMs can be asked now."""
        return self.state is LinkState.UP

    @property
    def next_attempt_in(self) -> float | None:
        """Seconds until it tries again, as things stand: less once it was told to hurry.

        None: it does not wait.
        """
        if self._pause is None:
            return None
        at = self._pause.soonest if self._hurried.is_set() else self._pause.until
        return max(0.0, at - asyncio.get_running_loop().time())

    def ask(self, token: int, request: Request) -> None:
        """Send an ECM; its answer comes as an event with the token.

        Raises:
            ConnectionError: the link is not up.
            ValueError: the ECM does not fit into a message.
        """
        connection, protocol = self._require_login()
        protocol.ask(token, request, connection.now())
        connection.flush()

    def send_emm(self, token: int, emm: Emm) -> None:
        """Send an EMM; `EmmAcknowledged` comes as an event with the token. Raises as `ask`."""
        connection, protocol = self._require_login()
        protocol.send_emm(token, emm, connection.now())
        connection.flush()

    def forget(self, token: int) -> bool:
        """Drop a question that still waits for its turn; whether there was one."""
        return self.protocol is not None and self.protocol.forget(token)

    @property
    def paired(self) -> PairedPeer | None:
        """The paired server that we are connected with; None: no connection, or without TLS."""
        return self._connection.paired if self._connection is not None else None

    def look_at_keys(self) -> None:
        """Keys were paired or forgotten: end what would not be made now, try what may work now."""
        connection, tls, failure = self._connection, self._tls, self.failure
        if self.state is LinkState.WAITING and failure is not None and failure.step in _OF_KEYS:
            self._hurried.set()
        if connection is None or connection.paired is None or tls is None:
            return
        if not tls.is_expected(connection.paired):
            connection.close(CloseReason.UNPAIRED)

    def rest(self, failure: Failure) -> None:
        """Note why it is not called, after `run` was cancelled and until it runs again."""
        self.state, self.failure = LinkState.WAITING, failure
        self._connection = self.protocol = self._pause = None

    def hurry(self) -> None:
        """Let it try sooner than it would, if it waits: somebody needs it now."""
        failure = self.failure
        if self.state is not LinkState.WAITING or failure is None:
            return
        if failure.step not in _NOT_HURRIED:
            self._hurried.set()

    async def run(self) -> None:
        """Connect, stay, wait, again; until cancelled."""
        try:
            while True:
                started = asyncio.get_running_loop().time()
                self.failure = await self._attempt()
                if asyncio.get_running_loop().time() - started > WELL_AFTER:
                    self._backoff.reset()
                delay = self._backoff.next_delay(random.random)
                self.state = LinkState.WAITING
                self._pause = _Pause.of(delay, asyncio.get_running_loop().time())
                self._tell_of_waiting(LinkWaiting(self.failure, delay))
                await self._wait(self._pause)
        finally:
            self._pause = None
            if self._connection is not None:
                self._connection.close()

    async def _wait(self, pause: "_Pause") -> None:
        """Wait; less long when somebody is in a hurry, or when a way has come back."""
        loop, way = asyncio.get_running_loop(), self._way()
        await asyncio.sleep(pause.soonest - loop.time())
        while (left := pause.until - loop.time()) > 0 and not self._hurried.is_set():
            before, way = way, self._way()
            if way is not None and way != before:
                return
            with suppress(TimeoutError):
                async with asyncio.timeout(min(left, ROUTE_LOOK)):
                    await self._hurried.wait()

    def _way(self) -> str | None:
        """Our own address on the way to the server, as far as that can be told; None: no way."""
        for address in (self.peer_address, self._host):
            try:
                version = parse_address(address).version
            except NumberError:
                continue
            return route_to((address, 0) if version == 4 else (address, 0, 0, 0))
        return "" if has_default_route() else None

    def _tell_of_waiting(self, waiting: LinkWaiting) -> None:
        try:
            self._handle(waiting)
        except Exception as error:
            self._on_failure(f"the link to {self.address}", error)

    async def _attempt(self) -> Failure:
        """Connect and stay until the end; return why it ended."""
        self.state, self._pause = LinkState.CONNECTING, None
        self._ended.clear()
        self._hurried.clear()
        self._introduced_at, self._welcomed = None, False
        try:
            self._connection = await dial(
                self._host, self._port, self._new_connection, tls=self._tls
            )
        except ConnectError as error:
            return Failure(error.step, str(error))
        await self._ended.wait()
        self._connection = self.protocol = None
        assert self.failure is not None
        return self.failure

    def _new_connection(self) -> Connection[ClientEvent]:
        self.protocol = self._make(asyncio.get_running_loop().time())
        return Connection(
            self.protocol, self._on_event, on_failure=self._on_failure, fair=self._fair
        )

    def _on_event(self, event: ClientEvent | Connected) -> None:
        match event:
            case Connected(address):
                self.peer_address = address
                self.state = LinkState.LOGGING_IN
            case Introduced():
                self.state = LinkState.UP
                self._introduced_at = asyncio.get_running_loop().time()
            case OfferAdded():
                self._welcomed = True
            case Answered() | Refused():
                self._welcomed = self._welcomed or isinstance(event, Answered)
                if self._connection is not None and self._connection.intake is not None:
                    self._connection.intake.answers += 1
            case Closed():
                self.state = LinkState.WAITING
                self.failure = self._explain_end(event)
                self._ended.set()
            case _:
                pass
        self._handle(event)

    def _explain_end(self, closed: Closed) -> Failure:
        began, now = self._introduced_at, asyncio.get_running_loop().time()
        if self._tls is not None and closed.reason in _NOT_A_WORD:
            error = self._tls.unwelcome()
            return Failure(error.step, str(error))
        lasted = began is not None and now - began >= SETTLED_AFTER
        return explain_end(closed, introduced=began is not None, settled=self._welcomed or lasted)

    def _require_login(self) -> tuple[Connection[ClientEvent], P]:
        connection, protocol = self._connection, self.protocol
        if connection is None or connection.is_closed or protocol is None:
            raise ConnectionError(f"{self.address} is not connected")
        if protocol.state is not State.OPEN:
            raise ConnectionError(f"{self.address} is not connected")
        return connection, protocol
