"""The exchange between a source and two clients that may fail in any of their methods."""

import asyncio

import pytest

from cccamd.cards import Card, CardTable, LocalOffer, SourceId, View, Viewer
from cccamd.ids import Caid, Ident, NodeId, ShareId, Sid
from cccamd.routing import (
    Ask,
    AskId,
    CwCache,
    Disproved,
    LoopDetected,
    Prospect,
    Router,
    SourceTraits,
    Store,
    Trace,
    Waiter,
)
from cccamd.routing.course import Course
from cccamd.server.exchange import Exchange
from cccamd.server.observers import Observers
from cccamd.server.usage import SourceUsage
from cccamd.setup.cccamcfg import FLine
from cccamd.values import ControlWords, Emm, Provider, Refusal, Request, with_checksums

CAID, IDENT = Caid(0x0B00), Ident(0x030B00)
CW = ControlWords(with_checksums(bytes(range(16))))


class Reader:
    """Answers when it is told to."""

    local = True

    def __init__(self, *, fails: bool = False) -> None:
        self.name = "reader"
        self.usage = SourceUsage()
        self.asked: list[AskId] = []
        self._fails = fails

    def ask(self, ask: Ask) -> ControlWords | Refusal | None:
        if self._fails:
            raise ZeroDivisionError
        self.asked.append(ask.ask_id)
        return None

    def answer(self, request: Request) -> None:
        return None

    def forget(self, ask_id: AskId) -> bool:
        return False

    def send_emm(self, card: Card, emm: Emm) -> None:
        raise NotImplementedError


class Receiver:
    def __init__(self, *, fails: bool = False) -> None:
        self.got: list[ControlWords | Refusal] = []
        self._fails = fails

    def deliver(self, token: int, cw: ControlWords, trace: Trace) -> None:
        if self._fails:
            raise ZeroDivisionError
        self.got.append(cw)

    def refuse(self, token: int, refusal: Refusal, trace: Trace) -> None:
        self.got.append(refusal)


class Shop:
    def __init__(self, *readers: Reader) -> None:
        self.failures: list[str] = []
        self.observers = Observers(on_failure=self._note)
        self.sources: list[SourceId] = []
        self.exchange = Exchange(
            Router(),
            CwCache(),
            observers=self.observers,
            on_loop=lambda loop: None,
            on_failure=self._note,
        )
        table = self.table = CardTable(NodeId(b"ourselfs"))
        for reader in readers:
            source = table.add_source()
            table.add_local(source, LocalOffer(caid=CAID, providers=(Provider(IDENT),)))
            self.exchange.add_source(source, reader, SourceTraits())
            self.sources.append(source)
        account = FLine(line=1, user="anna", password="secret")
        self.view = View(table, Viewer(account=account))

    def _note(self, name: str, error: BaseException) -> None:
        assert isinstance(error, ZeroDivisionError)
        self.failures.append(name)

    def ask(self, receiver: Receiver) -> None:
        client = self.exchange.add_client(receiver)
        request = Request(CAID, IDENT, ShareId(0), Sid(1), b"\x80ecm")
        self.exchange.request(Waiter(client, 1), self.view, request)


async def test_a_client_that_cannot_be_answered_costs_the_others_nothing() -> None:
    reader, broken, well = Reader(), Receiver(fails=True), Receiver()
    shop = Shop(reader)
    shop.ask(broken)
    shop.ask(well)
    (ask_id,) = reader.asked
    shop.exchange.answered(ask_id, CW)
    assert well.got == [CW]
    assert len(shop.failures) == 1


async def test_a_source_that_raises_is_one_that_refuses() -> None:
    broken, well, receiver = Reader(fails=True), Reader(), Receiver()
    shop = Shop(broken, well)
    shop.ask(receiver)
    assert shop.failures == ["asking reader"]
    (ask_id,) = well.asked
    shop.exchange.answered(ask_id, CW)
    assert receiver.got == [CW]
    shop.observers.catch_up()
    assert (broken.usage.asked, broken.usage.answered) == (1, 0)


async def test_the_answer_comes_first_and_what_counts_it_after_it() -> None:
    reader, receiver = Reader(), Receiver()
    shop = Shop(reader)
    shop.ask(receiver)
    (ask_id,) = reader.asked
    shop.exchange.answered(ask_id, CW)
    assert (receiver.got, reader.usage.answered) == ([CW], 0)
    await asyncio.sleep(0)
    assert reader.usage.answered == 1


async def test_what_a_source_answered_is_counted_before_it_goes() -> None:
    reader = Reader()
    shop = Shop(reader)
    shop.ask(Receiver())
    (ask_id,) = reader.asked
    shop.exchange.answered(ask_id, CW)
    shop.exchange.remove_source(shop.sources[0])
    assert reader.usage.answered == 1


