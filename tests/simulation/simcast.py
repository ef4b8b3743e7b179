"""Who plays along: clients, upstreams, and peers that want no good. All act from their own seed."""

import asyncio
import random
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final

from simledger import ecm_in
from simrights import CAID, OTHER_CAID, Word, truth
from simwires import End, Wire

from cccamd.ids import USUAL_CONFIG_KEY, Caid, Ident, NodeId, ShareId, Sid
from cccamd.net import Connection
from cccamd.values import ControlWords, Emm, Offer, Provider, Refusal, Request, with_checksums
from cccamd.wire.cccam import ClientProtocol, ServerProtocol, make_node_id
from cccamd.wire.cccam.cipher import Cipher
from cccamd.wire.cccam.frames import Command, serialize_frame
from cccamd.wire.cccam.handshake import PASSWORD_CHECK, derive_keys, pack_user
from cccamd.wire.cccam.messages import ClientData, serialize_ecm
from cccamd.wire.link import (
    Answered,
    Closed,
    Introduced,
    LoginRequested,
    OfferAdded,
    OffersDue,
    OfferWithdrawn,
    Refused,
    Requested,
    State,
)
from cccamd.wire.newcamd import NewcamdClient, hash_password

if TYPE_CHECKING:
    from simworld import World

SERVICES: Final = [(CAID, 1, 1), (CAID, 1, 2), (CAID, 2, 3), (CAID, 2, 7), (CAID, 3, 4),
                   (OTHER_CAID, 1, 5), (OTHER_CAID, 2, 6), (CAID, 2, 0)]  # fmt: skip

HASHED: Final = hash_password(b"pw")
FAR: Final = "198.51.100."
"""Where those come from who can be banned: the local networks never are."""
ATTEMPTS: Final = 3
"""Failed logins of one address, within far less than a minute, until it is banned."""


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
        self.wire = self.world.net.call(self.port, self.connection, address=self.address)
        if self.wire is None:
            self.connection = self.protocol = None
            self._again()

    def _again(self) -> None:
        if self.wanted:
            self.world.loop.call_later(0.3 + self.chance.random() * 2, self.connect)

    def leave(self) -> None:
        self.wanted = False
        if self.connection is not None:
            self.connection.close()

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


Behaviour = Callable[["Upstream", bytes, int], tuple[float, bytes | Refusal | None]]


def _right(up: "Upstream", ecm: bytes, service: int) -> tuple[float, bytes | Refusal | None]:
    return 0.02 + up.chance.random() * 0.2, truth(ecm)


def _slow(up: "Upstream", ecm: bytes, service: int) -> tuple[float, bytes | Refusal | None]:
    return up.chance.random() * 6, truth(ecm)


def _silent(up: "Upstream", ecm: bytes, service: int) -> tuple[float, bytes | Refusal | None]:
    return 0, None


def _zero(up: "Upstream", ecm: bytes, service: int) -> tuple[float, bytes | Refusal | None]:
    return 0.05, bytes(16)


def _garbled(up: "Upstream", ecm: bytes, service: int) -> tuple[float, bytes | Refusal | None]:
    return 0.05, bytes([*truth(ecm)[:3], truth(ecm)[3] ^ 1, *truth(ecm)[4:]])


def _repeats(up: "Upstream", ecm: bytes, service: int) -> tuple[float, bytes | Refusal | None]:
    """Stuck at the period before."""
    return 0.01 + up.chance.random() * 0.1, truth(ecm_of(service, up.world.period() - 1))


def _lies(up: "Upstream", ecm: bytes, service: int) -> tuple[float, bytes | Refusal | None]:
    return 0.05, with_checksums(up.chance.randbytes(16))


def _refuses(up: "Upstream", ecm: bytes, service: int) -> tuple[float, bytes | Refusal | None]:
    return 0.03, up.chance.choice((Refusal.CANNOT_DECODE, Refusal.PASSING))


def _mixed(up: "Upstream", ecm: bytes, service: int) -> tuple[float, bytes | Refusal | None]:
    return up.chance.choice(BEHAVIOURS[:-1])(up, ecm, service)


BEHAVIOURS: Final[list[Behaviour]] = [
    _right, _right, _slow, _silent, _zero, _garbled, _repeats, _repeats, _lies, _refuses, _mixed,
]  # fmt: skip


