"""A receiver program as the softcam's orders make it: what it believes is checked all the time."""

from collections.abc import Iterable
from dataclasses import dataclass, field

from cccamd.ids import Caid, Ident, Sid
from cccamd.softcam import (
    AnsweredBy,
    Ask,
    Began,
    Chance,
    Ended,
    Forget,
    House,
    Order,
    PassEmm,
    Prospect,
    RemovePid,
    SetFilter,
    SetHalf,
    SetPid,
    Softcam,
    StopFilter,
    TellEcm,
    TooMany,
)
from cccamd.values import ControlWords, Refusal
from cccamd.wire.dvbapi import (
    CaDescriptor,
    CaPmt,
    Channel,
    Command,
    ListManagement,
    NetworkIds,
    Parity,
    SectionMatch,
    Stream,
)

CAID, OTHER_CAID = 0x0B00, 0x0D05
VIDEO, AUDIO = 100, 101
ECM_PID, OTHER_ECM_PID = 200, 201
BY = AnsweredBy(reader="card", source="local", protocol="local")

ONLY, FIRST, MORE, LAST, ADD, UPDATE = (
    ListManagement.ONLY,
    ListManagement.FIRST,
    ListManagement.MORE,
    ListManagement.LAST,
    ListManagement.ADD,
    ListManagement.UPDATE,
)
Ca = tuple[int, int]


def pmt(
    sid: int = 1,
    *,
    ca: Iterable[Ca] = ((CAID, ECM_PID),),
    pids: Iterable[int] = (VIDEO, AUDIO),
    own: dict[int, Iterable[Ca]] | None = None,
    manage: ListManagement = ONLY,
    command: Command = Command.DECODE,
    adapter: int = 0,
    demux: int | None = None,
    tsid: int | None = 7,
    version: int = 1,
) -> CaPmt:
    """A CA_PMT; `own`: CA descriptors of single streams."""
    own = own or {}
    return CaPmt(
        list_management=manage,
        command=command,
        service=Sid(sid),
        version=version,
        adapter=adapter,
        descriptors=_descriptors(ca),
        streams=tuple(Stream(2, pid, _descriptors(own.get(pid, ()))) for pid in pids),
        network=None if tsid is None else NetworkIds(0, tsid, 1),
        demux=demux,
    )


def _descriptors(ca: Iterable[Ca]) -> tuple[CaDescriptor, ...]:
    return tuple(CaDescriptor(Caid(caid), pid) for caid, pid in ca)


def ecm(number: int, parity: int | None = None, *, chain: int = 0) -> bytes:
    """An ECM section; parities alternate with the numbers."""
    table_id = 0x80 + (number % 2 if parity is None else parity)
    body = bytes((0, chain)) + number.to_bytes(4)
    return bytes((table_id, 0x70, len(body))) + body


def cw(even: int, odd: int | None = None) -> ControlWords:
    """Both halves; 0: not told."""
    odd = even + 1 if odd is None else odd
    return ControlWords(bytes((even,)) * 8 + bytes((odd,)) * 8)


class Cards:
    """What the cards may make of a CAID."""

    def __init__(self, *served: int) -> None:
        self.served = {caid: Prospect(Chance.SERVED, local=True, cards=caid) for caid in served}
        self.otherwise = Prospect(Chance.MAY_COME)

    def __call__(self, caid: Caid, ident: Ident, sid: Sid) -> Prospect:
        return self.served.get(caid, self.otherwise)


