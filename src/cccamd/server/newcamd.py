"""The ports on which newcamd is spoken: one for each `[[newcamd]]` table.

Who logs in is a client like any other, with its account's rights, limits and brake on guessing;
only that it is shown one card, and asks for nothing else (`cccamd.cards.choose`).
"""

import logging
import os
from collections.abc import Callable, Collection, Generator
from dataclasses import dataclass, field
from typing import Final

from cccamd.cards import OneCard, Wish, card_for, choose, is_more
from cccamd.facts import Door
from cccamd.ids import Caid, Ident, ShareId
from cccamd.net import Guest, Listener, ListenError, in_slices
from cccamd.server.session import Session
from cccamd.server.sessioncontext import ClientPort, SessionContext
from cccamd.server.taken import with_holder
from cccamd.setup.logins import Account
from cccamd.setup.setup import Setup
from cccamd.setup.toml import NewcamdTable
from cccamd.values import Offer
from cccamd.wire.link import CloseReason
from cccamd.wire.newcamd import CardData, NewcamdServer

log = logging.getLogger("cccamd.server")

SETTING: Final = "[[newcamd]]"
SETTLING: Final = 3.0
"""Seconds after which a client should know of a card or of providers that came: a server that
starts gets its cards one after the other."""
LOST_FOR: Final = 60.0
"""Seconds that the card a client was told is waited for while the account sees another: a link
that is built up anew brings it back."""
UNKNOWN_CAID: Final = Caid(0)
"""A port for any card has no CAID to name while none is there."""


class OneCardShelf:
    """What one client of a port is shown; it remembers, as few clients ask twice."""

    def __init__(self, wish: Wish, may_update: Callable[[bytes], bool]) -> None:
        self._wish = wish
        self._may_update = may_update
        self._told: OneCard | None = None
        self._caid = wish.caid
        """Of whatever it was told last."""

    def show(self, user: bytes, offers: Collection[Offer]) -> CardData:
        """Choose its card anew: it asks for card data."""
        chosen = self._told = choose(self._wish, offers, before=self._caid)
        if chosen is None:
            return CardData(caid=self._caid or UNKNOWN_CAID, may_update=False)
        self._caid = chosen.caid
        return CardData(
            caid=chosen.caid,
            ua=chosen.ua,
            providers=chosen.providers,
            may_update=self._may_update(user),
        )

    def patience(self, user: bytes, offers: Collection[Offer]) -> float | None:
        """Seconds until the client should know that there is another card or more of it."""
        told = self._told
        chosen = choose(self._wish, offers, before=self._caid)
        if chosen is None:
            return None
        if told is None:
            return SETTLING
        if chosen.caid != told.caid:
            return LOST_FOR
        return SETTLING if is_more(chosen, told) else None

    def card_for(self, ident: Ident, offers: Collection[Offer]) -> ShareId:
        """The card that an EMM of this provider is for."""
        return card_for(ident, self._told, offers) if self._told is not None else ShareId(0)

    def serves(self, caid: Caid, ident: Ident) -> bool:
        """Whether the port is for such an ECM: whatever it shows, and nothing else."""
        if caid != self._caid:
            return False
        return not ident or not self._wish.idents or ident in self._wish.idents


@dataclass(slots=True)
class _Door:
    """One open port."""

    table: NewcamdTable
    addresses: tuple[str, ...]
    listener: Listener
    port: ClientPort
    guests: dict[Guest, None] = field(default_factory=dict)
    """Who came in here and is still connected, in the order in which they came."""


class NewcamdPorts:
    """Opens and closes as the files say."""

    def __init__(
        self,
        context: SessionContext,
        make_listener: Callable[[Callable[[], Guest]], Listener],
        carried_out: Callable[[str, str], None],
    ) -> None:
        """`make_listener` gets what makes a guest; `carried_out` a setting, and what was in the
        way of it."""
        self._context = context
        self._make_listener = make_listener
        self._carried_out = carried_out
        self._doors: dict[int, _Door] = {}

    @property
    def ports(self) -> list[int]:
        """The ports that are open."""
        return [port for door in self._doors.values() for port in door.listener.ports]

    async def apply(self, setup: Setup) -> None:
        """Open, change or close what the files say; clients of a port that is as it was stay."""
        wanted = {table.port: table for table in setup.toml.newcamd}
        for number, door in list(self._doors.items()):
            table = wanted.get(number)
            if table is None or door.addresses != _addresses(table, setup):
                await self._close(door)
            elif (table.key, table.wish) != (door.table.key, door.table.wish):
                self._dismiss(door)
            if table is not None:
                door.table = table
                await in_slices(self._turn_out_who_may_not(door))
        troubles = [
            trouble
            for table in wanted.values()
            if table.port not in self._doors and (trouble := await self._open(table, setup))
        ]
        self._carried_out(SETTING, "; ".join(troubles))

    async def shut(self) -> None:
        """Close all ports; who is logged in stays."""
        for door in self._doors.values():
            await door.listener.close()

    async def _open(self, table: NewcamdTable, setup: Setup) -> str:
        bind = _addresses(table, setup)
        door = self._make_door(table, bind)
        try:
            await door.listener.open(bind, table.port)
        except ListenError as error:
            told = await with_holder(error, setup.config, setup.toml)
            log.error("%s: %s", table.heading, told)
            return str(told)
        self._doors[table.port] = door
        log.info("listening for newcamd clients on port %d: %s", table.port, table.wish.words)
        return ""

    async def _close(self, door: _Door) -> None:
        del self._doors[door.table.port]
        await door.listener.close()
        self._dismiss(door)
        log.info("no newcamd clients are served on port %d any more", door.table.port)

    def _dismiss(self, door: _Door) -> None:
        for guest in tuple(door.guests):
            guest.close(CloseReason.PORT_CHANGED)

    def _turn_out_who_may_not(self, door: _Door) -> Generator[None, None, None]:
        for user in list(self._context.seats.users()):
            yield
            if door.port.account_of(user) is not None and not door.table.allow:
                continue
            for session in tuple(self._context.seats.of(user)):
                if session.connection not in door.guests:
                    continue
                address = session.connection.address
                if door.port.account_of(user) is None or not door.table.lets_in(address):
                    session.connection.close(CloseReason.CONFIG_CHANGED)

    def _make_door(self, table: NewcamdTable, bind: tuple[str, ...]) -> _Door:
        def make_protocol(now: float) -> NewcamdServer:
            return NewcamdServer(
                config_key=door.table.key,
                shelf=OneCardShelf(door.table.wish, self._may_update),
                random=os.urandom,
                now=now,
                login_timeout=self._context.limits.login_timeout,
            )

        def account_of(user: bytes) -> Account | None:
            account = self._context.accounts.get(user)
            admitted = account is not None and door.table.admits(account.line.user)
            return account if admitted else None

        def make_guest() -> Guest:
            guest = Session(self._context, door.port).connection
            door.guests[guest] = None
            guest.when_ended(door.guests.pop, guest, None)
            return guest

        port = ClientPort(
            make_protocol=make_protocol,
            account_of=account_of,
            door=Door.NEWCAMD,
            has_versions=False,
            protocol="newcamd",
            admits=lambda address: door.table.lets_in(address),
        )
        door = _Door(table, bind, self._make_listener(make_guest), port)
        return door

    def _may_update(self, user: bytes) -> bool:
        account = self._context.accounts.get(user)
        return account is not None and account.emm_allowed


def _addresses(table: NewcamdTable, setup: Setup) -> tuple[str, ...]:
    """Where a port listens."""
    return table.bind or setup.toml.server.bind
