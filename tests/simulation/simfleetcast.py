"""Who plays along in a run of a fleet: its nodes, the cards that they have, and the viewers."""

import asyncio
import random
from collections.abc import Collection
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from simcast import Client, ecm_of
from simconfig import ATTEMPTS, CARD_KINDS, FAR
from simengine import PORTS
from simloop import BEGAN
from simrights import CAID, Word, truth
from simupstreams import Upstream

from cccamd.fleet.actions import Publish
from cccamd.fleet.engine import Engine
from cccamd.fleet.values import Sealer
from cccamd.ids import Caid, Ident, ShareId, Sid
from cccamd.routing.trace import Event
from cccamd.server import Membership, Server
from cccamd.setup.cccamcfg import parse
from cccamd.setup.merging import merge
from cccamd.setup.setup import Setup
from cccamd.setup.toml import FleetTable
from cccamd.setup.toml import parse as parse_toml
from cccamd.values import ControlWords, Refusal, Request, Service, with_checksums
from cccamd.wire.cccam import make_node_id
from cccamd.wire.link import EmmReceived

if TYPE_CHECKING:
    from simfleet import FleetWorld

    from cccamd.server.fleetdesk import FleetDesk

NAMES: Final = ("attic", "barn", "cellar", "den")
SERVICES: Final = ((CAID, 1, 1), (CAID, 1, 2), (CAID, 2, 3))
KEYS: Final = (bytes(range(32)), bytes(range(1, 33)))
"""Of the fleet, and of another one at the same engine."""
MOODS: Final = ("right", "right", "right", "slow", "silent", "refuses", "lies", "repeats", "zero")
HONEST: Final = ("right", "right", "right", "refuses", "silent")
QUICK: Final = 0.02
"""Seconds that each card takes when all is well: never more than it took before."""
SLOWER: Final = 0.1
"""The same in runs that have everything: longer than viewers' lines may take in the rush."""
LATEST: Final = 0.3
"""Seconds from the beginning of a period within which its ECM is asked for."""
RUSH: Final = 0.05
"""Of the time after which a viewer usually asks."""
GONE: Final = 20.0
"""Seconds for which nothing is heard of a viewer that went without a word."""


def desk_of(server: Server | None) -> "FleetDesk | None":
    """What a server talks to its fleet by, if it is up and in one."""
    return None if server is None or server._fleet is None else server._fleet.desk


class FleetCard(Upstream):
    """A server with a card, that some nodes are logged in to. What it does with an ECM depends on
    nothing but the ECM, and not on who asks when."""

    moods: tuple[str, ...] = MOODS

    def __init__(self, world: "FleetWorld", number: int, moods: tuple[str, ...]) -> None:
        self.moods = moods
        super().__init__(world, number, random.Random(f"{world.seed} card {number}"))  # type: ignore[arg-type]
        self.mood = self.chance.choice(moods)
        self.behaviour = FleetCard.behave  # type: ignore[assignment]
        self._unanswered: list[tuple[int, FleetNode, bytes]] = []
        """What it leaves without a word: by which link of which node, and which ECM."""
        while len(self.words) > 1:
            self.words.popitem()

    def new_word(self, share_id: int) -> Word:
        return Word(
            caid=CAID, idents=(1, 2), hop=1, reshare=3, local=False,
            remote_id=100 * self.number + share_id, origin=bytes(self.node_id), share_id=share_id,
        )  # fmt: skip

    def change(self, chance: random.Random) -> None:
        self.mood = chance.choice(self.moods)

    def behave(self, ecm: bytes, service: int) -> tuple[float, bytes | Refusal | None]:
        chance = random.Random(f"{self.world.seed} {self.number} {ecm.hex()}")
        takes = self.world.quick + (0 if self.world.is_calm else chance.random() * 0.2)  # type: ignore[attr-defined]
        match self.mood:
            case "slow":
                return chance.random() * 5, truth(ecm)
            case "silent":
                return 0.0, None
            case "refuses":
                return takes, Refusal.CANNOT_DECODE
            case "lies":
                return takes, with_checksums(chance.randbytes(16))
            case "repeats":
                return takes, truth(ecm_of(service, int.from_bytes(ecm[-8:]) - 1))
            case "zero":
                return takes, bytes(16)
        return takes, truth(ecm)

    def _handle(self, name: int, event: object) -> None:
        carousel = self.world.carousel  # type: ignore[attr-defined]
        if isinstance(event, EmmReceived) and carousel is not None:
            carousel.arrived(self, event.emm.section)
        super()._handle(name, event)

    def _answer_later(self, name: int, token: int, request: Request) -> None:
        self.world.books.card_asked(f"card {self.number}", request.section)  # type: ignore[attr-defined]
        if self.mood == "silent":
            node = self.links[name][1]._transport.wire.node  # type: ignore[union-attr]
            self._unanswered.append((name, node, request.section))
        super()._answer_later(name, token, request)

    def unanswered(self, node: "FleetNode") -> set[bytes]:
        """The ECMs that it was asked by a node's link of now, and will never answer."""
        return {
            section
            for name, whose, section in self._unanswered
            if whose is node and name in self.links
        }


