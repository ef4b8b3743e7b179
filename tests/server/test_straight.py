"""The straight way of an ECM comes to the same as the usual one, whatever happened before."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

from hypothesis import event, example, given, settings
from hypothesis import strategies as st

from cccamd.cards import CardTable, LocalOffer, View, Viewer
from cccamd.ids import Caid, Ident, NodeId, ShareId, Sid
from cccamd.routing import Ask, AskId, CwCache, Router, SourceTraits, Trace, Waiter
from cccamd.server.exchange import Exchange
from cccamd.server.observers import Observers
from cccamd.server.usage import SourceUsage
from cccamd.setup.cccamcfg import FLine
from cccamd.values import ControlWords, Provider, Refusal, Request, with_checksums

CAID, IDENT = Caid(0x0B00), Ident(0x030B00)
RAISES = "raises"
SAYINGS = (
    *(ControlWords(with_checksums(bytes([number] * 16))) for number in (1, 1, 1, 2, 3)),
    ControlWords(bytes(16)),
    ControlWords(bytes(15) + b"\1"),
    Refusal.CANNOT_DECODE,
    Refusal.PASSING,
    RAISES,
)
Said = ControlWords | Refusal | str


class Clock:
    """In the place of the loop, whose time alone the exchange reads."""

    def __init__(self) -> None:
        self.now = 1000.0

    def time(self) -> float:
        return self.now


class Reader:
    """Says what it was told to say next; without that it will answer later."""

    def __init__(self, *, local: bool) -> None:
        self.local = local
        self.name = "card" if local else "upstream"
        self.usage = SourceUsage()
        self.says: Said | None = None
        self.asked: list[AskId] = []
        self.count = 0

    def ask(self, ask: Ask) -> ControlWords | Refusal | None:
        self.asked.append(ask.ask_id)
        return self.answer(ask.request) if self.local else None

    def answer(self, request: Request) -> ControlWords | Refusal | None:
        self.count += 1
        if isinstance(self.says, str):
            raise ZeroDivisionError
        return self.says

    def forget(self, ask_id: AskId) -> bool:
        return False

    def send_emm(self, card: Any, emm: Any) -> None:
        raise NotImplementedError


@dataclass
class Receiver:
    got: list[object] = field(default_factory=list)

    def deliver(self, token: int, cw: ControlWords, trace: Trace) -> None:
        self.got.append((token, cw, _story(trace)))

    def refuse(self, token: int, refusal: Refusal, trace: Trace) -> None:
        self.got.append((token, refusal, _story(trace)))


def _story(trace: Trace) -> object:
    return tuple(trace.lines()), trace.outcome, trace.asked_at, trace.ended_at


class House:
    """A card of our own and an upstream, with what clients got and observers were told."""

    def __init__(self, *, immediate: bool) -> None:
        self.clock = Clock()
        self.told: list[object] = []
        observers = Observers(on_failure=self._fail)
        observers.add(lambda happening: self.told.append(replace(happening, at=0.0)))
        self.observers = observers
        self.failures: list[str] = []
        self.exchange = Exchange(
            Router(),
            CwCache(lifetime=15.0),
            observers=observers,
            on_loop=lambda loop: None,
            on_failure=self._fail,
        )
        self.exchange._loop = self.clock  # type: ignore[assignment]
        self.table = CardTable(NodeId(b"ourselfs"))
        self.card = Reader(local=True)
        self.upstream = Reader(local=False)
        self.traits = SourceTraits(immediate=immediate)
        self.source = self.table.add_source()
        self.other = self.table.add_source()
        self.offer = LocalOffer(caid=CAID, providers=(Provider(IDENT),))
        self.table.add_local(self.source, self.offer)
        self.exchange.add_source(self.source, self.card, self.traits)
        self.view = View(self.table, Viewer(account=FLine(line=1, user="anna", password="x")))
        self.receiver = Receiver()
        self.client = self.exchange.add_client(self.receiver)
        self.token = 0

    def _fail(self, name: str, error: BaseException) -> None:
        assert isinstance(error, ZeroDivisionError)
        self.failures.append(name)

    def ask(self, number: int, sid: int, says: Said) -> None:
        self.token += 1
        self.card.says = says
        request = Request(CAID, IDENT, ShareId(0), Sid(sid), b"\x80" + number.to_bytes(4))
        told = self.exchange.request(Waiter(self.client, self.token), self.view, request)
        if told is not None:
            self.receiver.deliver(self.token, told.cw, told.trace(self.clock.now))

    def ask_upstream_first(self, number: int) -> None:
        """The card comes, and the upstream goes, while it is waited for the latter's answer."""
        self.take_card()
        self.open_upstream()
        self.ask(number, 1, SAYINGS[0])
        self.close_upstream()
        self.bring_card()
        self.ask(number, 1, SAYINGS[0])

    def wait(self, seconds: float) -> None:
        self.clock.now += seconds
        self.exchange.ring()

    def take_card(self) -> None:
        for card in self.table.drop_source(self.source):
            self.exchange.withdraw_card(card)

    def bring_card(self) -> None:
        if not self.table.cards_of(self.source):
            self.table.add_local(self.source, self.offer)
            for card in self.table.cards_of(self.source):
                self.exchange.offer_card(card)

    def lose_source(self) -> None:
        self.exchange.remove_source(self.source)

    def find_source(self) -> None:
        self.exchange.add_source(self.source, self.card, self.traits)

    def teach(self) -> None:
        self.exchange.teach_source(self.source)

    def open_upstream(self) -> None:
        if not self.table.cards_of(self.other):
            self.table.add_local(self.other, self.offer)
            self.exchange.add_source(self.other, self.upstream, SourceTraits())

    def close_upstream(self) -> None:
        for card in self.table.drop_source(self.other):
            self.exchange.withdraw_card(card)

    def answer_upstream(self) -> None:
        for ask_id in self.upstream.asked:
            self.exchange.answered(ask_id, SAYINGS[3])  # type: ignore[arg-type]
        self.upstream.asked.clear()

    def state(self) -> object:
        self.observers.catch_up()
        now, router = self.clock.now, self.exchange.router
        return (
            self.receiver.got,
            self.told,
            self.failures,
            self.card.count,
            self.card.usage,
            [router.condition(source, now) for source in (self.source, self.other)],
            self.exchange._cache._entries,
            router.is_idle,
            router._course.ask_count,
            router._budget._saved,
            router._verification._services,
            {ecm: raw for ecm, (raw, _) in router._verification._ecms.items()},
            set(router._verification._doubts),
        )


