"""`[fleet]`: the engine by which several nodes share what they know (docs/fleet.md)."""

from collections.abc import Collection
from dataclasses import dataclass, field
from typing import Annotated, Final

from cccamd.ids import is_fleet_name
from cccamd.setup.toml.fields import NETWORK, SWITCH, Listed, Table, port_as, text_as
from cccamd.setup.toml.networks import AllowedNetworks, Network
from cccamd.setup.toml.outside import check_host, check_line, check_login

PORT: Final = 6379


def _check_name(text: str) -> None:
    if not is_fleet_name(text):
        raise ValueError


@dataclass(frozen=True, slots=True, kw_only=True)
class FleetTable(Table):
    """`[fleet]`: where the engine is, and who this node is among the others."""

    host: Annotated[
        str | None, text_as('the name or address of an engine, such as "192.168.1.5"', check_host)
    ] = None
    """None, and no socket: this server is alone."""
    port: Annotated[int, port_as("a port, 1 to 65535")] = PORT
    socket: Annotated[str | None, text_as("the path of a UNIX socket, in quotes")] = None
    """The engine is on this machine."""
    tls: Annotated[bool, SWITCH] = False
    ca: Annotated[str | None, text_as("the path of a file with certificates, in quotes")] = None
    """Who vouches for the engine; None: those whom the system trusts."""
    user: Annotated[str | None, text_as("a user name in quotes", check_line)] = None
    password: Annotated[str | None, text_as("a password in quotes", check_line)] = field(
        default=None, repr=False
    )
    password_file: Annotated[str | None, text_as("the path of a file, in quotes")] = None
    """Its first line is the password."""
    key_file: Annotated[str | None, text_as("the path of a file, in quotes")] = None
    """What `cccamd fleet key` made: the same on all nodes."""
    node: Annotated[
        str | None, text_as("a name of letters, digits, _, . and -, in quotes", _check_name)
    ] = None
    """How this node is called among the others; None: as its machine."""
    networks: Annotated[
        tuple[Network, ...], Listed('a list of networks: networks = ["203.0.113.7"]', NETWORK)
    ] = ()
    """Where an engine may be besides the local networks."""

    def check(self, given: Collection[str]) -> None:
        """Nothing is said for which there is no use, and nothing is sent that others can read."""
        if not given:
            return
        if (self.host is None) == (self.socket is None):
            raise ValueError("expected host or socket: where the engine is, and not both")
        if self.key_file is None:
            raise ValueError("expected key_file too: cccamd fleet key FILE makes one")
        check_login(self.user, self.password, self.password_file)
        if self.socket is not None and (self.tls or "port" in given):
            raise ValueError("expected no port and no tls: a socket of this machine has neither")
        if self.ca is not None and not self.tls:
            raise ValueError("expected tls = true too: ca says whom to trust then")

    @property
    def is_wanted(self) -> bool:
        """Whether this server is a node of a fleet."""
        return self.key_file is not None

    @property
    def allowed(self) -> AllowedNetworks:
        """Where the engine may be."""
        return AllowedNetworks(self.networks)
