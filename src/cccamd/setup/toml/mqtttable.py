"""`[mqtt]`: which broker is told what goes on (docs/mqtt.md)."""

import re
from collections.abc import Collection
from dataclasses import dataclass
from typing import Annotated, Final

from cccamd.setup.toml.fields import (
    Listed,
    Value,
    one_of,
    port_as,
    text_as,
    time_between,
)
from cccamd.setup.toml.outside import OutsideTable, host_of

THINGS: Final = ("server", "sources", "receivers", "margins", "incidents")
"""What may be published."""
PORT: Final = 1883
TLS_PORT: Final = 8883
_NAME: Final = re.compile("[A-Za-z0-9_-]{1,50}")
_PREFIX: Final = re.compile("[A-Za-z0-9_-]{1,50}(/[A-Za-z0-9_-]{1,50}){0,4}")


def _check_name(text: str) -> None:
    if _NAME.fullmatch(text) is None:
        raise ValueError


def _check_prefix(text: str) -> None:
    if _PREFIX.fullmatch(text) is None:
        raise ValueError


def _read_discovery(found: object) -> str:
    if not isinstance(found, str):
        raise ValueError
    if found:
        _check_prefix(found)
    return found


@dataclass(frozen=True, slots=True, kw_only=True)
class MqttTable(OutsideTable):
    """`[mqtt]`: values for a broker, and for Home Assistant what they are."""

    host: Annotated[str | None, host_of("a broker")] = None
    """None: nobody is told anything."""
    port: Annotated[int | None, port_as("a port, 1 to 65535")] = None
    """None: 1883, with TLS 8883."""
    prefix: Annotated[
        str, text_as('letters, digits, _ and -, such as "cccamd"; / between them', _check_prefix)
    ] = "cccamd"
    """How all topics begin."""
    discovery: Annotated[
        str, Value('the prefix of Home Assistant, "homeassistant", or ""', _read_discovery)
    ] = "homeassistant"
    """Where Home Assistant looks for what there is; empty: it is not told."""
    name: Annotated[
        str | None, text_as("a name of letters, digits, _ and -, in quotes", _check_name)
    ] = None
    """How this server is called among others; None: as its machine."""
    interval: Annotated[float, time_between(1, 3600)] = 10.0
    """Seconds between two looks at what has changed."""
    things: Annotated[
        tuple[str, ...],
        Listed(f"a list of some of {', '.join(THINGS)}", one_of(*THINGS), least=1, distinct=True),
    ] = THINGS

    def check(self, given: Collection[str]) -> None:
        """Nothing is said for which there is no use."""
        if given and "host" not in given:
            raise ValueError("expected host: the name or address of the broker")
        self.check_login()
        self.check_trust()

    @property
    def broker_port(self) -> int:
        """The port that is meant."""
        return self.port or (TLS_PORT if self.tls else PORT)
