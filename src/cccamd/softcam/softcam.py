"""The softcam of one connection: its list of services, and what is done for each of them.

Theory of operation. Whoever owns it tells it what the client says and what the cards answer:

    listed       a CA_PMT. What a list does not name any more ends with its last entry
    stopped      the client ends one service, or all
    heard        a section came through one of our filters
    answered,    an `Ask` of ours has its end; what nobody waits for any more is ignored
    refused
    cards_changed  the cards, or who may see them, have changed
    handle_deadline  `next_deadline` has come (too early does no harm)
    end          the client is gone: all is given back at once, and nothing is sent

After each of them `orders` hands over what is to be done, in order. Services are told apart by
connection, adapter and service number, so that those of other connections are nobody's business
here; what is shared are the `Memory` of keys and the `Caretakers` of cards that want EMMs.

Source: docs/dvbapi-protocol.md sections 6 to 9, 12, 13 and 15.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from heapq import heappop, heappush
from itertools import count
from typing import Final

from cccamd.routing import Bucket
from cccamd.softcam.choice import Prospects
from cccamd.softcam.descrambling import Descrambling
from cccamd.softcam.emms import Caretakers, EmmCard, EmmSearch
from cccamd.softcam.memory import Memory
from cccamd.softcam.numbers import Descrambled, Numbers, Resting
from cccamd.softcam.orders import (
    AnsweredBy,
    Began,
    ClientOrder,
    Ended,
    Order,
    PassEmm,
    ServiceNumber,
    TooMany,
)
from cccamd.softcam.programme import is_same, programme_of
from cccamd.softcam.selected import Hands, Selected
from cccamd.values import ControlWords, Refusal
from cccamd.wire.dvbapi import (
    ALL_SERVICES,
    CaPmt,
    Channel,
    Command,
    ListManagement,
    SectionMatch,
    ServiceId,
)

SERVICES_LIMIT: Final = 256
NUMBERS_LIMIT: Final = 256
FILTERS_LIMIT: Final = 64
"""tvheadend's, of each demux; minisatip takes 20."""
WAKES_AT_ONCE: Final = 32
"""Services that are looked after before others have their turn: a millisecond."""
LIST_PATIENCE: Final = 2.0
"""Seconds after which a list that was begun counts as whole."""
ECM_RATE: Final = 32.0
"""ECMs a second that one connection may ask (section 16)."""
ECM_BURST: Final = 64.0
"""What may be asked at once by who was quiet before: services of one multiplex change keys
together."""
VDR: Final = "vdr"
"""In what a client calls itself: one that passes on every repetition of an ECM."""
_QUERIES: Final = (Command.QUERY, Command.QUERY_MMI)


@dataclass(slots=True, kw_only=True)
class House:
    """What all connections of one account share."""

    prospects: Prospects
    """What the cards that the account sees may make of a service."""
    emm_cards: Callable[[], Sequence[EmmCard]] = lambda: ()
    """The cards that want EMMs from this account; none: it may send none."""
    memory: Memory = field(default_factory=Memory)
    caretakers: Caretakers = field(default_factory=Caretakers)


@dataclass(slots=True)
class _List:
    """A list of services that comes entry by entry."""

    whole_at: float
    named: list[ServiceId] = field(default_factory=list)


