"""EMMs that come with a service: found by its CAT, filtered for cards that want them.

Source: docs/dvbapi-protocol.md section 13. Theory of operation. Some seconds after the first CW of
a service, and only while there is a card that no other service looks after, the client is asked
for the CAT; it says on which PID the EMMs of a CAID come. For each such card the service *holds*
the card then, on all connections the only one, until the service ends or the card is gone: two
receivers would only send the same. Services that hold nothing look again from time to time.
"""

from collections import OrderedDict
from collections.abc import Callable, Iterable, Iterator, Sequence
from hashlib import blake2b
from typing import Final, NamedTuple, Protocol

from cccamd.ids import Caid, ShareId
from cccamd.values import EMM_TABLE_IDS
from cccamd.wire.dvbapi import CAT, SectionMatch

DELAY: Final = 12.0
"""Seconds after the first CW: the picture comes first."""
LOOK_AGAIN: Final = 30.0
CAT_LIFETIME: Final = 600.0
"""Seconds after which the CAT is read again by who may need it."""
REPEATED: Final = 60.0
"""Seconds in which an EMM that comes again is the same: carousels repeat four times a second."""
REMEMBERED: Final = 256
PIDS_LIMIT: Final = 4
"""EMM PIDs of one CAID that are listened to: minisatip has 20 filters for a service."""

_CAT_PID: Final = 1
_CAT_HEAD: Final = 8
_CRC: Final = 4
_CA_TAG: Final = 0x09
_PID_MASK: Final = 0x1FFF

ANY_EMM: Final = (
    SectionMatch.table(0x82, 0xFE),
    SectionMatch.table(0x84, 0xFC),
    SectionMatch.table(0x88, 0xF8),
)
"""What lets all EMMs through, 82 to 8f, and no ECMs: where nobody knows how a system addresses."""


class EmmCard(NamedTuple):
    """A card that wants EMMs."""

    share_id: ShareId
    caid: Caid
    matches: tuple[SectionMatch, ...] = ANY_EMM
    """Which EMMs may be for it."""


class Caretakers:
    """Which service looks after which card; one for all connections."""

    def __init__(self) -> None:
        self._held: dict[tuple[ShareId, Caid], object] = {}

    def take(self, card: EmmCard, who: object) -> bool:
        """Hold a card, if nobody does."""
        return self._held.setdefault(card[:2], who) is who

    def is_free(self, card: EmmCard, who: object) -> bool:
        """Whether nobody holds it, or who asks does."""
        return self._held.get(card[:2], who) is who

    def leave(self, card: EmmCard, who: object) -> None:
        """Hold it no more."""
        if self._held.get(card[:2]) is who:
            del self._held[card[:2]]


class EmmFilters(Protocol):
    """The service's filters, as far as EMMs need them."""

    def add(self, pid: int, match: SectionMatch, now: float) -> int | None:
        """Let through such sections; the filter's number, or None: there are too many."""

    def drop(self, number: int, now: float) -> None:
        """They are not needed any more."""

    def pass_emm(self, card: EmmCard, section: bytes) -> None:
        """An EMM came."""


