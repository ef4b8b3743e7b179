"""The accounts that clients may log in to, and from where."""

import asyncio
import socket
from dataclasses import dataclass, field
from typing import Final

from cccamd.errors import NumberError
from cccamd.ids import host_key, parse_address, unwrap_address
from cccamd.setup.cccamcfg import Config, FLine, Limit
from cccamd.setup.toml import TomlConfig
from cccamd.wire.cccam import Version

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


async def comes_from(host: str, address: str) -> bool:
    """Whether an address is that of an F-line's host.

    Names are resolved at each login (docs/config.md section 3.1), because they change.
    """
    try:
        return parse_address(host) == parse_address(address)
    except NumberError:
        return await _resolves_to(host, address)


async def _resolves_to(host: str, address: str) -> bool:
    """Whether a name has this address now; a name that cannot be resolved has none."""
    loop = asyncio.get_running_loop()
    try:
        async with asyncio.timeout(RESOLVE_TIMEOUT):
            found = await loop.getaddrinfo(host, None, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError):
        return False
    return address in {unwrap_address(str(sockaddr[0])) for *_, sockaddr in found}
