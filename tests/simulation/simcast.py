"""The receivers that log in to our server. Each acts from its own seed."""

import random
from typing import TYPE_CHECKING, Any, Final

from simconfig import FRIEND, TLS_PORT
from simledger import ecm_in
from simrights import CAID, OTHER_CAID, truth
from simtls import Shaking
from simwires import End, Wire

from cccamd.ids import USUAL_CONFIG_KEY, Caid, Ident, NodeId, ShareId, Sid
from cccamd.net import Connection
from cccamd.values import ControlWords, Emm, Offer, Refusal, Request
from cccamd.wire.cccam import ClientProtocol, make_node_id
from cccamd.wire.keycodes import KeyCode
from cccamd.wire.link import (
    Answered,
    Closed,
    Introduced,
    OfferAdded,
    OfferWithdrawn,
    Refused,
    State,
)
from cccamd.wire.newcamd import NewcamdClient, hash_password

if TYPE_CHECKING:
    from simworld import World

SERVICES: Final = [(CAID, 1, 1), (CAID, 1, 2), (CAID, 2, 3), (CAID, 2, 7), (CAID, 3, 4),
                   (OTHER_CAID, 1, 5), (OTHER_CAID, 2, 6), (CAID, 2, 0)]  # fmt: skip

HASHED: Final = hash_password(b"pw")


def ecm_of(service: int, period: int) -> bytes:
    """The ECM that a service broadcasts in a crypto period."""
    return bytes([0x80 + period % 2, 0x70, 0x10]) + bytes([service]) * 8 + period.to_bytes(8)


