"""What the system says of names, as a test wants it."""

import socket
from collections.abc import Callable
from typing import Any

NAME = "far.example"


class Names:
    """What the system says of names: an address, or that no name server can be asked."""

    def __init__(self) -> None:
        self.address: str | None = "127.0.0.1"
        self.known = frozenset({NAME})
        self.real = socket.getaddrinfo

    def find(self, host: Any, port: Any, *words: Any, **named: Any) -> Any:
        if host not in self.known or named.get("flags") == socket.AI_NUMERICHOST:
            return self.real(host, port, *words, **named)
        if self.address is None:
            raise socket.gaierror(socket.EAI_AGAIN, "Temporary failure in name resolution")
        return self.real(self.address, port, *words, **named)


class AtOnce:
    """A thread that is done as soon as it starts."""

    def __init__(self, *, target: Callable[[], None], **_: object) -> None:
        self.start = target
