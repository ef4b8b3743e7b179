"""A client whose bytes live in a worker, as the core's sessions see it: a `ServerSide`."""

from collections.abc import Callable, Sequence

from cccamd.ids import ShareId
from cccamd.values import ControlWords, Offer, Refusal
from cccamd.wire.cccam import Version
from cccamd.wire.link import (
    CLOSED_BY_PEER,
    Closed,
    CloseReason,
    Introduced,
    LoginRequested,
    LoginSucceeded,
    Loss,
    Peer,
    PeerChanged,
    ServerEvent,
    State,
)
from cccamd.workers.records import (
    RecordReader,
    Said,
    pack,
    pack_answer,
    pack_offer,
    pack_password,
    pack_refusal,
    pack_refusal_of_login,
    pack_withdrawal,
    read_told,
)


class RemoteSide:
    """The protocol object of a client, by the records of the worker that has the real one.

    It has no deadlines: those of the protocol run in the worker.
    """

    __slots__ = ("_events", "_out", "_reader", "_user", "_version_for", "peer", "state")

    def __init__(self, version_for: Callable[[bytes], Version]) -> None:
        """`version_for` says which version is announced to a user."""
        self.state = State.HANDSHAKE
        self.peer: Peer | None = None
        self._version_for = version_for
        self._user = b""
        self._reader = RecordReader()
        self._events: list[ServerEvent] = []
        self._out: list[bytes] = []

    def receive_data(self, data: bytes, now: float) -> None:
        """Records came."""
        for kind, body in self._reader.read(data):
            if self.state is State.CLOSED:
                return
            event = read_told(kind, body)
            if event is not None:
                self._note(event)
                self._events.append(event)

    def _note(self, event: ServerEvent) -> None:
        match event:
            case LoginRequested(user):
                self._user = user
            case LoginSucceeded():
                self.state = State.INTRODUCTION
            case Introduced(peer):
                self.peer, self.state = peer, State.OPEN
            case PeerChanged(peer):
                self.peer = peer
            case Closed():
                self.state = State.CLOSED
            case _:
                pass

    def receive_eof(self, now: float, loss: Loss = CLOSED_BY_PEER) -> None:
        """The worker is gone, and the client with it."""
        self._end(loss.reason, loss.said)

    def _end(self, reason: CloseReason, detail: str) -> None:
        if self.state is not State.CLOSED:
            self.state = State.CLOSED
            self._events.append(Closed(reason, detail))

    def handle_deadline(self, now: float) -> None:
        """Nothing is ever due here."""

    def next_deadline(self) -> float | None:
        """Never."""
        return None

    def events_received(self) -> Sequence[ServerEvent]:
        """What happened."""
        if not self._events:
            return ()
        events, self._events = self._events, []
        return events

    def data_to_send(self) -> bytes:
        """The records for the worker."""
        out = self._out
        if not out:
            return b""
        data = b"".join(out) if len(out) > 1 else out[0]
        out.clear()
        return data

    def authenticate(self, password: bytes, *, hold: bool = False) -> None:
        """Go on with the login: this is the account's password."""
        version = self._version_for(self._user)
        self._out.append(pack_password(password, version, hold=hold))

    def accept_login(self, now: float) -> None:
        """Let it in."""
        self._out.append(pack(Said.ACCEPT_LOGIN))

    def refuse_login(self, reason: CloseReason, detail: str = "") -> None:
        """Turn it down."""
        self._out.append(pack_refusal_of_login(reason, ""))
        self._end(reason, detail)

    def announce(self, offer: Offer) -> None:
        """Offer a card."""
        self._out.append(pack_offer(offer))

    def withdraw(self, share_id: ShareId) -> None:
        """Take a card back."""
        self._out.append(pack_withdrawal(share_id))

    def answer(self, token: int, cw: ControlWords) -> None:
        """Answer a request."""
        self._out.append(pack_answer(token, cw))

    def refuse(self, token: int, refusal: Refusal) -> None:
        """Say that there is no CW."""
        self._out.append(pack_refusal(token, refusal))

    def send_keepalive(self) -> None:
        """Ask for a sign of life."""
        self._out.append(pack(Said.KEEPALIVE))
