"""What CCcam.cfg says, as frozen values. No text, no defaults hidden elsewhere.

Field names are those of `docs/config.md`. Each line kind knows the physical line it came
from, so that every later decision can name it.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from enum import Enum
from typing import Literal

from cccamd.cards import EVERYTHING, Grant, Limit
from cccamd.ids import LoginKey, NodeId, login_key
from cccamd.setup.cccamcfg.diagnostics import Diagnostic
from cccamd.setup.files import Place
from cccamd.setup.hours import ALWAYS, TimeFrame, Week, is_open
from cccamd.values import Service

Codec = Literal["utf-8", "iso-8859-1"]


class Dialect(Enum):
    """How an F-line's numbers and first group are to be read."""

    VENDOR = "vendor"
    MASK = "mask"


@dataclass(frozen=True, slots=True, kw_only=True)
class Credentials:
    """A login: text for people, bytes for the wire (encoded as the file was)."""

    user: str
    password: str = field(repr=False)
    codec: Codec = "utf-8"

    def user_bytes(self) -> bytes:
        """The user name as it goes over the wire."""
        return self.user.encode(self.codec)

    def password_bytes(self) -> bytes:
        """The password as the cipher takes it."""
        return self.password.encode(self.codec)


@dataclass(frozen=True, slots=True, kw_only=True)
class FLine(Credentials):
    """One account of a client: what its line says, and what its `[[account]]` adds to it."""

    line: int
    dialect: Dialect = Dialect.VENDOR
    uphops: int = 5
    downhops: int | None = None
    """Only in the mask dialect."""
    shareemus: bool = True
    allowemm: bool = True
    allowemm_explicit: bool = False
    """ALLOWEMM stands in the line and is no default."""
    limits: tuple[Limit, ...] = ()
    sids: tuple[Service, ...] = ()
    """Services that this client does not get."""
    timeframes: tuple[TimeFrame, ...] = ()
    """When control words are given; empty: always."""
    host: str | None = None
    # Of cccamd.toml from here on (`cccamd.setup.merging`).
    toml_file: str = ""
    """Set for an account that has no F-line: `line` is that of its table in this file."""
    grant: Grant = EVERYTHING
    week: Week = ALWAYS
    """Hours by day, besides `timeframes`; empty: always."""
    expires: date | None = None
    """The last day on which control words are given."""
    enabled: bool = True
    protocols: tuple[str, ...] = ()
    """What the client may speak; empty: anything."""
    emm_to: tuple[str, ...] = ()
    """Names of the sources that get its EMMs; empty: all."""

    @property
    def max_distance(self) -> int:
        """How many hops away from us a card may be to be offered."""
        return self.uphops if self.downhops is None else min(self.uphops, self.downhops)

    @property
    def place_words(self) -> str:
        """Where it stands, for people."""
        if self.toml_file:
            return f"the [[account]] in line {self.line} of cccamd.toml"
        return f"the F-line in line {self.line}"

    @property
    def has_hours(self) -> bool:
        """Whether there is any moment without control words."""
        return bool(self.timeframes or self.week or self.expires)

    def is_expired(self, moment: datetime) -> bool:
        """Whether its last day was before a moment of local time."""
        return self.expires is not None and moment.date() > self.expires

    def is_open(self, moment: datetime) -> bool:
        """Whether control words are given at a moment of local time."""
        minute = 60 * moment.hour + moment.minute
        if self.is_expired(moment) or not is_open(self.timeframes, minute):
            return False
        return self.week.is_open(moment)

    def speaks(self, protocol: str) -> bool:
        """Whether its client may come by a protocol."""
        return not self.protocols or protocol in self.protocols


@dataclass(frozen=True, slots=True, kw_only=True)
class UpstreamLine(Credentials):
    """What all servers to fetch cards from have."""

    line: int
    host: str
    port: int

    @property
    def key(self) -> LoginKey:
        """What makes it the same upstream although its line was edited."""
        return login_key(self.host, self.port, self.user)


