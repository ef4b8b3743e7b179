"""What all protocols have in common: the interface of their objects, and the events they share.

Theory of operation. A protocol object is one connection seen from one side. It never touches a
socket, a clock or a task; whoever owns it (`cccamd.net`) does this, in any order:

    receive_data(data, now)      bytes came
    receive_eof(now, loss)       the peer is gone; nothing comes any more
    handle_deadline(now)         `next_deadline()` has come (too early does no harm)

and after each of them, and after each call of a method that only one side or protocol has
(`ask`, `answer`, ...), in this order:

    events_received()            what happened: handle all of it
    data_to_send()               write all of it
    state                        CLOSED: write what there is, then close the transport
    next_deadline()              wake me then; None: never

Once `state` is CLOSED an object tells nothing but one `Closed`, and takes nothing in. `now` is
float seconds of any monotonic clock, always the same one.

The events below are what sessions and links act upon, whatever the protocol. What a protocol
has to tell beyond them is a `Remark`: nothing follows from it but a line of the log. So the
events of every protocol are the closed union `ServerEvent` or `ClientEvent`.
"""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum, IntEnum
from typing import Final, NamedTuple, Protocol, TypeVar

from cccamd.errors import CccamdError
from cccamd.facts import Revision
from cccamd.ids import NodeId, ShareId
from cccamd.values import ControlWords, Emm, Offer, Refusal, Request


class State(IntEnum):
    """The life of a connection, in order."""

    HANDSHAKE = 0
    """Nobody knows yet who the peer is."""
    INTRODUCTION = 1
    """Logged in; the peers tell each other who they are."""
    OPEN = 2
    """Cards, ECMs, EMMs."""
    CLOSED = 3


# A member of an enum costs 0.17 us to look up by its class (Python 3.11 does it by a method of
# Enum's own class). What is asked for every ECM has a name of its own where that is done, here and
# elsewhere: worth some 2 us of each.
OPEN: Final = State.OPEN
CLOSED: Final = State.CLOSED


class CloseReason(Enum):
    """Why a connection ended; the value is the sentence for people."""

    LOCAL = "closed by us"
    PEER_CLOSED = "the peer closed the connection"
    PEER_GONE = (
        "the peer's machine does not answer any more: it is off or unplugged, or the way to it is"
        " broken"
    )
    RESET = (
        "the connection was reset: the peer's program ended or was killed, its machine started"
        " anew, or something on the way cut it"
    )
    NETWORK_LOST = "the network between here and the peer went down"
    NO_SEED = "no seed came within the time"
    HUNG_UP = "the server closed the connection before it had sent a byte"
    NEWCAMD = "a newcamd server answers there, no CCcam server"
    STRANGER = "what answers there is no CCcam server"
    NOT_CCCAM = "the peer does not speak the CCcam protocol"
    NOT_DVBAPI = "the peer does not speak the dvbapi protocol"
    SAID_NOTHING = "it connected and then said nothing"
    BAD_LOGIN_ANSWER = (
        "the server answered the login with something that is none of CCcam's answers"
    )
    NO_ANSWER_TO_LOGIN = "the server did not answer the login in time"
    NO_INTRODUCTION = "the server took the login and then did not say who it is"
    LOGIN_TIMEOUT = "the login was not finished within the time"
    TOO_MANY_LOGINS = "newer logins needed its place"
    NOT_NEWCAMD = "the peer does not speak the newcamd protocol"
    OTHER_KEY = (
        "its first message cannot be read: its DES key is not that of this port, or it is no"
        " newcamd client"
    )
    UNREADABLE = "the bytes received are no newcamd frames"
    CCCAM = "a CCcam server answers there, no newcamd server"
    STRANGER_TO_NEWCAMD = "what answers there is no newcamd server"
    NO_GREETING = "no greeting came within the time"
    OTHER_KEY_THERE = (
        "the server closed the connection at our login without a word, as newcamd servers do when"
        " the DES key is not theirs"
    )
    LOGIN_DENIED = (
        "the server refused the login: user unknown, another password, or no card is there yet"
    )
    NO_CARD_DATA = "the server took the login and then did not say which card it has"
    NO_SIGN_OF_LIFE = "it did not answer when it was asked for a sign of life"
    CONFIG_CHANGED = (
        "its F-line was removed, or its password, host, version or number of logins changed"
    )
    NO_TLS = "no TLS link came about"
    KEY_UNKNOWN = "its key is not paired with this server"
    NOT_PROTECTED = "cccamd.toml wants this account to come over the TLS link of its paired server"
    UNPAIRED = "its key is not paired any more"
    PORT_CHANGED = "its port was taken out of cccamd.toml, or the port's key or card changed"
    CARD_CHANGED = (
        "its port has another card or more providers for it by now, which it sees when it logs in"
        " anew"
    )
    NOT_ON_THIS_PORT = "cccamd.toml lets other accounts log in on this port"
    KICKED = "it was sent away by hand"
    ACCOUNT_DISABLED = "its account is switched off in cccamd.toml"
    OTHER_PROTOCOL = "cccamd.toml lets this account speak other protocols only"
    OTHER_ADDRESS = "cccamd.toml lets other addresses log in on this port"
    NETWORK_CHANGED = "its network was taken out of [network] allow in cccamd.toml"
    SHUTDOWN = "cccamd is stopping"
    WORKER_ENDED = "the worker process that had its connection ended"
    UNKNOWN_USER = "no F-line has this user name"
    ACCOUNT_IN_ERROR = "the F-line of this user is in error, so there is no such account"
    WRONG_PASSWORD = "wrong password for this user name"
    WRONG_ADDRESS = "the F-line allows this user from another host only"
    HOST_UNRESOLVED = "the host in the F-line of this user does not resolve"
    ALREADY_CONNECTED = "this user is connected already"
    TAKEN_OVER = "it did not answer when its account logged in anew"
    OLD_VERSION = "its version is below MINIMUM CLIENT VERSION"
    NO_VERSION = "MINIMUM CLIENT VERSION is set, and what it says is no version"
    THROWN_OUT = (
        "the server took the login and closed the connection at once, before anything came of it"
    )
    LOGIN_REFUSED = (
        "the server closed the connection after user name and password: user unknown, another"
        " password, user connected already, or address not allowed; its log says which"
    )
    GARBAGE = "the bytes received are no frames"
    MALFORMED_LOGIN = "the peer introduced itself with a malformed message"
    INTERNAL_ERROR = "an error of cccamd itself; its log says more"
    NOT_READING = "the peer does not read what it is sent"
    SAYS_TOO_MUCH = "it sends far more messages than any server needs to"
    ASKS_TOO_MUCH = "it asks far more than [limits] in cccamd.toml lets a client ask"
    NO_ANSWER = "an ECM was not answered; in plain mode nothing more can be asked then"
    OUT_OF_STEP = (
        "it sent a control word that nobody had asked for; in plain mode the next one could not be"
        " told from the right one"
    )


