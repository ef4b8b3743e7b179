"""What cccamd.toml says, as frozen values."""

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Annotated, Literal

from cccamd.cards import OPEN, Access, ServiceList
from cccamd.ids import (
    format_endpoint,
)
from cccamd.localcards import CardConfig, LocalCard
from cccamd.setup.files import Place
from cccamd.setup.toml.fields import (
    ADDRESS,
    NETWORK,
    SWITCH,
    USER,
    VERSION,
    Listed,
    Table,
    Value,
    count_between,
    one_of,
    port_as,
    text_as,
    time_between,
)
from cccamd.setup.toml.fleettable import FleetTable
from cccamd.setup.toml.linetables import AccountTable, UpstreamTable
from cccamd.setup.toml.mqtttable import MqttTable
from cccamd.setup.toml.networks import (
    AllowedNetworks,
    Network,
    is_in,
    is_loopback,
)
from cccamd.setup.toml.newcamdtable import NewcamdTable
from cccamd.setup.toml.notifytable import NotifyTable
from cccamd.setup.toml.positions import Places
from cccamd.setup.toml.unread import Unread
from cccamd.wire.cccam import (
    ANSWER_TIMEOUT,
    DEFAULT_VERSION,
    LOGIN_TIMEOUT,
    QUEUE_LIMIT,
    Version,
)

FILE_NAME = "cccamd.toml"
SOCKET_PATH_LIMIT = 107
"""Bytes of the path of a UNIX socket, by the kernel."""
_MODE = re.compile("0?[0-7]{3}")


def _check_socket(text: str) -> None:
    if not text.startswith("/") or "\0" in text or len(text.encode()) > SOCKET_PATH_LIMIT:
        raise ValueError(
            f"expected a path from / on, of {SOCKET_PATH_LIMIT} bytes at most, such as"
            ' "/run/cccamd/dvbapi.sock"'
        )


def _read_mode(found: object) -> int:
    if not isinstance(found, str) or not _MODE.fullmatch(found):
        raise ValueError('expected a mode as chmod takes it, in quotes: "0660"')
    return int(found, 8)


@dataclass(frozen=True, slots=True, kw_only=True)
class NetworkTable(Table):
    """`[network]`: where clients may come from besides the local networks."""

    allow: Annotated[
        tuple[Network, ...], Listed('a list of networks: allow = ["203.0.113.0/24"]', NETWORK)
    ] = ()

    hosts: Annotated[
        tuple[str, ...],
        Listed('a list of names: hosts = ["tv.example"]', text_as("a name")),
    ] = ()
    """Names and addresses by which the web pages may be asked for besides those of this
    machine."""

    @property
    def allowed(self) -> AllowedNetworks:
        """The local networks and these."""
        return AllowedNetworks(self.allow)


