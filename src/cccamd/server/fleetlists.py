"""The lists of cards that nodes of a fleet tell each other.

Ours is an entry at the engine, made anew when our cards have changed. Its revision is told with
every word that we are here; who has not got it fetches it, and what is missing there is put there
again when somebody misses it.
"""

import asyncio
import hashlib
from collections.abc import Callable, Generator, Iterable
from typing import Final

from cccamd.cards import Card, CardTable
from cccamd.fleet.actions import EngineAction, Fetch, Fetched, Publish
from cccamd.fleet.claims import Seals
from cccamd.fleet.letters import Missing, SharedSource, read_list, write_list
from cccamd.ids import NodeId
from cccamd.net import TaskSet, in_slices, in_thread
from cccamd.server.exchange import Exchange
from cccamd.server.fleetnodes import NEVER, Node, Nodes, shared_offer

FETCH_AGAIN: Final = 5.0
LIST_LIFE: Final = 3600.0
LIST_AGAIN: Final = 1200.0
"""Seconds for which the engine keeps our list, and after which it gets it again."""


class CardLists:
    """Our own, and those that are being fetched. Times are seconds, of the loop."""

    def __init__(
        self,
        *,
        node: str,
        node_id: NodeId,
        seals: Seals,
        table: CardTable,
        exchange: Exchange,
        nodes: Nodes,
        tasks: TaskSet,
        is_constant: Callable[[Card], bool],
        trusts: Callable[[str], bool],
        perform: Callable[[Iterable[EngineAction]], None],
        missing: Callable[[str, Missing], None],
    ) -> None:
        """`is_constant` tells cards of fixed keys, `trusts` whether a node is believed now;
        `missing` writes to a node that its list is not there."""
        self.revision = ""
        """Of our own; empty: there is none yet."""
        self.fetching: dict[bytes, str] = {}
        """By the name of the entry: whose list is fetched."""
        self._node, self._node_id = node, node_id
        self._seals = seals
        self._table = table
        self._exchange = exchange
        self._nodes = nodes
        self._tasks = tasks
        self._is_constant = is_constant
        self._trusts = trusts
        self._perform = perform
        self._missing = missing
        self._loop = asyncio.get_running_loop()
        self._seen_generation = -1
        self._own: bytes = b""
        self._sent_at = 0.0

    # Our own.

    async def look(self) -> bool:
        """Make ours anew if our cards have changed; whether it says something else now."""
        if self._table.generation == self._seen_generation:
            return False
        self._seen_generation = self._table.generation
        shared = await in_slices(self._sharing())
        data = await in_thread(lambda: write_list(shared))
        revision = _revision_of(data)
        if revision == self.revision:
            return False
        self.revision, self._own = revision, data
        return True

    def send(self) -> None:
        """Have the engine keep it."""
        if self.revision:
            self._sent_at = self._loop.time()
            name = self._name(self._node)
            value = self._seals.seal(name, self._own)
            self._perform([Publish(name, b"", value, int(1000 * LIST_LIFE))])

    def is_due(self, after: float = LIST_AGAIN) -> bool:
        """Whether it was sent so many seconds ago, or never."""
        return self._loop.time() >= self._sent_at + after

    def _sharing(self) -> Generator[None, None, tuple[SharedSource, ...]]:
        """What other nodes may ask for: all cards but theirs."""
        found: dict[str, tuple[Card, dict[int, Card]]] = {}
        for card in tuple(self._table.cards()):
            named = self._exchange.source_of(card)
            if named is not None and self._nodes.node_of(card.source) is None:
                _, cards = found.setdefault(named[0], (card, {}))
                cards.setdefault(card.own_share_id, card)
            yield
        shared: list[SharedSource] = []
        for name, (first, cards) in sorted(found.items()):
            if first.access.grant.wanted or first.access.grant.denied:
                continue  # lists of services that only this node's cccamd.toml knows
            offers = tuple(shared_offer(card, self._node_id) for card in cards.values())
            source = SharedSource(
                name=name,
                constant=self._is_constant(first),
                groups=first.access.grant.groups,
                takes_emms=first.access.takes_emms,
                emm_name=first.access.name,
                offers=offers,
            )
            shared.append(source)
            yield
        return tuple(shared)

    # Those of others.

    def fetch(self, node: Node) -> None:
        """Get the list of a node, unless that was tried a moment ago."""
        now = self._loop.time()
        if now >= node.fetched_at + FETCH_AGAIN:
            node.fetched_at = now
            name = self._name(node.presence.node)
            self.fetching[name] = node.presence.node
            self._perform([Fetch(name)])

    def fetched(self, event: Fetched) -> None:
        """The engine has answered."""
        name, value = event
        node = self.fetching.pop(name)
        plain = self._seals.unseal(name, value) if value is not None else None
        if node not in self._nodes.by_name:
            return
        if plain is not None:
            self._tasks.start(f"cards of node {node}", self._take(node, plain))
        else:  # the engine was emptied, or had no room: without the list its CWs are for nobody
            self._nodes.by_name[node].fetched_at = NEVER
            self._missing(node, Missing(node=self._node))

    async def _take(self, name: str, data: bytes) -> None:
        shared = await in_thread(lambda: read_list(data))
        if shared is not None and self._trusts(name):
            await self._nodes.take(name, _revision_of(data), shared)

    def _name(self, node: str) -> bytes:
        return self._seals.name("cards", node.encode())


def _revision_of(written: bytes) -> str:
    """Stands for a list of cards."""
    return hashlib.blake2b(written, digest_size=8).hexdigest()
