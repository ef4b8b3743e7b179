"""Who may log in to us, and where we log in: the lines of CCcam.cfg with what cccamd.toml adds."""

from dataclasses import dataclass, field

from cccamd.cards import Limit, SourcePolicy
from cccamd.ids import LoginKey, format_endpoint, host_key
from cccamd.setup.cccamcfg import (
    CLine,
    Config,
    FLine,
)
from cccamd.setup.toml import LimitsTable, TomlConfig
from cccamd.wire.cccam import Version


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """One F-line, with what else is configured for it."""

    line: FLine
    version: Version
    """What we announce to this client."""
    emm_allowed: bool
    global_limits: tuple[Limit, ...] = field(repr=False, default=())

    @property
    def user(self) -> bytes:
        """The user name as it comes over the wire."""
        return self.line.user_bytes()

    @property
    def password(self) -> bytes:
        """The password as the cipher takes it."""
        return self.line.password_bytes()

    def same_login(self, other: "Account") -> bool:
        """Whether a client that is logged in as one could log in as the other just the same."""
        ours, theirs = self.line, other.line
        same_host = host_key(ours.host or "") == host_key(theirs.host or "")
        return self.password == other.password and same_host and self.version == other.version


Accounts = dict[bytes, Account]
"""Accounts by user name as it comes over the wire."""


def accounts_of(config: Config, toml: TomlConfig) -> Accounts:
    """Put the accounts of both files together; F-lines are unique by user already."""
    versions = {account.user: account.cccversion for account in toml.accounts}
    return {
        line.user_bytes(): Account(
            line=line,
            version=versions.get(line.user, toml.server.cccversion),
            emm_allowed=config.emm_allowed and line.allowemm,
            global_limits=config.settings.global_limits,
        )
        for line in config.f_lines
    }


@dataclass(frozen=True, slots=True, kw_only=True)
class Upstream:
    """One C-line, with what else is configured for it."""

    line: CLine
    version: Version
    """What we announce to it."""
    limits: LimitsTable = field(repr=False)
    policy: SourcePolicy
    group: str = ""
    """Upstreams of one group stand in for each other; empty: none does."""
    rank: int = 1

    @property
    def name(self) -> str:
        """How logs name it: host and port as in the C-line."""
        return format_endpoint(self.line.host, self.line.port)

    @property
    def key(self) -> LoginKey:
        """What makes it the same upstream although its line was edited."""
        return self.line.key


def upstreams_of(config: Config, toml: TomlConfig) -> list[Upstream]:
    """Put the C-lines and what cccamd.toml says of them together."""
    extras = {extra.key: extra for extra in toml.upstreams}
    upstreams = []
    for line in config.c_lines:
        extra = extras.get(line.key)
        version = extra.cccversion if extra is not None else None
        upstreams.append(
            Upstream(
                line=line,
                version=version or toml.server.cccversion,
                limits=toml.limits,
                policy=_policy(line, config, toml),
                group=(extra.group if extra else None) or "",
                rank=extra.rank if extra else 1,
            )
        )
    return upstreams


def _policy(line: CLine, config: Config, toml: TomlConfig) -> SourcePolicy:
    return SourcePolicy(
        limits=line.limits,
        minimum_downhops=config.settings.minimum_downhops,
        ignore_nodes=frozenset(config.settings.ignore_nodes),
        line=line.line,
        cards_limit=toml.limits.upstream_cards_limit,
    )
