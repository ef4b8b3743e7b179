"""One server's router with made-up cards, driven by hand."""

from typing import Any

from network import CAID, IDENT, cw_of

from cccamd.cards import Card, CardTable, LocalOffer, SourceId, View, Viewer
from cccamd.ids import Caid, Ident, NodeId, ShareId, Sid
from cccamd.routing import (
    Action,
    Ask,
    ClientId,
    CwCache,
    Deliver,
    Priorities,
    Refuse,
    Router,
    RouterSettings,
    Settled,
    SourceTraits,
    Store,
    Waiter,
)
from cccamd.setup.cccamcfg import FLine
from cccamd.values import ControlWords, Offer, Provider, Refusal, Request

OURS, CLIENT = NodeId(b"ourselfs"), NodeId(b"receiver")


def ecm(number: int = 0) -> bytes:
    return b"\x80" + number.to_bytes(4)


def waiter(name: str) -> Waiter:
    """The one that a test has a name for: a client with one request."""
    return Waiter(ClientId(int.from_bytes(name.encode())), 0)


def name_of(waiter: Waiter) -> str:
    """The name of one that `waiter` made."""
    return waiter.client.to_bytes((waiter.client.bit_length() + 7) // 8).decode()


class Desk:
    """Sources are numbered from 1; each has one card. Card 1 is the nearest."""

    def __init__(self, *, priorities: Priorities | None = None, **settings: Any) -> None:
        self.table = CardTable(OURS)
        self.router = Router(RouterSettings(**settings), priorities)
        self.cache = CwCache()
        self.settled: list[Settled] = []
        self.requests: dict[str, Request] = {}
        self.view = self.view_of()

    def view_of(self, *, node_id: NodeId = CLIENT, **account: Any) -> View:
        fields = {"line": 1, "user": "anna", "password": "secret"} | account
        return View(self.table, Viewer(account=FLine(**fields), node_id=node_id))

    def local(self, *, traits: SourceTraits | None = None) -> Card:
        source = self.table.add_source()
        self.router.source_ready(source, traits or SourceTraits(), 0.0)
        self.table.add_local(source, LocalOffer(caid=CAID, providers=(Provider(IDENT),), reshare=5))
        return self.table.cards_of(source)[0]

    def upstream(
        self, *path: str, traits: SourceTraits | None = None, idents: tuple[int, ...] = (IDENT,)
    ) -> Card:
        source = self.table.add_source()
        self.router.source_ready(source, traits or SourceTraits(), 0.0)
        return self.announce(source, *path, idents=idents)

    def announce(
        self,
        source: SourceId,
        *path: str,
        idents: tuple[int, ...] = (IDENT,),
        share_id: int | None = None,
    ) -> Card:
        share_id = share_id or 100 + source
        message = Offer(
            share_id=ShareId(share_id),
            remote_id=share_id,
            caid=CAID,
            hop=len(path) - 1,
            reshare=3,
            providers=tuple(Provider(Ident(ident)) for ident in idents),
            path=tuple(NodeId(name.encode().rjust(8, b".")) for name in path),
        )
        self.table.add(source, message)
        return self.table.cards_of(source)[-1]

    def request(
        self,
        name: str,
        now: float,
        *,
        number: int = 0,
        sid: int = 1,
        ident: int = IDENT,
        caid: int = CAID,
        view: View | None = None,
    ) -> list[Action]:
        view = view or self.view
        share_id = next(iter(view.announcements()), ShareId(0))
        message = Request(Caid(caid), Ident(ident), share_id, Sid(sid), ecm(number))
        self.requests[name] = message
        wanted = self.router.wanted(view, message)
        told = self.cache.answer(wanted, now, self.router.vouches)
        if told is not None:
            return [Deliver(waiter(name), told.cw, told.trace(now))]
        return self.carry_out(self.router.request(waiter(name), wanted, now), now)

    def gone(self, name: str, now: float) -> list[Action]:
        left = self.router.waiter_gone(waiter(name), self.requests[name], now)
        return self.carry_out(left, now)

    def lost(self, source: SourceId, now: float) -> list[Action]:
        return self.carry_out(self.router.source_lost(source, now), now)

    def answered(self, ask_id: object, cw: ControlWords, now: float) -> list[Action]:
        return self.carry_out(self.router.answered(ask_id, cw, now), now)

    def refused(self, ask_id: object, refusal: Refusal, now: float) -> list[Action]:
        return self.carry_out(self.router.refused(ask_id, refusal, now), now)

    def carry_out(self, actions: list[Action], now: float) -> list[Action]:
        """Do what an exchange does by itself; return what is left for sources and clients."""
        left: list[Action] = []
        for action in actions:
            if isinstance(action, Store):
                self.cache.put(action, now)
            elif isinstance(action, Settled):
                self.settled.append(action)
            else:
                left.append(action)
        return left

    def right(self, ask: Ask, now: float) -> list[Action]:
        """Let a source give the right answer."""
        return self.answered(ask.ask_id, cw_of(ask.request.section), now)

    def wrong(self, ask: Ask, now: float, refusal: Refusal = Refusal.CANNOT_DECODE) -> list[Action]:
        return self.refused(ask.ask_id, refusal, now)

    def wait(self, until: float) -> list[tuple[float, Action]]:
        """Let time pass; what the router did, and when."""
        done: list[tuple[float, Action]] = []
        while (at := self.router.next_deadline()) is not None and at <= until:
            actions = self.carry_out(self.router.handle_deadline(at), at)
            done += [(at, action) for action in actions]
        return done


def asked(actions: list[Action]) -> Ask:
    """The one question that was decided."""
    (ask,) = actions
    assert isinstance(ask, Ask)
    return ask


def delivered(actions: list[Action]) -> dict[str, bytes]:
    told = [action for action in actions if isinstance(action, Deliver)]
    return {name_of(action.waiter): action.cw.raw for action in told}


def refused(actions: list[Action]) -> Refuse:
    (refuse,) = actions
    assert isinstance(refuse, Refuse)
    return refuse
