"""What tables say of a server of others that is called: a broker, an engine."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Final

from cccamd.setup.toml.fields import NETWORK, SWITCH, Listed, Table, Value, text_as
from cccamd.setup.toml.networks import AllowedNetworks, Network

_HOST_LENGTH: Final = 253


def _check_host(text: str) -> None:
    if not 0 < len(text) <= _HOST_LENGTH or not text.isprintable() or set(" /@") & set(text):
        raise ValueError


def _check_line(text: str) -> None:
    """The message must not repeat it."""
    if not text or "\0" in text:
        raise ValueError


def host_of(what: str) -> Value:
    """The name or the address of a machine."""
    return text_as(f'the name or address of {what}, such as "192.168.1.5"', _check_host)


@dataclass(frozen=True, slots=True, kw_only=True)
class OutsideTable(Table):
    """How one gets in there, and where it may be."""

    tls: Annotated[bool, SWITCH] = False
    ca: Annotated[str | None, text_as("the path of a file with certificates, in quotes")] = None
    """Who vouches for it; None: those whom the system trusts."""
    user: Annotated[str | None, text_as("a user name in quotes", _check_line)] = None
    password: Annotated[str | None, text_as("a password in quotes", _check_line)] = field(
        default=None, repr=False
    )
    password_file: Annotated[str | None, text_as("the path of a file, in quotes")] = None
    """Its first line is the password."""
    networks: Annotated[
        tuple[Network, ...], Listed('a list of networks: networks = ["203.0.113.7"]', NETWORK)
    ] = ()
    """Where it may be besides the local networks."""

    def check_login(self) -> None:
        """A login is a user and one way to the password, or nothing.

        Raises:
            ValueError: it is not.
        """
        if self.password is not None and self.password_file is not None:
            raise ValueError("expected password or password_file, not both")
        if self.user is None and (self.password is not None or self.password_file is not None):
            raise ValueError("expected user too: a password belongs to a user")

    def check_trust(self) -> None:
        """Whom to trust is of use where somebody shows who he is.

        Raises:
            ValueError: nobody does.
        """
        if self.ca is not None and not self.tls:
            raise ValueError("expected tls = true too: ca says whom to trust then")

    def ca_path(self, folder: Path) -> Path | None:
        """The file of those who vouch for it; a relative path begins in `folder`."""
        return folder / self.ca if self.ca is not None else None

    @property
    def allowed(self) -> AllowedNetworks:
        """Where it may be."""
        return AllowedNetworks(self.networks)
