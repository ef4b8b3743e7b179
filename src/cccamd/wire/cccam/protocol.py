"""What both sides of a connection have in common.

Theory of operation. A connection begins with login fields of fixed length (HANDSHAKE): each
side says with `_expect` what comes next and who handles it; `_pause` keeps what comes while
somebody decides. `_start_frames` ends that phase: from then on everything is a frame, and a
table of the side says which command is allowed from which state on, and who handles it.
A frame that is unknown, comes too early or is malformed is dropped and remarked, and the
connection goes on; only a frame that cannot be cut out of the stream ends it.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any, ClassVar, Final, Generic, NamedTuple, TypeVar

from cccamd.facts import Revision
from cccamd.wire.cccam.cipher import Cipher
from cccamd.wire.cccam.cursor import MalformedError
from cccamd.wire.cccam.events import KeepaliveReceived, MalformedReceived, UnexpectedReceived
from cccamd.wire.cccam.frames import (
    Command,
    EagerFrameReader,
    FrameReader,
    OversizedFrameError,
    serialize_frame,
)
from cccamd.wire.cccam.messages import ClientData, ServerData
from cccamd.wire.cccam.versions import (
    ALL_CAPABILITIES,
    DEFAULT_VERSION,
    Capabilities,
    parse_version,
    shared_revision,
)
from cccamd.wire.link import CLOSED, CLOSED_BY_PEER, Closed, CloseReason, Loss, Peer, Remark, State

_HANDSHAKE: Final = State.HANDSHAKE
LOGIN_TIMEOUT = 10.0
"""Seconds from the connection to the end of the login."""
ANSWER_TIMEOUT = 8.0
"""Seconds after which a server that has not answered an ECM is given up."""
QUEUE_LIMIT = 64
"""ECMs of one client that wait for their turn."""
HANDSHAKE_BUFFER_LIMIT = 4096
"""More than any login plus the first frames that a hasty client sends behind it."""


_PHASES = {
    State.HANDSHAKE: "during the login",
    State.INTRODUCTION: "after the login, before the peers knew each other",
}
"""When the connection broke off; afterwards there is nothing special about it."""
KEEPALIVE_BURST, KEEPALIVE_RATE = 5.0, 2.0
"""How many keepalives are answered at once, and per second; tvheadend sends one a second."""

E = TypeVar("E")
Side = TypeVar("Side", contravariant=True)


class Rule(NamedTuple, Generic[Side]):
    """Who handles the payload of a command, and from which state on."""

    handle: Callable[[Side, bytes, int], None]
    """Called with the protocol object, the payload, and the flag of the frame.

    Raises:
        MalformedError: the payload does not fit; nothing was done.
    """
    since: State = State.OPEN


def _no_field(field: bytes) -> None:
    """No field is waited for: in place of a method of the object, which would hold itself."""


class Endpoint(ABC, Generic[E]):
    """One connection, either side, without a socket and without a clock."""

    keepalive_interval: ClassVar[float]
    """Seconds after our last message until we send a sign of life."""
    _rules: ClassVar[Mapping[int, Rule[Any]]]
    """What may come, from which state on, and who handles it."""
    # Without them an object of so many attributes takes three times the memory.
    __slots__ = (
        "_buffer",
        "_events",
        "_frames",
        "_handle_field",
        "_keepalive_answered_at",
        "_keepalive_credit",
        "_keepalive_unanswered",
        "_last_received_at",
        "_last_sent_at",
        "_now",
        "_offer",
        "_out",
        "_partner_program",
        "_peer",
        "_receiving",
        "_sending",
        "_wanted",
        "capabilities",
        "dropped",
        "extended",
        "state",
        "version",
    )

    def __init__(self, *, now: float, offer: Capabilities = ALL_CAPABILITIES) -> None:
        self.state = State.HANDSHAKE
        self.capabilities = Capabilities.NONE
        """What both sides agreed on in PARTNER texts."""
        self.extended = False
        """Whether flags name requests and CWs travel unmasked (section 9)."""
        self.dropped = 0
        """How many unknown, unexpected or malformed messages were ignored."""
        self.version = DEFAULT_VERSION
        """What we announce."""
        self._partner_program = ""
        """What the peer calls itself in its partner text."""
        self._peer: Peer | None = None
        self._offer = offer
        self._now = now
        self._last_received_at = self._last_sent_at = now
        self._out = b""
        self._events: list[E | Remark | Closed] = []
        self._buffer = b""
        self._wanted = 0
        self._handle_field: Callable[[bytes], None]
        self._sending: Cipher
        self._receiving: Cipher
        self._frames: FrameReader | EagerFrameReader
        self._keepalive_unanswered = False
        self._keepalive_answered_at = now
        self._keepalive_credit = KEEPALIVE_BURST

    def receive_data(self, data: bytes, now: float) -> None:
        """Take in bytes from the peer, in whatever pieces they came."""
        self._now = self._last_received_at = now
        if self.state is _HANDSHAKE:
            data = self._receive_fields(data)
        if data and self.state is not CLOSED:
            self._receive_frames(data)

    def receive_eof(self, now: float, loss: Loss = CLOSED_BY_PEER) -> None:
        """Take note that the peer is gone."""
        self._now = now
        self._lose(loss)

    def _lose(self, loss: Loss) -> None:
        """End it; a connection that breaks off in a phase of the login is said to do so."""
        parts = (_PHASES.get(self.state, ""), loss.said)
        self._close(loss.reason, ": ".join(part for part in parts if part))

    @abstractmethod
    def next_deadline(self) -> float | None:
        """When `handle_deadline` wants to be called; None after the end."""

    @abstractmethod
    def handle_deadline(self, now: float) -> None:
        """Do what is due; being called early does no harm."""

    def events_received(self) -> list[E | Remark | Closed]:
        """Hand over what happened since the last call, in order; after the end only `Closed`."""
        events, self._events = self._events, []
        return events

    def data_to_send(self) -> bytes:
        """Hand over the bytes that must be written now, in one piece."""
        data, self._out = self._out, b""
        return data

    def send_keepalive(self) -> None:
        """Ask the peer for a sign of life."""
        self._keepalive_unanswered = True
        self._send(0, Command.KEEPALIVE)

    @property
    def peer(self) -> Peer | None:
        """Who the peer is; None before it has said so."""
        return self._peer

    @property
    def revision(self) -> Revision:
        """The protocol revision that both speak: v1 or v2."""
        said = self._peer
        return shared_revision(self.version, parse_version(said.version) if said else None)

    # For the two sides.

    def _meet(self, said: ClientData | ServerData) -> Peer:
        """Keep what the peer said of itself."""
        peer = Peer(
            node_id=said.node_id,
            version=said.version,
            build=said.build,
            revision=shared_revision(self.version, parse_version(said.version)),
            program=self._partner_program,
            extended=self.extended,
            capabilities=self.capabilities.names,
        )
        self._peer = peer
        return peer

    @property
    def _keepalive_at(self) -> float:
        return self._last_sent_at + self.keepalive_interval

    def _expect(self, length: int, handle: Callable[[bytes], None]) -> None:
        """Let `handle` have the next `length` bytes of the handshake."""
        self._wanted, self._handle_field = length, handle

    def _pause(self) -> None:
        """Keep what comes until the next `_expect`."""
        self._wanted = 0

    def _start_frames(self, frames: FrameReader | EagerFrameReader) -> None:
        self._frames = frames
        self.state = State.INTRODUCTION
        self._handle_field = _no_field

    def _send(self, flag: int, command: int, payload: bytes = b"") -> None:
        self._send_frame(serialize_frame(flag, command, payload))

    def _send_frame(self, frame: bytes, burn: int = 0) -> None:
        if self.state is not CLOSED:
            self._last_sent_at = self._now
            self._out += self._sending.encrypt(frame, burn=burn)

    def _close(self, reason: CloseReason, detail: str = "") -> None:
        if self.state is not State.CLOSED:
            self.state = State.CLOSED
            self._handle_field = _no_field
            # What came before is void: who acted upon it would act upon a closed connection.
            self._events = [Closed(reason, detail)]

    def _agree(self, offered: Capabilities) -> None:
        self.capabilities = offered & self._offer
        self.extended = Capabilities.EXT in self.capabilities
        if self._peer is not None:
            self._peer = replace(
                self._peer,
                program=self._partner_program,
                extended=self.extended,
                capabilities=self.capabilities.names,
            )

    def _on_keepalive(self, payload: bytes, flag: int) -> None:
        # Answering an answer would never end between two programs that do so, and with one
        # that answers ours it would not end either, were there no limit.
        if self._keepalive_unanswered:
            self._keepalive_unanswered = False
        elif self._may_answer_keepalive():
            self._send(flag if self.extended else 0, Command.KEEPALIVE)
        self._events.append(KeepaliveReceived())

    # Inside.

    def _may_answer_keepalive(self) -> bool:
        passed = self._now - self._keepalive_answered_at
        self._keepalive_answered_at = self._now
        credit = min(KEEPALIVE_BURST, self._keepalive_credit + KEEPALIVE_RATE * passed)
        self._keepalive_credit = max(0.0, credit - 1.0)
        return credit >= 1.0

    def _receive_fields(self, data: bytes) -> bytes:
        """Serve the handshake; return the bytes behind it."""
        self._buffer += data
        while self.state is State.HANDSHAKE and 0 < self._wanted <= len(self._buffer):
            field, self._buffer = self._buffer[: self._wanted], self._buffer[self._wanted :]
            self._handle_field(field)
        if self.state is State.HANDSHAKE:
            if len(self._buffer) > HANDSHAKE_BUFFER_LIMIT:
                self._close(CloseReason.NOT_CCCAM, "too many bytes before the login was answered")
            return b""
        rest, self._buffer = self._buffer, b""
        return rest

    def _receive_frames(self, data: bytes) -> None:
        try:
            for flag, command, payload in self._frames.frames(data):
                rule = self._rules.get(command)
                if rule is None or self.state < rule.since:
                    self._drop_unexpected(command, payload)
                    continue
                try:
                    rule.handle(self, payload, flag)
                except MalformedError as error:
                    self._drop_malformed(command, payload, error)
                if self.state is CLOSED:
                    return
        except OversizedFrameError as oversized:
            self._close(CloseReason.GARBAGE, str(oversized))

    def _drop_unexpected(self, command: int, payload: bytes) -> None:
        self.dropped += 1
        self._events.append(UnexpectedReceived(command, len(payload)))

    def _drop_malformed(self, command: int, payload: bytes, error: MalformedError) -> None:
        self.dropped += 1
        self._events.append(MalformedReceived(command, len(payload), str(error)))
        if self.state is State.INTRODUCTION:
            self._close(CloseReason.MALFORMED_LOGIN, str(error))
