"""Tells one client its card list, in slices: a list may hold thousands of cards.

Sent at once, a long list would hold up all other clients, and overflow the connection of a
client that is slow to read it.
"""

import asyncio
from collections import deque
from collections.abc import Collection, Iterable, Mapping
from typing import Final

from cccamd.cards import difference
from cccamd.ids import ShareId
from cccamd.net import Connection
from cccamd.values import Offer
from cccamd.wire.link import ServerEvent, ServerSide, State

SLICE: Final = 200
"""Messages sent before others have their turn."""
UNSENT_LIMIT: Final = 64 * 1024
"""Bytes that may wait for the client; more of the list follows when it has taken them."""
PATIENCE: Final = 0.05
"""Seconds until a slow client is looked at again."""


class CardList:
    """What one client was told, and what it is about to be told."""

    def __init__(self, connection: Connection[ServerEvent], protocol: ServerSide) -> None:
        self._connection = connection
        self._protocol = protocol
        self._told: Mapping[ShareId, Offer] = {}
        self._waiting: deque[ShareId | Offer] = deque()
        self._handle: asyncio.Handle | None = None

    @property
    def told(self) -> Collection[ShareId]:
        """The cards that the client knows, or will know in a moment."""
        return self._told

    def tell(self, announcements: Mapping[ShareId, Offer]) -> None:
        """Lead the client from what it was told to these, and tell it nothing else."""
        self._waiting += difference(self._told, announcements)
        self._told = announcements
        if self._handle is None:
            self._send_slice()

    def close(self) -> None:
        """The client has left."""
        self._waiting.clear()
        if self._handle is not None:
            self._handle.cancel()

    def _send_slice(self) -> None:
        self._handle = None
        self._connection.attempt(self._send_what_fits)

    def _send_what_fits(self) -> None:
        protocol = self._protocol
        if protocol.state is not State.OPEN:
            return
        if self._connection.unsent < UNSENT_LIMIT:
            self._send(self._waiting.popleft() for _ in range(self._slice_length))
        if self._waiting:
            delay = PATIENCE if self._connection.unsent else 0
            self._handle = asyncio.get_running_loop().call_later(delay, self._send_slice)

    @property
    def _slice_length(self) -> int:
        return min(SLICE, len(self._waiting))

    def _send(self, changes: Iterable[ShareId | Offer]) -> None:
        for change in changes:
            if isinstance(change, Offer):
                self._protocol.announce(change)
            else:
                self._protocol.withdraw(change)
        self._connection.flush()
