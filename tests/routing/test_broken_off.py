"""An error of ours in a decision ends the ECM that it was about, at once, and nothing else."""

from collections.abc import Callable
from typing import Any

import pytest
from desk import Desk, asked, ecm, name_of
from network import cw_of

from cccamd.cards import Candidates
from cccamd.routing import Abandon, Action, Ask, BrokenOff, Deliver, Refuse
from cccamd.routing.choosing import Chooser, Pauses
from cccamd.routing.course import Course
from cccamd.routing.flights import Flight, Timers
from cccamd.routing.verification import Verification

STEPS: dict[str, tuple[type, str]] = {
    "answered": (Course, "_accept"),
    "credited": (Course, "_credit"),
    "looked at": (Verification, "flaw"),
    "taken for right": (Verification, "accept"),
    "suspected": (Course, "_suspect"),
    "an ask ended": (Course, "_end_ask"),
    "refused": (Course, "refused"),
    "a pause": (Pauses, "start"),
    "moved on": (Course, "_move_on"),
    "chosen": (Chooser, "best"),
    "asked": (Course, "_ask"),
    "tidied": (Course, "tidy"),
    "given up": (Course, "_give_up"),
    "explained": (Chooser, "explain_none"),
    "overdue": (Course, "_overdue"),
    "stalled": (Course, "_stalled"),
    "timed out": (Course, "_timed_out"),
    "a timer": (Timers, "set"),
    "who may have it": (Flight, "entitled_to"),
    "lost": (Course, "lose"),
    "withdrawn": (Course, "_withdraw"),
}


class Play:
    """A desk that is asked, answered and let down in all ways; it notes what clients get."""

    def __init__(self) -> None:
        self.desk = Desk(hedge_share=1.0)
        self.cards = [self.desk.upstream(*"abc"[: n + 1]) for n in range(3)]
        self.wanted: set[str] = set()
        self.got: list[str] = []
        self.broken: list[Exception] = []

    def take(self, actions: list[Action]) -> list[Ask]:
        for action in actions:
            if isinstance(action, BrokenOff):
                self.broken.append(action.error)
            elif isinstance(action, Deliver | Refuse):
                self.got.append(name_of(action.waiter))
        return [action for action in actions if isinstance(action, Ask)]

    def want(self, number: int, now: float) -> list[Ask]:
        asks: list[Ask] = []
        for client in ("anna", "ben"):
            name = f"{client} {number}"
            self.wanted.add(name)
            asks += self.take(self.desk.request(name, now, number=number))
        return asks

    def let_time_pass(self, until: float) -> list[Ask]:
        return self.take([action for _, action in self.desk.wait(until)])

    def run(self) -> None:
        desk = self.desk
        for ask in self.want(0, 0.0):  # answered
            self.take(desk.right(ask, 0.1))
        for ask in self.want(1, 10.0):  # refused, asked elsewhere
            for other in self.take(desk.wrong(ask, 10.1)):
                self.take(desk.right(other, 10.2))
        for ask in self.want(2, 20.0):  # repeated
            for other in self.take(desk.answered(ask.ask_id, cw_of(ecm(1)), 20.1)):
                self.take(desk.right(other, 20.2))
        asks = self.want(3, 30.0)  # nothing is answered
        asks += self.let_time_pass(36.0)
        self.let_time_pass(45.0)
        for ask in self.want(4, 60.0):  # a card and a source go
            self.take(desk.carry_out(desk.router.card_withdrawn(ask.card, 60.1), 60.1))
            self.take(desk.lost(ask.source, 60.2))
        self.want(5, 70.0)  # who waited leaves
        for name in ("anna 5", "ben 5"):
            if name not in self.got:
                self.take(desk.gone(name, 70.1))
                self.wanted.remove(name)
        self.let_time_pass(90.0)


PURE = pytest.mark.pure_only("raises in place of methods of the router")


@PURE
@pytest.mark.parametrize("step", STEPS)
@pytest.mark.parametrize("which", [1, 2, 3])
def test_an_error_in_any_step_ends_one_ecm_and_nothing_else(
    monkeypatch: pytest.MonkeyPatch, step: str, which: int
) -> None:
    play = Play()
    owner, name = STEPS[step]
    real: Callable[..., Any] = getattr(owner, name)
    calls = 0

    def fails(self: Any, *args: Any, **words: Any) -> Any:
        nonlocal calls
        calls += 1
        if calls == which:
            raise ZeroDivisionError
        return real(self, *args, **words)

    monkeypatch.setattr(owner, name, fails)
    play.run()
    assert sorted(play.got) == sorted(play.wanted), "each is answered, and once"
    assert len(play.broken) == (calls >= which)
    assert play.desk.router.is_idle
    assert not play.desk.router._asks
    assert {health.load for health in play.desk.router._chooser.health._sources.values()} == {0}


@pytest.mark.parametrize("which", range(1, 61))
def test_an_error_where_it_is_looked_up_what_may_serve_it_ends_one_ecm(
    monkeypatch: pytest.MonkeyPatch, which: int
) -> None:
    """In any step again, and on any flavour: what it is about is no code of the router."""
    play = Play()
    reads, raised_outside = 0, False

    def failing(real: Any) -> property:
        def read(self: Candidates) -> Any:
            nonlocal reads
            reads += 1
            if reads == which:
                raise ZeroDivisionError
            return real.__get__(self)

        return property(read, real.__set__)

    for name in ("cards", "members", "ids", "refusal"):
        monkeypatch.setattr(Candidates, name, failing(vars(Candidates)[name]))
    want = play.desk.request

    def request(name: str, *words: Any, **more: Any) -> list[Action]:
        nonlocal raised_outside
        try:
            return want(name, *words, **more)
        except ZeroDivisionError:  # before anybody waits: it is told to who asks
            raised_outside = True
            play.wanted.remove(name)
            return []

    monkeypatch.setattr(play.desk, "request", request)
    play.run()
    assert reads > which
    assert sorted(play.got) == sorted(play.wanted), "each is answered, and once"
    assert len(play.broken) + raised_outside == 1
    assert play.desk.router.is_idle
    assert not play.desk.router._asks
    assert {health.load for health in play.desk.router._chooser.health._sources.values()} == {0}


@PURE
def test_it_ends_at_once_and_the_next_is_as_usual(monkeypatch: pytest.MonkeyPatch) -> None:
    """Not when its timers come, up to ten seconds later."""
    desk = Desk()
    desk.upstream("a")
    ask = asked(desk.request("anna", 0.0))
    desk.request("ben", 0.1)
    with monkeypatch.context() as patched:
        patched.setattr(Verification, "accept", lambda *words, **more: 1 / 0)
        actions = desk.right(ask, 0.2)
    assert [type(action) for action in actions] == [BrokenOff, Abandon, Refuse, Refuse]
    assert desk.router.next_deadline() is None
    again = asked(desk.request("anna", 0.3))
    assert [type(action) for action in desk.right(again, 0.4)] == [Deliver]