class Client:
    """A receiver: logs in, zaps, asks, and comes back when it is thrown out."""

    def __init__(self, world: "World", number: int, user: str, chance: random.Random) -> None:
        self.world, self.number, self.user, self.chance = world, number, user, chance
        self.address = f"192.168.1.{number + 10}"
        extended = chance.random() < 0.5
        self.node_id = (
            make_node_id(chance.randbytes(4))
            if extended
            else NodeId(bytes([0x7F, *chance.randbytes(6), 1]))
        )
        self.wanted = True
        self.cards: dict[int, Offer] = {}
        self.protocol: Any = None
        self.connection: Connection[Any] | None = None
        self.wire: Wire | None = None
        self.service = chance.randrange(len(SERVICES))
        self.pace = chance.choice((0.2, 0.7, 2.0))
        self.open: dict[int, tuple[Request, float]] = {}
        self.last: dict[int, ControlWords | Refusal] = {}
        self.tokens = 0
        self._calls = 0

    @property
    def is_up(self) -> bool:
        return self.protocol is not None and self.protocol.state is State.OPEN

    @property
    def port(self) -> int:
        return self.world.net.server_port

    def _speak(self, now: float) -> Any:
        return ClientProtocol(
            user=self.user.encode(), password=b"pw", node_id=self.node_id, program="sim",
            now=now, answer_timeout=30.0,
        )  # fmt: skip

    def connect(self) -> None:
        if not self.wanted or self.connection is not None:
            return
        loop = self.world.loop
        self._calls += 1
        self.protocol = self._speak(loop.time())
        self.connection = Connection(self.protocol, self._handle, on_failure=self.world.failed)
        self.wire = self._call(self.connection)
        if self.wire is None:
            self._was_lost()

    def _call(self, connection: Connection[Any]) -> Wire | None:
        return self.world.net.call(self.port, connection, address=self.address)

    def _was_lost(self) -> None:
        self.connection = self.protocol = self.wire = None
        self._again()

    def _again(self) -> None:
        if self.wanted:
            self.world.loop.call_later(0.3 + self.chance.random() * 2, self.connect)

    def leave(self) -> None:
        """Go, and do not come back by itself."""
        self.wanted = False
        if self.connection is not None:
            self.connection.close()

    def read_on(self) -> None:
        """Read again, if it did not."""
        if self.wire is not None:
            self.wire.caller.read_on(wanted=True)
            self.wire.stopped_until = 0.0

    def _handle(self, event: object) -> None:
        match event:
            case Introduced():
                self.world.loop.call_later(self.chance.random(), self._tune, self._calls)
            case OfferAdded(offer):
                self.cards[offer.share_id] = offer
            case OfferWithdrawn(share_id):
                self.cards.pop(share_id, None)
            case Answered(token, answer) | Refused(token, answer):
                self._settle(token, answer)
            case Closed():
                self.world.ledger.note("client closed", self.number, event.reason.name)
                self.connection = self.protocol = self.wire = None
                self.cards.clear()
                self.open.clear()
                self._again()

    def _settle(self, token: int, answer: ControlWords | Refusal) -> None:
        found = self.open.pop(token, None)
        if found is None:
            self.world.ledger.blame(f"client {self.number} got an answer that it did not ask for")
            return
        self.last[token] = answer
        request, _ = found
        if isinstance(answer, ControlWords):
            said = {said for *_, said in self.world.ledger.arrived.get(ecm_in(request), [])}
            if answer.raw not in said | {truth(request.section)}:
                self.world.ledger.blame(f"client {self.number} read a CW that nobody has told")

    def _tune(self, call: int) -> None:
        if call != self._calls or not self.is_up or self.world.is_over:
            return
        if self.chance.random() < 0.1:
            self.service = self.chance.randrange(len(SERVICES))
        self.ask()
        if self.chance.random() < 0.05:
            for _ in range(self.chance.randrange(12)):
                self.ask(self.chance.randrange(len(SERVICES)))
        if self.chance.random() < 0.05:
            self._send_emm()
        pause = self.pace * (0.5 + self.chance.random())
        self.world.loop.call_later(pause, self._tune, call)

    def ask(self, service: int | None = None, *, period: int | None = None) -> int:
        service = self.service if service is None else service
        caid, ident, sid = SERVICES[service]
        ecm = ecm_of(service, self.world.period() if period is None else period)
        names = [*self.cards, 0, self.chance.randrange(1 << 32)]
        share_id = ShareId(self.chance.choice(names))
        request = Request(Caid(caid), Ident(ident), share_id, Sid(sid), ecm)
        assert self.protocol is not None
        assert self.connection is not None
        self.tokens += 1
        self.open[self.tokens] = request, self.world.loop.time()
        self.protocol.ask(self.tokens, request, self.world.loop.time())
        self.connection.flush()
        return self.tokens

    def _send_emm(self) -> None:
        if self.cards and self.protocol is not None and self.connection is not None:
            card = self.chance.choice(list(self.cards.values()))
            emm = Emm(card.caid, Ident(1), card.share_id, b"\x82\x70\x02\0\1")
            self.protocol.send_emm(1_000_000, emm, self.world.loop.time())
            self.connection.flush()


class Friend(Client):
    """A paired server that logs in here; now and then it has another key, or comes without TLS."""

    def _call(self, connection: Connection[Any]) -> Wire | None:
        net, keys, way = self.world.net, self.world.keys, self.chance.random()
        if way < 0.15 and not self.world.is_calm:
            return net.call(self.port, connection, address=self.address)

        def begin(end: End, key: KeyCode, rest: bytes) -> None:
            if key != keys.own_code():
                self.world.ledger.blame("the server has shown another key than its own")
            if self.connection is connection:
                end.hand_to(connection, rest)
            else:
                end.abort()

        def fail(error: Exception) -> None:
            if self.connection is connection:
                self._was_lost()

        who = "somebody else" if way > 0.85 and not self.world.is_calm else FRIEND
        shaking = Shaking(keys.key_of(who), listens=False, then=begin, failed=fail)
        return net.call(TLS_PORT, shaking, address=self.address)


class Box(Client):
    """A receiver that speaks newcamd: it is shown one card, and asks for nothing else."""

    @property
    def port(self) -> int:
        return self.world.net.newcamd_port

    def _speak(self, now: float) -> NewcamdClient:
        return NewcamdClient(
            user=self.user.encode(), hashed=HASHED, config_key=USUAL_CONFIG_KEY,
            random=self.chance.randbytes, now=now,
        )  # fmt: skip