class EmmSearch:
    """The EMMs of one service."""

    def __init__(
        self,
        cards: Callable[[], Sequence[EmmCard]],
        caretakers: Caretakers,
        filters: EmmFilters,
    ) -> None:
        """`cards`: those that want EMMs now, and may have them from this client."""
        self._cards = cards
        self._caretakers = caretakers
        self._filters = filters
        self._at: float | None = None
        self._is_lit = False
        self._cat_filter: int | None = None
        self._cat_sections: dict[int, bytes] = {}
        self._cat_at = 0.0
        self._pids: dict[Caid, tuple[int, ...]] | None = None
        """Where EMMs are, as the CAT says; None: it is not known."""
        self._held: dict[EmmCard, None] = {}
        """The cards that it looks after."""
        self._open: dict[tuple[int, SectionMatch], int] = {}
        """The filters for them, by PID and match: cards of one CAID may share them."""
        self._seen: OrderedDict[bytes, float] = OrderedDict()

    @property
    def next_at(self) -> float | None:
        """When `wake` wants to be called."""
        return self._at

    @property
    def cards(self) -> tuple[EmmCard, ...]:
        """The cards that it looks after."""
        return tuple(self._held)

    def lit(self, now: float) -> None:
        """There was a CW."""
        if not self._is_lit:
            self._is_lit, self._at = True, now + DELAY

    def wake(self, now: float) -> None:
        """Do what is due."""
        if self._at is not None and self._at <= now:
            self._at = now + LOOK_AGAIN
            self._search(now)

    def look(self, now: float) -> None:
        """Cards came or went: let go of what is gone."""
        wanted = set(self._cards())
        for card in [card for card in self._held if card not in wanted]:
            del self._held[card]
            self._caretakers.leave(card, self)
        needed = {key for card in self._held for key in self._keys(card)}
        for key in [key for key in self._open if key not in needed]:
            self._filters.drop(self._open.pop(key), now)

    def heard(self, number: int, section: bytes, now: float) -> None:
        """A section came through one of its filters."""
        if number == self._cat_filter:
            self._read_cat(section, now)
            return
        key = next((key for key, its in self._open.items() if its == number), None)
        if key is None or section[0] not in EMM_TABLE_IDS:
            return
        for card in self._held:
            if key in self._keys(card):
                self._take(card, section, now)

    def end(self) -> None:
        """The service is not wanted any more."""
        for card in self._held:
            self._caretakers.leave(card, self)
        self._held.clear()
        self._open.clear()

    def _keys(self, card: EmmCard) -> Iterator[tuple[int, SectionMatch]]:
        """The filters that a card needs."""
        pids = (self._pids or {}).get(card.caid, ())
        return ((pid, match) for pid in pids for match in card.matches)

    def _search(self, now: float) -> None:
        self.look(now)
        free = [card for card in self._cards() if self._caretakers.is_free(card, self)]
        if all(card in self._held for card in free):
            return
        if self._pids is None or now - self._cat_at >= CAT_LIFETIME:
            if self._cat_filter is None:
                self._cat_sections.clear()
                self._cat_filter = self._filters.add(_CAT_PID, CAT, now)
            return
        self._look_after(free, now)

    def _read_cat(self, section: bytes, now: float) -> None:
        if len(section) < _CAT_HEAD + _CRC:
            return
        number, last = section[6], section[7]
        self._cat_sections[number] = section
        if self._cat_filter is None or any(
            each not in self._cat_sections for each in range(last + 1)
        ):
            return
        self._filters.drop(self._cat_filter, now)
        self._cat_filter, self._cat_at = None, now
        found: dict[Caid, dict[int, None]] = {}
        for caid, pid in emm_pids(self._cat_sections.values()):
            found.setdefault(caid, {})[pid] = None
        self._cat_sections.clear()
        self._pids = {caid: tuple(pids)[:PIDS_LIMIT] for caid, pids in found.items()}
        free = [card for card in self._cards() if self._caretakers.is_free(card, self)]
        self._look_after(free, now)

    def _look_after(self, cards: Iterable[EmmCard], now: float) -> None:
        for card in cards:
            keys = tuple(self._keys(card))
            if card in self._held or not keys or not self._caretakers.take(card, self):
                continue
            self._held[card] = None
            for key in keys:
                number = None if key in self._open else self._filters.add(*key, now)
                if number is not None:
                    self._open[key] = number

    def _take(self, card: EmmCard, section: bytes, now: float) -> None:
        name = blake2b(section, key=card.share_id.to_bytes(4), digest_size=16).digest()
        if now - self._seen.get(name, -REPEATED) < REPEATED:
            return
        self._seen[name] = now
        self._seen.move_to_end(name)
        if len(self._seen) > REMEMBERED:
            self._seen.popitem(last=False)
        self._filters.pass_emm(card, section)


def emm_pids(sections: Iterable[bytes]) -> Iterator[tuple[Caid, int]]:
    """CAID and EMM PID of each CA descriptor of a CAT."""
    for section in sections:
        at, end = _CAT_HEAD, len(section) - _CRC
        while at + 2 <= end:
            body = section[at + 2 : at + 2 + section[at + 1]]
            if section[at] == _CA_TAG and len(body) >= 4:
                yield Caid(int.from_bytes(body[:2])), int.from_bytes(body[2:4]) & _PID_MASK
            at += 2 + section[at + 1]
