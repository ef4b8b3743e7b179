"""The accounts that clients may log in to, and from where."""

import asyncio
import socket
from dataclasses import dataclass, field
from ipaddress import ip_address
from typing import Final

from cccamd.config import Config, FLine, Limit
from cccamd.toml import TomlConfig
from cccamd.wire import Version

RESOLVE_TIMEOUT: Final = 1.5
"""Clients wait two seconds for the answer to their login (docs/protocol.md section 13.6)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """One F-line, with what else is configured for it."""

    line: FLine
    version: Version
    """What we announce to this client."""
    emm_allowed: bool
    global_limits: tuple[Limit, ...] = field(repr=False, default=())

    @property
    def password(self) -> bytes:
        """The password as the cipher takes it."""
        return self.line.password_bytes()

    def same_login(self, other: "Account") -> bool:
        """Whether a client that is logged in as one could log in as the other just the same."""
        ours, theirs = self.line, other.line
        same_host = ours.host == theirs.host
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


def is_address(host: str) -> bool:
    """Whether an F-line's host is an IP address, so that no name must be resolved."""
    try:
        ip_address(host)
    except ValueError:
        return False
    return True


def same_address(one: str, other: str) -> bool:
    """Whether two texts are the same IP address."""
    return ip_address(one) == ip_address(other.split("%")[0])


async def resolves_to(host: str, address: str) -> bool:
    """Whether a name has this address now; a name that cannot be resolved has none."""
    loop = asyncio.get_running_loop()
    try:
        async with asyncio.timeout(RESOLVE_TIMEOUT):
            found = await loop.getaddrinfo(host, None, type=socket.SOCK_STREAM)
    except OSError:
        return False
    return any(same_address(str(sockaddr[0]).split("%")[0], address) for *_, sockaddr in found)
