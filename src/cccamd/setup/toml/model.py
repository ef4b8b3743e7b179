"""What cccamd.toml says, as frozen values.

The `description` of a field completes the sentence "expected ..." of messages. Times are
seconds.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Annotated, Any, Literal, Self

from pydantic import (
    AfterValidator,
    Field,
    PlainValidator,
    model_validator,
)

from cccamd.ids import (
    PORT_LIMIT,
    LoginKey,
    format_endpoint,
    host_key,
    login_key,
    parse_address,
)
from cccamd.localcards import CardConfig, CardOptions, LocalCard
from cccamd.setup.files import Place
from cccamd.setup.pairnames import PAIR_NAME_RULE, is_pair_name
from cccamd.setup.toml.fields import Table, User
from cccamd.setup.toml.networks import (
    AllowedNetworks,
    Network,
    is_in,
    is_loopback,
    parse_network,
)
from cccamd.setup.toml.newcamdtable import NewcamdTable
from cccamd.wire.cccam import (
    ANSWER_TIMEOUT,
    BUILDS,
    DEFAULT_VERSION,
    LOGIN_TIMEOUT,
    QUEUE_LIMIT,
    Version,
    parse_version,
)

FILE_NAME = "cccamd.toml"
SOCKET_PATH_LIMIT = 107
"""Bytes of the path of a UNIX socket, by the kernel."""
_MODE = re.compile("0?[0-7]{3}")


def _seconds(default: float, low: float, high: float) -> Any:
    expected = f"seconds, {low:g} to {high:g}"
    return Field(default=default, ge=low, le=high, description=expected)


def _count(default: int | None, low: int, high: int) -> Any:
    expected = f"a whole number, {low} to {high}"
    return Field(default=default, ge=low, le=high, description=expected)


def _read_version(value: object) -> Version:
    version = parse_version(value) if isinstance(value, str) else None
    if version is None or version not in BUILDS:
        known = ", ".join(f'"{known}"' for known in BUILDS)
        raise ValueError(f"expected a known version: {known}")
    return version


def _read_network(value: object) -> Network:
    return parse_network(value if isinstance(value, str) else "")


def _check_address(text: str) -> str:
    parse_address(text)
    return text


def _check_socket(text: str) -> str:
    if not text.startswith("/") or "\0" in text or len(text.encode()) > SOCKET_PATH_LIMIT:
        raise ValueError(
            f"expected a path from / on, of {SOCKET_PATH_LIMIT} bytes at most, such as"
            ' "/run/cccamd/dvbapi.sock"'
        )
    return text


def _read_mode(value: object) -> int:
    if not isinstance(value, str) or not _MODE.fullmatch(value):
        raise ValueError('expected a mode as chmod takes it, in quotes: "0660"')
    return int(value, 8)


def _check_pair_name(text: str) -> str:
    if not is_pair_name(text):
        raise ValueError(f"expected a name that `cccamd pair` takes: {PAIR_NAME_RULE}")
    return text


_PairName = Annotated[
    str,
    AfterValidator(_check_pair_name),
    Field(description="the name of a paired server, in quotes"),
]
_KnownVersion = Annotated[
    Version,
    PlainValidator(_read_version),
    Field(description='a known version in quotes, such as "2.3.0"'),
]


class NetworkTable(Table):
    """`[network]`: where clients may come from besides the local networks."""

    allow: tuple[Annotated[Network, PlainValidator(_read_network)], ...] = Field(
        default=(), strict=False, description='a list of networks: allow = ["203.0.113.0/24"]'
    )

    hosts: tuple[Annotated[str, Field(min_length=1)], ...] = Field(
        default=(), strict=False, description='a list of names: hosts = ["tv.example"]'
    )
    """Names and addresses by which the web pages may be asked for besides those of this
    machine."""

    @property
    def allowed(self) -> AllowedNetworks:
        """The local networks and these."""
        return AllowedNetworks(self.allow)


class LimitsTable(Table):
    """`[limits]`: how long we wait, and how much we keep. None: no bound of its own."""

    login_timeout: float = _seconds(LOGIN_TIMEOUT, 1, 120)
    """From the connection to the end of the login."""
    max_clients: int = _count(2000, 1, 100_000)
    """Clients logged in at once."""
    max_connections_per_address: int | None = _count(None, 1, 100_000)
    """Connections of one address at once, logged in or not."""
    max_pending_logins: int = _count(1000, 1, 100_000)
    """Connections that have not logged in yet."""
    max_pending_per_address: int = _count(32, 1, 100_000)
    """Of them, of one address outside of the local networks; of IPv6 of one /64."""
    max_pending_per_network: int = _count(128, 1, 100_000)
    """Of them, of one network outside of the local ones: an IPv4 /24, an IPv6 /48."""
    ecm_deadline: float = _seconds(4.5, 0.5, 30)
    """From a client's ECM to our answer, which is NOK1 when nothing else came."""
    answer_timeout: float = _seconds(ANSWER_TIMEOUT, 1, 120)
    """An upstream that has not answered an ECM for so long is dropped."""
    queue_limit: int = _count(QUEUE_LIMIT, 1, 10_000)
    """ECMs of one client that wait for their turn."""
    upstream_cards_limit: int = _count(5000, 1, 1_000_000)
    """Cards taken from one upstream."""
    client_messages_per_second: int = _count(5000, 10, 1_000_000)
    """Of any kind, from one connection, in the long run; twice as many at once. So are they all."""
    client_ecms_per_second: int = _count(2000, 10, 1_000_000)
    client_kilobytes_per_second: int = _count(2000, 10, 1_000_000)
    account_messages_per_second: int = _count(10_000, 10, 1_000_000)
    """The same for all connections of one account together."""
    account_ecms_per_second: int = _count(4000, 10, 1_000_000)
    account_kilobytes_per_second: int = _count(4000, 10, 1_000_000)
    max_unread_kilobytes: int = _count(16, 4, 10_000)
    """What a client may leave unread; beyond that nothing more is taken from it."""
    unread_timeout: float = _seconds(5, 0.5, 120)
    """A client that takes nothing of it for so long is cut."""


