"""What may be seen of a running server, and what is judged of it; made when somebody asks."""

import asyncio
import os
import time
from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from cccamd.cards import CardTable, SourceId
from cccamd.facts import ClientStatus, ConfigState, Penalty, Snapshot, SourceStatus
from cccamd.machine import look_at_supply
from cccamd.net import Penalties, at_once, in_slices
from cccamd.routing import Condition, Router
from cccamd.server.gate import describe_penalty
from cccamd.server.local import LocalCards
from cccamd.server.observers import Observers
from cccamd.server.sessioncontext import SessionContext
from cccamd.server.snapshot import ShownClient, describe_client, describing_sources, take_snapshot
from cccamd.server.upstreams import Upstreams
from cccamd.server.watching import Watchers
from cccamd.setup.setup import Setup
from cccamd.why import (
    Diagnosis,
    Evidence,
    Explanation,
    Household,
    Question,
    Together,
    by_account,
    check_up,
    explaining,
)
from cccamd.wire.cccam import Identity
from cccamd.workers import Member

if TYPE_CHECKING:
    from cccamd.server.fleetdesk import FleetDesk


@dataclass(frozen=True, slots=True, kw_only=True)
class LookedAt:
    """What is looked at."""

    identity: Identity
    started_at: Callable[[], float]
    setup: Callable[[], Setup]
    config: Callable[[], ConfigState]
    context: SessionContext
    table: CardTable
    router: Router
    penalties: Penalties
    clients: Callable[[], Sequence[ShownClient]]
    """Whatever protocol they speak."""
    upstreams: Upstreams
    cards: LocalCards
    watchers: Watchers
    workers: Callable[[], Sequence[Member]]
    together: Together
    """Knows which sources fail as one."""
    fleet: "FleetDesk | None" = None


class Looks:
    """Looks at a server."""

    def __init__(self, at: LookedAt) -> None:
        self._at = at
        self._loop = asyncio.get_running_loop()
        self._looking: asyncio.Task[Snapshot] | None = None

    def now(self) -> Snapshot:
        """What may be seen at this moment."""
        return at_once(self._steps())

    async def take(self) -> Snapshot:
        """The same without holding up ECMs; one look serves all that ask while it is taken."""
        if self._looking is None or self._looking.done():
            self._looking = self._loop.create_task(in_slices(self._steps()))
        return await asyncio.shield(self._looking)

    def _steps(self) -> Generator[None, None, Snapshot]:
        at, setup = self._at, self._at.setup()
        at.watchers.look_at_clocks()
        return take_snapshot(
            clients=at.clients(),
            config_path=_config_path(setup),
            config=at.config(),
            started_at=at.started_at(),
            identity=at.identity,
            context=at.context,
            table=at.table,
            sources=self._advised(),
            penalties=at.penalties,
            workers=at.workers(),
            fleet=at.fleet,
            names=setup.companions.channels,
        )

    async def check_up(self) -> tuple[Diagnosis, ...]:
        """What the doctor says from inside; judged in another thread."""
        local, setup = time.localtime(), self._at.setup()
        house = Household(
            snapshot=await self.take(),
            config=setup.config,
            toml=setup.toml,
            upstreams=tuple(setup.upstreams),
            supply=await asyncio.to_thread(look_at_supply, os.getpid()),
            minute=60 * local.tm_hour + local.tm_min,
        )
        return await asyncio.to_thread(lambda: tuple(check_up(house)))

    def explain(self, question: Question) -> Explanation:
        """Say why a client sees a card or not, and how its last requests went."""
        return at_once(self._explaining(question))

    async def explain_soon(self, question: Question) -> Explanation:
        """The same without holding up ECMs."""
        return await in_slices(self._explaining(question))

    def _explaining(self, question: Question) -> Generator[None, None, Explanation]:
        evidence = yield from self._evidence(question.account)
        return (yield from explaining(question, evidence))

    def _evidence(self, account: str | None) -> Generator[None, None, Evidence]:
        """What is to be known of an account; the other clients are nobody's business."""
        at, names = self._at, self._at.setup().companions.channels
        clients: list[ClientStatus] = []
        for each in at.clients():
            if each.record.user == account and each.peer is not None:
                clients.append(describe_client(each, names))
            yield
        described = yield from self._advised()
        # From here on nothing changes any more; a reload may have taken some out meanwhile.
        setup, local, now = at.setup(), time.localtime(), Observers.now()
        sources = {each: status for each, status in described.items() if at.table.knows(each)}
        return Evidence(
            live=True,
            at=now,
            minute=60 * local.tm_hour + local.tm_min,
            config=setup.config,
            toml=setup.toml,
            priorities=at.router.priorities,
            table=at.table,
            sources=sources,
            clients=by_account(clients),
            clones=at.context.clones.clones(),
            double_logins=at.context.double_logins.lately(now),
            recent=at.watchers.recent,
            penalties_of=self._penalties_of,
            penalty_of_name=self._penalty_of_name,
        )

    def _penalties_of(self, address: str) -> tuple[Penalty, ...]:
        now, at = self._loop.time(), Observers.now()
        standings = self._at.penalties.of(address, now)
        return tuple(describe_penalty(standing, now, at) for standing in standings)

    def _penalty_of_name(self, user: str) -> Penalty | None:
        now, name = self._loop.time(), user.encode()
        standing = self._at.penalties.of_name(name, now)
        return describe_penalty(standing, now, Observers.now()) if standing is not None else None

    def describing(self) -> Generator[None, None, dict[SourceId, SourceStatus]]:
        """Say of each source how it does: each is a step."""
        at = self._at
        return describing_sources(at.table, at.upstreams, at.cards, self._condition, at.fleet)

    def _advised(self) -> Generator[None, None, dict[SourceId, SourceStatus]]:
        """The same, with what is known of those that fail as one."""
        described = yield from self.describing()
        advice = self._at.together.advice
        if advice:
            for each, status in described.items():
                if found := advice.get(status.name):
                    described[each] = replace(status, shared_advice=found)
                yield
        return described

    def _condition(self, source: SourceId) -> Condition:
        """How a source does; since when by the wall clock."""
        now = self._loop.time()
        found = self._at.router.condition(source, now)
        if found.silent_since is None:
            return found
        return replace(found, silent_since=Observers.now() - (now - found.silent_since))


def _config_path(setup: Setup) -> str:
    """The whole name: whoever asks is in another folder."""
    path = setup.sources.config
    return setup.config.file if path is None else os.path.abspath(path)