class Upstream:
    """A server that our server logs in to."""

    def __init__(self, world: "World", number: int, chance: random.Random) -> None:
        self.world, self.number, self.chance = world, number, chance
        self.port = 13_000 + number
        self.node_id = make_node_id(chance.randbytes(4))
        self.behaviour = chance.choice(BEHAVIOURS)
        self.links: dict[int, tuple[ServerProtocol, Connection[Any]]] = {}
        self._count = 0
        self.words: dict[int, Word] = {}
        for share_id in range(1, chance.randint(2, 5)):
            self.words[share_id] = self.new_word(share_id)
        self.rise()

    def new_word(self, share_id: int) -> Word:
        chance = self.chance
        caid = chance.choice((CAID, CAID, OTHER_CAID))
        idents = tuple(sorted(chance.sample((1, 2, 3), chance.randint(1, 2))))
        # Some cards are known by more than one way.
        shared = chance.random() < 0.3
        origin = self.world.far_node if shared else self.node_id
        remote_id = chance.randint(1, 2) if shared else 100 * self.number + share_id
        word = Word(
            caid=caid, idents=idents, hop=chance.randint(1, 3), reshare=chance.randint(0, 2),
            local=False, remote_id=remote_id, origin=origin, share_id=share_id,
        )  # fmt: skip
        self.world.ledger.offered.setdefault((origin, remote_id, caid), []).append(word)
        return word

    def rise(self) -> None:
        self.world.net.listen(self._connection, self.port)

    def die(self) -> None:
        self.world.net.doors.pop(self.port, None)
        for wire in list(self.world.net.wires.values()):
            if wire.caller.peername[1] == self.port:
                wire.cut()

    def _connection(self) -> Connection[Any]:
        self._count += 1
        name = self._count
        protocol = ServerProtocol(
            node_id=self.node_id if self.number % 2 else NodeId(b"\x7f" + self.node_id[1:]),
            program="upstream", random=self.chance.randbytes(12), now=self.world.loop.time(),
        )  # fmt: skip
        connection: Connection[Any] = Connection(
            protocol, lambda event: self._handle(name, event), on_failure=self.world.failed
        )
        self.links[name] = protocol, connection
        return connection

    def _handle(self, name: int, event: object) -> None:
        protocol, _ = self.links[name]
        match event:
            case LoginRequested():
                protocol.authenticate(b"pw")
            case OffersDue():
                for word in self.words.values():
                    protocol.announce(self.offer(word))
            case Requested(token, request):
                self._answer_later(name, token, request)
            case Closed():
                del self.links[name]

    def offer(self, word: Word) -> Offer:
        path = (NodeId(word.origin),)
        if word.origin != self.node_id:
            path = (*path, NodeId(self.node_id))
        return Offer(
            share_id=ShareId(word.share_id), remote_id=word.remote_id, caid=Caid(word.caid),
            hop=word.hop - 1, reshare=word.reshare, ua=bytes(7) + b"\1",
            providers=tuple(Provider(Ident(ident)) for ident in word.idents), path=path,
        )  # fmt: skip

    def _answer_later(self, name: int, token: int, request: Request) -> None:
        service = request.section[3] if len(request.section) > 3 else 0
        delay, said = self.behaviour(self, request.section, service)
        if said is not None:
            word = self.words.get(request.share_id)
            self.world.loop.call_later(delay, self._answer, name, token, request, said, word)

    def _answer(
        self, name: int, token: int, request: Request, said: bytes | Refusal, word: Word | None
    ) -> None:
        if name not in self.links:
            return
        protocol, connection = self.links[name]
        if isinstance(said, Refusal):
            protocol.refuse(token, said)
        else:
            protocol.answer(token, ControlWords(said))
        connection.flush()

    def withdraw(self) -> None:
        if not self.words:
            return
        share_id = self.chance.choice(list(self.words))
        word = self.words.pop(share_id)
        self._tell(lambda protocol: protocol.withdraw(ShareId(share_id)))
        after = self.chance.choice((0.05, 0.2, 1.0, 4.0))
        changed = self.new_word(share_id) if self.chance.random() < 0.4 else word
        self.world.loop.call_later(after, self._offer_again, changed)

    def _offer_again(self, word: Word) -> None:
        self.words[word.share_id] = word
        self._tell(lambda protocol: protocol.announce(self.offer(word)))

    def _tell(self, act: Callable[[ServerProtocol], None]) -> None:
        for protocol, connection in list(self.links.values()):
            if protocol.state is State.OPEN:
                act(protocol)
                connection.flush()


