"""Where a connection is, and the form of the table of what is allowed there."""

from collections.abc import Callable
from enum import IntEnum
from typing import Any, NamedTuple


class State(IntEnum):
    """The life of a connection, in order."""

    HANDSHAKE = 0
    """Fixed-length login fields, no frames yet."""
    INTRODUCTION = 1
    """Logged in; the client has not said who it is yet."""
    OPEN = 2
    """Cards, ECMs, EMMs."""
    CLOSED = 3


class Rule(NamedTuple):
    """Who parses a command's payload, who handles it, and from which state on."""

    parse: Callable[[bytes], Any]
    handle: Callable[[Any, Any, int], None]
    """Called with the protocol object, what `parse` made, and the flag of the frame."""
    since: State = State.OPEN
