"""What may be seen of a running server: each fact is declared here, once, for everybody.

Pages, `/api` and its description, `status`, `explain`, `doctor` and the metrics show these
values under these names; docs/design/facts.md says how one is added. A `Snapshot` is made on
demand, costs nothing in between, and holds no secret. Durations are seconds, `*_at` is seconds
since 1970. The text below a field is what the description of `/api` says about it.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import TYPE_CHECKING, Annotated, ClassVar, Final, Generic, TypeVar

from cccamd.ids import (
    CAID_DIGITS,
    IDENT_DIGITS,
    NODE_ID_LENGTH,
    SHARE_ID_DIGITS,
    SID_DIGITS,
    Caid,
    Ident,
    NodeId,
    ShareId,
    Sid,
    bare_pattern,
    format_caid,
    format_ident,
    format_node_id,
    format_share_id,
    format_sid,
    parse_caid,
    parse_ident,
    parse_node_id,
    parse_share_id,
    parse_sid,
)
from cccamd.values import Outcome

if TYPE_CHECKING:
    from pydantic import GetCoreSchemaHandler, GetJsonSchemaHandler
    from pydantic.json_schema import JsonSchemaValue
    from pydantic_core import CoreSchema

T = TypeVar("T")

ACTIVE_SECONDS: Final = 20
"""A client that asked for something within this time is active."""
SLOW_SECONDS: Final = 0.5
"""An answer that takes longer than this is slow: a picture may stutter."""
OVERLOADED_SECONDS: Final = 1.5
"""A source that usually takes longer than this is overloaded."""


# How JSON has them.


@dataclass(frozen=True, slots=True)
class AsText(Generic[T]):
    """An id in JSON: the text that people know, in so many hex digits.

    pydantic calls the methods, and only who reads or writes JSON has pydantic loaded.
    """

    show: Callable[[T], str]
    read: Callable[[str], T]
    pattern: str
    example: str

    def __get_pydantic_core_schema__(
        self, source: object, handler: "GetCoreSchemaHandler"
    ) -> "CoreSchema":
        """Read a text, write a text."""
        from pydantic_core import core_schema

        return core_schema.no_info_after_validator_function(
            self.read,
            core_schema.str_schema(pattern=self.pattern),
            serialization=core_schema.plain_serializer_function_ser_schema(
                self.show, return_schema=core_schema.str_schema()
            ),
        )

    def __get_pydantic_json_schema__(
        self, schema: "CoreSchema", handler: "GetJsonSchemaHandler"
    ) -> "JsonSchemaValue":
        """Describe the text."""
        return {"type": "string", "pattern": self.pattern, "examples": [self.example]}


@dataclass(frozen=True, slots=True)
class BlankIfNone:
    """A word of an enum in JSON, which is the empty text where there is none."""

    words: type[Enum]

    def __get_pydantic_core_schema__(
        self, source: object, handler: "GetCoreSchemaHandler"
    ) -> "CoreSchema":
        """Read a word or nothing, write a word or nothing."""
        from pydantic_core import core_schema

        return core_schema.no_info_before_validator_function(
            lambda given: None if given == "" else given,
            handler(source),
            serialization=core_schema.plain_serializer_function_ser_schema(
                lambda word: "" if word is None else word.value,
                return_schema=core_schema.str_schema(),
            ),
        )

    def __get_pydantic_json_schema__(
        self, schema: "CoreSchema", handler: "GetJsonSchemaHandler"
    ) -> "JsonSchemaValue":
        """List the words."""
        return {"type": "string", "enum": [*(word.value for word in self.words), ""]}


_NODE_ID_DIGITS: Final = 2 * NODE_ID_LENGTH
CaidFact = Annotated[
    Caid,
    AsText(format_caid, parse_caid, bare_pattern(CAID_DIGITS), "0B00"),
]
IdentFact = Annotated[
    Ident,
    AsText(format_ident, parse_ident, bare_pattern(IDENT_DIGITS), "030B00"),
]
SidFact = Annotated[Sid, AsText(format_sid, parse_sid, bare_pattern(SID_DIGITS), "1D80")]
ShareIdFact = Annotated[
    ShareId,
    AsText(format_share_id, parse_share_id, bare_pattern(SHARE_ID_DIGITS), "0000006A"),
]
NodeIdFact = Annotated[
    NodeId,
    AsText(
        format_node_id,
        parse_node_id,
        bare_pattern(_NODE_ID_DIGITS, at_least=_NODE_ID_DIGITS),
        "380ceca0f39150d3",
    ),
]


# How Prometheus has them.


@dataclass(frozen=True, slots=True)
class Metric:
    """The name and the help that a number has among the metrics; a tuple's is its length."""

    name: str
    text: str
    grows: bool = False
    """It only ever grows: a counter, to whose name `_total` is added."""