class Softcam:
    """All services of one connection."""

    def __init__(self, house: House) -> None:
        self._house = house
        self._services: dict[ServiceNumber, Selected] = {}
        self._demuxes: dict[int, Selected] = {}
        self._waiting: dict[int, tuple[Selected, Descrambling]] = {}
        self._orders: list[Order] = []
        self._list: _List | None = None
        self._tokens = count(1)
        self._numbers = count(1)
        self._wakes: list[tuple[float, ServiceNumber]] = []
        self._wake_at: dict[ServiceNumber, float] = {}
        self._ecms = Bucket(ECM_RATE, ECM_BURST)
        self._hands = Hands(
            connection=self,
            order=self._orders.append,
            prospects=house.prospects,
            memory=house.memory,
            numbers=Numbers(NUMBERS_LIMIT),
            resting=Resting(),
            descrambled=Descrambled(),
            filter_limit=FILTERS_LIMIT,
            switches_parity=False,
            may_ask=self._ecms.take,
            new_token=self._new_token,
            end_token=self._end_token,
        )

    @property
    def services(self) -> Sequence[Selected]:
        """What the client wants clear, as it was listed."""
        return tuple(self._services.values())

    @property
    def pending(self) -> int:
        """How many ECMs are asked and not answered."""
        return len(self._waiting)

    def orders(self) -> list[Order]:
        """Hand over what is to be done since the last call."""
        found = self._orders[:]
        self._orders.clear()
        return found

    # What the client says.

    def introduced(self, text: str) -> None:
        """The client said what it is; it holds for services that come from now on."""
        self._hands.switches_parity = VDR in text.lower()

    def listed(self, channel: Channel, pmt: CaPmt, now: float) -> None:
        """The client lists a service, changes it, or ends it."""
        if pmt.command in _QUERIES:
            return  # a question whether it could be opened, to which nobody waits for an answer
        self._begin_list(pmt, now)
        service = self._find(pmt.identity)
        if pmt.command is Command.NOT_SELECTED:
            self._end_all([service] if service else [], now)
        elif service is not None:
            service.update(programme_of(channel, pmt), now)
            self._schedule(service)
        else:
            self._begin(channel, pmt, now)
        self._end_list(pmt, now)

    def stopped(self, number: int, now: float) -> None:
        """The client ends a service, which clients name in two ways, or all."""
        found = self.services
        if number != ALL_SERVICES:
            by_adapter = [each for each in found if each.programme.identity.adapter == number]
            by_demux = [each for each in found if each.programme.demux == number]
            found = by_adapter or by_demux
        else:
            self._list = None
        self._end_all(found, now)

    def heard(self, demux: int, number: int, section: bytes, now: float) -> None:
        """A section came through a filter."""
        service = self._demuxes.get(demux)
        if service is not None:
            service.heard(number, section, now)
            self._schedule(service)

    # What the cards say.

    def answered(
        self, token: int, cw: ControlWords, by: AnsweredBy, *, seconds: float, now: float
    ) -> None:
        """There is a CW for an ECM that was asked."""
        service, streams = self._waiting.pop(token, (None, None))
        if service is not None and streams is not None:
            service.answered(streams, token, cw, by, seconds=seconds, now=now)
            self._schedule(service)

    def refused(self, token: int, refusal: Refusal, now: float) -> None:
        """There is none."""
        service, streams = self._waiting.pop(token, (None, None))
        if service is not None and streams is not None:
            service.refused(streams, token, refusal, now)
            self._schedule(service)

    def cards_changed(self, now: float) -> Iterable[None]:
        """Look at all services anew, one a step: there may be many."""
        for service in self.services:
            if service.number in self._services:
                service.cards_changed(now)
                self._schedule(service)
            yield

    # Time.

    def next_deadline(self) -> float | None:
        """When to call `handle_deadline`; None: not before something else happens."""
        wakes = self._wakes
        while wakes and self._wake_at.get(wakes[0][1]) != wakes[0][0]:
            heappop(wakes)
        times = [wakes[0][0]] if wakes else []
        if self._list is not None:
            times.append(self._list.whole_at)
        return min(times, default=None)

    def handle_deadline(self, now: float) -> None:
        """Do what is due by now; of many services some, for the others it is still due then."""
        if self._list is not None and self._list.whole_at <= now:
            self._end_unnamed(now)
        for _ in range(WAKES_AT_ONCE):
            at = self.next_deadline()
            if at is None or at > now:
                return
            _, number = heappop(self._wakes)
            del self._wake_at[number]
            service = self._services[number]
            service.wake(now)
            self._schedule(service)

    def end(self, now: float) -> None:
        """The client is gone: nothing that is for it is left among the orders."""
        self._list = None
        self._end_all(self.services, now)
        self._orders[:] = [each for each in self._orders if not isinstance(each, ClientOrder)]

    # Inside.

    def _find(self, identity: ServiceId) -> Selected | None:
        found = (
            each for each in self._services.values() if is_same(each.programme.identity, identity)
        )
        return next(found, None)

    def _begin(self, channel: Channel, pmt: CaPmt, now: float) -> None:
        is_full = len(self._services) >= SERVICES_LIMIT
        demux = None if is_full else self._hands.numbers.take(pmt.adapter)
        if demux is None:
            self._orders.append(TooMany(pmt.identity))
            return
        number = ServiceNumber(next(self._numbers))
        service = Selected(self._hands, number, programme_of(channel, pmt), demux)
        service.emms = EmmSearch(
            self._house.emm_cards, self._house.caretakers, _EmmFilters(service)
        )
        self._services[number] = self._demuxes[demux] = service
        self._orders.append(Began(number, service))
        service.begin(now)
        self._schedule(service)

    def _end_all(self, services: Iterable[Selected], now: float) -> None:
        for service in services:
            del self._services[service.number]
            del self._demuxes[service.demux]
            self._wake_at.pop(service.number, None)
            service.end(now)
            self._orders.append(Ended(service.number))

    # Lists: what one does not name ends when it is whole.

    def _begin_list(self, pmt: CaPmt, now: float) -> None:
        is_ended = pmt.command is Command.NOT_SELECTED
        if pmt.list_management is ListManagement.FIRST or (_is_only(pmt) and not is_ended):
            self._list = _List(now + LIST_PATIENCE)
        if self._list is not None and not is_ended:
            self._list.named.append(pmt.identity)

    def _end_list(self, pmt: CaPmt, now: float) -> None:
        is_ended = pmt.command is Command.NOT_SELECTED
        if pmt.list_management is ListManagement.LAST or (_is_only(pmt) and not is_ended):
            self._end_unnamed(now)

    def _end_unnamed(self, now: float) -> None:
        whole, self._list = self._list, None
        if whole is None:  # the last of a list that was not begun: nothing can be missing
            return
        unnamed = [
            service
            for service in self.services
            if not any(is_same(service.programme.identity, each) for each in whole.named)
        ]
        self._end_all(unnamed, now)

    # Tokens and timers.

    def _new_token(self, service: Selected, streams: Descrambling) -> int:
        token = next(self._tokens)
        self._waiting[token] = service, streams
        return token

    def _end_token(self, token: int) -> None:
        self._waiting.pop(token, None)

    def _schedule(self, service: Selected) -> None:
        at = service.next_at
        if service.number not in self._services or at is None:
            self._wake_at.pop(service.number, None)
        elif self._wake_at.get(service.number) != at:
            self._wake_at[service.number] = at
            heappush(self._wakes, (at, service.number))


def _is_only(pmt: CaPmt) -> bool:
    return pmt.list_management is ListManagement.ONLY


class _EmmFilters:
    """A service's filters, for its EMMs."""

    def __init__(self, service: Selected) -> None:
        self._service = service

    def add(self, pid: int, match: SectionMatch, now: float) -> int | None:
        """Let through such sections."""
        return self._service.filters.add(self._service.channel, pid, match, now)

    def drop(self, number: int, now: float) -> None:
        """They are not needed any more."""
        self._service.filters.drop(self._service.channel, number, now)

    def pass_emm(self, card: EmmCard, section: bytes) -> None:
        """An EMM came."""
        service = self._service
        service.order(PassEmm(service.number, card.share_id, card.caid, section))