class Stranger(asyncio.Protocol):
    """A peer that wants no good: says `script` step by step, whatever it hears."""

    def __init__(
        self, world: "World", user: str, chance: random.Random, kind: str | None = None
    ) -> None:
        self.world, self.user, self.chance = world, user, chance
        self._failed_before = 0
        self.kind = kind or chance.choice(
            ("mute", "noise", "half", "wrong", "frames", "frames", "deaf", "flood")
        )
        self._seed = b""
        self._out: Cipher | None = None
        self._end: End | None = None

    def call(self, address: str = "") -> None:
        net, ledger = self.world.net, self.world.ledger
        address = address or f"192.168.2.{self.chance.randint(1, 4)}"
        self._failed_before = ledger.failed_logins(address) if address.startswith(FAR) else 0
        if net.call(net.server_port, self, address=address) is not None:
            self.world.strangers.append(self)

    def connection_made(self, transport: Any) -> None:
        self._end = transport
        if self.kind == "noise":
            transport.write(self.chance.randbytes(self.chance.randint(1, 3000)))

    def data_received(self, data: bytes) -> None:
        if self._failed_before > ATTEMPTS:
            self.world.ledger.blame(f"let in after {self._failed_before} failed logins: a guesser")
        if self._out is not None or self.kind in ("mute", "noise"):
            return
        self._seed += data
        if len(self._seed) < 16:
            return
        keys = derive_keys(self._seed[:16])
        self._out = keys.client_to_server
        said = self._out.encrypt(keys.proof)
        if self.kind != "half":
            said += self._out.encrypt(pack_user(self.user.encode()))
            self._out.encrypt(b"pw" if self.kind != "wrong" else b"guess")
            said += self._out.encrypt(PASSWORD_CHECK)
        if self.kind in ("frames", "deaf", "flood"):
            who = ClientData(
                user=self.user.encode(), node_id=NodeId(self.chance.randbytes(8)),
                version="2.3.0", build="3367",
            )  # fmt: skip
            said += self._out.encrypt(serialize_frame(0, Command.CLIENT_DATA, who.serialize()))
        self._write(said[: self.chance.randint(1, len(said))] if self.kind == "half" else said)
        if self.kind == "deaf" and self._end is not None:
            self._end.read_on(wanted=False)
        if self.kind in ("frames", "deaf", "flood"):
            self.world.loop.call_later(self.chance.random(), self._babble, 8)

    def _babble(self, left: int) -> None:
        if self._end is None or self._end.is_closing() or self._out is None:
            return
        frames = 60 if self.kind == "flood" else 4
        for _ in range(frames):
            self._write(self._out.encrypt(self._frame()))
        if left:
            self.world.loop.call_later(self.chance.random() * 2, self._babble, left - 1)

    def _frame(self) -> bytes:
        chance = self.chance
        if chance.random() < (0.9 if self.kind in ("flood", "deaf") else 0.5):
            caid, ident, sid = chance.choice(SERVICES)
            ecm = ecm_of(chance.randrange(len(SERVICES)), self.world.period())
            request = Request(Caid(caid), Ident(ident), ShareId(0), Sid(sid), ecm)
            return serialize_frame(chance.randrange(256), Command.ECM, serialize_ecm(request))
        command = chance.choice(
            (0, 1, 2, 3, 4, 5, 6, 8, 0xA, 0xB, 0xFE, 0xFF, chance.randrange(256))
        )
        frame = bytes([chance.randrange(256), command])
        payload = chance.randbytes(chance.choice((0, 1, 13, 20, 80, 300)))
        length = len(payload) if chance.random() < 0.95 else chance.randrange(65536)
        return frame + length.to_bytes(2) + payload

    def _write(self, data: bytes) -> None:
        if self._end is not None and not self._end.is_closing():
            self._end.write(data)

    def leave(self) -> None:
        if self._end is not None and not self._end.is_closing():
            self._end.abort()