@dataclass(frozen=True, slots=True, kw_only=True)
class LimitsTable(Table):
    """`[limits]`: how long we wait, and how much we keep. None: no bound of its own."""

    login_timeout: Annotated[float, time_between(1, 120)] = LOGIN_TIMEOUT
    """From the connection to the end of the login."""
    max_clients: Annotated[int, count_between(1, 100_000)] = 2000
    """Clients logged in at once."""
    max_connections_per_address: Annotated[int | None, count_between(1, 100_000)] = None
    """Connections of one address at once, logged in or not."""
    max_pending_logins: Annotated[int, count_between(1, 100_000)] = 1000
    """Connections that have not logged in yet."""
    max_pending_per_address: Annotated[int, count_between(1, 100_000)] = 32
    """Of them, of one address outside of the local networks; of IPv6 of one /64."""
    max_pending_per_network: Annotated[int, count_between(1, 100_000)] = 128
    """Of them, of one network outside of the local ones: an IPv4 /24, an IPv6 /48."""
    ecm_deadline: Annotated[float, time_between(0.5, 30)] = 4.5
    """From a client's ECM to our answer, which is NOK1 when nothing else came."""
    answer_timeout: Annotated[float, time_between(1, 120)] = ANSWER_TIMEOUT
    """An upstream that has not answered an ECM for so long is dropped."""
    queue_limit: Annotated[int, count_between(1, 10_000)] = QUEUE_LIMIT
    """ECMs of one client that wait for their turn."""
    upstream_cards_limit: Annotated[int, count_between(1, 1_000_000)] = 5000
    """Cards taken from one upstream."""
    client_messages_per_second: Annotated[int, count_between(10, 1_000_000)] = 5000
    """Of any kind, from one connection, in the long run; twice as many at once. So are they all."""
    client_ecms_per_second: Annotated[int, count_between(10, 1_000_000)] = 2000
    client_kilobytes_per_second: Annotated[int, count_between(10, 1_000_000)] = 2000
    account_messages_per_second: Annotated[int, count_between(10, 1_000_000)] = 10_000
    """The same for all connections of one account together."""
    account_ecms_per_second: Annotated[int, count_between(10, 1_000_000)] = 4000
    account_kilobytes_per_second: Annotated[int, count_between(10, 1_000_000)] = 4000
    max_unread_kilobytes: Annotated[int, count_between(4, 10_000)] = 16
    """What a client may leave unread; beyond that nothing more is taken from it."""
    logins_per_account: Annotated[int, count_between(1, 1000)] = 1
    """Clients that may be logged in with one account, where its own table does not say."""
    unread_timeout: Annotated[float, time_between(0.5, 120)] = 5
    """A client that takes nothing of it for so long is cut."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerTable(Table):
    """`[server]`: how we show ourselves to clients, and where we listen."""

    cccversion: Annotated[Version, VERSION] = DEFAULT_VERSION
    bind: Annotated[
        tuple[str, ...],
        Listed('a list of addresses: bind = ["0.0.0.0", "::"]', ADDRESS, least=1),
    ] = ("0.0.0.0", "::")
    workers: Annotated[int, count_between(0, 64)] = 0
    """Processes that hold the connections of CCcam clients; 0: the server does that itself."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CacheTable(Table):
    """`[cache]`: the control words that we keep."""

    seconds: Annotated[float, time_between(1, 600)] = 15.0
    """How long a CW answers the same ECM again."""
    entries: Annotated[int, count_between(1, 1_000_000)] = 2000
    """How many CWs are kept."""
    check_cw_checksums: Annotated[bool, SWITCH] = True
    """Whether a CW whose checksums are wrong counts as no answer."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RoutingTable(Table):
    """`[routing]`: how cards are chosen."""

    hedge: Annotated[bool, SWITCH] = True
    """Whether a second card is asked when the first takes longer than it usually does."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LogTable(Table):
    """`[log]`: what log lines look like, and of whom more is told."""

    format: Annotated[Literal["text", "json"], one_of("text", "json")] = "text"
    """`json`: one JSON object a line, for programs that collect logs."""
    debug_accounts: Annotated[
        tuple[str, ...], Listed('a list of user names: debug_accounts = ["anna"]', USER)
    ] = ()
    """Accounts of which everything is told, as with `-d`, and of nobody else."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PenaltiesTable(Table):
    """`[penalties]`: the brake on guessing names and passwords."""

    attempts: Annotated[int, count_between(0, 10_000)] = 10
    """Failed logins of one address, each forgotten in a minute, until it is banned for a while; 0:
    nobody is banned. The local networks never are."""
    ban: Annotated[float, time_between(1, 86_400)] = 600
    """The first ban; each further one is twice as long."""
    exempt: Annotated[
        tuple[Network, ...], Listed('a list of networks: exempt = ["203.0.113.0/24"]', NETWORK)
    ] = ()
    """Networks that are never banned, as the local ones."""

    def spares(self, address: str) -> bool:
        """Whether an address is in one of the `exempt` networks."""
        return bool(self.exempt) and AllowedNetworks(self.exempt).admits(address)


@dataclass(frozen=True, slots=True, kw_only=True)
class JournalTable(Table):
    """`[journal]`: the record of what clients did."""

    enabled: Annotated[bool, SWITCH] = True
    """Whether it is kept, in the folder of the node id."""
    days: Annotated[int, count_between(1, 3650)] = 90
    """How long an entry is kept."""
    megabytes: Annotated[int, count_between(1, 10_000)] = 64
    """How large the file may become; the oldest entries go first."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TlsTable(Table):
    """`[tls]`: the port where paired servers log in (docs/pair.md)."""

    port: Annotated[int, port_as("a port, 0 to 65535", low=0)] = 0
    """0: none is open."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DvbapiTable(Table):
    """`[dvbapi]`: where receiver programs get control words that speak dvbapi (docs/dvbapi.md).

    Nobody logs in there: whoever reaches it gets all that the account gets.
    """

    port: Annotated[int, port_as("a port, 0 to 65535", low=0)] = 0
    """0: none is open."""
    listen: Annotated[
        tuple[str, ...],
        Listed('a list of addresses: listen = ["127.0.0.1"]', ADDRESS, least=1),
    ] = ("127.0.0.1", "::1")
    networks: Annotated[
        tuple[Network, ...], Listed('a list of networks: networks = ["192.168.1.0/24"]', NETWORK)
    ] = ()
    """Who may connect besides this machine: nobody who is not named, from local networks either."""
    socket: Annotated[
        str | None, text_as('a path in quotes, such as "/run/cccamd/dvbapi.sock"', _check_socket)
    ] = None
    """A UNIX socket; None: there is none."""
    socket_mode: Annotated[int, Value('a mode in quotes, such as "0660"', _read_mode)] = 0o660
    socket_group: Annotated[str | None, text_as("the name of a group, in quotes")] = None
    """None: that of the process."""
    account: Annotated[str | None, USER] = None
    """The F-line whose rights and cards count for everybody who connects."""
    au: Annotated[bool, SWITCH] = False
    """Whether EMMs are taken from the receivers."""

    def check(self, given: Collection[str]) -> None:
        """Somebody must be able to come, and nobody who should not."""
        if given and "port" not in given and "socket" not in given:
            raise ValueError("expected port or socket: else nothing is opened")
        if not self.enabled:
            return
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


@dataclass(frozen=True, slots=True, kw_only=True)
class CardEntry:
    """One sound `[[card]]` table, ready for `start_card`."""

    kind: type[LocalCard]
    kind_name: str
    """As the table says."""
    config: CardConfig
    options: object
    """An instance of the kind's `Options`."""
    access: Access = OPEN


