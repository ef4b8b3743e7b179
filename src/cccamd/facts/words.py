"""The words of facts: what kinds there are of sources, links, troubles, ends; and when it is much.

Where a value is for people, they see it as it stands here.
"""

from enum import Enum
from typing import Final

ACTIVE_SECONDS: Final = 20
"""A client that asked for something within this time is active."""
SLOW_SECONDS: Final = 0.5
"""An answer that takes longer than this is slow: a picture may stutter."""
OVERLOADED_SECONDS: Final = 1.5
"""A source that usually takes longer than this is overloaded."""


class SourceKind(Enum):
    """What a source is; the value is for people."""

    LOCAL = "local card"
    CCCAM = "CCcam server"
    NEWCAMD = "newcamd server"
    FLEET = "node of the fleet"


class NodeState(Enum):
    """Whether a node of a fleet is there; the value is for people."""

    THERE = "there"
    STOPPED = "stopped"
    """It has said that it goes."""
    MISSING = "missing"
    """Nothing is heard of it, and it has not said that it goes."""
    UNSEEN = "out of sight"
    """Nobody can be heard: the engine is away, or was until a moment ago."""


class LinkState(Enum):
    """What a link is doing; the value is for people. A local card is always up."""

    CONNECTING = "connecting"
    LOGGING_IN = "logging in"
    UP = "up"
    WAITING = "waiting"
    NOT_RUNNING = "not running"
    """There is no server: only its files were looked at."""


class Step(Enum):
    """How far one gets at a server: what failed there and how, or `UP`; the value is for people.

    Judges go by these words, never by the text that is shown beside them.
    """

    RESOLVE = "name not found"
    NAME_SERVER = "no answer from a name server"
    CUT_OFF = "this machine is cut off"
    """No way leads out of it: an interface is down, or has no address."""
    ROUTE = "no route"
    ABSENT = "no machine at this address"
    """In a network of our own: nobody there answers to that address."""
    GATEWAY = "our router does not answer"
    """It is in another network, and the way there begins at a router of ours that is away."""
    UNREACHABLE = "a router cannot reach it"
    FORBIDDEN = "forbidden by a firewall"
    REFUSED = "connection refused"
    CONNECT_TIMEOUT = "no answer to the connection attempt"
    CONNECT = "connection failed"
    NOT_PAIRED = "not paired"
    """One of the two servers does not know the other's key."""
    TLS = "no TLS"
    OTHER_KEY = "another machine answers"
    """Or the same with another key: it is not the one that was paired."""
    SEED = "no seed"
    HUNG_UP = "hung up before the first byte"
    NEWCAMD = "newcamd instead of CCcam"
    STRANGER = "something else than CCcam"
    NO_GREETING = "no greeting"
    CCCAM = "CCcam instead of newcamd"
    NOT_NEWCAMD = "something else than newcamd"
    DES_KEY = "another DES key"
    DENIED = "newcamd login refused"
    NO_CARD_DATA = "no card data"
    LOGIN = "login refused"
    INTRODUCTION = "no server data"
    THROWN_OUT = "thrown out after the login"
    """Before a card or an answer came."""
    CLOSED = "closed by the server"
    RESET = "connection reset"
    GONE = "its machine does not answer any more"
    NETWORK = "the network to it is down"
    UNANSWERED = "an ECM was not answered"
    NO_SIGN = "no sign of life"
    UNSOUND = "it does not keep to the protocol"
    """After the login: it floods us, does not read, or sends what nobody can read or asked for."""
    ENDED = "ended by us"
    PAUSED = "paused"
    """By hand: it is not called until somebody says so."""
    UP = "logged in"


class EcmResult(Enum):
    """How a request ended."""

    CW = "CW"
    NOK1 = "NOK1"
    NOK2 = "NOK2"