class FleetNode:
    """One node: a server that dies and comes back, and forgets everything then."""

    def __init__(self, world: "FleetWorld", number: int) -> None:
        self.world, self.number, self.name = world, number, NAMES[number]
        chance = self.chance = random.Random(f"{world.seed} node {number}")
        self.port = 12_000 + number
        self.node_id = make_node_id(chance.randbytes(4))
        self.clock_is_off = chance.choice((0.0, 0.0, -3.0, 2.0, 7.5))
        """Seconds."""
        self.has_card = chance.random() < 0.15
        """Whether there is a card in it, which answers at once and is always right."""
        often = 0.8 if world.has_everything else 0.6
        self.cards = [card for card in world.cards if chance.random() < often]
        self.key = 0
        if world.has_everything and number >= 2:
            self.key = int(chance.random() < 0.2)
        self.left_out: tuple[str | None, int | None] = None, None
        """The account and the card that are not in its files."""
        self.server: Server | None = None
        self.is_busy = False
        """Whether it is going, coming back, or reading its files."""

    @property
    def is_up(self) -> bool:
        return self.server is not None

    def guests(self) -> Collection[Any]:
        """Whoever is connected."""
        return () if self.server is None else self.server._context.admission.inside

    @property
    def distrusts(self) -> bool:
        """Whether it does not believe some node."""
        desk = desk_of(self.server)
        return desk is not None and bool(desk.claims._distrusted)

    def seats_of(self, user: str) -> int:
        """How often an account is in here."""
        return 0 if self.server is None else len(self.server._context.seats.of(user.encode()))

    def has_one_to_ask(self, request: Request) -> bool:
        """Whether it has a card to ask: nothing is held against it, and its link is up and does not
        wait for what the card will never answer."""
        server = self.server
        if server is None:
            return False
        if self.has_card:
            return True
        chooser, now = server._router._course._chooser, self.world.loop.time()
        subject = Service(request.caid, request.ident, request.sid)
        desk = desk_of(server)
        left = {
            (bytes(card.node_id), section)
            for card in self.world.cards
            for section in card.unanswered(self)
        }
        waits = {
            ask.card.source
            for ask in server._router._asks.values()
            if not ask.held and (bytes(ask.card.id.origin), ask.flight.request.section) in left
        }
        return any(
            (desk is None or desk.nodes.node_of(card.source) is None)
            and card.source not in waits | chooser.health.lost_sources
            and card.source not in chooser.health.given_up(now)
            and not chooser.pauses.rests(card, subject, now)
            for card in server._table.cards()
        )

    def too_much(self) -> str:
        """What there is more of than there may be."""
        desk = desk_of(self.server)
        if self.server is None or desk is None:
            return ""
        claims, router = desk.claims, self.server._router
        sizes = {
            "efforts": (len(claims._efforts), 200), "asks at claims": (len(claims._asks), 100),
            "claims": (len(claims._claims), 50), "fetches": (len(claims._fetches), 50),
            "services": (len(claims._listening), len(SERVICES)),
            "due": (len(claims._due._heap), 300),
            "held": (len(self.server._exchange._held), 100), "orders": (len(desk.orders), 100),
            "nodes": (len(self._strangers(desk)), 0), "flights": (len(router._flights), 100),
        }  # fmt: skip
        return ", ".join(f"{n} {name}" for name, (n, most) in sizes.items() if n > most)

    def _strangers(self, desk: Any) -> set[str]:
        """Nodes that it knows, and that are not of its fleet."""
        own = {node.name for node in self.world.nodes if node.key == self.key}
        return set(desk.nodes.by_name) - own

    def left(self) -> dict[str, int]:
        """What is there when nobody is there any more: nothing of it may be."""
        server = self.server
        assert server is not None
        found = {
            "flights": len(server._router._flights),
            "asks": len(server._router._asks),
            "held asks": len(server._exchange._held),
            "seats": len(server._context.seats),
            "connections": server._context.admission.connections,
        }
        desk, seats = desk_of(server), server._context.fleet_seats
        if desk is not None and seats is not None:
            found |= {
                "asks at claims": len(desk.claims._asks),
                "claims": len(desk.claims._claims),
                "fetches of CWs": len(desk.claims._fetches),
                "fetches of lists": len(desk.lists.fetching),
                "orders": len(desk.orders),
                "leases": len(seats.leases._seats),
                "names of leases": len(seats.leases._by_name),
                "logins": len(seats._waiting),
            }
        return found

    async def start(self) -> None:
        self.world.books.started(self.name)
        member = self._membership() if self.world.in_fleet else None
        server = self.server = Server(self._setup(), fleet=member)
        self._set_clock(server)
        self._look_over_its_shoulder(server)
        await server.start()

    async def stop(self, *, kill: bool = False) -> None:
        """End; killed, it says nothing to anybody, and does nothing."""
        server = self.server
        if server is None:
            return
        if kill:
            self.server = None
            self.world.net.doors.pop(self.port, None)
            for wire in self.world.net.wires_of(self):
                wire.cut()
            await server._tasks.cancel()
        await server.stop()
        self.server = None

    async def read_files(self, chance: random.Random | None) -> None:
        """Read the files again, in which something is changed; None: all is as it should be."""
        before = self.left_out
        self.left_out = None, None
        if chance is not None:
            self.left_out = (
                chance.choice((None, *self.world.users)),
                chance.choice((None, *(card.number for card in self.cards))),
            )
        if self.server is not None and self.left_out != before:
            self.is_busy = True
            await self.server.reload(self._setup())
            await asyncio.sleep(1.0)
            user = self.left_out[0]
            if user is not None and self.seats_of(user):
                self.world.books.blame(f"{user} is in at {self.name}, whose files do not have him")
            self.is_busy = False

    def _membership(self) -> Membership:
        table = FleetTable(
            host=f"10.1.{self.number}.1", port=PORTS[0], key_file="key", node=self.name
        )
        sealer = Sealer(KEYS[self.key])
        return Membership(
            node=self.name,
            seals=sealer,
            fingerprint_key=sealer.fingerprint_key,
            # No more is tried than when the first seeds were found: they give the same runs.
            make_engine=lambda told: Engine(
                table, Path(), told, (Publish(sealer.name("trial"), b"", b"1", 1000),)
            ),
        )

    def _setup(self) -> Setup:
        user, number = self.left_out
        lines = [f"F: {viewer} pw" for viewer in self.world.users if viewer != user]
        lines += [
            f"C: 10.2.{self.number}.{card.number} {card.port} us pw"
            for card in self.cards
            if card.number != number
        ]
        lines += ["ALLOW WEBINFO : no", "ALLOW TELNETINFO : no"]
        lines += [f"SERVER LISTEN PORT : {self.port}"]
        parsed = parse("\n".join(lines).encode())
        assert not parsed.refused, parsed.refused
        text = '[server]\nbind = ["10.0.0.1"]\n'
        if self.world.has_everything:
            text += f'[network]\nallow = ["192.168.0.0/16", "{FAR}0/24"]\n'
            text += f"[penalties]\nattempts = {ATTEMPTS}\n"
        if self.has_card:
            text += f'[[card]]\nkind = "test"\ncaid = "{CAID:04X}"\n'
            text += 'providers = ["000001", "000002"]\nreshare = 2\n'
        found = parse_toml(text, kinds=CARD_KINDS, folder=Path())
        assert not found.problems, found.problems
        return Setup(
            config=merge(parsed.config, found.config), toml=found.config, node_id=self.node_id
        )

    def _set_clock(self, server: Server) -> None:
        """What it thinks is the time of day, as far as other nodes learn of it."""
        seats = server._context.fleet_seats
        if seats is None:
            return
        begin = seats.leases.begin

        def begins(number: int, user: bytes, logins: int, now: float, at: float) -> Any:
            return begin(number, user, logins, now, at + self.clock_is_off)

        seats.leases.begin = begins  # type: ignore[method-assign]

    def _look_over_its_shoulder(self, server: Server) -> None:
        exchange, books = server._exchange, self.world.books
        answered, heard = exchange.answered, exchange.heard

        def reads(ask_id: Any, cw: ControlWords) -> None:
            ask = exchange.router._asks.get(ask_id)
            if ask is not None:
                sid, section = ask.flight.request.sid, ask.flight.request.section
                own = ask.card.local
                books.heard(self.name, _named(ask.card), sid, section, cw.raw, own=own)
            answered(ask_id, cw)

        def hears(tidings: Any) -> None:
            section = self.world.section_of(tidings.fingerprint, tidings.service.sid)
            if section:
                sid, card = tidings.service.sid, _named(tidings.card)
                books.heard(self.name, card, sid, section, tidings.cw.raw, own=False)
            heard(tidings)

        course = exchange.router._course
        ask = course._ask

        def asks(flight: Any, card: Any, event: Any, now: float) -> Any:
            if event is not Event.ASKED:
                books.hedged(self.name, flight.request.section)
            return ask(flight, card, event, now)

        course._ask = asks  # type: ignore[method-assign]
        exchange.answered, exchange.heard = reads, hears  # type: ignore[method-assign]
        desk = desk_of(server)
        if desk is not None:
            tell = desk.claims.answered

            def tells(
                fingerprint: Any, service: Any, card: Any, cw: Any, *more: Any, **words: Any
            ) -> Any:
                section = self.world.section_of(fingerprint, service.sid)
                if section:
                    books.told_to_the_fleet(self.name, service.sid, section, cw.raw)
                return tell(fingerprint, service, card, cw, *more, **words)

            desk.claims.answered = tells  # type: ignore[method-assign]


