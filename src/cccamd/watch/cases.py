"""What judges are given about a picture that stands still, and what they give back. Values only.

All times in a case are seconds since the epoch, by the clock of the moment it was made.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

from cccamd.facts import EcmResult, ReceiverTrouble, Verdict
from cccamd.ids import Caid, Ident, Sid
from cccamd.values import Outcome

Service = tuple[Caid, Ident, Sid]
"""A plain tuple: it is looked up for every single ECM."""


class SeenAsk(NamedTuple):
    """One request of a receiver, and how it ended."""

    asked_at: float
    seconds: float
    """Until it was answered."""
    late: float
    """Seconds that the receiver itself was late, by its own rhythm; 0: it was not."""
    result: EcmResult
    outcome: Outcome
    """What was the matter, in one word."""
    source: str
    """Whose card gave the CW."""
    tried: tuple[tuple[str, Outcome], ...]
    """What each source did that has a card for this account."""


class SeenAnswer(NamedTuple):
    """What a source said about this service, for whomever it was asked."""

    at: float
    source: str
    outcome: Outcome
    seconds: float


class SeenWay(NamedTuple):
    """How the way to a receiver was."""

    at: float
    round_trip: float
    """Seconds there and back, as the kernel estimates them."""
    jitter: float
    sent_again: int
    """Segments that had to be sent again since the connection began."""
    unheard: float
    """Seconds for which something is sent to it again and again in vain; 0: the way is open."""


class SeenPause(NamedTuple):
    """Our own loop stood still."""

    at: float
    """When it went on."""
    seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class FreezeCase:
    """Everything about one freeze that a verdict may rest on."""

    account: str
    service: Service
    period: float | None
    """Seconds between two changes of the key."""
    intervals: tuple[float, ...] = ()
    """The last ones measured, the oldest first."""
    began_at: float
    """When the key was needed."""
    until: float
    """When it was over, or now."""
    over: bool
    from_start: bool = False
    asks: tuple[SeenAsk, ...] = ()
    """The last requests for this channel, the oldest first."""
    answers: tuple[SeenAnswer, ...] = ()
    """Of sources that this account's requests went to."""
    lost: tuple[str, ...] = ()
    """Those of them whose link was down at any time of it."""
    ways: tuple[SeenWay, ...] = ()
    pauses: tuple[SeenPause, ...] = ()
    started_at: float = 0.0
    """When this server was started."""
    reloaded_at: float = 0.0
    """When its files were read again last; 0: never."""
    others: int = 0
    """Other accounts that watch the same channel."""
    others_frozen: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class ReceiverCase:
    """Everything about a receiver that behaves as if its picture stood still."""

    account: str
    service: Service
    trouble: ReceiverTrouble
    at: float
    """Since when."""
    now: float
    period: float
    asks: tuple[SeenAsk, ...] = ()
    ways: tuple[SeenWay, ...] = ()
    repeats: int = 0
    """How often the same ECM was asked for again although it had been answered."""
    lit: bool = True
    """There was a picture before."""
    others_go_on: bool = False
    """Others have asked for newer keys of the same channel."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Judgement:
    """Whose fault it is, as a sentence with numbers; what that rests on; what to do."""

    verdict: Verdict
    text: str
    evidence: tuple[str, ...] = ()
    change: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Judges:
    """Those who judge: pure functions."""

    freeze: Callable[[FreezeCase], Judgement]
    receiver: Callable[[ReceiverCase], Judgement | None]
    """None: nothing is wrong, as far as anybody can tell; the picture may just be turned off."""


class SeenReceiver(NamedTuple):
    """A receiver's connection at this moment."""

    heard_at: float
    """When it last asked for anything."""
    way: SeenWay | None
    """None where the kernel does not tell."""