class Verdict(Enum):
    """Whose fault it was that a picture stood still; the value is for people."""

    SOURCE_LATE = "a source answered late"
    SOURCE_SILENT = "a source did not answer"
    SOURCE_AWAY = "a source was not there"
    SOURCE_REFUSED = "a source refused for now"
    NOT_DECODED = "nobody could decode it"
    NO_CARD = "there was no card for it"
    WRONG_CW = "the CW was wrong or repeated"
    NETWORK = "the way to the receiver"
    RECEIVER = "the receiver asked late, or not again"
    STREAM = "the broadcast changed its period"
    OURSELVES = "this server was slow itself"
    NOT_ALLOWED = "the account may not watch now"
    UNKNOWN = "cannot be told"


class ReceiverTrouble(Enum):
    """What a receiver does that looks as if its picture stood still; the value is for people."""

    STOPPED = "asks no more"
    REPEATS = "asks for the same ECM again and again"
    ONE_PARITY = "asks for every other key only"


class Cause(Enum):
    """What an incident is about; the value is for people."""

    SOURCES_AWAY = "sources away"
    """Several at one time: for our router, our name server, or what else leads to them."""
    SOURCE_DOWN = "source down"
    OTHER_MACHINE = "another machine answers"
    """Or the same with another key: it is not the paired server."""
    SOURCE_SILENT = "source silent"
    SOURCE_SLOW = "source slow"
    SOURCE_REFUSES = "source refuses"
    WRONG_CWS = "wrong CWs"
    SOURCE_WITHOUT_CARDS = "source without cards"
    ACCOUNT_WITHOUT_CARDS = "account without cards"
    FROZEN = "picture stands still"
    RECEIVER = "receiver in trouble"
    DOUBLE_LOGIN = "double login"
    CLONE = "clone"
    CARD_CIRCLE = "card circle"
    NODE_WRONG = "node gave a wrong CW"
    """Of a fleet."""
    NODE_DIFFERS = "node differs"
    """Its accounts are not those of the other nodes of the fleet."""
    NODE_MISSING = "node missing"
    """Nothing is heard of a node of the fleet that was there."""
    CONFIG_REFUSED = "configuration refused"
    LINES_LEFT_OUT = "lines left out"
    NOT_DONE = "settings not carried out"
    RESTART_NEEDED = "restart needed"
    CLOCK_OFF = "clock off"
    DISK_FULL = "disk full"
    JOURNAL_STOPPED = "journal stopped"
    FEW_FILES = "few files"
    DOOR_SHUT = "door shut"
    """No connection can be accepted."""
    LITTLE_MEMORY = "little memory"
    OVERLOAD = "overload"
    SERVER_PAUSED = "server paused"


class Door(Enum):
    """Where somebody may log in with a name and a password; the value is for people."""

    CCCAM = "CCcam"
    NEWCAMD = "newcamd"
    WEB = "web pages"
    TELNET = "telnet"


class PenaltyKind(Enum):
    """What failed logins have brought upon somebody; the value is for people."""

    BANNED = "banned"
    """Nobody is let in from there."""
    SLOWED = "logins wait"
    """Passwords from there are looked at later."""
    NAME_SLOWED = "strangers wait for this name"
    """Passwords with this name are looked at later, but for where it logged in before."""


class Revision(Enum):
    """Which of the two forms of the CCcam protocol is spoken."""

    V1 = "v1"
    V2 = "v2"


class Tone(Enum):
    """Whether it is good news; the value is for style sheets."""

    GOOD = "good"
    PLAIN = "plain"
    BAD = "bad"


class ConfigProblemKind(Enum):
    """What it means for the server that a place in its files is not as it should be."""

    LEFT_OUT = "left out"
    """A line, value, table or file is not used."""
    NOT_DONE = "not done"
    """It is used, but the system did not let us: a port is taken, a file cannot be written."""
    WAITS = "waits for a restart"
    """A setting was changed that a running server does not take over."""
    DOUBTFUL = "doubtful"
    """It is used, and probably not what was meant."""


class Span(Enum):
    """How far back to look at answer times."""

    MINUTES = "minutes"
    DAY = "day"

    @property
    def step(self) -> int:
        """The seconds that are summed up in one point."""
        return 5 if self is Span.MINUTES else 60

    @property
    def length(self) -> int:
        """The whole span in seconds."""
        return 600 if self is Span.MINUTES else 86_400
