"""paho-mqtt's client, which takes no more from a broker than a session needs.

A broker may announce a message of 256 MB, which the library would collect, and send messages as
fast as the line carries them, which its thread would work through beside ECMs. Only those who want
MQTT have the library, so this is imported when it is needed.
"""

import errno
import time
from collections.abc import Callable
from typing import Any, Final

from paho.mqtt.client import Client

PACKET_LIMIT: Final = 1 << 20
"""Bytes; what we publish ourselves has some thousand."""
READS_A_SECOND: Final = 10_000
"""A message takes three to five: all that a broker keeps of ours comes within some seconds."""


class CarefulClient(Client):
    """Hangs up on a broker whose message is too long, and reads at a bounded pace."""

    def __init__(self, *words: Any, on_overlong: Callable[[int], None], **more: Any) -> None:
        """`on_overlong` gets the length of a message, in the library's thread."""
        super().__init__(*words, **more)
        self._on_overlong = on_overlong
        self._second, self._reads = 0.0, 0

    def _sock_recv(self, bufsize: int) -> bytes:
        """Read up to so many bytes: of a message first what is announced, then what is missing."""
        if bufsize > PACKET_LIMIT:
            self._on_overlong(bufsize)
            raise OSError(errno.EMSGSIZE, "the message is too long")
        now = time.monotonic()
        if now - self._second >= 1.0:
            self._second, self._reads = now, 0
        self._reads += 1
        if self._reads > READS_A_SECOND:
            time.sleep(self._second + 1.0 - now)  # only the library's thread waits
        return super()._sock_recv(bufsize)