@pytest.mark.pure_only("replaces a method of the router")
async def test_a_timer_that_raises_does_not_stop_the_others(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    reader, receiver = Reader(), Receiver()
    shop = Shop(reader)
    shop.ask(receiver)
    handle, calls = shop.exchange.router.handle_deadline, []

    def fail_first(now: float) -> list:
        calls.append(now)
        if len(calls) == 1:
            raise ZeroDivisionError
        return handle(now)

    monkeypatch.setattr(shop.exchange.router, "handle_deadline", fail_first)
    async with asyncio.timeout(10.0):
        while len(calls) < 3:
            await asyncio.sleep(0.02)
    assert shop.failures == ["the router's timer"]


async def test_who_has_left_gets_nothing_and_hurts_nobody() -> None:
    reader, gone, stays = Reader(), Receiver(), Receiver()
    shop = Shop(reader)
    client = shop.exchange.add_client(gone)
    request = Request(CAID, IDENT, ShareId(0), Sid(1), b"\x80ecm")
    shop.exchange.request(Waiter(client, 1), shop.view, request)
    shop.ask(stays)
    shop.exchange.remove_client(client, {1: request})
    shop.exchange.answered(reader.asked[0], CW)
    assert (gone.got, stays.got) == ([], [CW])
    assert not shop.failures


async def test_loops_are_remembered_by_node_and_source_and_bounded() -> None:
    reader = Reader()
    shop = Shop(reader)
    (card,) = shop.table.cards()
    for number in range(100):
        node_id = NodeId(number.to_bytes(8))
        for _ in range(3):
            shop.exchange._carry_out(LoopDetected(node_id, card.source, card), 0.0)
    loops = shop.exchange.loops()
    assert len(loops) == 64
    assert (loops[-1].node_id, loops[-1].source) == (NodeId((99).to_bytes(8)), "reader")
    assert loops[0].node_id == NodeId((36).to_bytes(8)), "the oldest went"


class Doorway:
    """A gate that lets everything through, and knows what has not ended."""

    def __init__(self) -> None:
        self.inside: list[AskId] = []

    def ask(self, ask_id: AskId, prospect: Prospect) -> bool:
        self.inside.append(ask_id)
        return True

    def forget(self, ask_id: AskId) -> bool:
        return False

    def ended(self, ask_id: AskId) -> None:
        if ask_id in self.inside:
            self.inside.remove(ask_id)

    def stored(self, store: Store) -> None:
        pass

    def disproved(self, disproved: Disproved) -> None:
        raise NotImplementedError


class Unsent(Reader):
    """Has what it was asked wait in a line, or no line at all."""

    def __init__(self, answer: Refusal | None) -> None:
        super().__init__()
        self._answer = answer

    def ask(self, ask: Ask) -> ControlWords | Refusal | None:
        super().ask(ask)
        return self._answer

    def forget(self, ask_id: AskId) -> bool:
        return True


@pytest.mark.parametrize("way", ["at once", "later", "nobody wants it"])
async def test_the_gate_is_told_of_the_end_of_what_was_never_sent(way: str) -> None:
    """Without that a node keeps the claim to an ECM that it does not ask for."""
    reader = Unsent(Refusal.NOT_SENT if way == "at once" else None)
    shop, receiver = Shop(reader), Receiver()
    gate = shop.exchange.gate = Doorway()
    shop.ask(receiver)
    (ask_id,) = reader.asked
    if way == "later":
        shop.exchange.refused(ask_id, Refusal.NOT_SENT)
    elif way == "nobody wants it":
        (flight,) = shop.exchange.router._flights.values()
        (waiting,) = flight.waiting.values()
        shop.exchange.gone(waiting.waiter, waiting.request)
    assert gate.inside == []


@pytest.mark.pure_only("an error of ours in place of a compiled method")
@pytest.mark.parametrize("step", ["_accept", "do_due"])
async def test_the_gate_is_told_of_the_end_of_what_is_broken_off(
    step: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An error of ours, while the answer is taken or before it comes, ends what was asked."""
    reader = Unsent(None)
    monkeypatch.setattr(reader, "forget", lambda ask_id: False)  # it is on its way
    shop, receiver = Shop(reader), Receiver()
    gate = shop.exchange.gate = Doorway()
    shop.ask(receiver)
    (ask_id,) = reader.asked
    monkeypatch.setattr(Course, step, lambda *words, **more: 1 / 0)
    if step == "_accept":
        shop.exchange.answered(ask_id, CW)
    else:
        shop.exchange._perform(
            shop.exchange.router.handle_deadline(shop.exchange._loop.time() + 4.4), 0.0
        )
    assert gate.inside == []
