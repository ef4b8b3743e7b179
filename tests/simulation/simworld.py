"""One run: a whole server, whoever plays along, and what happens to them; all of it from a seed.

The server, its links and sessions and both sides of the protocols are the real ones; the loop
(`simloop`), the wires (`simwires`) and the encryption of TLS (`simtls`) are not. What happens is a
list of `Happening`s, made from the seed before anything begins (`simplan`) and carried out by
`simhappen`; leaving some out gives a smaller run (`shrink`).
"""

import asyncio
import logging
import math
import random
from collections.abc import Callable, Collection, Iterator
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from typing import Any, Final
from unittest.mock import patch

import simend
from simcast import Box, Client, Friend
from simconfig import FRIEND, PORTS, Files, Keys
from simdiary import Violation
from simhappen import EVIL, LOOK_INTERVAL, Fate
from simledger import LIST_LINGER, Ledger, ecm_in, watched
from simlook import Onlooker
from simloop import BEGAN, SimClock, SimLoop, Stuck, in_its_own_time
from simplan import happenings, has_all, has_newcamd, lasts, left_out
from simrights import CAID, KINDS, Word, truth
from simstrangers import Knocker, Stranger
from simtls import without_encryption
from simtv import Tv, watched_tv
from simupstreams import OneCard, Paired, Upstream
from simwires import Net

from cccamd.ids import NodeId
from cccamd.server import Server
from cccamd.server.exchange import Exchange
from cccamd.server.upstreams import UpstreamSource
from cccamd.values import ControlWords
from cccamd.wire.cccam import ServerProtocol, make_node_id
from cccamd.wire.keycodes import KeyCode
from cccamd.wire.newcamd import NewcamdServer

PERIOD: Final = 5.0
"""Virtual seconds of a crypto period: shorter than outside, so that more happens."""
KEYS_EVERY: Final = 0.1
"""Seconds between two looks at who is connected with which key."""


@dataclass(frozen=True)
class Result:
    """What came of a run."""

    seed: str
    trace: str
    events: int
    answers: int
    refusals: int
    violation: Violation | None
    tail: list[str]