@dataclass(frozen=True, slots=True, kw_only=True)
class CLine(UpstreamLine):
    """One CCcam server to fetch cards from."""

    wantemus: bool = False
    limits: tuple[Limit, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class NLine(UpstreamLine):
    """One newcamd server to fetch a card from."""

    deskey: str = field(repr=False)
    """28 small hex digits."""
    hops: int = 1
    stealth: int = 0


@dataclass(frozen=True, slots=True)
class UnsupportedLine:
    """A well-known line kind (L, R, G, X) that cccamd does not serve."""

    line: int
    letter: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RefusedLine:
    """A line that is not used because something is wrong with it."""

    name: str
    """The letter, or the key, in capital letters."""
    subject: str
    """Whom it is about: the user of an F-line, the host of a C-line; covered where a secret may
    stand there, empty for keys."""
    fault: Diagnostic


@dataclass(frozen=True, slots=True, kw_only=True)
class InfoPort:
    """The telnet or the web information service."""

    allowed: bool = True
    port: int = 0
    username: str | None = None
    password: str | None = field(default=None, repr=False)
    clashes: bool = False
    """Another listener has the same number and wins (E205)."""

    @property
    def listens(self) -> bool:
        """Whether the port is to be opened."""
        return self.allowed and self.port != 0 and not self.clashes

    @property
    def is_protected(self) -> bool:
        """Whether a login is needed. With half a login (W173) nobody can pass."""
        return self.username is not None or self.password is not None

    @property
    def is_complete(self) -> bool:
        """Whether there is a login that somebody can pass: both are set, and not empty."""
        return bool(self.username) and bool(self.password)


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """The implemented keys other than the listeners' ports, switches and logins.

    None: as not set.
    """

    minimum_client_version: tuple[int, int, int] | None = None
    global_limits: tuple[Limit, ...] = ()
    minimum_downhops: int = 0
    ignore_nodes: tuple[NodeId, ...] = ()
    show_extended_client_info: bool = True
    allow_emm: bool = True
    disable_emm: bool = False
    global_emm: int = 2
    extra_emm_level: bool = False
    debug: bool = False
    show_timing: bool = False
    log_warnings: str | None = None
    log_file: str | None = None
    caid_prio_file: str | None = "/var/etc/CCcam.prio"
    providerinfo_file: str | None = "/var/etc/CCcam.providers"
    channelinfo_file: str | None = "/var/etc/CCcam.channelinfo"


@dataclass(frozen=True, slots=True, kw_only=True)
class Config:
    """Everything one CCcam.cfg says."""

    file: str = "CCcam.cfg"
    server_listen_port: int = 12000
    server_listen_port_line: int | None = None
    telnetinfo: InfoPort = InfoPort(port=16000)
    webinfo: InfoPort = InfoPort(port=16001)
    emm_allowed: bool = True
    """Both EMM switches together; an account's own comes on top."""
    settings: Settings = Settings()
    settings_set: tuple[str, ...] = ()
    """Vendor names of the keys in `settings` that the file set validly, in its order."""
    f_lines: tuple[FLine, ...] = ()
    c_lines: tuple[CLine, ...] = ()
    n_lines: tuple[NLine, ...] = ()
    unsupported_lines: tuple[UnsupportedLine, ...] = ()
    refused_lines: tuple[RefusedLine, ...] = ()
    places: Mapping[str, tuple[Place, ...]] = field(default_factory=dict)
    """Where the keys that were set have their values; several for those that may be repeated."""

    @property
    def upstream_lines(self) -> tuple[CLine | NLine, ...]:
        """All servers to fetch cards from."""
        return (*self.c_lines, *self.n_lines)

    def place(self, key: str, index: int = 0) -> Place:
        """Where a key has its value, by the vendor's name; the whole file if it is not set."""
        return self.places[key][index] if key in self.places else Place(self.file)
