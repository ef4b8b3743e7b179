"""`[fleet]`: the engine by which several nodes share what they know (docs/fleet.md)."""

from collections.abc import Collection
from dataclasses import dataclass
from typing import Annotated, Final

from cccamd.ids import is_fleet_name
from cccamd.setup.toml.fields import port_as, text_as
from cccamd.setup.toml.outside import OutsideTable, host_of

PORT: Final = 6379


def _check_name(text: str) -> None:
    if not is_fleet_name(text):
        raise ValueError


@dataclass(frozen=True, slots=True, kw_only=True)
class FleetTable(OutsideTable):
    """`[fleet]`: where the engine is, and who this node is among the others."""

    host: Annotated[str | None, host_of("an engine")] = None
    """None, and no socket: this server is alone."""
    port: Annotated[int, port_as("a port, 1 to 65535")] = PORT
    socket: Annotated[str | None, text_as("the path of a UNIX socket, in quotes")] = None
    """The engine is on this machine."""
    key_file: Annotated[str | None, text_as("the path of a file, in quotes")] = None
    """What `cccamd fleet key` made: the same on all nodes."""
    node: Annotated[
        str | None, text_as("a name of letters, digits, _, . and -, in quotes", _check_name)
    ] = None
    """How this node is called among the others; None: as its machine."""

    def check(self, given: Collection[str]) -> None:
        """Nothing is said for which there is no use, and nothing is sent that others can read."""
        if not given:
            return
        if (self.host is None) == (self.socket is None):
            raise ValueError("expected host or socket: where the engine is, and not both")
        if self.key_file is None:
            raise ValueError("expected key_file too: cccamd fleet key FILE makes one")
        self.check_login()
        if self.socket is not None and (self.tls or "port" in given):
            raise ValueError("expected no port and no tls: a socket of this machine has neither")
        self.check_trust()

    @property
    def is_wanted(self) -> bool:
        """Whether this server is a node of a fleet."""
        return self.key_file is not None