class World:
    """One run."""

    def __init__(self, seed: str, *, without: Collection[int] = ()) -> None:
        self.seed = seed
        chance = self.chance = random.Random(f"{seed} world")
        self.clock = SimClock(random.Random(f"{seed} clock"))
        self.ledger = Ledger(self.clock.now)
        self.net = Net(seed, self.ledger.note)
        self.net.server_port, self.net.newcamd_port = PORTS
        self.loop = SimLoop(self.clock, self.net, random.Random(f"{seed} loop"))
        self.net.loop = self.loop
        self.loop.between = self._look
        self._ours_at = -1
        self._ours_said: dict[tuple[int, int], list[Word]] = {}
        """What was said of each card that is announced as one of ours, by its number and CAID."""
        self._ours_gone: dict[tuple[int, int], float] = {}
        """When those went that are not there."""
        self.far_node = make_node_id(chance.randbytes(4))
        self.node_id = make_node_id(chance.randbytes(4))
        self.files = Files(seed, self.ledger, NodeId(self.node_id), self.loop.time)
        self.files.local_reshare = chance.randint(0, 2)
        self.keys = Keys(seed)
        self.fate = Fate(self)
        self.is_over = False
        self.is_calm = False
        """Whether all trouble is over."""
        self.clients: list[Client | Tv] = []
        self.upstreams: list[Upstream] = []
        self.strangers: list[Stranger] = []
        self.knockers: list[Knocker] = []
        self.happens = [each for n, each in enumerate(happenings(seed)) if n not in without]
        self.server: Server
        self._keys_judged_at = 0.0

    def period(self) -> int:
        return int((self.clock.now() - BEGAN) / PERIOD) + 1

    def failed(self, name: str, error: BaseException) -> None:
        """An error of ours: no input may cause one."""
        self.ledger.blame(f"internal error in {name}: {type(error).__name__}: {error}")
        if self.ledger.first is not None and self.ledger.first.__cause__ is None:
            self.ledger.first.__cause__ = error

    # The run.

    def run(self) -> Result:
        """Live it through; never raises for what the server did wrong."""
        chance = random.Random(f"{self.seed} chance")
        logging.disable(logging.CRITICAL)
        with ExitStack() as held:
            held.callback(logging.disable, logging.NOTSET)
            held.enter_context(in_its_own_time(self.clock, self.net, chance))
            held.enter_context(
                patch(
                    "cccamd.server.frontdoor.ServerProtocol", watched(self.ledger, ServerProtocol)
                )
            )
            held.enter_context(
                patch("cccamd.server.newcamd.NewcamdServer", watched(self.ledger, NewcamdServer))
            )
            tv = watched_tv(self.ledger)
            held.enter_context(patch("cccamd.server.dvbapi.session.DvbapiSession", tv))
            held.enter_context(without_encryption())
            report = "cccamd.server.loglines.FailureLog.report"
            held.enter_context(patch(report, lambda _, name, error: self.failed(name, error)))
            held.enter_context(patch("cccamd.server.server.MachineWatch.run", _sleep))
            held.enter_context(patch.object(Exchange, "answered", self._heard(Exchange.answered)))
            held.enter_context(patch.object(UpstreamSource, "ask", self._asks(UpstreamSource.ask)))
            try:
                self.loop.run_until_complete(self._live())
            except Stuck:
                self.ledger.blame("nothing would ever have happened any more")
            except Violation as violation:
                self.ledger.first = self.ledger.first or violation
            finally:
                self._close_loop()
        ledger = self.ledger
        return Result(
            self.seed, ledger.trace, ledger.events, ledger.answers, ledger.refusals,
            ledger.first, ledger.tail,
        )  # fmt: skip

    def _close_loop(self) -> None:
        self.loop.between = lambda: None
        tasks = asyncio.all_tasks(self.loop)
        for task in tasks:
            task.cancel()
        if tasks:
            with suppress(Stuck, RuntimeError):
                self.loop.run_until_complete(asyncio.gather(*tasks, return_exceptions=True))
        self.loop.close()

    def _heard(self, answered: Callable[..., None]) -> Callable[..., None]:
        """Note which card has said what, when the server has read it."""

        def heard(exchange: Exchange, ask_id: Any, cw: ControlWords) -> None:
            ask = exchange.router._asks.get(ask_id)
            if ask is not None:
                ecm, card = ecm_in(ask.flight.request), ask.card
                word = Word(
                    caid=card.caid, idents=tuple(p.ident for p in card.providers), hop=card.hop,
                    reshare=card.reshare, local=card.local, remote_id=card.remote_id,
                    origin=bytes(card.id.origin),
                )  # fmt: skip
                self.ledger.arrived.setdefault(ecm, []).extend(
                    (self.loop.time(), known, cw.raw)
                    for known in self._ways(word) or self._words_of(card)
                )
                if cw.raw == truth(ecm[2]) and card in self.server._table.cards_with(card.caid):
                    self.ledger.exact.setdefault(ecm, []).append((self.loop.time(), word))
            answered(exchange, ask_id, cw)

        return heard

    def _asks(self, ask: Callable[..., Any]) -> Callable[..., Any]:
        def asks(source: UpstreamSource, action: Any) -> Any:
            self.ledger.asks(action.request, action.card.hop)
            self._judge_ask(source)
            return ask(source, action)

        return asks

    def _ways(self, word: Word) -> list[Word]:
        """A card is a card, by whatever way: all words that were said of it."""
        if word.local:
            return [word]
        return self.ledger.offered.get((word.origin, word.remote_id, word.caid), [])

    def _words_of(self, card: Any) -> list[Word]:
        """What was said of a card that is announced as ours: one of our own, or of an N-line."""
        for source_id, source in self.server._upstreams.sources():
            if source_id == card.source:
                up = next(u for u in self.upstreams if u.port == source.upstream.line.port)
                return up.all_words
        return self.ledger.local

    def _note_ours(self) -> None:
        table = self.server._table
        if table.generation == self._ours_at:
            return
        self._ours_at = table.generation
        ours = [card for card in table.cards() if card.id.origin == self.node_id]
        there = {(card.remote_id, card.caid): self._words_of(card) for card in ours}
        for name in self._ours_said.keys() - there.keys():
            self._ours_gone.setdefault(name, self.loop.time())
        for name, words in there.items():
            self._ours_said[name] = words
            self._ours_gone.pop(name, None)

    def _ours(self, remote_id: int, caid: int) -> list[Word]:
        """A list that is on its way may have a card that has just gone; its withdrawal follows."""
        self._note_ours()
        name = remote_id, caid
        if self.loop.time() > self._ours_gone.get(name, math.inf) + LIST_LINGER:
            return []
        return self._ours_said.get(name, [])

    def _invite(self) -> None:
        """Make whoever plays along."""
        if has_all(self.seed):
            self._invite_all()
            return
        chance, files = self.chance, self.files
        for number in range(chance.randint(2, 3)):
            self.upstreams.append(Upstream(self, number, random.Random(f"{self.seed} up {number}")))
        for number in range(chance.randint(3, 6)):
            files.grant(f"u{number}", chance.choice(list(KINDS)))
            seed = random.Random(f"{self.seed} client {number}")
            self.clients.append(Client(self, number, f"u{number}", seed))
        for number in range(chance.randint(0, 2) if has_newcamd(self.seed) else 0):
            files.grant(f"n{number}", chance.choice(list(KINDS)))
            seed = random.Random(f"{self.seed} box {number}")
            self.clients.append(Box(self, len(self.clients), f"n{number}", seed))
        files.grant(EVIL, "full")

    def _invite_all(self) -> None:
        """The same with some of every sort; fewer of each, for runs are to be many."""
        chance, files = self.chance, self.files
        sorts = [chance.choice((Upstream, Paired)), chance.choice((OneCard, Paired, Upstream))]
        sorts += [OneCard] * chance.choice((0, 1))
        for number, sort in enumerate(sorts):
            self.upstreams.append(sort(self, number, random.Random(f"{self.seed} up {number}")))
        people: list[tuple[type[Client | Tv], str]] = [(Client, "u0"), (Client, "u1")]
        people += [(Friend, "f0")] * chance.choice((0, 1)) + [(Box, "n0")] * chance.choice((0, 1))
        people += [(Tv, Tv.user)] * chance.choice((0, 1, 1))
        if any(user == "f0" for _, user in people):
            files.paired_account = "f0"
        files.grant(Tv.user, "full")
        for number, (sort, user) in enumerate(people):
            files.grant(user, chance.choice(list(KINDS)))
            seed = random.Random(f"{self.seed} client {number}")
            if issubclass(sort, Tv):
                self.clients.append(Tv(self, number, seed))
            else:
                self.clients.append(sort(self, number, user, seed))
        files.grant(EVIL, "full")
        self.keys.pair(FRIEND, self.keys.key_of(FRIEND), self.loop.time())
        for up in self.upstreams:
            if isinstance(up, Paired):
                self.keys.pair(up.name, up.key, self.loop.time())

    async def _live(self) -> None:
        chance, loop = self.chance, self.loop
        self._invite()
        local = Word(
            caid=CAID, idents=(2, 3), hop=0, reshare=self.files.local_reshare, local=True,
            remote_id=0, origin=b"",
        )  # fmt: skip
        self.ledger.local.append(local)
        setup = self.files.setup(self.upstreams)
        server = self.server = Server(setup, pairing=self.keys)  # type: ignore[arg-type]
        self.ledger.is_served = self.is_served
        self.ledger.address_of = self._address_of
        self.ledger.ours, self.ledger.on_served = self._ours, self._judge_way
        if chance.random() < 0.5:
            server.observe(server._watchers.observe)
        await server.start()
        self.learn_local_cards()
        onlooker = Onlooker(self, random.Random(f"{self.seed} onlooker"))
        looking = loop.create_task(onlooker.look() if has_newcamd(self.seed) else _sleep())
        for client in self.clients:
            loop.call_later(chance.random() * 3, client.connect)
        for each in self.happens:
            await asyncio.sleep(max(0.0, BEGAN + each.at - loop.time()))
            self.ledger.note(each.what)
            await self.fate.let(each)
        await asyncio.sleep(max(0.0, BEGAN + lasts(self.seed) - loop.time()))
        await simend.recover(self)
        looking.cancel()
        await asyncio.gather(looking, return_exceptions=True)
        await simend.leave(self)

    def learn_local_cards(self) -> None:
        """Which number a card of ours has is the table's to choose; it is announced as ours."""
        links = {source_id for source_id, _ in self.server._upstreams.sources()}
        for card in self.server._table.cards_with(CAID):  # type: ignore[arg-type]
            if card.local and card.source not in links:
                key = (bytes(self.node_id), card.remote_id, CAID)
                self.ledger.offered[key] = list(self.ledger.local)

    # Who is there.

    def sources(self) -> Iterator[UpstreamSource]:
        """All links to upstreams."""
        return (source for _, source in self.server._upstreams.sources())

    def guests(self) -> Iterator[Any]:
        """All connections that the server knows of."""
        yield from self.server._context.admission.inside
        yield from (session.connection for session in self.server._dvbapi.sessions)

    def is_of(self, guest: Any, whom: str) -> bool:
        """Whether a connection is of an account, or from an address."""
        clients = self.server._all_clients()
        return any(
            each.connection is guest and whom in (each.record.user, each.record.address)
            for each in clients
        )

    def is_served(self, protocol: Any) -> bool:
        """Whether a client is still connected."""
        if hasattr(type(protocol), "is_served"):
            return bool(protocol.is_served)
        return any(
            not guest.is_closed and guest.protocol is protocol  # type: ignore[attr-defined]
            for guest in self.server._context.admission.inside
        )

    def _guest_of(self, protocol: Any) -> Any:
        for guest in self.server._context.admission.inside:
            if guest.protocol is protocol:  # type: ignore[attr-defined]
                return guest
        return None

    def _address_of(self, protocol: Any) -> str:
        guest = self._guest_of(protocol)
        return str(guest.address) if guest is not None else ""

    # What must hold.

    def was_paired(self, code: KeyCode) -> bool:
        """Whether a key is paired, or was so a moment ago."""
        changed = max(self.keys.changed_at.get(code, 0.0) + LOOK_INTERVAL, self.ledger.leapt_at)
        return self.keys.find(code) is not None or self.loop.time() < changed + 0.1

    def _judge_way(self, protocol: Any) -> None:
        """Who is told of cards, or gets a CW, has come by the way that its account asks for."""
        if not self.files.paired_account or protocol.user_name != self.files.paired_account:
            return
        guest = self._guest_of(protocol)
        if guest is not None and guest.paired is None:
            self.ledger.blame(f"{protocol.user_name} is served without TLS")
        elif guest is not None and guest.paired.name != FRIEND:
            self.ledger.blame(f"{protocol.user_name} is served with another key")

    def _judge_ask(self, source: Any) -> None:
        since = self.fate.paused.get(source.upstream.line.host)
        if since is not None and self.loop.time() > since:
            self.ledger.blame(f"{source.name} is asked, and was paused by hand")

    def _judge_keys(self) -> None:
        """Nobody is connected whose key is not paired any more."""
        links = [source.link for source in self.sources()]
        for each in (*self.server._context.admission.inside, *links):
            paired = None if getattr(each, "is_closed", False) else getattr(each, "paired", None)
            if paired is not None and not self.was_paired(paired.code):
                self.ledger.blame(f"{paired.name} is connected, and its key is not paired")

    def _look(self) -> None:
        """After every event."""
        self.ledger.overdue()
        server = getattr(self, "server", None)
        if server is not None:
            self._measure(server)
            self._note_ours()
            if self.keys.changed_at and self.loop.time() > self._keys_judged_at + KEYS_EVERY:
                self._keys_judged_at = self.loop.time()
                self._judge_keys()
        if self.ledger.first is not None and not self.is_over:
            self.is_over = True
            raise self.ledger.first

    def _measure(self, server: Server) -> None:
        """Memory is bounded."""
        router = server._router
        waiting = server._context.admission.pending
        if (
            len(router._course._given_up) <= 256
            and len(server._cache) <= 2000
            and waiting <= 12
            and len(router._timers._heap) + len(router._timers._new) <= 4000
            and len(router._flights) <= 2000
            and len(server._dvbapi.sessions) <= 16
        ):
            return
        self.ledger.blame(
            f"more than there may be: given up {len(router._course._given_up)},"
            f" cache {len(server._cache)}, not logged in {waiting}, flights {len(router._flights)}"
        )


async def _sleep(*args: object) -> None:
    """What a part of the server does that looks at this very computer."""
    await asyncio.sleep(1e9)


def live_through(seed: str, *, without: Collection[int] = ()) -> Result:
    """Run one seed."""
    return World(seed, without=without).run()


def shrink(seed: str, *, tries: int = 200) -> list[int]:
    """Find happenings that can be left out of a run that fails: it fails without them as well."""

    def fails(without: list[int]) -> bool:
        return live_through(seed, without=without).violation is not None

    return left_out(len(happenings(seed)), fails, tries)
