"""What happened: notes, freezes, incidents, and how long answers took."""

from collections.abc import Mapping
from dataclasses import dataclass

from cccamd.facts.declaring import Fact
from cccamd.facts.running import ServiceId
from cccamd.facts.words import Cause, ReceiverTrouble, Span, Tone, Verdict
from cccamd.values import Outcome


@dataclass(frozen=True, slots=True, kw_only=True)
class Note(Fact):
    """One thing that happened; `subject` and `text` make a sentence."""

    at: float
    tone: Tone
    subject: str
    """An account, a source or an address."""
    text: str
    account: str = ""
    """Whom it is about, when it is about an account."""
    service: ServiceId | None = None
    """The channel that the sentence ends with."""
    times: int = 1
    """How often, with nothing else of this subject in between; `at` is the last time."""


@dataclass(frozen=True, slots=True)
class Margin(Fact):
    """The time left before a key was needed, when its CW arrived."""

    at: float
    seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class ChannelMargin(ServiceId):
    """A channel that is being watched, and how much time is left before each key is needed."""

    account: str
    period: float | None
    """Seconds between two changes of the key; null: not known yet."""
    margin: float | None
    """Seconds left when the last CW came. While a CW is missing: until its key is needed, and
    below zero since when the picture stands still."""
    margins: tuple[Margin, ...] = ()
    """The last ones, the oldest first; while the picture stands still the last is that of now."""
    frozen: int = 0
    """The number of the freeze that goes on; 0: the picture runs, as far as is known."""
    quiet_at: float | None = None
    """Since when the receiver asks no more, when that is longer than it should be; null: it
    asks."""
    forecast: str = ""
    """Says so when the trend goes to zero; else empty."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Freeze(ServiceId):
    """A picture that stood still, whose fault it was, and what happened around it."""

    number: int = 0
    """Names it, also after a restart when there is a journal."""
    at: float
    """When the key was needed; of a channel that was dark from the start, when it was asked for."""
    account: str
    seconds: float
    """How long, as far as is known."""
    over: bool
    """It is not frozen any more. As long as this is false it is trouble, however old it is."""
    from_start: bool = False
    """There never was a picture: dark since the channel was turned to."""
    source: str
    """Who was asked last for this account, or answered late, or was away; empty: nobody."""
    verdict: Verdict = Verdict.UNKNOWN
    """Whose fault it was, as far as is known yet."""
    cause: str
    """The verdict with its numbers, as a sentence."""
    evidence: tuple[str, ...] = ()
    """What the verdict rests on, one line each."""
    change: str = ""
    """What to do about it."""
    around: tuple[str, ...] = ()
    """What else happened, one line each, with times counted from `at`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ReceiverFinding(ServiceId):
    """A receiver that behaves as if its picture stood still, though it was refused nothing now."""

    account: str
    trouble: ReceiverTrouble
    at: float
    """Since when."""
    verdict: Verdict
    """The likely cause."""
    cause: str
    """The likely cause as a sentence."""
    evidence: tuple[str, ...] = ()
    """What was seen, one line each."""
    change: str = ""
    """What to do."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FreezeReport(Fact):
    """Margins of watched channels, freezes, and receivers that behave as if there were one."""

    channels: tuple[ChannelMargin, ...] = ()
    freezes: tuple[Freeze, ...] = ()
    """Those that go on first, then those that are over; of each the newest first."""
    receivers: tuple[ReceiverFinding, ...] = ()
    """Receivers in trouble now."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Incident(Fact):
    """Something that is wrong, or was: one cause, whatever it does to how many."""

    number: int
    """Names it for as long as this server runs."""
    cause: Cause
    subject: str
    """The source, the account, the file, ... whose trouble it is; or what several are called."""
    text: str
    """What is wrong, as a sentence that goes on from the subject."""
    change: str
    """What to do; empty when there is nothing to do but wait."""
    began_at: float
    ended_at: float | None = None
    """null: it goes on."""
    times: int = 1
    """How often it came back before it was over for good."""
    suffering: int = 0
    """How many accounts have it worse for it, or had while it went on."""
    sufferers: tuple[str, ...] = ()
    """The first of these accounts, by name."""
    evidence: tuple[str, ...] = ()
    """What was seen, one line each."""


# Answer times.


@dataclass(frozen=True, slots=True)
class Point(Fact):
    """The answers of a few seconds; times are 0 when nothing was answered."""

    at: float
    """When they begin."""
    answered: int
    refused: int
    median: float
    percentile95: float
    longest: float


@dataclass(frozen=True, slots=True)
class SourceTimes(Fact):
    """The answer times of one source: its own, without our waiting."""

    source: str
    points: tuple[Point, ...]
    """The oldest first; intervals in which nothing happened are left out."""


@dataclass(frozen=True, slots=True)
class ChannelTimes(Fact):
    """The answer times of one channel, as its viewers saw them."""

    service: ServiceId
    points: tuple[Point, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class HistoryReport(Fact):
    """Answer times of sources and channels."""

    at: float
    """Up to when."""
    span: Span
    step: int
    """Seconds that one point stands for."""
    sources: tuple[SourceTimes, ...]
    channels: tuple[ChannelTimes, ...]


@dataclass(frozen=True, slots=True)
class AnswerTime(Fact):
    """One answer."""

    at: float
    seconds: float
    outcome: Outcome


@dataclass(frozen=True, slots=True, kw_only=True)
class ServiceAnswers(ServiceId):
    """How often a source was asked for a service with one outcome."""

    source: str
    outcome: Outcome
    count: int
    usual_seconds: float
    """The mean of all."""
    last_seconds: float
    last_at: float


@dataclass(frozen=True, slots=True, kw_only=True)
class AnswerReport(Fact):
    """How the last ECMs went."""

    accounts: Mapping[str, tuple[AnswerTime, ...]]
    """The last answers to each account, the newest last."""
    sources: Mapping[str, tuple[AnswerTime, ...]]
    """The last answers of each source, the newest last."""
    services: tuple[ServiceAnswers, ...]
