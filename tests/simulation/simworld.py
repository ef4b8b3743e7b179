"""One run: a whole server, whoever plays along, and what happens to them; all of it from a seed.

The server, its links and sessions and both sides of the protocol are the real ones; the loop
(`simloop`) and the wires (`simwires`) are not. What happens is a list of `Happening`s, made
from the seed before anything begins; leaving some out gives a smaller run (`shrink`).
"""

import asyncio
import logging
import random
from collections.abc import Callable, Collection
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final
from unittest.mock import patch

from simcast import ATTEMPTS, BEHAVIOURS, FAR, SERVICES, Box, Client, Stranger, Upstream
from simledger import Ledger, Violation, ecm_in, watched
from simlook import Onlooker
from simloop import BEGAN, SimClock, SimLoop, Stuck, in_its_own_time
from simrights import CAID, KINDS, PRIORITIES, Word, truth
from simwires import Net

from cccamd.ids import NodeId
from cccamd.localcards import find_kinds
from cccamd.server import Server
from cccamd.server.exchange import Exchange
from cccamd.server.upstreams import UpstreamSource
from cccamd.setup.cccamcfg import Companions, parse, parse_prio
from cccamd.setup.pairing import Pairing
from cccamd.setup.setup import Setup
from cccamd.setup.toml import parse as parse_toml
from cccamd.values import ControlWords, Refusal
from cccamd.wire.cccam import ServerProtocol, make_node_id
from cccamd.wire.newcamd import NewcamdServer

PORTS: Final = 12_000, 12_500
"""For CCcam and for newcamd, and one further after each reload that moves them."""
LASTS: Final = 24.0
"""Virtual seconds of trouble."""
RECOVERY: Final = 20.0
"""Virtual seconds until all clients must be back and served by the card of our own."""
PERIOD: Final = 5.0
"""Virtual seconds of a crypto period: shorter than outside, so that more happens."""

_parsed_toml: dict[str, Any] = {}


@dataclass(frozen=True)
class Happening:
    """Something that happens at a time of its own."""

    at: float
    what: str
    seed: str

    def __str__(self) -> str:
        return f"{self.at:6.2f} s  {self.what}"


WHAT: Final = {
    "cut": 8, "stop": 4, "cut at a byte": 6, "stranger": 8, "upstream dies": 4,
    "upstream returns": 4, "withdrawal": 6, "change of heart": 5, "wall clock": 2, "suspend": 1,
    "reload": 3, "client leaves": 3, "client comes": 4, "reads no more": 2, "rush": 4,
}  # fmt: skip

WHAT_ELSE: Final = {"guessing": 3}
"""In runs with everything."""


def has_everything(seed: str) -> bool:
    """Whether newcamd, guessers, ports that move and an onlooker play along: seeds of before they
    did found faults, and are to give the same runs as then."""
    return seed.endswith("+")