class ServerTable(Table):
    """`[server]`: how we show ourselves to clients, and where we listen."""

    cccversion: _KnownVersion = DEFAULT_VERSION
    bind: tuple[Annotated[str, AfterValidator(_check_address)], ...] = Field(
        default=("0.0.0.0", "::"),
        strict=False,
        min_length=1,
        description='a list of addresses: bind = ["0.0.0.0", "::"]',
    )


class CacheTable(Table):
    """`[cache]`: the control words that we keep."""

    seconds: float = _seconds(15.0, 1, 600)
    """How long a CW answers the same ECM again."""
    entries: int = _count(2000, 1, 1_000_000)
    """How many CWs are kept."""
    check_cw_checksums: bool = Field(default=True, description="true or false")
    """Whether a CW whose checksums are wrong counts as no answer."""


class RoutingTable(Table):
    """`[routing]`: how cards are chosen."""

    hedge: bool = Field(default=True, description="true or false")
    """Whether a second card is asked when the first takes longer than it usually does."""


class LogTable(Table):
    """`[log]`: what log lines look like, and of whom more is told."""

    format: Literal["text", "json"] = Field(default="text", description='"text" or "json"')
    """`json`: one JSON object a line, for programs that collect logs."""
    debug_accounts: tuple[User, ...] = Field(
        default=(), strict=False, description='a list of user names: debug_accounts = ["anna"]'
    )
    """Accounts of which everything is told, as with `-d`, and of nobody else."""


class PenaltiesTable(Table):
    """`[penalties]`: the brake on guessing names and passwords."""

    attempts: int = _count(10, 0, 10_000)
    """Failed logins of one address, each forgotten in a minute, until it is banned for a while; 0:
    nobody is banned. The local networks never are."""
    ban: float = _seconds(600, 1, 86_400)
    """The first ban; each further one is twice as long."""
    exempt: tuple[Annotated[Network, PlainValidator(_read_network)], ...] = Field(
        default=(), strict=False, description='a list of networks: exempt = ["203.0.113.0/24"]'
    )
    """Networks that are never banned, as the local ones."""

    def spares(self, address: str) -> bool:
        """Whether an address is in one of the `exempt` networks."""
        return bool(self.exempt) and AllowedNetworks(self.exempt).admits(address)


