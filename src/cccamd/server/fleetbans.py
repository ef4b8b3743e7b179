"""Bans, failed logins and limits over a fleet: carries out what bulletins decide.

what accounts ask                          `FairPlay` -> `Spending` -> `Bulletins`, and back
a failed login, a login, a ban, an unban   `Penalties` -> its listener -> `Bulletins`
the same at other nodes                    the engine -> `Bulletins` -> `Penalties`
"""

import asyncio
import logging
import os
from collections.abc import Callable, Collection, Iterable

from cccamd.facts import Door
from cccamd.fleet.actions import EngineAction, EngineEvent
from cccamd.fleet.bulletins import Bulletins, Counted, Decision
from cccamd.fleet.claims import Seals
from cccamd.fleet.news import Banned, LoggedIn, Pardoned, Spent
from cccamd.net import Alarm, FairPlay, Penalties, Rates, Spending, Standing, in_slices, origin_of
from cccamd.server.loglines import DoorLog

log = logging.getLogger("cccamd.fleet")


class FleetBans:
    """One node's penalties and limits as those of all nodes."""

    def __init__(
        self,
        node: str,
        seals: Seals,
        *,
        penalties: Penalties,
        door_log: DoorLog,
        fair: FairPlay,
        trusts: Callable[[str, float], bool],
        perform: Callable[[Iterable[EngineAction]], None],
    ) -> None:
        """`trusts`: whether a node is believed; `perform` tells the engine."""
        self._penalties = penalties
        self._door_log = door_log
        self._fair = fair
        self._spending = fair.spending = Spending()
        self._perform = perform
        self._loop = asyncio.get_running_loop()
        self._alarm = Alarm(self)
        self._bulletins = Bulletins(
            node,
            os.urandom(8).hex(),
            seals,
            longest=lambda number: penalties.rules.length(number),
            trusts=trusts,
            names_of=origin_of,
            spending=self._spent,
            forget_spending=self._spending.forget,
        )

    async def start(self) -> None:
        """Go on with the bans that were kept over a restart, and listen from now on."""
        now = self._loop.time()
        for ban in reversed(await in_slices(self._penalties.bans(now))):
            self.banned(ban)
        self._penalties.listener = self

    def close(self) -> None:
        """Do nothing more."""
        self._penalties.listener = None
        self._fair.spending = None
        self._alarm.end()

    # What happens here: `net.penalties.PenaltyListener`.

    def failed(self, address: str, user: bytes, door: Door) -> None:
        self._bulletins.failed(address, user, door, self._loop.time())

    def succeeded(self, address: str, user: bytes, door: Door) -> None:
        self._bulletins.logged_in(address, user, door)

    def banned(self, ban: Standing) -> None:
        self._bulletins.banned(
            Banned(ban.who, ban.last_at, ban.until, ban.bans, ban.tries, ban.doors, ban.user)
        )

    def forgot(self, names: Collection[str]) -> None:
        self._bulletins.pardoned(names, self._loop.time())

    def _spent(self, most: int) -> Iterable[Spent]:
        """What accounts have asked here since the last time."""
        for user, rates in self._spending.take(most):
            yield Spent(user, *map(int, rates))

    # What happens elsewhere.

    def handle(self, event: EngineEvent) -> None:
        """Go on with what the engine tells."""
        self._do(self._bulletins.handle(event, self._loop.time()))

    def ring(self) -> None:
        """Do what is due."""
        self._do(self._bulletins.handle_deadline(self._loop.time()))

    def _do(self, decisions: Iterable[Decision]) -> None:
        actions: list[EngineAction] = []
        banned: list[str] = []
        now, penalties = self._loop.time(), self._penalties
        for decision in decisions:
            match decision:
                case Counted(address, user, door, times, pardoned):
                    ban = penalties.failed_elsewhere(address, user, now, door, times, pardoned)
                    if ban is not None:
                        self._door_log.banned(ban)
                case Spent(user, messages, ecms, size):
                    self._fair.spent_elsewhere(user, Rates(messages, ecms, size), now)
                case LoggedIn(address, user, door):
                    penalties.succeeded_elsewhere(address, user, door)
                case Banned():
                    banned.append(decision.who)
                    self._take_over(decision, now)
                case Pardoned(who):
                    penalties.forget_names((who,))
                    log.info("fleet: the failed logins from %s are forgotten", who)
                case _:
                    actions.append(decision)
        if banned:
            more = f", and {len(banned) - 1} more" if len(banned) > 1 else ""
            log.info("fleet: banned at another node: %s%s", banned[0], more)
        if actions:
            self._perform(actions)
        self._alarm.set(self._bulletins.next_deadline())

    def _take_over(self, ban: Banned, now: float) -> None:
        self._penalties.ban(
            ban.who,
            ban.until - now,
            ban.bans,
            now,
            ago=now - ban.since,
            tries=ban.tries,
            doors=ban.doors,
            user=ban.user,
        )