@dataclass(frozen=True, slots=True)
class Loss:
    """Why nothing comes from a peer any more."""

    reason: CloseReason = CloseReason.PEER_CLOSED
    said: str = ""
    """What the system said, if it said anything."""


CLOSED_BY_PEER = Loss()


class LocalProtocolError(CccamdError):
    """A protocol object was asked for something illegal: a bug of ours."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Peer:
    """What a peer says of itself; what its protocol has no word for stays empty."""

    node_id: NodeId | None = None
    """8 bytes that name one running program, in protocols that know such a thing."""
    version: str = ""
    build: str = ""
    revision: Revision | None = None
    """Of the protocol, where it has more than one."""
    program: str = ""
    """What it calls itself."""
    extended: bool = False
    """Whether many requests may be open at once, each with a number of its own."""
    capabilities: tuple[str, ...] = ()
    """What both sides agreed on beyond the plain protocol, by its names on the wire."""


# What happened. Tuples where there is one for every single ECM.


@dataclass(frozen=True, slots=True)
class LoginRequested:
    """A client named its account; `authenticate` or `refuse_login` must follow."""

    user: bytes


@dataclass(frozen=True, slots=True)
class LoginProved:
    """The password was right, and the owner wants to think: `accept_login` or `refuse_login`."""


@dataclass(frozen=True, slots=True)
class LoginSucceeded:
    """The login was accepted; the peers introduce themselves next."""


@dataclass(frozen=True, slots=True)
class Introduced:
    """The peer said who it is: requests may be asked from now on."""

    peer: Peer


@dataclass(frozen=True, slots=True)
class PeerChanged:
    """The peer said more of itself, or both agreed on more."""

    peer: Peer


@dataclass(frozen=True, slots=True)
class OffersDue:
    """The client is ready for its list of cards."""


class Requested(NamedTuple):
    """A client asks; `answer` or `refuse` must follow with the token."""

    token: int
    request: Request


@dataclass(frozen=True, slots=True)
class RequestDropped:
    """A client asked more than its queue holds: its oldest request was refused by us."""

    token: int


@dataclass(frozen=True, slots=True)
class EmmReceived:
    """A client sent an EMM; it is acknowledged already."""

    emm: Emm


class Answered(NamedTuple):
    """The server answered our request with a CW."""

    token: int
    cw: ControlWords


class Refused(NamedTuple):
    """The server has no CW for our request."""

    token: int
    refusal: Refusal


@dataclass(frozen=True, slots=True)
class OfferAdded:
    """The server offers a card, or says something new of one."""

    offer: Offer


@dataclass(frozen=True, slots=True)
class OfferWithdrawn:
    """A card of the server's list is gone."""

    share_id: ShareId


