"""Who may come to the doors of the server, whatever is spoken there, and what is told of others.

Theory of operation. An address has to be of a network that is let in, not banned, and find a place.
All doors ask the same doorkeeper, so what is failed at one counts at all, and a reload changes what
holds for all of them at once.
"""

import asyncio
from collections.abc import Callable
from pathlib import Path

from cccamd.facts import Door
from cccamd.net import (
    Admission,
    FirstWords,
    Guest,
    HandOver,
    Listener,
    NoEntry,
    Penalties,
    hand_over,
)
from cccamd.server import settings
from cccamd.server.bans import BanBook
from cccamd.server.gate import LoginGate
from cccamd.server.loglines import DoorLog, FailureLog
from cccamd.server.observers import Observers
from cccamd.setup.setup import Setup
from cccamd.setup.toml import is_local
from cccamd.watch import ConnectionRefused
from cccamd.wire.link import Closed, CloseReason


class Doorkeeper:
    """Knows places, penalties and bans, and the lines of the log about who was not let in."""

    def __init__(
        self,
        setup: Callable[[], Setup],
        *,
        bans: Path | None,
        observers: Observers,
        failures: FailureLog,
        others_make_room: Callable[[], bool],
    ) -> None:
        """`setup`: the one that is in use. `bans`: the file they are kept in; None: they are not.

        `others_make_room`: has somebody go who asks nothing, where no door has any such left.
        """
        self._setup = setup
        self._observers = observers
        self._failures = failures
        self._others_make_room = others_make_room
        self._loop = asyncio.get_running_loop()
        toml = setup().toml
        self.log = DoorLog()
        self.penalties = Penalties(settings.penalty_rules(toml), is_near=self.is_spared)
        self.bans = BanBook(bans, self.penalties, failures.report)
        self.admission: Admission[Guest] = Admission(
            settings.admission_limits(toml),
            admits=self._admits,
            is_near=is_local,
            is_banned=self.is_banned,
        )

    def adopt(self) -> None:
        """Go by the rules and limits of the setup that is in use now."""
        toml = self._setup().toml
        self.penalties.rules = settings.penalty_rules(toml)
        self.admission.limits = settings.admission_limits(toml)

    def is_spared(self, address: str) -> bool:
        """Whether an address is never banned: it is local, or `[penalties] exempt` names it."""
        return is_local(address) or self._setup().toml.penalties.spares(address)

    def is_banned(self, address: str) -> bool:
        """Whether an address has to stay away for now."""
        return self.penalties.banned(address, self._loop.time()) > 0.0

    def may_look(self, address: str) -> bool:
        """Whether the pages are for an address; if not, that is told of."""
        if not self._admits(address):
            refusal = NoEntry.NETWORK
        elif self.is_banned(address):
            refusal = NoEntry.BANNED
        else:
            return True
        self.refused(address, refusal)
        return False

    def _admits(self, address: str) -> bool:
        """Whether an address may connect, by the setup that is in use now."""
        return self._setup().toml.network.allowed.admits(address)

    def gate(self, door: Door) -> LoginGate:
        """What a door of the pages asks about logins."""
        return LoginGate(self.penalties, self.log, door)

    def listener(
        self,
        make_guest: Callable[[], Guest],
        hand_over: HandOver = hand_over,
        first_words: Callable[[], FirstWords] | None = None,
    ) -> Listener:
        """A door."""
        return Listener(
            self.admission,
            make_guest=make_guest,
            on_refused=self.refused,
            on_failure=self._failures.report,
            on_event=self.log.accepting,
            others_make_room=self._others_make_room,
            hand_over=hand_over,
            first_words=first_words,
            on_pushed_out=self._pushed_out,
        )

    def refused(self, address: str, refusal: NoEntry) -> None:
        """Tell of a connection that was closed before the first byte."""
        if self.log.refused(address, refusal):
            self._tell(address, refusal.value)

    def _pushed_out(self, address: str) -> None:
        """Somebody had not said a word when it had to make room."""
        self.admission.refused += 1
        closed = Closed(CloseReason.TOO_MANY_LOGINS)
        if self.log.failed(address, address, closed):
            self._tell(address, closed.reason.value)

    def _tell(self, address: str, reason: str) -> None:
        now = self._observers.now()
        self._observers.tell(ConnectionRefused(at=now, address=address, reason=reason))
