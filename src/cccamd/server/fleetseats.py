"""Seats of accounts over a fleet: carries out what the leases of a node decide.

a login     `Login` -> `ask` -> `Leases`: in, or turned away for the sake of clients elsewhere
a session   has told `left` to be called at its end, from before it asks
a doubt     another node wants to know whether a client of ours lives: it is probed as for a
            second login here
"""

import asyncio
import logging
import time
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING

from cccamd.fleet.actions import EngineAction, EngineEvent
from cccamd.fleet.leases import Decision, End, Granted, Leases, Prove, Refused
from cccamd.net import Alarm
from cccamd.server.seats import PATIENCE, decided
from cccamd.wire.link import CloseReason

if TYPE_CHECKING:
    from cccamd.server.sessioncontext import SessionContext

log = logging.getLogger("cccamd.fleet")


class FleetSeats:
    """One node's seats among those of all nodes."""

    def __init__(
        self,
        leases: Leases,
        context: "SessionContext",
        perform: Callable[[Iterable[EngineAction]], None],
    ) -> None:
        """`perform` tells the engine."""
        self.leases = leases
        self._context = context
        self._perform = perform
        self._loop = asyncio.get_running_loop()
        self._alarm = Alarm(self)
        self._waiting: dict[int, asyncio.Future[tuple[str, ...]]] = {}

    async def ask(self, number: int, user: bytes, logins: int) -> tuple[str, ...]:
        """Have a client that has a place here be the only one everywhere.

        Returns the nodes for whose clients' sake it is turned away; none: it may come in. The
        number is its record's, and has to be told `left` at its end.
        """
        answer: asyncio.Future[tuple[str, ...]] = self._loop.create_future()
        self._waiting[number] = answer
        try:
            self._do(self.leases.begin(number, user, logins, self._loop.time(), time.time()))
            return await answer
        finally:
            del self._waiting[number]

    def left(self, number: int) -> None:
        """It is over, or never came in."""
        answer = self._waiting.get(number)
        if answer is not None and not answer.done():
            answer.set_result(())
        self._do(self.leases.left(number))

    def handle(self, event: EngineEvent) -> None:
        """Go on with what the engine tells."""
        self._do(self.leases.handle(event, self._loop.time()))

    def close(self) -> None:
        """Do nothing more."""
        self._alarm.end()

    def ring(self) -> None:
        """Do what is due."""
        self._do(self.leases.handle_deadline(self._loop.time()))

    def _do(self, decisions: Iterable[Decision]) -> None:
        actions: list[EngineAction] = []
        for decision in decisions:
            match decision:
                case Granted(number):
                    self._answer(number, ())
                case Refused(number, where):
                    self._answer(number, where)
                case Prove(number):
                    self._prove(number)
                case End():
                    self._end(decision)
                case _:
                    actions.append(decision)
        if actions:
            self._perform(actions)
        self._alarm.set(self.leases.next_deadline())

    def _answer(self, number: int, where: tuple[str, ...]) -> None:
        answer = self._waiting.get(number)
        if answer is not None and not answer.done():
            answer.set_result(where)

    def _prove(self, number: int) -> None:
        name = "a client that another node asks about"
        self._context.tasks.start(name, self._look(number))

    async def _look(self, number: int) -> None:
        session = self._context.by_number.get(number)
        lives = False
        user = self.leases.user_of(number)
        if session is not None and user is not None:
            contest = self._context.seats.contest(user, self._loop.time())
            await decided(contest)
            lives = not contest.is_dead(session)
        self._do(self.leases.judged(number, lives, self._loop.time()))

    def _end(self, end: End) -> None:
        session = self._context.by_number.get(end.number)
        if session is None:
            return
        reason, why = CloseReason.ALREADY_CONNECTED, "which came first"
        if end.is_dead:
            reason, why = CloseReason.TAKEN_OVER, f"nothing was heard for {PATIENCE:g} s"
        session.connection.close(reason, f"at node {end.where} of the fleet; {why}")
