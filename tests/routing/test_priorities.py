"""CCcam.prio as it is indexed, against a straightforward reading of its lines."""

import time
from collections.abc import Iterable

from desk import Desk
from hypothesis import given
from hypothesis import strategies as st

from cccamd.cards import Card
from cccamd.ids import Caid, Ident, Sid
from cccamd.routing import Priorities
from cccamd.values import Service

CAID = Caid(0x0B00)
_CAIDS = st.sampled_from([CAID, Caid(0x0500), Caid(0x1801)])
_IDENTS = st.sampled_from([Ident(number) for number in range(5)])
_SERVICES = st.builds(Service, _CAIDS, _IDENTS, st.sampled_from([Sid(0), Sid(1), Sid(2)]))
_CARDS = st.lists(st.lists(_IDENTS, max_size=3).map(tuple), min_size=1, max_size=4)


def offers(card: Card, ident: Ident) -> bool:
    return not ident or any(provider.ident in (0, ident) for provider in card.providers)


def read_ignored(lines: Iterable[Service], card: Card, service: Service) -> bool:
    caid, ident, sid = service
    idents = {line.ident for line in lines if line.caid == caid and line.sid in (0, sid)}
    if card.hop == 0 or not idents:
        return False
    asked = {ident} if ident else {provider.ident for provider in card.providers}
    return 0 in idents or asked <= idents


def read_order(
    lines: Iterable[tuple[Service, ...]], cards: list[Card], service: Service
) -> dict[Card, int]:
    caid, ident, sid = service
    if ident or caid >> 8 == 0x18:
        return {}
    for line in lines:
        idents = [system.ident for system in line if system.caid == caid]
        if not idents or line[0].sid not in (0, sid):
            continue
        if all(any(offers(card, each) for card in cards) for each in idents):
            return {card: place(card, idents) for card in cards}
    return {}


def place(card: Card, idents: list[Ident]) -> int:
    offered = [number for number, ident in enumerate(idents, 1) if offers(card, ident)]
    return offered[0] if offered else len(idents) + 1


def make_cards(idents: list[tuple[Ident, ...]]) -> list[Card]:
    desk = Desk()
    return [desk.upstream(f"n{number}", idents=each) for number, each in enumerate(idents)]


@given(st.lists(_SERVICES, max_size=8), _CARDS, _SERVICES)
def test_the_i_lines_say_what_they_say_one_by_one(
    lines: list[Service], idents: list[tuple[Ident, ...]], service: Service
) -> None:
    priorities = Priorities.of(lines, ())
    for card in make_cards(idents):
        assert priorities.ignores(card, service) is read_ignored(lines, card, service)


@given(
    st.lists(st.lists(_SERVICES, min_size=1, max_size=4).map(tuple), max_size=8), _CARDS, _SERVICES
)
def test_the_first_p_line_that_matches_decides(
    lines: list[tuple[Service, ...]], idents: list[tuple[Ident, ...]], service: Service
) -> None:
    cards = make_cards(idents)
    found = Priorities.of((), lines).order(cards, service)
    assert found == read_order(lines, cards, service)


def test_a_file_of_thousands_of_lines_costs_an_ecm_no_more_than_a_short_one() -> None:
    """Real time, with much room: line by line it takes a hundred times as long."""
    cards = make_cards([(Ident(1),), (Ident(2),)])
    service = Service(CAID, Ident(0), Sid(1))

    def cost(lines: int) -> float:
        pairs = [
            (Service(CAID, Ident(1), Sid(2 + number)), Service(CAID, Ident(9 + number), Sid(0)))
            for number in range(lines)
        ]
        priorities = Priorities.of([pair[0] for pair in pairs], pairs)
        best = float("inf")
        for _ in range(5):
            begin = time.perf_counter()
            for _ in range(100):
                priorities.order(cards, service)
                priorities.ignores(cards[0], service)
            best = min(best, time.perf_counter() - begin)
        return best

    assert cost(14_000) < 10 * cost(2)