def _named(card: Any) -> str:
    return f"{bytes(card.id.origin).hex()} {card.id.remote_id}"


class Viewer(Client):
    """A receiver: it asks once for each ECM of its service, at times that its seed has, and goes to
    another node when its own is gone."""

    def __init__(self, world: "FleetWorld", number: int, user: str) -> None:
        chance = random.Random(f"{world.seed} viewer {number}")
        super().__init__(world, number, user, chance)  # type: ignore[arg-type]
        self.home = chance.randrange(len(world.nodes))
        if world.has_everything:
            self.home = number % len(world.nodes)
        self.delay = chance.random() * LATEST
        self.services = [chance.randrange(len(SERVICES))]
        while len(self.services) < 40:
            zaps = chance.random() < 0.25
            self.services.append(chance.randrange(len(SERVICES)) if zaps else self.services[-1])
        if world.has_everything:  # there is a match
            self.services = [0 if chance.random() < 0.6 else each for each in self.services]

    @property
    def port(self) -> int:
        return self.world.nodes[self.home].port  # type: ignore[attr-defined]

    def move(self, chance: random.Random) -> None:
        """Go to another node, without a word to the one before."""
        self.home = chance.randrange(len(self.world.nodes))  # type: ignore[attr-defined]
        if self.wire is not None and chance.random() < 0.5:
            self.wire.stop(GONE)
        if self.connection is not None:
            self.connection.close()

    def _was_lost(self) -> None:
        if self.world.may_move:  # type: ignore[attr-defined]
            self.home = (self.home + 1) % len(self.world.nodes)  # type: ignore[attr-defined]
        super()._was_lost()

    def _tune(self, call: int) -> None:
        """The periods are its pace: `watch`."""

    async def watch(self) -> None:
        """Ask at the beginning of each period, until cancelled."""
        loop, period = self.world.loop, self.world.period()
        while True:
            at = BEGAN + (period - 1) * self.world.length + self._delay()  # type: ignore[attr-defined]
            await asyncio.sleep(max(0.0, at - loop.time()))
            if self.is_up and not self.world.is_over:
                self.ask_for(self._service(period), period)
                if self.world.carousel is not None:  # type: ignore[attr-defined]
                    self.world.carousel.heard(self, period)  # type: ignore[attr-defined]
            period += 1

    @property
    def _rushes(self) -> bool:
        """Whether all want the same at once: before a card can have answered the first."""
        world: Any = self.world
        return bool(world.is_calm and world.has_everything)

    def _delay(self) -> float:
        return self.delay * (RUSH if self._rushes else 1)

    def _service(self, period: int) -> int:
        return (
            period % len(SERVICES) if self._rushes else self.services[period % len(self.services)]
        )

    def ask_for(self, service: int, period: int) -> None:
        caid, ident, sid = SERVICES[service]
        section = ecm_of(service, period)
        request = Request(Caid(caid), Ident(ident), ShareId(0), Sid(sid), section)
        self.tokens += 1
        now = self.world.loop.time()
        self.open[self.tokens] = request, now
        self.protocol.ask(self.tokens, request, now)
        assert self.connection is not None
        self.connection.flush()

    def _settle(self, token: int, answer: ControlWords | Refusal) -> None:
        if self.open.pop(token, None) is None:
            self.world.ledger.blame(f"client {self.number} got an answer that it did not ask for")
