"""Somebody who asks how the server is, all the while."""

import asyncio
import random
from collections import Counter
from collections.abc import Generator
from typing import TYPE_CHECKING, TypeVar

from simplan import has_all
from simrights import CAID

from cccamd.facts import Snapshot
from cccamd.ids import Caid
from cccamd.why import Question

if TYPE_CHECKING:
    from simworld import World

T = TypeVar("T")


class Onlooker:
    """Asks how things are, at any moment and while everything changes; for whatever is shown to
    people is read from live objects, some of it in many small steps."""

    def __init__(self, world: "World", chance: random.Random) -> None:
        self.world, self.chance = world, chance

    async def look(self) -> None:
        """Again and again, until cancelled."""
        while True:
            rarely = 4 if self.world.is_calm and has_all(self.world.seed) else 1
            await asyncio.sleep(self.chance.random() * 2 * rarely)
            try:
                await self._look()
            except Exception as error:
                self.world.failed("a look at the server", error)

    async def _look(self) -> None:
        server, chance = self.world.server, self.chance
        client = chance.choice(self.world.clients)
        match chance.choice(("snapshot", "look", "explain", "freezes", "incidents")):
            case "snapshot":
                seen = server.snapshot()
                self._judge(seen)
                listed = Counter(card.source for card in seen.cards)
                counted = {source.name: source.cards for source in seen.sources if source.cards}
                if listed != counted:
                    self._blame(f"cards: {dict(listed)} are listed, {counted} counted")
            case "look":
                self._judge(await self._slowly(server._looks._steps()))
            case "explain":
                question = Question(account=client.user, caid=chance.choice((None, Caid(CAID))))
                if not (await self._slowly(server._looks._explaining(question))).summary:
                    self._blame("nothing is explained")
            case "freezes":
                await self._slowly(server._watchers.reporting())
            case "incidents":
                numbers = [each.number for each in server.incidents()]
                if len(set(numbers)) < len(numbers):
                    self._blame(f"incidents with the same number: {numbers}")

    async def _slowly(self, steps: Generator[None, None, T]) -> T:
        """What goes in steps, with much going on between them."""
        while True:
            try:
                next(steps)
            except StopIteration as done:
                result: T = done.value
                return result
            if self.chance.random() < 0.3:
                await asyncio.sleep(self.chance.random() * 0.1)

    def _judge(self, seen: Snapshot) -> None:
        """Whatever changes meanwhile: nothing in it contradicts itself."""
        accounts = set(seen.accounts)
        strange = {client.account for client in seen.clients} - accounts
        strange |= {user for card in seen.cards for user in card.seen_by} - accounts
        if strange:
            self._blame(f"no accounts, but shown as such: {strange}")
        for source in seen.sources:
            if sum(source.cards_by_hop.values()) != source.cards:
                self._blame(f"{source.name}: {source.cards} cards, but {source.cards_by_hop}")
            if source.answered > source.asked:
                self._blame(f"{source.name}: {source.asked} asked, {source.answered} answered")
        places = [(client.address, client.port) for client in seen.clients]
        if len(set(places)) < len(places):
            self._blame(f"somebody is shown twice: {places}")

    def _blame(self, what: str) -> None:
        self.world.ledger.blame(f"in a look at the server: {what}")