def happenings(seed: str) -> list[Happening]:
    """What will happen in the run of a seed."""
    chance = random.Random(f"{seed} happenings")
    known = WHAT | WHAT_ELSE if has_everything(seed) else WHAT
    kinds = [what for what, weight in known.items() for _ in range(weight)]
    count = chance.randint(10, 30)
    times = sorted(chance.uniform(0.5, LASTS) for _ in range(count))
    return [
        Happening(round(at, 3), chance.choice(kinds), f"{seed} {number}")
        for number, at in enumerate(times)
    ]


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
        self.far_node = make_node_id(chance.randbytes(4))
        self.node_id = make_node_id(chance.randbytes(4))
        self._prio = ""
        self.is_over = False
        self.is_calm = False
        """Whether all trouble is over."""
        self.clients: list[Client] = []
        self.upstreams: list[Upstream] = []
        self.strangers: list[Stranger] = []
        self.kinds: dict[str, str] = {}
        self.happens = [each for n, each in enumerate(happenings(seed)) if n not in without]
        self.server: Server
        self._left_out_upstream: int | None = None
        self._ports = PORTS
        self._local_reshare = chance.randint(0, 2)

    def period(self) -> int:
        return int((self.clock.now() - BEGAN) / PERIOD) + 1

    def failed(self, name: str, error: BaseException) -> None:
        """An error of ours: no input may cause one."""
        self.ledger.blame(f"internal error in {name}: {type(error).__name__}: {error}")
        if self.ledger.first is not None and self.ledger.first.__cause__ is None:
            self.ledger.first.__cause__ = error

    # The configuration.

    def setup(self) -> Setup:
        """The files as they are now."""
        lines = [KINDS[kind].line.format(user) for user, kind in self.kinds.items()]
        lines += [
            f"C: 10.0.0.{up.number + 2} {up.port} us pw"
            for up in self.upstreams
            if up.number != self._left_out_upstream
        ]
        lines += [
            "ALLOW WEBINFO : no",
            "ALLOW TELNETINFO : no",
            f"SERVER LISTEN PORT : {self._ports[0]}",
        ]
        parsed = parse("\n".join(lines).encode())
        assert not parsed.refused
        toml = f"""
[server]
bind = ["10.0.0.1"]
[network]
allow = ["192.168.0.0/16", "{FAR}0/24"]
[limits]
max_pending_logins = 12
[cache]
seconds = {5 + len(self.seed) % 3}
[[card]]
kind = "test"
caid = "{CAID:04X}"
providers = ["000002", "000003"]
reshare = {self._local_reshare}
"""
        if has_everything(self.seed):
            toml += f"""
[[newcamd]]
port = {self._ports[1]}
caid = "{CAID:04X}"
[penalties]
attempts = {ATTEMPTS}
"""
        if toml not in _parsed_toml:
            found = parse_toml(toml, kinds=find_kinds(), folder=Path())
            assert not found.problems, [str(problem) for problem in found.problems]
            _parsed_toml[toml] = found.config
        return Setup(
            config=parsed.config,
            toml=_parsed_toml[toml],
            node_id=NodeId(self.node_id),
            companions=Companions(prio=parse_prio(self._prio.encode())),
        )

    def _grant(self, user: str, kind: str) -> None:
        self.kinds[user] = kind
        self.ledger.rights.setdefault(user, []).append((self.loop.time(), KINDS[kind]))

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
                    (self.loop.time(), known, cw.raw) for known in self._ways(word)
                )
                if cw.raw == truth(ecm[2]) and card in self.server._table.cards_with(card.caid):
                    self.ledger.exact.setdefault(ecm, []).append((self.loop.time(), word))
            answered(exchange, ask_id, cw)

        return heard

    def _asks(self, ask: Callable[..., Any]) -> Callable[..., Any]:
        def asks(source: UpstreamSource, action: Any) -> Any:
            self.ledger.asks(action.request)
            return ask(source, action)

        return asks

    def _ways(self, word: Word) -> list[Word]:
        """A card is a card, by whatever way: all words that were said of it."""
        if word.local:
            return [word]
        return self.ledger.offered.get((word.origin, word.remote_id, word.caid), [])

    async def _live(self) -> None:
        chance, loop = self.chance, self.loop
        for number in range(chance.randint(2, 3)):
            self.upstreams.append(Upstream(self, number, random.Random(f"{self.seed} up {number}")))
        for number in range(chance.randint(3, 6)):
            user = f"u{number}"
            self._grant(user, chance.choice(list(KINDS)))
            client = Client(self, number, user, random.Random(f"{self.seed} client {number}"))
            self.clients.append(client)
        for number in range(chance.randint(0, 2) if has_everything(self.seed) else 0):
            user = f"n{number}"
            self._grant(user, chance.choice(list(KINDS)))
            at = len(self.clients)
            box = Box(self, at, user, random.Random(f"{self.seed} box {number}"))
            self.clients.append(box)
        self._grant("evil", "full")
        local = Word(
            caid=CAID, idents=(2, 3), hop=0, reshare=self._local_reshare, local=True,
            remote_id=0, origin=b"",
        )  # fmt: skip
        self.ledger.local.append(local)
        server = self.server = Server(self.setup(), pairing=Pairing(Path("/nonexistent")))
        self.ledger.is_served = self._is_served
        self.ledger.address_of = self._address_of
        if chance.random() < 0.5:
            server.observe(server._watchers.observe)
        await server.start()
        self._learn_local_cards()
        onlooker = Onlooker(self, random.Random(f"{self.seed} onlooker"))
        looking = loop.create_task(onlooker.look() if has_everything(self.seed) else _sleep())
        for client in self.clients:
            loop.call_later(chance.random() * 3, client.connect)
        for each in self.happens:
            await asyncio.sleep(max(0.0, BEGAN + each.at - loop.time()))
            self.ledger.note(each.what)
            await self._let_happen(each)
        await asyncio.sleep(max(0.0, BEGAN + LASTS - loop.time()))
        await self._recover()
        looking.cancel()
        await asyncio.gather(looking, return_exceptions=True)
        await self._end()

    def _learn_local_cards(self) -> None:
        """Which number a card of ours has is the table's to choose; it is announced as ours."""
        for card in self.server._table.cards_with(CAID):  # type: ignore[arg-type]
            if card.local:
                key = (bytes(self.node_id), card.remote_id, CAID)
                self.ledger.offered[key] = list(self.ledger.local)

    # What happens.

    async def _let_happen(self, happening: Happening) -> None:
        chance = random.Random(happening.seed)
        wires = list(self.net.wires.values())
        wire = chance.choice(wires) if wires else None
        up = chance.choice(self.upstreams)
        client = chance.choice(self.clients)
        match happening.what:
            case "cut" if wire:
                wire.cut()
            case "stop" if wire:
                wire.stop(chance.choice((0.5, 3.0, 12.0)))
            case "cut at a byte" if wire:
                self._cut_at_a_byte(wire, chance)
            case "stranger":
                for n in range(chance.choice((1, 1, 2, 15))):
                    user = chance.choice(["evil", "evil", "nobody", client.user])
                    Stranger(self, user, random.Random(f"{happening.seed} stranger {n}")).call()
            case "guessing":
                address = f"{FAR}{chance.randint(1, 3)}"
                for n in range(chance.randint(3, 8)):
                    seed = random.Random(f"{happening.seed} guesser {n}")
                    guesser = Stranger(self, chance.choice(["evil", "nobody"]), seed, "wrong")
                    self.loop.call_later(n * chance.random(), guesser.call, address)
            case "upstream dies":
                up.die()
            case "upstream returns":
                up.rise()
            case "withdrawal":
                up.withdraw()
            case "change of heart":
                up.behaviour = chance.choice(BEHAVIOURS)
            case "wall clock":
                self.clock.jumped += chance.choice((-8.64e6, -3600, -1.0, 1.0, 3600, 8.64e6))
            case "suspend":
                self.clock.elapsed += chance.choice((3.0, 60.0, 4000.0))
                self.ledger.leapt_at = self.loop.time()
            case "reload":
                await self._reload(chance)
            case "client leaves":
                client.leave()
            case "client comes":
                client.wanted = True
                client.connect()
            case "reads no more" if client.wire is not None:
                client.wire.caller.read_on(wanted=False)
                self.loop.call_later(chance.random() * 9, _read_on, client.wire.caller)
            case "rush":
                for each in self.clients:
                    for _ in range(3 if each.is_up else 0):
                        each.ask(chance.randrange(len(SERVICES)))
            case _:
                pass

    def _cut_at_a_byte(self, wire: Any, chance: random.Random) -> None:
        """Let some bytes more through, and not one after them."""
        for end in (wire.caller, wire.called):
            take, left = end._take, [chance.randint(0, 60)]

            def taking(piece: bytes, take: Any = take, left: list[int] = left) -> None:
                if len(piece) >= left[0] and not self.is_calm:
                    take(piece[: left[0]])
                    wire.cut()
                else:
                    left[0] = max(0, left[0] - len(piece))
                    take(piece)

            end._take = taking

    async def _reload(self, chance: random.Random) -> None:
        changed = [user for user in self.kinds if user != "evil" and chance.random() < 0.4]
        for user in changed:
            self._grant(user, chance.choice(list(KINDS)))
        self._left_out_upstream = chance.choice((None, None, 0, 1))
        self._prio, self.ledger.ignored = chance.choice(PRIORITIES)
        if has_everything(self.seed):
            moved = chance.choice((0, 0, 1)), chance.choice((0, 0, 1))
            self._ports = self._ports[0] + moved[0], self._ports[1] + moved[1]
        self.ledger.is_reloading = True
        await self.server.reload(self.setup())
        self.ledger.is_reloading = False
        self.net.server_port, self.net.newcamd_port = self._ports
        self._learn_local_cards()
        for user in changed:
            self.ledger.rights[user][-1] = self.loop.time(), self.ledger.rights[user][-1][1]

    # What must hold.

    def _is_served(self, protocol: Any) -> bool:
        return any(
            not guest.is_closed and guest.protocol is protocol  # type: ignore[attr-defined]
            for guest in self.server._context.admission.inside
        )

    def _address_of(self, protocol: Any) -> str:
        for guest in self.server._context.admission.inside:
            if guest.protocol is protocol:  # type: ignore[attr-defined]
                return str(guest.address)  # type: ignore[attr-defined]
        return ""

    def _look(self) -> None:
        """After every event."""
        self.ledger.overdue()
        server = getattr(self, "server", None)
        if server is not None:
            router, cache = server._router, server._cache
            sizes = {
                "given up": (len(router._given_up), 256),
                "cache": (len(cache), 2000),
                "not logged in": (server._context.admission.pending, 12),
                "timers": (len(router._timers._heap) + len(router._timers._new), 4000),
                "flights": (len(router._flights), 2000),
            }
            for name, (size, most) in sizes.items():
                if size > most:
                    self.ledger.blame(f"{name}: {size}, more than {most}")
        if self.ledger.first is not None and not self.is_over:
            self.is_over = True
            raise self.ledger.first

    async def _recover(self) -> None:
        """All trouble ends: clients come back, see what they may, and are served."""
        self.is_calm = True
        for stranger in self.strangers:
            stranger.leave()
        for up in self.upstreams:
            up.rise()
            up.behaviour = BEHAVIOURS[0]
        if len(self.happens) % 2:
            self.upstreams[-1].die()  # its cards must go with it
        for client in self.clients:
            client.wanted = True
            client.pace = 1000.0
            if client.wire is not None:
                client.wire.caller.read_on(wanted=True)
                client.wire.stopped_until = 0.0
            client.connect()
        await self._reload(random.Random(f"{self.seed} last reload"))
        await asyncio.sleep(RECOVERY)
        asked = {}
        for client in self.clients:
            if not client.is_up:
                self.ledger.blame(f"client {client.number} did not come back")
            else:
                asked[client.number] = client.ask(4, period=1_000_000 + client.number)
        await asyncio.sleep(6.0)
        for client in self.clients:
            self._judge_recovery(client, asked.get(client.number))

    def _judge_recovery(self, client: Client, token: int | None) -> None:
        answer = client.last.get(token) if token is not None else None
        kind = self.kinds[client.user]
        is_open = not KINDS[kind].from_midnight or self.clock.local().tm_hour < 12
        if is_open and not isinstance(answer, ControlWords):
            self.ledger.blame(f"client {client.number} ({kind}) is not served again: {answer}")
        if not is_open and not isinstance(answer, Refusal):
            self.ledger.blame(f"client {client.number} got {answer} outside its hours")
        self._compare_cards(client, kind)

    def _compare_cards(self, client: Client, kind: str) -> None:
        """The list that a client has is the one that it should have."""
        rights = KINDS[kind]
        words = list(self.ledger.local)
        for up in self.upstreams:
            if up.number != self._left_out_upstream and up.links:
                words += up.words.values()
        allowed = {(w.caid, w.remote_id if not w.local else 0) for w in words if rights.kept(w)}
        if isinstance(client, Box):  # one card of all of them, which grows with them
            told_caids = {offer.caid for offer in client.cards.values()}
            is_there = {caid for caid, _ in allowed if caid == CAID}
            if is_there and told_caids != is_there:
                self.ledger.blame(f"box {client.number} sees {told_caids}, not {is_there}")
            return
        told = {
            (o.caid, o.remote_id if o.path != (self.node_id,) else 0) for o in client.cards.values()
        }
        if told != allowed:
            self.ledger.blame(f"client {client.number} ({kind}) sees {told}, may see {allowed}")

    async def _end(self) -> None:
        """Everybody leaves: nothing is left of them."""
        for client in self.clients:
            client.leave()
        await asyncio.sleep(12.0)
        server = self.server
        left = {
            "flights": len(server._router._flights),
            "asks": len(server._router._asks),
            "timers of the router": sum(not each[2].done for each in server._router._timers._heap),
            "clients of the exchange": len(server._exchange._clients),
            "seats": len(server._context.seats),
            "connections": server._context.admission.connections,
            "connections by address": len(server._context.admission._per_address),
            "requests": sum(self._is_served(asked[1]) for asked in self.ledger._asked.values()),
        }
        for name, count in left.items():
            if count:
                self.ledger.blame(f"{count} {name} are left when all clients have gone")
        await server.stop()
        for up in self.upstreams:
            up.die()
        await asyncio.sleep(11.0)
        tasks = [
            task.get_name() for task in asyncio.all_tasks() if task is not asyncio.current_task()
        ]
        if tasks:
            self.ledger.blame(f"tasks are left: {sorted(tasks)}")
        if self.net.wires or self.net.doors:
            self.ledger.blame(f"left open: {[w.number for w in self.net.wires.values()]}")


async def _sleep(*args: object) -> None:
    """What a part of the server does that looks at this very computer."""
    await asyncio.sleep(1e9)


def _read_on(end: Any) -> None:
    end.read_on(wanted=True)


def live_through(seed: str, *, without: Collection[int] = ()) -> Result:
    """Run one seed."""
    return World(seed, without=without).run()


def shrink(seed: str, *, tries: int = 200) -> list[int]:
    """Find happenings that can be left out of a run that fails: it fails without them as well."""
    left_out: list[int] = []
    for number in range(len(happenings(seed))):
        if tries <= 0:
            break
        tries -= 1
        if live_through(seed, without=[*left_out, number]).violation is not None:
            left_out.append(number)
    return left_out
