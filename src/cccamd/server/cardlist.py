"""Tells one client its card list, in slices: a list may hold a hundred thousand cards.

Sent at once, a long list would hold up all other clients, and overflow the connection of a
client that is slow to read it.
"""

import asyncio
from collections.abc import Collection, Iterator
from itertools import islice
from typing import Final

from cccamd.cards import NOTHING, Change, View
from cccamd.ids import ShareId
from cccamd.net import Connection, Turns
from cccamd.values import Offer
from cccamd.wire.link import ServerEvent, ServerSide, State

SLICE: Final = 10
"""Messages sent before others have their turn."""
UNSENT_LIMIT: Final = 64 * 1024
"""Bytes that may wait for the client; more of the list follows when it has taken them."""
PATIENCE: Final = 0.05
"""Seconds until a slow client is looked at again."""


class CardList:
    """What one client was told, and what it is about to be told."""

    __slots__ = (
        "_connection",
        "_handle",
        "_is_due",
        "_protocol",
        "_told",
        "_turns",
        "_waiting",
    )

    def __init__(
        self, connection: Connection[ServerEvent], protocol: ServerSide, turns: Turns
    ) -> None:
        """`turns`: those of all card lists, so that they do not add up."""
        self._turns = turns
        self._connection = connection
        self._protocol = protocol
        self._told = NOTHING
        self._waiting: tuple[Iterator[Change], ...] = ()
        self._is_due = False
        self._handle: asyncio.Handle | None = None

    @property
    def told(self) -> Collection[ShareId]:
        """The cards that the client knows, or will know in a moment."""
        return self._told.offers

    def tell(self, view: View) -> None:
        """Lead the client from what it was told to what is shown to it, and tell nothing else."""
        told, self._told = self._told, view.shown
        if self._told is told:
            return
        self._waiting = (*self._waiting, iter(view.changes_since(told)))
        if not self._is_due:
            self._is_due = True
            self._turns.add(self._send_slice)

    def close(self) -> None:
        """The client has left."""
        self._waiting = ()
        if self._handle is not None:
            self._handle.cancel()

    def _send_slice(self) -> None:
        self._is_due, self._handle = False, None
        self._connection.attempt(self._send_what_fits)

    def _send_what_fits(self) -> None:
        protocol = self._protocol
        if protocol.state is not State.OPEN:
            return
        if self._connection.unsent < UNSENT_LIMIT:
            self._send_some()
        if self._waiting:
            self._is_due = True
            if self._connection.unsent:
                loop = asyncio.get_running_loop()
                self._handle = loop.call_later(PATIENCE, self._send_slice)
            else:
                self._turns.add(self._send_slice)

    def _send_some(self) -> None:
        left = SLICE
        while left and self._waiting:
            changes = tuple(islice(self._waiting[0], left))
            if len(changes) < left:
                self._waiting = self._waiting[1:]
            left -= len(changes)
            for change in changes:
                if isinstance(change, Offer):
                    self._protocol.announce(change)
                else:
                    self._protocol.withdraw(change)
        self._connection.flush()