ACTS: tuple[Callable[[House], None], ...] = (
    House.take_card,
    House.bring_card,
    House.lose_source,
    House.find_source,
    House.teach,
    House.open_upstream,
    House.close_upstream,
    House.answer_upstream,
)
STEPS = st.one_of(
    st.tuples(st.just(House.ask), st.integers(0, 5), st.integers(0, 2), st.sampled_from(SAYINGS)),
    st.tuples(st.just(House.ask), st.integers(0, 99), st.just(1), st.just(SAYINGS[0])),
    st.tuples(st.just(House.wait), st.sampled_from((0.0, 0.3, 2.0, 9.0, 20.0))),
    st.tuples(st.sampled_from(ACTS)),
    st.tuples(st.just(House.ask_upstream_first), st.integers(0, 5)),
)


@example([(House.open_upstream,), (House.ask, 1, 1, SAYINGS[0])])
@given(st.lists(STEPS, max_size=30))
@settings(max_examples=150, deadline=None)
def test_the_straight_way_comes_to_the_same_as_the_usual_one(steps: list[Any]) -> None:
    async def live() -> None:
        usual, straight = House(immediate=False), House(immediate=True)
        ways = []
        for act, *words in steps:
            for house in (usual, straight):
                act(house, *words)
            assert straight.state() == usual.state(), (act, words)
            assert usual.card.count == len(usual.card.asked)
            ways.append(straight.card.count - len(straight.card.asked))
        event(f"went straight: {bool(ways and ways[-1])}")

    asyncio.run(live())


async def test_a_card_that_answers_at_once_is_asked_straight_away() -> None:
    house = House(immediate=True)
    house.ask(1, 1, SAYINGS[0])
    house.ask(2, 1, SAYINGS[3])
    assert (house.card.count, house.card.asked) == (2, [])
    assert [got[1] for got in house.receiver.got] == [SAYINGS[0], SAYINGS[3]]  # type: ignore[index]


async def test_what_a_card_does_not_answer_goes_the_usual_way_and_is_not_asked_again() -> None:
    house = House(immediate=True)
    for number, says in enumerate((Refusal.CANNOT_DECODE, RAISES, ControlWords(bytes(16)))):
        house.ask(number, 1 + number, says)
    assert (house.card.count, house.card.asked) == (3, [])
    assert [got[1] for got in house.receiver.got] == [  # type: ignore[index]
        Refusal.CANNOT_DECODE,
        Refusal.PASSING,
        Refusal.CANNOT_DECODE,
    ]