@dataclass
class Receiver:
    """Its filters, its streams and its keys, as it was told."""

    cards: Cards = field(default_factory=lambda: Cards(CAID))
    house: House = None  # type: ignore[assignment]
    text: str = "tvheadend"
    now: float = 1000.0
    filters: dict[tuple[int, int], tuple[int, int, SectionMatch]] = field(default_factory=dict)
    """Adapter, PID and match by demux and number."""
    pids: dict[tuple[int, int], int] = field(default_factory=dict)
    """The index by adapter and PID."""
    keys: dict[tuple[int, int], bytes] = field(default_factory=dict)
    """By index and parity."""
    asks: dict[int, Ask] = field(default_factory=dict)
    services: dict[int, object] = field(default_factory=dict)
    indices: set[int] = field(default_factory=set)
    """All that streams were told of."""
    emms: list[PassEmm] = field(default_factory=list)
    stopped: int = 0

    def __post_init__(self) -> None:
        self.house = self.house or House(prospects=self.cards)
        self.softcam = Softcam(self.house)
        self.softcam.introduced(self.text)

    # What it does.

    def say(self, *pmts: CaPmt) -> list[Order]:
        found: list[Order] = []
        for each in pmts:
            self.softcam.listed(Channel(each.adapter, 0), each, self.now)
            found += self.obey()
        return found

    def stop(self, number: int) -> list[Order]:
        self.softcam.stopped(number, self.now)
        return self.obey()

    def send(self, section: bytes, pid: int = ECM_PID) -> list[Order]:
        """Send a section through every filter that lets it through."""
        for (demux, number), (_, its_pid, match) in list(self.filters.items()):
            if its_pid == pid and match.matches(section):
                self.softcam.heard(demux, number, section, self.now)
        return self.obey()

    def answer(self, words: ControlWords, token: int | None = None) -> list[Order]:
        token = max(self.asks) if token is None else token
        self.asks.pop(token, None)
        self.softcam.answered(token, words, BY, seconds=0.1, now=self.now)
        return self.obey()

    def refuse(self, refusal: Refusal, token: int | None = None) -> list[Order]:
        token = max(self.asks) if token is None else token
        self.asks.pop(token, None)
        self.softcam.refused(token, refusal, self.now)
        return self.obey()

    def change_cards(self, *served: int) -> list[Order]:
        self.cards.served = Cards(*served).served
        for _ in self.softcam.cards_changed(self.now):
            pass
        return self.obey()

    def wait(self, seconds: float) -> list[Order]:
        """Let time pass; what is due is done when it is due."""
        until, found = self.now + seconds, list[Order]()
        while (at := self.softcam.next_deadline()) is not None and at <= until:
            self.now = max(self.now, at)
            self.softcam.handle_deadline(self.now)
            found += self.obey()
        self.now = until
        return found

    def watch(self, number: int, words: ControlWords | None = None) -> list[Order]:
        """One crypto period begins: the ECM goes out, the CW comes back."""
        found = self.send(ecm(number))
        return found + self.answer(words or cw(2 * number + 2))

    # What it is told.

    def obey(self) -> list[Order]:
        found = self.softcam.orders()
        for order in found:
            self._obey(order)
        return found

    def _obey(self, order: Order) -> None:
        match order:
            case SetFilter(channel, demux, number, pid, wanted):
                assert 0 <= demux <= 255
                assert 0 <= number <= 63
                before = self.filters.get((demux, number))
                assert before is None or before[:2] == (channel.adapter, pid), "a number reused"
                others = {adapter for (d, _), (adapter, *_) in self.filters.items() if d == demux}
                assert others <= {channel.adapter}, "one demux, two adapters"
                self.filters[demux, number] = channel.adapter, pid, wanted
            case StopFilter(channel, demux, number, pid):
                assert self.filters.pop((demux, number))[:2] == (channel.adapter, pid)
                self.stopped += 1
            case SetPid(channel, pid, key):
                assert self.pids.get((channel.adapter, pid)) != key, "told twice"
                self.pids[channel.adapter, pid] = key
                self.indices.add(key)
            case RemovePid(channel, pid):
                del self.pids[channel.adapter, pid]
            case SetHalf():
                assert order.key in self.indices, "a key before its streams"
                self.keys[order.key, order.parity] = order.cw
            case Ask(token):
                assert token not in self.asks
                self.asks[token] = order
            case Forget(token):
                del self.asks[token]
            case Began(service, selected):
                self.services[service] = selected
            case Ended(service):
                del self.services[service]
            case PassEmm():
                self.emms.append(order)
            case TellEcm() | TooMany():
                pass

    @property
    def ecm_pids(self) -> list[int]:
        return sorted(pid for _, pid, match in self.filters.values() if match.value[0] >= 0x80)

    def halves(self, key: int = 0) -> tuple[bytes | None, bytes | None]:
        return self.keys.get((key, Parity.EVEN)), self.keys.get((key, Parity.ODD))

    @property
    def is_clean(self) -> bool:
        """Whether nothing is left of anything."""
        return not (self.filters or self.pids or self.asks or self.services)


def kinds(orders: Iterable[Order]) -> str:
    """The kinds of orders for the client, one letter each, in order."""
    letters = {
        SetFilter: "F", StopFilter: "f", SetPid: "P", RemovePid: "p", SetHalf: "K", TellEcm: "I"
    }  # fmt: skip
    return "".join(letters.get(type(order), "") for order in orders)