@dataclass(frozen=True, slots=True, kw_only=True)
class TomlConfig:
    """Everything one cccamd.toml says; without a file these defaults."""

    file: str = FILE_NAME
    places: Places | None = field(default=None, compare=False)
    """Where the `[[tables]]` stand that are used."""
    network: NetworkTable = field(default_factory=NetworkTable)
    limits: LimitsTable = field(default_factory=LimitsTable)
    server: ServerTable = field(default_factory=ServerTable)
    cache: CacheTable = field(default_factory=CacheTable)
    routing: RoutingTable = field(default_factory=RoutingTable)
    log: LogTable = field(default_factory=LogTable)
    penalties: PenaltiesTable = field(default_factory=PenaltiesTable)
    journal: JournalTable = field(default_factory=JournalTable)
    notify: NotifyTable = field(default_factory=NotifyTable)
    mqtt: MqttTable = field(default_factory=MqttTable)
    fleet: FleetTable = field(default_factory=FleetTable)
    tls: TlsTable = field(default_factory=TlsTable)
    dvbapi: DvbapiTable = field(default_factory=DvbapiTable)
    newcamd: tuple[NewcamdTable, ...] = ()
    accounts: tuple[AccountTable, ...] = ()
    upstreams: tuple[UpstreamTable, ...] = ()
    unread: Unread = field(default_factory=Unread)
    """Which lines of CCcam.cfg are not used for what stands here of them and cannot be read."""
    cards: tuple[CardEntry, ...] = ()
    services: Mapping[str, ServiceList] = field(default_factory=dict)
    """The lists of `[services.NAME]`, by their names."""

    @property
    def pairings(self) -> tuple[tuple[str, str], ...]:
        """The headings of tables that name a paired server, and its name."""
        tables: tuple[AccountTable | UpstreamTable, ...] = (*self.accounts, *self.upstreams)
        return tuple((table.heading, table.paired) for table in tables if table.paired)

    def settle(self) -> None:
        """Find all places now, for a server: later there is no time for it."""
        if self.places is not None:
            self.places.settle()

    def place(self, heading: str) -> Place:
        """Where a `[[table]]` stands, by its heading; else the whole file."""
        return Place(self.file) if self.places is None else self.places.find(heading)