@dataclass(frozen=True, slots=True)
class EmmAcknowledged:
    """The server took our EMM, whatever it does with it."""

    token: int


@dataclass(frozen=True, slots=True)
class TextReceived:
    """A peer sent a text for the log."""

    text: str


class Remark(ABC):
    """Something that only its protocol knows, told for the log; nothing follows from it."""

    __slots__ = ()

    is_news = False
    """Whether an owner wants to read it, and not only who looks closely."""
    is_routine = False
    """Whether it comes all the time, and nobody wants to read it."""

    @abstractmethod
    def __str__(self) -> str:
        """One line for people."""


@dataclass(frozen=True, slots=True)
class Closed:
    """The connection is over; nothing more will be sent or understood."""

    reason: CloseReason
    detail: str = ""

    def __str__(self) -> str:
        return f"{self.reason.value} ({self.detail})" if self.detail else self.reason.value


ServerEvent = (
    LoginRequested
    | LoginProved
    | LoginSucceeded
    | Introduced
    | PeerChanged
    | OffersDue
    | Requested
    | RequestDropped
    | EmmReceived
    | TextReceived
    | Remark
    | Closed
)
"""What a client's connection may tell its server."""
ClientEvent = (
    LoginSucceeded
    | Introduced
    | PeerChanged
    | Answered
    | Refused
    | OfferAdded
    | OfferWithdrawn
    | EmmAcknowledged
    | TextReceived
    | Remark
    | Closed
)
"""What a server's connection may tell its client."""


# The objects.


E = TypeVar("E", covariant=True)


class SansIo(Protocol[E]):
    """One connection, without a socket and without a clock; `E` is what it may tell."""

    @property
    def state(self) -> State:
        """Where the connection is."""

    def receive_data(self, data: bytes, now: float) -> None:
        """Take in bytes from the peer, in whatever pieces they came."""

    def receive_eof(self, now: float, loss: Loss = CLOSED_BY_PEER) -> None:
        """Take note that the peer is gone."""

    def handle_deadline(self, now: float) -> None:
        """Do what is due."""

    def next_deadline(self) -> float | None:
        """When `handle_deadline` wants to be called; None: never."""

    def events_received(self) -> Sequence[E]:
        """Hand over what happened since the last call, in order."""

    def data_to_send(self) -> bytes:
        """Hand over the bytes that must be written now, in one piece."""


class ServerSide(SansIo[ServerEvent], Protocol):
    """A client as its server sees it."""

    @property
    def peer(self) -> Peer | None:
        """Who the client is; None before it has said so."""

    def authenticate(self, password: bytes, *, hold: bool = False) -> None:
        """Go on with the login of `LoginRequested`: this is the account's password.

        If it is right, the login is accepted; with `hold`, `LoginProved` is told instead.
        """

    def accept_login(self, now: float) -> None:
        """Let in the client of `LoginProved`."""

    def refuse_login(self, reason: CloseReason, detail: str = "") -> None:
        """Turn down the login of `LoginRequested` or `LoginProved`."""

    def announce(self, offer: Offer) -> None:
        """Offer a card, or replace the one with the same share id."""

    def withdraw(self, share_id: ShareId) -> None:
        """Take a card back."""

    def answer(self, token: int, cw: ControlWords) -> None:
        """Answer the request of that token."""

    def refuse(self, token: int, refusal: Refusal) -> None:
        """Say that there is no CW for the request of that token."""

    def send_keepalive(self) -> None:
        """Ask the client for a sign of life."""


class ClientSide(SansIo[ClientEvent], Protocol):
    """A server as its client sees it."""

    @property
    def peer(self) -> Peer | None:
        """Who the server is; None before it has said so."""

    @property
    def one_at_a_time(self) -> bool:
        """Whether the server takes one request until that is answered."""

    @property
    def in_flight(self) -> int:
        """How many requests wait for their turn or their answer."""

    def ask(self, token: int, request: Request, now: float) -> None:
        """Send an ECM, now or as soon as the protocol allows; the answer brings the token back.

        Raises:
            LocalProtocolError: the connection is not open.
            ValueError: the ECM does not fit into a message.
        """

    def send_emm(self, token: int, emm: Emm, now: float) -> None:
        """Send an EMM, like `ask`; `EmmAcknowledged` brings the token back."""

    def forget(self, token: int) -> bool:
        """Drop a request that still waits for its turn; whether there was one."""
