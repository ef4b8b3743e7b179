"""Whatever happens, in whatever order: each waiter is answered once, in time, and rightly."""

from desk import Desk, name_of
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule
from network import cw_of

from cccamd.cards import Card, View
from cccamd.routing import (
    Action,
    Ask,
    Deliver,
    Refuse,
    SourceTraits,
)
from cccamd.routing.health import ASK_LIFETIME
from cccamd.values import ControlWords, Refusal

DEADLINE = 4.5
STALE = cw_of(b"some other")


class RouterMachine(RuleBasedStateMachine):
    """Random clients, sources and times against one router."""

    def __init__(self) -> None:
        super().__init__()
        self.desk = Desk()
        self.now = 0.0
        self.count = 0
        self.open: dict[str, tuple[float, View]] = {}
        self.asks: dict[int, Ask] = {}
        self.asked_at: dict[int, float] = {}
        ways = [("a",), ("b",), ("c", "b"), ("d", "c", "b")]
        self.cards = {self.desk.upstream(*way).source: way for way in ways}
        self.lost: set[int] = set()
        self.withdrawn: set[int] = set()
        self.last_asked: dict[tuple[Card, bytes, int], float] = {}
        self.went_out: set[int] = set()
        self.views = [self.desk.view, self.desk.view_of(uphops=1)]

    def perform(self, actions: list[Action]) -> None:
        self.asks = {
            ask_id: ask
            for ask_id, ask in self.asks.items()
            if self.now < self.asked_at[ask_id] + ASK_LIFETIME
        }
        for action in actions:
            match action:
                case Ask():
                    assert not any(
                        (ask.card, ask.request.section) == (action.card, action.request.section)
                        for ask in self.asks.values()
                    ), "asked again while it is still being asked"
                    assert action.card in set(self.desk.table.cards()), "it is gone"
                    key = (action.card, action.request.section, action.request.sid)
                    assert self.now >= self.last_asked.get(key, -9.0) + 0.99, "hammered"
                    self.last_asked[key] = self.now
                    self.went_out.add(action.ask_id)
                    self.asks[action.ask_id] = action
                    self.asked_at[action.ask_id] = self.now
                case Deliver(waiter, cw, _):
                    _, view = self.open.pop(name_of(waiter))
                    assert cw != ControlWords(bytes(16))
                    winner = action.trace.winner
                    assert winner is not None
                    assert winner.hop <= view.viewer.account.max_distance
                case Refuse(waiter, _, _):
                    del self.open[name_of(waiter)]

    @rule(number=st.integers(0, 2), view=st.integers(0, 1), sid=st.integers(0, 2))
    def request(self, number: int, view: int, sid: int) -> None:
        self.count += 1
        waiter = f"w{self.count}"
        self.open[waiter] = (self.now + DEADLINE, self.views[view])
        self.perform(
            self.desk.request(waiter, self.now, number=number, sid=sid, view=self.views[view])
        )

    @precondition(lambda self: self.asks)
    @rule(data=st.data(), kind=st.sampled_from(["right", "right", "zero", "stale", *Refusal]))
    def report(self, data: st.DataObject, kind: str | Refusal) -> None:
        ask = self.asks.pop(data.draw(st.sampled_from(sorted(self.asks))))
        if kind is Refusal.NOT_SENT:
            self.went_out.remove(ask.ask_id)
        if kind is Refusal.NOT_SENT:
            self.last_asked.pop((ask.card, ask.request.section, ask.request.sid), None)
        elif kind in ("right", "stale"):
            # The cache guards this ECM now; and a card that opens one of a service is not left
            # alone for the others any more.
            self.last_asked = {
                (card, section, sid): at
                for (card, section, sid), at in self.last_asked.items()
                if (card, sid) != (ask.card, ask.request.sid)
            }
        if isinstance(kind, Refusal):
            self.perform(self.desk.refused(ask.ask_id, kind, self.now))
            return
        cws = {"right": cw_of(ask.request.section), "zero": ControlWords(bytes(16)), "stale": STALE}
        self.perform(self.desk.answered(ask.ask_id, cws[kind], self.now))

    @rule(seconds=st.sampled_from([0.01, 0.2, 1.0, 5.0]))
    def wait(self, seconds: float) -> None:
        until = self.now + seconds
        while (at := self.desk.router.next_deadline()) is not None and at <= until:
            self.now = at
            self.perform(self.desk.carry_out(self.desk.router.handle_deadline(at), at))
        self.now = until

    @precondition(lambda self: self.open)
    @rule(data=st.data())
    def leave(self, data: st.DataObject) -> None:
        waiter = data.draw(st.sampled_from(sorted(self.open)))
        del self.open[waiter]
        self.perform(self.desk.gone(waiter, self.now))

    @rule(data=st.data())
    def withdraw_or_offer(self, data: st.DataObject) -> None:
        source = data.draw(st.sampled_from(sorted(self.cards)))
        if source in self.lost:
            return
        if source in self.withdrawn:
            self.withdrawn.remove(source)
            self.desk.router.card_offered(self.desk.announce(source, *self.cards[source]))
            return
        self.withdrawn.add(source)
        (card,) = self.desk.table.cards_of(source)
        self.desk.table.remove(source, card.share_id)
        actions = self.desk.router.card_withdrawn(card, self.now)
        self.perform(self.desk.carry_out(actions, self.now))

    @rule(data=st.data())
    def teach(self, data: st.DataObject) -> None:
        source = data.draw(st.sampled_from(sorted(self.cards)))
        self.desk.router.source_taught(source, self.now)

    @rule(data=st.data())
    def lose_or_restore(self, data: st.DataObject) -> None:
        source = data.draw(st.sampled_from(sorted(self.cards)))
        if source in self.lost:
            self.lost.remove(source)
            self.desk.announce(source, *self.cards[source])
            self.desk.router.source_ready(source, SourceTraits(), self.now)
            return
        self.lost.add(source)
        self.withdrawn.discard(source)
        self.desk.table.drop_source(source)
        actions = self.desk.lost(source, self.now)
        assert not any(isinstance(action, Ask) and action.source == source for action in actions)
        self.asks = {ask_id: ask for ask_id, ask in self.asks.items() if ask.source != source}
        self.perform(actions)

    @invariant()
    def nobody_waits_longer_than_the_deadline(self) -> None:
        assert all(deadline >= self.now for deadline, _ in self.open.values())

    def teardown(self) -> None:
        self.wait(30.0)
        assert not self.open
        assert self.desk.router.next_deadline() is None
        assert not self.desk.router._flights
        assert not self.desk.router._asks
        settled = [each.ask_id for each in self.desk.settled]
        assert len(settled) == len(set(settled)), "counted twice"
        assert set(settled) == self.went_out, "each that went out, and no other"
        for source in self.cards:
            health = self.desk.router._chooser.health.of(source)
            assert health.load == 0


TestRouterBooks = RouterMachine.TestCase
TestRouterBooks.settings = settings(max_examples=80, stateful_step_count=40, deadline=None)
