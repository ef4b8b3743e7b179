"""What happens in a running server, as values: the food of journal, history, metrics and pages.

The daemon reports each as it happens, with the wall clock's time in it; consumers are plain
objects. None of these ever holds a password, an ECM's bytes or a CW.
"""

from dataclasses import dataclass

from cccamd.facts import EcmResult, Freeze, Revision
from cccamd.ids import Caid, Ident, NodeId, Sid
from cccamd.values import Outcome
from cccamd.wire.link import CloseReason


@dataclass(frozen=True, slots=True, kw_only=True)
class Happening:
    """Anything that happened; `at` is seconds since the epoch."""

    at: float


@dataclass(frozen=True, slots=True, kw_only=True)
class ClientLoggedIn(Happening):
    """A client is there."""

    account: str
    client: int = 0
    """Which of the clients of this account: a number that no other connection has."""
    address: str
    version: str
    build: str
    revision: Revision | None
    node_id: NodeId | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ClientLoggedOut(Happening):
    """A client has left; `reason` is for people, `why` for programs."""

    account: str
    client: int = 0
    address: str
    reason: str
    why: CloseReason = CloseReason.PEER_CLOSED


@dataclass(frozen=True, slots=True, kw_only=True)
class ServiceSelected(Happening):
    """A client that may watch many services at once has said that it wants one more."""

    account: str
    client: int
    """The number under which the service is watched, as in `EcmFinished`."""
    address: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ServiceReleased(Happening):
    """It has said that it wants this one no more, or has left."""

    account: str
    client: int
    """As in `ServiceSelected`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LoginFailed(Happening):
    """Somebody did not get in; `reason` is for people, `why` for programs."""

    account: str
    """Empty when nobody was named that exists."""
    user: str = ""
    """The name that was given, if one was."""
    address: str
    reason: str
    why: CloseReason = CloseReason.PEER_CLOSED


@dataclass(frozen=True, slots=True, kw_only=True)
class ConnectionRefused(Happening):
    """A connection was closed before its first byte; told as often as the log tells it."""

    address: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class EcmFinished(Happening):
    """A request of a client was answered."""

    account: str
    client: int = 0
    """As in `ClientLoggedIn`."""
    caid: Caid
    ident: Ident
    sid: Sid
    parity: int
    """The ECM's table id, 0x80 or 0x81: it toggles with each crypto period. Else 0."""
    fingerprint: bytes
    """Equal for equal ECMs, and says nothing else about them."""
    result: EcmResult
    seconds: float
    """From the request to its answer."""
    source: str
    """Whose card gave the CW: the name of an upstream or a local card; empty without a CW."""
    cached: bool
    """Nobody had to be asked."""
    outcome: Outcome = Outcome.ANSWERED
    """What was the matter: of the source that was asked last, if any was asked."""
    tried: tuple[tuple[str, Outcome], ...] = ()
    """What each source did that has a card for this client, in order; told when there was no
    CW, or a slow one."""
    weight: int = 1
    """How many such happenings this one stands for: under great load only some are told. 0: it
    counts for nothing, and is told because somebody is in trouble."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceAnswered(Happening):
    """A source answered or refused a request of ours; `seconds` is its own time."""

    source: str
    caid: Caid
    ident: Ident
    sid: Sid
    result: EcmResult
    """CW only for a right one."""
    seconds: float
    outcome: Outcome = Outcome.ANSWERED
    """How exactly it ended."""
    weight: int = 1
    """As in `EcmFinished`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceUp(Happening):
    """A link has logged in, or a local card has started."""

    source: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceDown(Happening):
    """A link was lost; `reason` is for people."""

    source: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceGone(Happening):
    """A source is not wanted any more: its line left the configuration, or the server stops."""

    source: str


@dataclass(frozen=True, slots=True, kw_only=True)
class CardsChanged(Happening):
    """The list of a source's cards has changed to so many."""

    source: str
    cards: int


@dataclass(frozen=True, slots=True, kw_only=True)
class EmmFinished(Happening):
    """A client sent an EMM; `verdict` is for people."""

    account: str
    caid: Caid
    passed: bool
    verdict: str


@dataclass(frozen=True, slots=True, kw_only=True)
class FreezeForeseen(Happening):
    """If it goes on like this, the picture of a client will stand still soon."""

    account: str
    caid: Caid
    ident: Ident
    sid: Sid
    margin: float
    """Seconds that were left when the last CW came."""
    seconds: float
    """Until the margin is used up."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FreezeBegan(Happening):
    """A key was needed and not there. `at` is when it was needed."""

    freeze: Freeze
    """All that is known of it by now."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FreezeEnded(Happening):
    """The key came, or the client has left."""

    freeze: Freeze
    """All that is known of it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerPaused(Happening):
    """Our own loop stood still for so many seconds, until `at`."""

    seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class ClockSet(Happening):
    """Somebody set the wall clock by `step` seconds; `at` is by the new one."""

    step: float


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerReloaded(Happening):
    """The files were read again, and what they say is in use."""

    sources: bool = True
    """Whether links or local cards are others than before: they are on their way up now."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OperatorActed(Happening):
    """Somebody told the server to do something, and it was done."""

    who: str
    """The user of this machine, or of the page."""
    what: str
    """In words; no secret."""
    account: str = ""
    """Whom it is about, if it is about one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RoundTripMeasured(Happening):
    """How long the way to a client and back takes, as far as its acknowledgements tell."""

    account: str
    client: int = 0
    seconds: float
    jitter: float | None = None
    """How much round trips differ, in seconds; None where the kernel does not tell. Not to be
    had from `seconds` of one time and the next: the kernel smooths them."""