class JournalTable(Table):
    """`[journal]`: the record of what clients did."""

    enabled: bool = Field(default=True, description="true or false")
    """Whether it is kept, in the folder of the node id."""
    days: int = _count(90, 1, 3650)
    """How long an entry is kept."""
    megabytes: int = _count(64, 1, 10_000)
    """How large the file may become; the oldest entries go first."""


class TlsTable(Table):
    """`[tls]`: the port where paired servers log in (docs/pair.md)."""

    port: int = Field(default=0, ge=0, le=PORT_LIMIT, description="a port, 0 to 65535")
    """0: none is open."""


class DvbapiTable(Table):
    """`[dvbapi]`: where receiver programs get control words that speak dvbapi (docs/dvbapi.md).

    Nobody logs in there: whoever reaches it gets all that the account gets.
    """

    port: int = Field(default=0, ge=0, le=PORT_LIMIT, description="a port, 0 to 65535")
    """0: none is open."""
    listen: tuple[Annotated[str, AfterValidator(_check_address)], ...] = Field(
        default=("127.0.0.1", "::1"),
        strict=False,
        min_length=1,
        description='a list of addresses: listen = ["127.0.0.1"]',
    )
    networks: tuple[Annotated[Network, PlainValidator(_read_network)], ...] = Field(
        default=(), strict=False, description='a list of networks: networks = ["192.168.1.0/24"]'
    )
    """Who may connect besides this machine: nobody who is not named, from local networks either."""
    socket: Annotated[str, AfterValidator(_check_socket)] | None = Field(
        default=None, description='a path in quotes, such as "/run/cccamd/dvbapi.sock"'
    )
    """A UNIX socket; None: there is none."""
    socket_mode: Annotated[int, PlainValidator(_read_mode)] = Field(
        default=0o660, description='a mode in quotes, such as "0660"'
    )
    socket_group: str | None = Field(
        default=None, min_length=1, description="the name of a group, in quotes"
    )
    """None: that of the process."""
    account: User | None = None
    """The F-line whose rights and cards count for everybody who connects."""
    au: bool = Field(default=False, description="true or false")
    """Whether EMMs are taken from the receivers."""

    @model_validator(mode="after")
    def _can_be_opened(self) -> Self:
        if not self.model_fields_set & {"port", "socket"} and self.model_fields_set:
            raise ValueError("expected port or socket: else nothing is opened")
        if not self.enabled:
            return self
        if self.account is None:
            raise ValueError(
                'expected account too: nobody logs in, so account = "…" says which F-line\'s'
                " rights and cards count"
            )
        if self.port and not self.networks and not self.is_for_this_machine:
            raise ValueError(
                "expected networks too: nobody logs in, so networks = […] says who may come to"
                " an address that other machines reach"
            )
        return self

    @property
    def enabled(self) -> bool:
        """Whether there is anything to open."""
        return bool(self.port or self.socket)

    @property
    def is_for_this_machine(self) -> bool:
        """Whether no other machine reaches the port."""
        return all(map(is_loopback, self.listen))

    @property
    def doors(self) -> tuple[str, ...]:
        """What is opened, as people write it."""
        ports = (format_endpoint(address, self.port) for address in self.listen if self.port)
        return (*ports, self.socket) if self.socket else tuple(ports)

    def admits(self, address: str) -> bool:
        """Whether who comes from this address may connect, by what `listen` and `networks` say."""
        return is_loopback(address) or is_in(address, self.networks)


