"""`[[newcamd]]`: a port on which newcamd is spoken (docs/newcamd.md)."""

import re
from collections.abc import Collection
from dataclasses import dataclass, field
from typing import Annotated

from cccamd.cards import PROVIDERS_SHOWN, Wish
from cccamd.ids import CONFIG_KEY_LENGTH, USUAL_CONFIG_KEY, Caid, Ident, bare_bytes
from cccamd.setup.toml.fields import (
    ADDRESS,
    CAID,
    IDENT,
    NETWORK,
    USER,
    Listed,
    Table,
    Value,
    port_as,
)
from cccamd.setup.toml.networks import Network, is_in


def _read_key(found: object) -> bytes:
    text = re.sub(r"[\s.:]", "", found) if isinstance(found, str) else ""
    if bare_bytes(text, CONFIG_KEY_LENGTH) is None:
        usual = USUAL_CONFIG_KEY.hex()
        raise ValueError(f'expected 14 bytes as hex digits: key = "{usual}"')
    return bytes.fromhex(text)


@dataclass(frozen=True, slots=True, kw_only=True)
class NewcamdTable(Table):
    """One port: it shows one card to each of its clients."""

    port: Annotated[int, port_as("a port, 1 to 65535")]
    key: Annotated[bytes, Value("14 bytes as hex digits, in quotes", _read_key)] = field(
        default=USUAL_CONFIG_KEY, repr=False
    )
    """The port's DES key, the same for all; the usual one is no secret."""
    caid: Annotated[Caid | None, CAID] = None
    """What it is for; None: any card that the account sees, the nearest first."""
    providers: Annotated[
        tuple[Ident, ...],
        Listed(
            f'a list of up to {PROVIDERS_SHOWN} providers: providers = ["030B00"]',
            IDENT,
            most=PROVIDERS_SHOWN,
            distinct=True,
        ),
    ] = ()
    """Of that CAID; empty: all that there are."""
    accounts: Annotated[
        tuple[str, ...], Listed('a list of user names: accounts = ["anna"]', USER)
    ] = ()
    """Who may log in here; empty: every F-line."""
    bind: Annotated[
        tuple[str, ...], Listed('a list of addresses: bind = ["192.168.1.2"]', ADDRESS)
    ] = ()
    """Where it listens; empty: as `[server]` says."""
    allow: Annotated[
        tuple[Network, ...], Listed('a list of networks: allow = ["192.168.1.0/24"]', NETWORK)
    ] = ()
    """Where clients of this port may come from; empty: wherever they may."""

    def check(self, given: Collection[str]) -> None:
        """Providers are those of a CAID."""
        if self.providers and self.caid is None:
            raise ValueError('expected caid too: providers are those of a caid = "…"')

    @property
    def heading(self) -> str:
        """How messages name it; no two tables share it."""
        return f"[[newcamd]] port {self.port}"

    @property
    def wish(self) -> Wish:
        """What it shows."""
        return Wish(self.caid, self.providers)

    def lets_in(self, address: str) -> bool:
        """Whether clients may come from an address."""
        return not self.allow or is_in(address, self.allow)

    def admits(self, user: str) -> bool:
        """Whether an account may log in here."""
        return not self.accounts or user in self.accounts
