"""The books of one run: what was asked, said and answered, and what must hold of it."""

from collections.abc import Callable
from typing import Any, Final

from simdiary import Diary
from simrights import Rights, Word, truth

from cccamd.ids import ShareId
from cccamd.values import ControlWords, Offer, Refusal, Request
from cccamd.wire.link import Closed, CloseReason, LoginRequested, RequestDropped, Requested

DEADLINE: Final = 4.5
EPSILON: Final = 0.002
WAIT_LINGER: Final = DEADLINE + 0.5
"""Seconds after a reload in which somebody may still wait who asked before it: what he had missed
by then he is not owed."""
LIST_LINGER: Final = 1.0
"""The same for lists of cards, which are told a moment after a reload."""
PERIODS: Final = 3
"""ECMs of a service for which the server must know what was told: less than it remembers."""
REMEMBERED: Final = 4.0
"""Seconds for which the server must know what a card has said: less than its cache keeps it."""

Ecm = tuple[int, int, bytes]
"""CAID, provider and section. The same section is another question to each system and provider:
what one has said of it does not contradict another."""


def ecm_in(request: Request) -> Ecm:
    """The ECM that a request is about, whatever service it names."""
    return request.caid, request.ident, request.section


class Ledger(Diary):
    """Everything that is known from outside, and the first thing that was wrong."""

    def __init__(self, now: Callable[[], float]) -> None:
        super().__init__(now)
        self.rights: dict[str, list[tuple[float, Rights]]] = {}
        self.is_reloading = False
        """Whether some have the new rights and some those of before."""
        self.offered: dict[tuple[bytes, int, int], list[Word]] = {}
        """Every word that was ever said of a card, by origin, remote id and CAID."""
        self.local: list[Word] = []
        self.arrived: dict[Ecm, list[tuple[float, Word, bytes]]] = {}
        """When which card has said what of an ECM, as the server has read it."""
        self.exact: dict[Ecm, list[tuple[float, Word]]] = {}
        """When which way to a card has said the right CW of an ECM."""
        self.is_served: Callable[[Any], bool] = lambda protocol: True
        self.ours: Callable[[int, int], list[Word]] = lambda remote_id, caid: []
        """What was said of a card that is announced as one of ours."""
        self.on_served: Callable[[Any], None] = lambda protocol: None
        """Called when somebody gets something for which it must be known who it is."""
        self.ignored: tuple[tuple[int, int, int], ...] = ()
        """What CCcam.prio keeps from upstreams: CAID, provider, service; 0: any."""
        self.leapt_at = 0.0
        self.answers = self.refusals = 0
        self._told: dict[tuple[int, int, int], dict[bytes, bytes]] = {}
        """The ECMs and CWs that were told last of each service."""
        self._told_for: dict[tuple[int, int, int, bytes], set[bytes]] = {}
        """For which ECMs of a service each CW was told, ever."""
        self._services: dict[Ecm, set[tuple[int, int, int]]] = {}
        """For which services an ECM was asked; strangers name any."""
        self._asked: dict[tuple[int, int], tuple[float, Any, Request]] = {}
        self.halves: set[tuple[int, int, bytes]] = set()
        """Of each CW that receiver programs were told: service id, parity, half."""
        self.named = 0
        """How many connections have a name."""
        self._failed_logins: dict[str, list[float]] = {}
        """When, by address."""
        self.address_of: Callable[[Any], str] = lambda protocol: ""

    def rights_of(self, user: str, linger: float = 0.0) -> list[Rights]:
        """Those that count now, and those of before for `linger` seconds after a change."""
        known = self.rights[user]
        if self.is_reloading:
            linger = max(linger, DEADLINE)
        ended = [since for since, _ in known[1:]] + [self.now()]
        return [
            rights
            for (_, rights), until in zip(known, ended, strict=True)
            if until + linger > self.now() or until == self.now()
        ]

    def next_name(self) -> int:
        """A name for one more connection."""
        self.named += 1
        return self.named

    # Who guesses.

    def login_failed(self, protocol: Any) -> None:
        self._failed_logins.setdefault(self.address_of(protocol), []).append(self.now())

    @property
    def guessers(self) -> list[str]:
        """The addresses from which a login has failed."""
        return list(self._failed_logins)

    def forgive(self, address: str) -> None:
        """Failed logins from there do not count any more."""
        self._failed_logins.pop(address, None)

    def failed_logins(self, address: str) -> int:
        """How many of an address have failed of late."""
        return sum(at > self.now() - 30.0 for at in self._failed_logins.get(address, []))

    # What the server was asked and answered.

    def requested(self, protocol: Any, token: int, request: Request) -> None:
        self.note("asked", protocol.name, token, tuple(request))
        self._asked[protocol.name, token] = self.now(), protocol, request
        service = request.caid, request.ident, request.sid
        self._services.setdefault(ecm_in(request), set()).add(service)

    def waits(self, protocol: Any, token: int) -> bool:
        """Whether a request has not been answered yet."""
        return (protocol.name, token) in self._asked

    def answered(self, protocol: Any, token: int, answer: ControlWords | Refusal | None) -> None:
        said = answer.raw if isinstance(answer, ControlWords) else answer
        self.note("answered", protocol.name, token, said)
        found = self._asked.pop((protocol.name, token), None)
        if found is None:
            if self.is_served(protocol):
                self.blame(f"request {token} of client {protocol.name} was answered twice")
            return
        at, _, request = found
        if self.now() > max(at + DEADLINE, self.leapt_at) + EPSILON:
            self.blame(f"an answer came after {self.now() - at:.2f} s")
        if isinstance(answer, ControlWords):
            self.answers += 1
            self.on_served(protocol)
            self._judge(protocol, request, answer.raw)
        elif answer is not None:
            self.refusals += 1
            self._judge_refusal(protocol, request, at)

    def _judge_refusal(self, protocol: Any, request: Request, asked_at: float) -> None:
        """Who waits while a card that it may see says the right CW gets it."""
        user = protocol.user_name
        kinds = self.rights_of(user, WAIT_LINGER) if user in self.rights else []
        words = request.caid, request.ident, request.sid
        if self._services[ecm_in(request)] != {words} or any(r.from_midnight for r in kinds):
            return
        if self.looks_wrong(request):
            return
        for at, card in self.exact.get(ecm_in(request), []):
            if at >= asked_at and kinds and all(r.may_have(card, *words) for r in kinds):
                self.blame(f"{user} was refused {words}, and a card it may see had said the CW")

    def _judge(self, protocol: Any, request: Request, raw: bytes) -> None:
        section = request.section
        if not any(raw):
            self.blame("a CW of zeros was given on")
        if not ControlWords(raw).checksums_valid:
            self.blame("a CW with wrong checksums was given on")
        user = protocol.user_name
        if user not in self.rights:
            self.blame(f"{user} has no account and got a CW")
            return
        kinds = self.rights_of(user)
        words = request.caid, request.ident, request.sid
        heard = [
            (at, said)
            for at, card, said in self.arrived.get(ecm_in(request), [])
            if any(r.may_have(card, *words) for r in kinds)
        ]
        mine = [said for _, said in heard]
        if any(r.may_have(card, *words) for card in self.local for r in kinds):
            mine.append(truth(section))
        if raw not in mine:
            self.blame(f"{user} got a CW for {words} that no card it may see has said")
        elif self.shows_stale(request, raw) and self.is_contradicted(request):
            self.blame(f"{user} got the CW of a period before, and a card contradicted it")
        self._told_for.setdefault((*words, raw), set()).add(section)
        told = self._told.setdefault(words, {})
        told[section] = raw
        if len(told) > PERIODS:
            del told[next(iter(told))]

    def is_contradicted(self, request: Request) -> bool:
        """Whether some card, whoever may see it, has just said the right CW."""
        right = truth(request.section)
        said = self.arrived.get(ecm_in(request), [])
        return any(at > self.now() - REMEMBERED and raw == right for at, _, raw in said)

    def shows_stale(self, request: Request, raw: bytes) -> bool:
        """Whether a CW is wrong, and was told for another ECM of the service: what shows it. If
        the right one was told for another as well, by a liar, nothing shows which it is."""
        told = self._told.get((request.caid, request.ident, request.sid), {})
        before = [cw for section, cw in told.items() if section != request.section]
        right = truth(request.section)
        return bool(request.sid) and raw != right and raw in before and right not in before

    def looks_wrong(self, request: Request) -> bool:
        """Whether the right CW could not be told from a wrong one: a liar has told it for another
        ECM of the service, and some card has said something else of this one."""
        right = truth(request.section)
        told_for = self._told_for.get((request.caid, request.ident, request.sid, right), set())
        others = any(raw != right for _, _, raw in self.arrived.get(ecm_in(request), []))
        return others and bool(told_for - {request.section})

    def overdue(self) -> None:
        """Look for requests that should have been answered by now."""
        while self._asked:
            key, (at, protocol, _) = next(iter(self._asked.items()))
            if self.is_served(protocol):
                if self.now() > max(at + DEADLINE, self.leapt_at + 0.01) + EPSILON:
                    self.blame(f"request {key} was not answered within {DEADLINE} s")
                    del self._asked[key]
                return
            del self._asked[key]

    # What others are asked.

    def asks(self, request: Request, hop: int) -> None:
        """An upstream is asked: not for what an I-line takes out. An N-line that puts its card at
        no distance makes it one of our own, which the file does not act on."""
        if self.is_reloading or not hop:
            return
        for caid, ident, sid in self.ignored:
            is_it = caid == request.caid and ident in (0, request.ident)
            if is_it and sid in (0, request.sid):
                self.blame(f"an upstream was asked for {request[:4]} in spite of an I-line")

    # What clients are told of cards.

    def announced(self, protocol: Any, offer: Offer) -> None:
        user = protocol.user_name
        self.note("announced", protocol.name, offer.share_id, offer.remote_id, offer.caid)
        self.on_served(protocol)
        origin = offer.path[0] if offer.path else b""
        words = self.offered.get((origin, offer.remote_id, offer.caid), [])
        words = words or self.ours(offer.remote_id, offer.caid)
        idents = {provider.ident for provider in offer.providers}
        for rights in self.rights_of(user, LIST_LINGER):
            for card in words:
                kept = set(rights.kept(card))
                if idents <= kept and offer.reshare <= rights.reshare(card) and kept:
                    return
        self.blame(f"{user} was told of a card that it may not see: {offer}")


