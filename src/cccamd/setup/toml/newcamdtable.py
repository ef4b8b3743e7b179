"""`[[newcamd]]`: a port on which newcamd is spoken (docs/newcamd.md)."""

import re
from typing import Annotated, Any, Self

from pydantic import AfterValidator, Field, PlainValidator, model_validator

from cccamd.cards import PROVIDERS_SHOWN, Wish
from cccamd.ids import CONFIG_KEY_LENGTH, PORT_LIMIT, USUAL_CONFIG_KEY, bare_bytes
from cccamd.setup.toml.fields import (
    CaidField,
    IdentField,
    NetworkField,
    Table,
    User,
    check_address,
    check_distinct,
)
from cccamd.setup.toml.networks import is_in


def _read_key(value: Any) -> bytes:
    text = re.sub(r"[\s.:]", "", value) if isinstance(value, str) else ""
    if bare_bytes(text, CONFIG_KEY_LENGTH) is None:
        usual = USUAL_CONFIG_KEY.hex()
        raise ValueError(f'expected 14 bytes as hex digits: key = "{usual}"')
    return bytes.fromhex(text)


class NewcamdTable(Table):
    """One port: it shows one card to each of its clients."""

    port: int = Field(ge=1, le=PORT_LIMIT, description="a port, 1 to 65535")
    key: Annotated[bytes, PlainValidator(_read_key)] = Field(
        default=USUAL_CONFIG_KEY, repr=False, description="14 bytes as hex digits, in quotes"
    )
    """The port's DES key, the same for all; the usual one is no secret."""
    caid: CaidField | None = Field(default=None, description='the CAID: caid = "0B00"')
    """What it is for; None: any card that the account sees, the nearest first."""
    providers: Annotated[tuple[IdentField, ...], AfterValidator(check_distinct)] = Field(
        default=(),
        strict=False,
        max_length=PROVIDERS_SHOWN,
        description=f'a list of up to {PROVIDERS_SHOWN} providers: providers = ["030B00"]',
    )
    """Of that CAID; empty: all that there are."""
    accounts: tuple[User, ...] = Field(
        default=(), strict=False, description='a list of user names: accounts = ["anna"]'
    )
    """Who may log in here; empty: every F-line."""
    bind: tuple[Annotated[str, AfterValidator(check_address)], ...] = Field(
        default=(), strict=False, description='a list of addresses: bind = ["192.168.1.2"]'
    )
    """Where it listens; empty: as `[server]` says."""
    allow: tuple[NetworkField, ...] = Field(
        default=(), strict=False, description='a list of networks: allow = ["192.168.1.0/24"]'
    )
    """Where clients of this port may come from; empty: wherever they may."""

    @model_validator(mode="after")
    def _names_its_card(self) -> Self:
        if self.providers and self.caid is None:
            raise ValueError('expected caid too: providers are those of a caid = "…"')
        return self

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
