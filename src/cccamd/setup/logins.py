"""Who may log in to us, and where we log in: the lines of CCcam.cfg with what cccamd.toml adds."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from cccamd.cards import OPEN, Access, Limit, SourcePolicy
from cccamd.facts import SourceKind
from cccamd.ids import LoginKey, format_endpoint, host_key
from cccamd.setup.cccamcfg import (
    CLine,
    Config,
    Diagnostic,
    FLine,
    NLine,
)
from cccamd.setup.toml import LimitsTable, TomlConfig, UpstreamTable
from cccamd.wire.cccam import Version


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """One F-line, with what else is configured for it."""

    line: FLine
    version: Version
    """What we announce to this client."""
    emm_allowed: bool
    logins: int = 1
    """How many clients may be logged in with it at once."""
    paired: str = ""
    """The paired server whose TLS link it has to come over; empty: it may come as it likes."""
    global_limits: tuple[Limit, ...] = field(repr=False, default=())
    user: bytes = field(init=False)
    """The user name as it comes over the wire: one object for all who keep it."""
    has_hours: bool = field(init=False)
    """Whether there is any moment at which it gets no control words: looked up for every ECM."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "has_hours", self.line.has_hours)
        object.__setattr__(self, "user", self.line.user_bytes())

    @property
    def password(self) -> bytes:
        """The password as the cipher takes it."""
        return self.line.password_bytes()

    def same_login(self, other: "Account") -> bool:
        """Whether a client that is logged in as one could log in as the other just the same."""
        ours, theirs = self.line, other.line
        same_host = host_key(ours.host or "") == host_key(theirs.host or "")
        same_link = self.paired == other.paired
        return (
            self.password == other.password
            and same_host
            and same_link
            and self.version == other.version
            and theirs.enabled
            and ours.protocols == theirs.protocols
        )


Accounts = dict[bytes, Account]
"""Accounts by user name as it comes over the wire."""


def accounts_of(config: Config, toml: TomlConfig, *, user: str | None = None) -> Accounts:
    """Put the accounts of both files together (`config` is merged); users are unique already.

    There may be thousands: with `user` only that one is made, if it is there.
    """
    extras = {account.user: account for account in toml.accounts}
    versions = {user: extra.cccversion for user, extra in extras.items() if extra.cccversion}
    logins = {user: most for user, extra in extras.items() if (most := extra.most_logins)}
    accounts = (
        Account(
            line=line,
            version=versions.get(line.user, toml.server.cccversion),
            logins=logins.get(line.user, toml.limits.logins_per_account),
            paired=(extras[line.user].paired or "") if line.user in extras else "",
            emm_allowed=config.emm_allowed and line.allowemm,
            global_limits=config.settings.global_limits,
        )
        for line in config.f_lines
        if user is None or line.user == user
    )
    return {account.user: account for account in accounts}


def faulty_accounts(config: Config) -> Mapping[bytes, Diagnostic]:
    """Users whose F-line is in error, as their names come over the wire, and what is wrong."""
    faults: dict[bytes, Diagnostic] = {}
    for refused in config.refused_lines:
        if refused.name == "F" and refused.subject:
            faults.setdefault(refused.subject.encode("utf-8", "replace"), refused.fault)
            faults.setdefault(refused.subject.encode("latin-1", "replace"), refused.fault)
    return faults


@dataclass(frozen=True, slots=True, kw_only=True)
class Upstream:
    """One C-line or N-line, with what else is configured for it."""

    line: CLine | NLine
    version: Version
    """What we announce to it; newcamd has no word for it."""
    limits: LimitsTable = field(repr=False)
    policy: SourcePolicy
    group: str = ""
    """Upstreams of one group stand in for each other; empty: none does."""
    rank: int = 1
    paired: str = ""
    """The paired server that it has to prove to be, by TLS; empty: the link is as of old."""
    tls_port: int | None = None
    """Where its TLS is, if not on the port of the C-line."""

    @property
    def kind(self) -> SourceKind:
        """What is spoken with it."""
        return SourceKind.NEWCAMD if isinstance(self.line, NLine) else SourceKind.CCCAM

    @property
    def name(self) -> str:
        """How logs name it: host and port as in the C-line."""
        return format_endpoint(self.line.host, self.line.port)

    @property
    def key(self) -> tuple[SourceKind, LoginKey]:
        """What makes it the same upstream although its line was edited."""
        return self.kind, self.line.key


def upstreams_of(config: Config, toml: TomlConfig) -> list[Upstream]:
    """Put the C-lines and N-lines and what cccamd.toml says of them together.

    An N-line that is `paired` is left out: newcamd goes without TLS, and without it nothing may be
    said to that server.
    """
    extras = {extra.key: extra for extra in toml.upstreams}
    upstreams = []
    for line in config.upstream_lines:
        extra = extras.get(line.key)
        if extra is not None and extra.paired and isinstance(line, NLine):
            continue
        version = extra.cccversion if extra is not None else None
        upstreams.append(
            Upstream(
                line=line,
                version=version or toml.server.cccversion,
                limits=toml.limits,
                policy=_policy(line, config, toml, extra),
                group=(extra.group if extra else None) or "",
                rank=extra.rank if extra else 1,
                paired=(extra.paired if extra else None) or "",
                tls_port=extra.tls_port if extra else None,
            )
        )
    return upstreams


Accesses = Mapping[tuple[str, int], Access]
"""By the name of a source and the line in CCcam.cfg, 0 for a local card: two lines may lead to
one server."""


def accesses_of(config: Config, toml: TomlConfig) -> Accesses:
    """What cccamd.toml says of each source (`config` is merged); who is not there is open."""
    found = {(card.config.name, 0): card.access for card in toml.cards}
    for upstream in upstreams_of(config, toml):
        found[upstream.name, upstream.line.line] = upstream.policy.access
    return found


def _policy(
    line: CLine | NLine, config: Config, toml: TomlConfig, extra: UpstreamTable | None
) -> SourcePolicy:
    minimum = extra.minimum_downhops if extra is not None else None
    return SourcePolicy(
        limits=line.limits if isinstance(line, CLine) else (),
        minimum_downhops=config.settings.minimum_downhops if minimum is None else minimum,
        ignore_nodes=frozenset(config.settings.ignore_nodes),
        line=line.line,
        cards_limit=toml.limits.upstream_cards_limit,
        access=extra.access(toml.services) if extra is not None else OPEN,
    )