def watched(ledger: Ledger, side: Callable[..., Any]) -> Callable[..., Any]:
    """What makes the server's side of a connection, whatever it speaks, with somebody who looks
    over its shoulder."""
    return lambda **words: Watched(side(**words), ledger, ledger.next_name())


class Watched:
    """A protocol, and somebody who notes what it is told and tells."""

    # It holds the protocol and inherits nothing: nothing in Python can inherit from a compiled one.

    def __init__(self, protocol: Any, ledger: Ledger, name: int) -> None:
        self._protocol = protocol
        self._ledger = ledger
        self._user = b""
        self.name = name

    def __getattr__(self, name: str) -> Any:
        return getattr(self._protocol, name)

    @property
    def user_name(self) -> str:
        return self._user.decode("latin-1")

    def events_received(self) -> Any:
        events = self._protocol.events_received()
        for event in events:
            if isinstance(event, Requested):
                self._ledger.requested(self, *event)
            elif isinstance(event, LoginRequested):
                self._user = event.user
            elif isinstance(event, RequestDropped):
                self._ledger.answered(self, event.token, None)
            elif isinstance(event, Closed) and event.reason is CloseReason.WRONG_PASSWORD:
                self._ledger.login_failed(self)
        return events

    def answer(self, token: int, cw: ControlWords) -> None:
        self._ledger.answered(self, token, cw)
        self._protocol.answer(token, cw)

    def refuse(self, token: int, refusal: Refusal) -> None:
        self._ledger.answered(self, token, refusal)
        self._protocol.refuse(token, refusal)

    def announce(self, offer: Offer) -> None:
        self._ledger.announced(self, offer)
        self._protocol.announce(offer)

    def withdraw(self, share_id: ShareId) -> None:
        self._ledger.note("withdrawn", self.name, share_id)
        self._protocol.withdraw(share_id)