class Fact:
    """Base: the texts below the fields describe them, in the description of the API, too."""

    __slots__ = ()
    __pydantic_config__: ClassVar = {"json_schema_serialization_defaults_required": True}


# Words.


class SourceKind(Enum):
    """What a source is; the value is for people."""

    LOCAL = "local card"
    CCCAM = "CCcam server"
    NEWCAMD = "newcamd server"


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
    ROUTE = "no route"
    ABSENT = "no machine at this address"
    """In a network of our own: nobody there answers to that address."""
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


# Clients, sources, cards.


@dataclass(frozen=True, slots=True)
class ServiceId(Fact):
    """A channel; its name is from CCcam.channelinfo."""

    caid: CaidFact
    ident: IdentFact
    sid: SidFact
    name: str | None = field(default=None, compare=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class ShareUse(Fact):
    """How often one CAID and provider was asked for, and answered with a CW."""

    local: bool
    """Answered by a card of ours; else by one of an upstream."""
    caid: CaidFact
    ident: IdentFact
    asked: int
    answered: int


DVBAPI: Final = "dvbapi "
"""How the version of a client begins that speaks dvbapi."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DescrambledService(ServiceId):
    """A service that a client wants clear which shows many at once, over dvbapi."""

    adapter: int
    """The client's number of its receiver."""
    ecm_pid: int
    """Where the ECMs come from that are asked; 0: no card may open any of them."""
    ecms_asked: int
    ecms_answered: int
    """With a CW."""
    last_result: Annotated[EcmResult | None, BlankIfNone(EcmResult)]
    """CW, NOK1, NOK2 or empty."""
    last_source: str
    last_seconds: float | None
    """From its last ECM to the answer."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ClientStatus(Fact):
    """One client that is logged in."""

    account: str
    line: int
    """Its F-line in the configuration."""
    address: str
    port: int
    version: str
    build: str
    revision: Annotated[Revision | None, BlankIfNone(Revision)]
    """Of the CCcam protocol; empty for others."""
    extended: bool
    program: str
    """What it calls itself in its partner text; empty without one."""
    node_id: NodeIdFact | None
    """null for a client whose protocol knows no such thing."""
    connected_at: float
    heard_at: float
    """When it last asked for something."""
    ecms_asked: int
    ecms_answered: int
    """With a CW."""
    emms_sent: int
    emms_passed: int
    pending: Annotated[
        int, Metric("cccamd_requests_pending", "ECMs of clients without an answer yet.")
    ]
    """ECMs without an answer yet."""
    cards: int
    """How many cards it was told of."""
    service: ServiceId | None
    """What it watches."""
    last_result: Annotated[EcmResult | None, BlankIfNone(EcmResult)]
    """CW, NOK1, NOK2 or empty."""
    last_source: str
    last_seconds: float | None
    """From its last ECM to our answer."""
    uses: tuple[ShareUse, ...]
    paired: str = ""
    """The paired server that it has proved to be, by TLS; empty: its link is not protected."""
    descrambling: Annotated[
        int, Metric("cccamd_services_descrambled", "Services that dvbapi clients want clear.")
    ] = 0
    """How many services it wants clear at once; 0 for clients that only ask ECMs."""
    services: tuple[DescrambledService, ...] = ()
    """These services."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LastMinute(Fact):
    """What came of the ECMs that a source was asked, as far as it came within the last minute."""

    answered: int = 0
    """With a right CW."""
    slow: int = 0
    """Of these: took longer than a second."""
    late: int = 0
    """Of these: came when those who asked had been refused already."""
    cannot_decode: int = 0
    """It says that it cannot decode the service."""
    refused: int = 0
    """It refused for now, or asks to be left alone."""
    no_answer: int = 0
    """It did not answer in time."""
    zero: int = 0
    """All-zero CWs."""
    checksum: int = 0
    """CWs with wrong checksum bytes."""
    repeated: int = 0
    """CWs of the period before."""
    lost: int = 0
    """Its link was lost, or the card was taken back, before it answered."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceStatus(Fact):
    """One upstream link or one local card; what is not said of it is nothing yet."""

    name: str
    """host:port as in the C-line, or the name of the card."""
    kind: SourceKind
    line: int
    """Its C-line; 0 for a local card."""
    state: LinkState
    up_at: float | None = None
    """Since when it can be asked; null: it cannot."""
    next_attempt_at: float | None = None
    down_since: float | None = None
    """Since when it cannot be asked; null: it can."""
    last_failure: str = ""
    """Why the last login or attempt ended; empty: none has ended yet."""
    failed_step: Annotated[Step | None, BlankIfNone(Step)] = None
    """Of `last_failure`: how far it got and what failed."""
    address: str = ""
    version: str = ""
    build: str = ""
    revision: Annotated[Revision | None, BlankIfNone(Revision)] = None
    """Of the CCcam protocol; empty for others."""
    extended: bool = False
    program: str = ""
    """What it calls itself in its partner text; of a local card, its kind."""
    node_id: NodeIdFact | None = None
    in_flight: Annotated[int, Metric("cccamd_source_requests_in_flight", "ECMs it works on.")] = 0
    """ECMs that it works on."""
    cards: Annotated[int, Metric("cccamd_source_cards", "Cards from it.")] = 0
    cards_by_hop: Mapping[int, int] = field(default_factory=dict)
    """Number of cards by distance from us."""
    cards_rejected: int = 0
    """Cards of its list that we do not take."""
    asked: int = 0
    answered: int = 0
    """With a CW."""
    silent_since: float | None = None
    """Since when it answers nothing of what it is asked, though it is up; null: it does answer, or
    is asked nothing. It is asked about every five seconds then, and nobody else waits for it."""
    last_minute: LastMinute = LastMinute()
    usual_seconds: float | None = None
    """The time within which nearly all its last answers came, or were given up: what the router
    goes by. null: it was asked nothing for five minutes."""
    uses: tuple[ShareUse, ...] = ()
    group: str = ""
    """The standby group it belongs to, or empty."""
    rank: int = 0
    """Its place in the group: the lowest serves."""
    paired: str = ""
    """The paired server that it has to prove to be, by TLS; empty: its link is not protected."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CardStatus(Fact):
    """One way to one card."""

    source: str
    share_id: ShareIdFact
    """At its source."""
    own_share_id: ShareIdFact
    """At us."""
    caid: CaidFact
    idents: tuple[IdentFact, ...]
    hop: int
    reshare: int
    path: tuple[NodeIdFact, ...]
    """Nodes from its origin to the source."""
    assigned_sids: tuple[SidFact, ...]
    rejected_sids: tuple[SidFact, ...]
    seen_by: tuple[str, ...]
    """Accounts, logged in now, that were told of it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DoubleLogin(Fact):
    """A login with the right password that was refused: its account was in use."""

    account: str
    address: str
    """Where it came from."""
    holders: tuple[str, ...]
    """Addresses of those who were logged in, and gave a sign of life."""
    first_at: float
    last_at: float
    times: int
    """How often it was refused since `first_at`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Clone(Fact):
    """A node id that more than one program has now: one was copied from the other."""

    node_id: NodeIdFact
    own: bool
    """It is the node id of this server."""
    accounts: tuple[str, ...]
    """Clients that have it."""
    sources: tuple[str, ...]
    """Upstreams that have it."""
    addresses: tuple[str, ...]
    """Where they all are; those at one address may also be one program that logs in twice."""
    since: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Penalty(Fact):
    """What somebody bears for failed logins: the brake on guessing. It ends by itself."""

    who: str
    """An address, a network, or a user name."""
    kind: PenaltyKind
    """Whether it is let in at all."""
    doors: tuple[Door, ...]
    """Where its logins failed; a ban holds for all doors."""
    user: str
    """The name that was tried last."""
    tries: int
    """Failed logins so far, as long as they are not forgotten."""
    bans: int
    """The how manieth ban it is, or how many there were; each is twice as long."""
    last_at: float
    """When the last of these logins failed; of a ban of before a restart, the restart."""
    until: float
    """When it is over, if nothing more happens."""
    wait_seconds: float
    """What the next login has to wait; 0 when nobody is let in at all."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerStatus(Fact):
    """The server itself."""

    at: float
    """The moment that all this is about."""
    started_at: Annotated[float, Metric("cccamd_start_time_seconds", "Start, seconds since 1970.")]
    program: str
    node_id: NodeIdFact
    config_path: str
    accounts: Annotated[tuple[str, ...], Metric("cccamd_accounts", "F-lines in use.")]
    """All accounts, logged in or not."""
    ecms_total: int
    emms_total: int
    logins_failed: int
    connections_refused: Annotated[
        int, Metric("cccamd_connections_refused", "Connections closed unheard.", grows=True)
    ]
    """Connections that were closed before their first byte."""
    pending_logins: Annotated[int, Metric("cccamd_logins_pending", "Connections before login.")]
    """Connections that have not logged in yet."""
    peak_pending: int
    """Most ECMs of one client that were ever open at once."""
    double_logins: Annotated[
        tuple[DoubleLogin, ...],
        Metric("cccamd_double_logins", "Logins refused lately: their account was in use."),
    ] = ()
    """Logins of the last ten minutes that were refused because their account was in use."""
    clones: Annotated[
        tuple[Clone, ...], Metric("cccamd_clones", "Node ids that several programs have.")
    ] = ()
    """Node ids that several programs have now."""
    banned: Annotated[
        int, Metric("cccamd_bans", "Addresses and networks banned now for failed logins.")
    ] = 0
    """How many addresses and networks are banned for failed logins."""
    slowed: Annotated[
        int, Metric("cccamd_logins_slowed", "Addresses and names whose logins wait now.")
    ] = 0
    """How many addresses and names have to wait with their logins for those that failed."""
    penalties: tuple[Penalty, ...] = ()
    """Who they are: bans first, of each kind the latest first; at most 100."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ConfigProblem(Fact):
    """One place in the files that is not as it should be. No text holds a secret."""

    kind: ConfigProblemKind
    file: str
    line: int | None
    """null: the file as a whole, or a setting that no longer stands there."""
    text: str
    """A sentence; it does not name the place once more."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ConfigState(Fact):
    """Whether the server runs with what its files say, and if not, why."""

    read_at: Annotated[
        float,
        Metric(
            "cccamd_config_last_reload_success_timestamp_seconds",
            "When the files in use were read, seconds since 1970.",
        ),
    ] = 0.0
    """When the files that are in use were read."""
    tried_at: float = 0.0
    """When the files were read last, taken or not."""
    taken: Annotated[
        bool,
        Metric(
            "cccamd_config_last_reload_successful",
            "1: the files were taken when they were read last; 0: the old ones are in use.",
        ),
    ] = True
    """The files were taken when they were read last; false: what was read before is in use."""
    refusal: str = ""
    """Why they were not taken, with the place; empty when they were."""
    refused_since: float | None = None
    """Since when files have been refused; null: they are taken."""
    changes: tuple[str, ...] = ()
    """What the last reload changed: names of accounts, C-lines, cards and settings. Empty before
    the first."""
    problems: tuple[ConfigProblem, ...] = ()
    """What is wrong with the files in use, the gravest first; at most 100."""
    left_out: Annotated[
        int, Metric("cccamd_config_left_out", "Lines, values, tables and files not used.")
    ] = 0
    """How many lines, values, tables and files are not used."""
    not_done: Annotated[
        int, Metric("cccamd_config_not_done", "Settings that the system did not let us carry out.")
    ] = 0
    """How many settings could not be carried out."""
    waiting: Annotated[
        int, Metric("cccamd_config_waiting", "Changed settings that wait for a restart.")
    ] = 0
    """How many changed settings wait for a restart."""
    doubtful: int = 0
    """How many places are used, but are probably not what was meant."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Snapshot(ServerStatus):
    """A server at one moment, and all there is in it."""

    config: ConfigState = field(default_factory=ConfigState)
    clients: tuple[ClientStatus, ...]
    sources: tuple[SourceStatus, ...]
    cards: tuple[CardStatus, ...]


def is_active(client: ClientStatus, at: float) -> bool:
    """Whether a client asked for something a moment ago."""
    return at - client.heard_at <= ACTIVE_SECONDS


def active_clients(snapshot: Snapshot) -> list[ClientStatus]:
    """All clients that are active."""
    return [client for client in snapshot.clients if is_active(client, snapshot.at)]


# What happened.


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


def is_trouble(freeze: Freeze, at: float, *, lately: float = 0.0) -> bool:
    """Whether somebody should look at a freeze at a moment: as long as it goes on, whatever its
    age, and for so many seconds after it ended."""
    return not freeze.over or freeze.at + freeze.seconds >= at - lately


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


# Everything at once.


@dataclass(frozen=True, slots=True, kw_only=True)
class System(Fact):
    """All cards of one CAID."""

    caid: CaidFact
    cards: int
    nearest_hop: int
    idents: tuple[IdentFact, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Status(Fact):
    """What goes on: all but the single cards."""

    server: ServerStatus
    config: ConfigState = field(default_factory=ConfigState)
    clients: tuple[ClientStatus, ...]
    sources: tuple[SourceStatus, ...]
    systems: tuple[System, ...]
    notes: tuple[Note, ...]
    """What happened lately, the newest first."""
    channels: tuple[ChannelMargin, ...]
    incidents: tuple[Incident, ...] = ()
    """What is wrong, by how many suffer; then what was wrong, the newest first."""