class AccountTable(Table):
    """`[[account]]`: what CCcam.cfg cannot say about an F-line, named by its user."""

    user: User
    cccversion: _KnownVersion | None = None
    """Announced to this client instead of that in `[server]`."""
    logins: int = _count(1, 1, 1000)
    """How many clients may be logged in with it at once."""
    paired: _PairName | None = None
    """The paired server whose account it is: nobody else may log in, nor it without TLS."""

    @model_validator(mode="after")
    def _says_something(self) -> Self:
        if not self.model_fields_set & {"cccversion", "logins", "paired"}:
            raise ValueError("expected cccversion, logins or paired: else the table says nothing")
        return self

    @property
    def heading(self) -> str:
        """How messages name it; no two tables share it."""
        return f'[[account]] user "{self.user}"'


class UpstreamTable(Table):
    """`[[upstream]]`: what CCcam.cfg cannot say about a C-line, named by host, port, user."""

    host: str = Field(min_length=1, description="the host of a C-line, in quotes")
    port: int = Field(ge=1, le=PORT_LIMIT, description="the port of a C-line, 1 to 65535")
    user: User
    cccversion: _KnownVersion | None = None
    """Announced to this upstream."""
    group: str | None = Field(default=None, min_length=1, description="a name in quotes")
    """Upstreams of one group stand in for each other."""
    rank: int = _count(1, 1, 1000)
    """1 is asked first, the others of the group only when it is away."""
    paired: _PairName | None = None
    """The paired server that this is: nothing is said before it has proved its key by TLS."""
    tls_port: int | None = Field(
        default=None, ge=1, le=PORT_LIMIT, description="the port of [tls] there, 1 to 65535"
    )
    """Where its TLS is, if not on the port of the C-line."""

    @property
    def key(self) -> LoginKey:
        """What it shares with its C-line and no other."""
        return login_key(self.host, self.port, self.user)

    @property
    def heading(self) -> str:
        """How messages name it; no two tables share it."""
        return f'[[upstream]] {host_key(self.host)} {self.port} user "{self.user}"'

    @model_validator(mode="after")
    def _check_use(self) -> Self:
        if "rank" in self.model_fields_set and self.group is None:
            raise ValueError('expected a group too: rank orders the upstreams of one group = "…"')
        if self.tls_port is not None and self.paired is None:
            raise ValueError('expected paired too: TLS is for a server that is paired = "…"')
        if self.cccversion is None and self.group is None and self.paired is None:
            raise ValueError("expected cccversion, group or paired: else the table says nothing")
        return self


@dataclass(frozen=True, slots=True, kw_only=True)
class CardEntry:
    """One sound `[[card]]` table, ready for `start_card`."""

    kind: type[LocalCard]
    kind_name: str
    """As the table says."""
    config: CardConfig
    options: CardOptions


@dataclass(frozen=True, slots=True, kw_only=True)
class TomlConfig:
    """Everything one cccamd.toml says; without a file these defaults."""

    file: str = FILE_NAME
    places: Mapping[str, Place] = field(default_factory=dict)
    """Where the `[[tables]]` stand that are used, by their headings in messages."""
    network: NetworkTable = field(default_factory=NetworkTable)
    limits: LimitsTable = field(default_factory=LimitsTable)
    server: ServerTable = field(default_factory=ServerTable)
    cache: CacheTable = field(default_factory=CacheTable)
    routing: RoutingTable = field(default_factory=RoutingTable)
    log: LogTable = field(default_factory=LogTable)
    penalties: PenaltiesTable = field(default_factory=PenaltiesTable)
    journal: JournalTable = field(default_factory=JournalTable)
    tls: TlsTable = field(default_factory=TlsTable)
    dvbapi: DvbapiTable = field(default_factory=DvbapiTable)
    newcamd: tuple[NewcamdTable, ...] = ()
    accounts: tuple[AccountTable, ...] = ()
    upstreams: tuple[UpstreamTable, ...] = ()
    cards: tuple[CardEntry, ...] = ()

    @property
    def pairings(self) -> tuple[tuple[str, str], ...]:
        """The headings of tables that name a paired server, and its name."""
        tables: tuple[AccountTable | UpstreamTable, ...] = (*self.accounts, *self.upstreams)
        return tuple((table.heading, table.paired) for table in tables if table.paired)

    def place(self, heading: str) -> Place:
        """Where a `[[table]]` stands, by its heading; else the whole file."""
        return self.places.get(heading, Place(self.file))
