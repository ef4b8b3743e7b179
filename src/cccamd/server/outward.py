"""What the server tells others without being asked: messages, and values for a broker."""

import asyncio
from collections.abc import Callable, Generator
from dataclasses import dataclass
from pathlib import Path

from cccamd import __version__
from cccamd.facts import Incident
from cccamd.ids import format_node_id
from cccamd.mqtt import Overview, Publisher, Told
from cccamd.net import TaskSet, in_slices
from cccamd.notify import Notifier, Rules
from cccamd.server.configbook import ConfigBook
from cccamd.server.looks import LookedAt, Looks
from cccamd.server.observers import Observers
from cccamd.server.snapshot import describing_clients
from cccamd.setup.setup import Setup
from cccamd.watch import Happening


@dataclass(frozen=True, slots=True, kw_only=True)
class Surroundings:
    """Where what is told comes from."""

    at: LookedAt
    looks: Looks
    book: ConfigBook
    incidents: Callable[[], tuple[Incident, ...]]
    on_failure: Callable[[str, BaseException], None]


class Outward:
    """Messages of incidents, and values for a broker."""

    def __init__(self, around: Surroundings, tasks: TaskSet) -> None:
        self._around = around
        self._tasks = tasks
        self.notifier = Notifier(tasks, around.book.carried_out, around.incidents)
        told = Told(
            look=self._look,
            node=format_node_id(around.at.identity.node_id),
            version=__version__,
        )
        self.publisher = Publisher(told, around.book.carried_out, around.on_failure)

    @staticmethod
    def is_wanted(setup: Setup) -> bool:
        """Whether there is anybody to tell anything."""
        return bool(setup.toml.notify.urls) or setup.toml.mqtt.host is not None

    def observe(self, happening: Happening) -> None:
        """Take note of what happened."""
        self.notifier.observe(happening)

    async def start(self, setup: Setup) -> None:
        """Begin to tell."""
        await self.apply(setup)
        self._tasks.start("messages", self.notifier.run())
        self._tasks.start("values for the broker", self.publisher.run())

    async def apply(self, setup: Setup) -> None:
        """Go by another setup from now on."""
        table = setup.toml.notify
        rules = Rules(after=table.after, quiet=table.quiet, over=table.over)
        await self.notifier.adopt(table.urls, rules)
        file = setup.sources.toml
        self.publisher.adopt(setup.toml.mqtt, file.parent if file is not None else Path())

    async def close(self) -> None:
        """Take leave of the broker; it has a second or two for it."""
        await self.publisher.close()

    async def _look(self) -> Overview:
        return await in_slices(self._looking())

    def _looking(self) -> Generator[None, None, Overview]:
        """What the broker is told: all but the single cards, which may be many thousands."""
        at = self._around.at
        names = at.setup().companions.channels
        sources = yield from self._around.looks.describing()
        report = yield from at.watchers.reporting()
        clients = yield from describing_clients(at.clients(), names)
        standings = yield from at.penalties.standing(asyncio.get_running_loop().time())
        return Overview(
            at=Observers.now(),
            started_at=at.started_at(),
            accounts=tuple(account.line.user for account in at.context.accounts.values()),
            clients=clients,
            sources=tuple(sources.values()),
            channels=report.channels,
            incidents=tuple(each for each in self._around.incidents() if each.ended_at is None),
            config=at.config(),
            ecms_total=at.context.records.totals.ecms,
            logins_failed=at.context.records.totals.logins_failed,
            banned=standings.banned,
        )
