"""The servers that our server logs in to. Each acts from its own seed."""

import random
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final

from simcast import ecm_of
from simconfig import n_line_key
from simrights import CAID, OTHER_CAID, Word, truth
from simtls import Shaking
from simwires import End

from cccamd.ids import USUAL_CONFIG_KEY, Caid, Ident, NodeId, ShareId
from cccamd.net import Connection
from cccamd.values import ControlWords, Offer, Provider, Refusal, Request, with_checksums
from cccamd.wire.cccam import ServerProtocol, make_node_id
from cccamd.wire.keycodes import KeyCode
from cccamd.wire.link import Closed, LoginRequested, OffersDue, Requested, State
from cccamd.wire.newcamd import ONLY_CARD, CardData, NewcamdServer

if TYPE_CHECKING:
    from simworld import World

NEWCAMD_RESHARE: Final = 10
"""How much further the card of an N-line may go, which counts as one of our own."""

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
        self.links: dict[int, tuple[Any, Connection[Any]]] = {}
        self._count = 0
        self.words: dict[int, Word] = {}
        self.all_words: list[Word] = []
        """Whatever it has said of its cards, ever."""
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
        self.all_words.append(word)
        return word

    def line(self) -> str:
        """The line of CCcam.cfg that leads to it."""
        return f"C: 10.0.0.{self.number + 2} {self.port} us pw"

    def table(self) -> str:
        """What cccamd.toml says of it."""
        return ""

    @property
    def is_there(self) -> bool:
        """Whether it can be called."""
        return self.port in self.world.net.doors

    def rise(self) -> None:
        self.world.net.listen(self._connection, self.port)

    def die(self) -> None:
        self.world.net.doors.pop(self.port, None)
        for wire in list(self.world.net.wires.values()):
            if wire.caller.peername[1] == self.port:
                wire.cut()

    def _connection(self) -> Connection[Any]:
        self._count += 1
        name, protocol = self._count, self._speak()
        connection: Connection[Any] = Connection(
            protocol, lambda event: self._handle(name, event), on_failure=self.world.failed
        )
        self.links[name] = protocol, connection
        return connection

    def _speak(self) -> Any:
        return ServerProtocol(
            node_id=self.node_id if self.number % 2 else NodeId(b"\x7f" + self.node_id[1:]),
            program="upstream", random=self.chance.randbytes(12), now=self.world.loop.time(),
        )  # fmt: skip

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

    def _tell(self, act: Callable[[Any], None]) -> None:
        for protocol, connection in list(self.links.values()):
            if protocol.state is State.OPEN:
                act(protocol)
                connection.flush()


class Paired(Upstream):
    """One that is paired: nothing may be said to it before it has proved its key."""

    def __init__(self, world: "World", number: int, chance: random.Random) -> None:
        self.tls_port = 13_500 + number
        self.name = f"peer{number}"
        self.has_new_key = self.is_in_between = False
        """Whether it has another key than was paired, or somebody else has its address."""
        self._shown: dict[int, KeyCode] = {}
        super().__init__(world, number, chance)

    @property
    def key(self) -> KeyCode:
        """The key that is shown now."""
        new = " anew" if self.has_new_key else ""
        return self.world.keys.key_of(f"{self.name}{new}")

    def table(self) -> str:
        return f"""
[[upstream]]
host = "10.0.0.{self.number + 2}"
port = {self.port}
user = "us"
paired = "{self.name}"
tls_port = {self.tls_port}
"""

    def rise(self) -> None:
        super().rise()
        self.world.net.doors[self.tls_port] = self._greet

    def die(self) -> None:
        super().die()
        self.world.net.doors.pop(self.tls_port, None)
        for wire in list(self.world.net.wires.values()):
            if wire.caller.peername[1] == self.tls_port:
                wire.cut()

    def cut_links(self, *, shown_otherwise: bool = False) -> None:
        """Break what is connected; or only that where another key was shown."""
        for name, (_, connection) in list(self.links.items()):
            if not shown_otherwise or self._shown.get(name) != self.key:
                connection.close()

    def _greet(self, end: End) -> None:
        shown = self.world.keys.key_of("in between") if self.is_in_between else self.key

        def begin(end: End, key: KeyCode, rest: bytes) -> None:
            if key != self.world.keys.own_code():
                self.world.ledger.blame("the server has shown another key than its own")
            connection = self._connection()
            self._shown[self._count] = shown
            end.hand_to(connection, rest)

        end.begin(Shaking(shown, listens=True, then=begin, failed=lambda error: None))

    def _handle(self, name: int, event: object) -> None:
        if isinstance(event, LoginRequested):
            shown = self._shown.get(name)
            if shown is None:
                self.world.ledger.blame(f"{self.name} is paired, and was called without TLS")
            elif not self.world.was_paired(shown):
                self.world.ledger.blame(f"logged in at {self.name}, whose key is not paired")
        super()._handle(name, event)


class OneCard(Upstream):
    """One that speaks newcamd: it has one card, and says nothing of hops."""

    def __init__(self, world: "World", number: int, chance: random.Random) -> None:
        self.hops = chance.choice((0, 1, 1, 3))
        super().__init__(world, number, chance)
        while len(self.words) > 1:
            self.words.popitem()
        del self.all_words[1:]

    def new_word(self, share_id: int) -> Word:
        idents = tuple(sorted(self.chance.sample((1, 2, 3), self.chance.randint(1, 2))))
        word = Word(
            caid=self.chance.choice((CAID, CAID, OTHER_CAID)), idents=idents, hop=self.hops,
            reshare=NEWCAMD_RESHARE, local=True, remote_id=0, origin=bytes(self.world.node_id),
            share_id=ONLY_CARD,
        )  # fmt: skip
        self.all_words.append(word)
        return word

    def line(self) -> str:
        return f"N: 10.0.0.{self.number + 2} {self.port} us pw {n_line_key()} {self.hops}"

    def _speak(self) -> Any:
        return NewcamdServer(
            config_key=USUAL_CONFIG_KEY, shelf=_Shelf(), random=self.chance.randbytes,
            now=self.world.loop.time(),
        )  # fmt: skip

    def offer(self, word: Word) -> Offer:
        return Offer(
            share_id=ONLY_CARD, remote_id=0, caid=Caid(word.caid), hop=0, reshare=0,
            ua=bytes(7) + b"\1",
            providers=tuple(Provider(Ident(ident)) for ident in word.idents),
        )  # fmt: skip


class _Shelf:
    """Shows the one card that there is."""

    def __init__(self) -> None:
        self._shown: CardData | None = None

    def show(self, user: bytes, offers: Any) -> CardData:
        self._shown = self._card(offers)
        return self._shown

    def patience(self, user: bytes, offers: Any) -> float | None:
        return None if self._card(offers) == self._shown else 0.0

    def card_for(self, ident: Ident, offers: Any) -> ShareId:
        return ONLY_CARD

    def serves(self, caid: Caid, ident: Ident) -> bool:
        return True

    def _card(self, offers: Any) -> CardData:
        cards = [CardData.of(offer, may_update=False) for offer in offers]
        return cards[0] if cards else CardData(caid=Caid(0))
