"""What the router is made of: times, priorities, standby groups, verification, clones."""

import pytest
from desk import Desk
from hypothesis import given
from hypothesis import strategies as st
from network import CAID, IDENT, cw_of

from cccamd.cards import Candidates, Card, SourceId
from cccamd.ids import SHARED_NODE_IDS, Caid, Ident, NodeId, ShareId, Sid
from cccamd.routing import (
    CloneDetector,
    NodeHolder,
    Priorities,
    SourceTraits,
    Store,
    Told,
    Wanted,
)
from cccamd.routing.cache import CwCache
from cccamd.routing.choosing import HedgeBudget, Pauses
from cccamd.routing.health import (
    FORGOTTEN_AFTER,
    LEFT_KEPT,
    SAMPLES,
    AnswerTimes,
    Health,
    SourceHealth,
    StandbyGroup,
    overdue_after,
    stalled_after,
)
from cccamd.routing.verification import Verification
from cccamd.setup.cccamcfg import parse_prio
from cccamd.values import ControlWords, Fingerprints, Outcome, Refusal, Request, Service

SERVICE = Service(CAID, IDENT, Sid(1))


def key(number: int) -> bytes:
    return number.to_bytes(2)


# Times.


@given(st.lists(st.floats(0, 5), min_size=1, max_size=100))
def test_the_usual_time_is_that_of_nearly_all_of_the_last_answers(seconds: list[float]) -> None:
    times = AnswerTimes()
    for index, each in enumerate(seconds):
        times.add(each, float(index))
    usual = times.usual(float(len(seconds)))
    assert usual is not None
    window = seconds[-SAMPLES:]
    assert usual in window
    assert sum(each <= usual for each in window) >= 0.95 * len(window)


def test_one_stall_among_many_does_not_count() -> None:
    times = AnswerTimes()
    for index in range(31):
        times.add(0.1, float(index))
    times.add(3.0, 31.0)
    assert times.usual(32.0) == 0.1


def test_what_is_long_ago_is_forgotten() -> None:
    times = AnswerTimes()
    times.add(3.0, 0.0)
    assert times.usual(FORGOTTEN_AFTER) == 3.0
    assert times.usual(FORGOTTEN_AFTER + 1) is None
    times.add(0.1, FORGOTTEN_AFTER + 1)
    assert times.usual(FORGOTTEN_AFTER + 1) == 0.1


def test_a_service_has_times_of_its_own_from_the_fourth_answer_on() -> None:
    health = SourceHealth()
    slow = (CAID, IDENT, Sid(2))
    for index in range(20):
        health.count_answer(SERVICE, 0.1, float(index))
    for index in range(3):
        health.count_answer(slow, 2.0, 20.0 + index)
    assert health.usual(slow, 23.0) == health.usual((CAID, IDENT, Sid(3)), 23.0) == 2.0
    for _ in range(32):
        health.count_answer(SERVICE, 0.1, 24.0)
    assert health.usual(slow, 25.0) == 0.1, "three answers say too little"
    health.count_answer(slow, 2.0, 26.0)
    assert health.usual(slow, 27.0) == 2.0
    assert health.usual(SERVICE, 27.0) == 0.1


def test_silence_counts_against_the_service_and_only_if_it_hangs_against_the_source() -> None:
    alive, hung = SourceHealth(), SourceHealth()
    alive.silence.heard(15.0)
    hung.silence.heard(9.9)
    for health in (alive, hung):
        for _ in range(4):
            health.count_silence(SERVICE, 10.0, 20.0)
        assert health.usual(SERVICE, 20.0) == 10.0
    assert alive.usual((CAID, IDENT, Sid(2)), 20.0) is None
    assert hung.usual((CAID, IDENT, Sid(2)), 20.0) == 10.0


def test_a_source_is_late_until_it_says_something_or_a_crypto_period_is_over() -> None:
    health = SourceHealth()
    assert not health.is_late(0.0)
    health.late_since = 5.0
    assert health.is_late(14.9)
    assert not health.is_late(15.0)
    health.silence.heard(5.0)
    assert not health.is_late(6.0)


@pytest.mark.parametrize(
    ("usual", "overdue", "stalled"),
    [
        (0.0, 0.05, 0.4),
        (0.04, 0.05, 0.4),
        (0.16, 0.2, 0.4),
        (0.2, 0.25, 0.5),
        (0.4, 0.5, 1.0),
        (0.6, 0.75, 1.5),
        (0.8, 1.0, 1.5),
        (1.6, 1.0, 2.0),
        (5.0, 1.0, 2.25),
    ],
)
def test_how_long_a_source_is_waited_for(usual: float, overdue: float, stalled: float) -> None:
    assert overdue_after(usual) == pytest.approx(overdue)
    assert stalled_after(usual, 4.5) == pytest.approx(stalled)


def test_a_change_shows_as_soon_as_an_eighth_of_the_answers_is_new() -> None:
    times = AnswerTimes()
    for _ in range(32):
        times.add(0.1, 0.0)
    assert times.usual(0.0) == 0.1
    for _ in range(4):
        times.add(0.9, 0.0)
        assert times.usual(0.0) == 0.1
    times.add(0.9, 0.0)
    assert times.usual(0.0) == 0.9


def test_the_oldest_of_many_services_is_forgotten() -> None:
    health = SourceHealth()
    for sid in range(1, 258):
        for _ in range(4):
            health.count_answer(Service(CAID, IDENT, Sid(sid)), float(sid), 0.0)
    assert len(health.service_times) == 256
    last = health.usual(Service(CAID, IDENT, Sid(257)), 0.0)
    assert health.usual(Service(CAID, IDENT, Sid(1)), 0.0) == last == 257.0, "the whole source's"
    assert health.usual(Service(CAID, IDENT, Sid(2)), 0.0) == 2.0


def test_who_takes_one_at_a_time_has_as_many_turns_as_it_has_work() -> None:
    health = SourceHealth(load=3)
    assert health.turns == 1
    health.traits = SourceTraits(one_at_a_time=True)
    assert health.turns == 4


def test_a_source_may_change_or_leave_its_group() -> None:
    desk = Desk()
    main, other = (
        desk.upstream(name, traits=SourceTraits(group="g", rank=rank))
        for rank, name in enumerate("ab")
    )
    health = Health()
    for rank, card in enumerate((main, other)):
        health.ready(card.source, SourceTraits(group="g", rank=rank), 0.0)
    assert [health.place(card, 0.0) for card in (main, other)] == [0, 1]
    health.ready(main.source, SourceTraits(group="g", rank=2), 1.0)
    assert [health.place(card, 1.0) for card in (main, other)] == [1, 0]
    health.ready(main.source, SourceTraits(group="g", rank=0), 2.0)
    health.ready(main.source, SourceTraits(group="h"), 3.0)
    assert [health.place(card, 3.0) for card in (main, other)] == [0, 0]
    health.ready(main.source, SourceTraits(), 4.0)
    health.stalled(main.source, 5.0)
    health.lost(main.source)
    assert health.place(main, 6.0) == 0
    assert health.lost_sources == {main.source}


def test_a_source_that_has_left_is_forgotten_when_no_request_can_know_its_cards() -> None:
    desk, health = Desk(), Health()
    cards = [desk.upstream(f"{number}") for number in range(20)]
    for number, card in enumerate(cards):
        now = 100.0 * number
        health.ready(card.source, SourceTraits(group="g", rank=number), now)
        health.lost(card.source)
        health.leave(card.source, now)
        health.doubt(card.source, now)  # a timer of a request that it was asked
        health.given_up(now)
        assert health.place(card, now) >= 0
        assert card.source in health.lost_sources
    still_known = {card.source for n, card in enumerate(cards) if 100.0 * (19 - n) <= LEFT_KEPT}
    assert health.lost_sources == health.doubted == still_known
    assert len(health) == len(still_known) == 4
    health.ready(cards[0].source, SourceTraits(), 5000.0)
    health.leave(cards[0].source, 5000.0)
    health.leave(cards[1].source, 6000.0)
    assert len(health) == 0
    assert not health._groups


def test_pauses_grow_for_the_same_refusal_only_and_are_bounded() -> None:
    card = Desk().local()
    pauses = Pauses()

    def pause(refusal: Outcome, service: Service = SERVICE) -> float:
        pauses.start(card, service, refusal, 100.0)
        found = pauses.get(card, service)
        assert found is not None
        return found.until - 100.0

    assert [pause(Outcome.REFUSED) for _ in range(4)] == [1.0, 2.0, 4.0, 4.0]
    assert [pause(Outcome.CANNOT_DECODE) for _ in range(2)] == [8.0, 8.0]
    assert [pause(Outcome.REFUSED), pause(Outcome.CHECKSUM)] == [1.0, 2.0]
    assert [pause(Outcome.NO_ANSWER), pause(Outcome.REFUSED)] == [0.0, 1.0], "a refusal rests"
    assert pauses.rests(card, SERVICE, 100.9)
    assert not pauses.rests(card, SERVICE, 102.0)
    pauses.end(card, SERVICE)
    assert pauses.get(card, SERVICE) is None
    for sid in range(1, 10_002):
        pauses.start(card, Service(CAID, IDENT, Sid(sid)), Outcome.REFUSED, 100.0)
    assert len(pauses) == 10_000
    assert pauses.get(card, SERVICE) is None, "the oldest went"
    assert pauses.get(card, Service(CAID, IDENT, Sid(2))) is not None


def test_what_is_saved_for_extra_requests_is_bounded() -> None:
    budget = HedgeBudget(0.5)
    assert budget.spend()
    assert not budget.spend()
    for _ in range(100):
        budget.save()
    assert sum(budget.spend() for _ in range(100)) == 10
    budget.save()
    assert not budget.spend()
    budget.save()
    assert budget.spend()


def test_the_last_cws_of_so_many_services_only_are_remembered() -> None:
    verification, card = Verification(check_checksums=True), Desk().upstream("a")
    cw = cw_of(b"x")
    for sid in range(1, 2002):
        verification.accept(Service(CAID, IDENT, Sid(sid)), key(0), cw, card)
    flaws = [verification.flaw(Service(CAID, IDENT, Sid(sid)), key(1), cw) for sid in (1, 2, 2001)]
    assert flaws == [None, Outcome.REPEATED, Outcome.REPEATED]


def test_without_a_service_no_cw_repeats() -> None:
    verification, card = Verification(check_checksums=True), Desk().upstream("a")
    verification.accept(Service(CAID, IDENT, Sid(0)), key(0), cw_of(b"x"), card)
    assert verification.flaw(Service(CAID, IDENT, Sid(0)), key(1), cw_of(b"x")) is None


def test_the_budget_is_a_share_of_the_requests() -> None:
    budget = HedgeBudget(0.1)
    spent = 0
    for _ in range(1000):
        budget.save()
        spent += budget.spend()
    assert 100 <= spent <= 101
    assert not HedgeBudget(0.0).spend()


# The cache.


def told(cache: CwCache, number: int, now: float, card: Card) -> Told | None:
    """What is known for one who may see this card alone."""
    request = Request(CAID, Ident(IDENT), ShareId(0), Sid(1), b"\x80")
    seen = Candidates((card,), frozenset({card}), frozenset({card.id}), Refusal.PASSING)
    wanted = Wanted(request, key(number), seen, None)
    return cache.answer(wanted, now, lambda told: True)


def test_the_cache_is_bounded_and_the_oldest_goes_first() -> None:
    card = Desk().local()
    cache = CwCache(limit=3, lifetime=15.0)
    for number in range(5):
        cache.put(Store(key(number), card, cw_of(b"x"), []), float(number))
    assert [told(cache, number, 5.0, card) is not None for number in range(5)] == [
        False,
        False,
        True,
        True,
        True,
    ]
    assert len(cache) == 3


def test_what_is_over_goes_however_much_the_cache_may_hold() -> None:
    card = Desk().local()
    cache = CwCache(limit=2000, lifetime=15.0)
    for number in range(400):
        cache.put(Store(key(number), card, cw_of(b"x"), []), number / 10)
    assert len(cache) == 150
    for number in range(400, 480):  # a quiet minute later, two for each that comes
        cache.put(Store(key(number), card, cw_of(b"x"), []), 100.0)
    assert len(cache) == 80
    assert told(cache, 400, 101.0, card) is not None


def test_an_answer_that_is_told_anew_is_the_newest() -> None:
    card = Desk().local()
    cache = CwCache(limit=2, lifetime=15.0)
    for number, now in ((0, 0.0), (1, 14.0), (0, 15.0), (2, 16.0)):
        cache.put(Store(key(number), card, cw_of(b"x"), []), now)
    assert [told(cache, number, 16.0, card) is not None for number in range(3)] == [
        True,
        False,
        True,
    ]
    assert told(cache, 0, 29.9, card) is not None
    assert told(cache, 0, 30.0, card) is None


def test_the_first_answer_stays_and_cards_that_agree_are_added() -> None:
    desk = Desk()
    one, two, liar = desk.local(), desk.local(), desk.local()
    cache = CwCache(limit=3, lifetime=15.0)
    cache.put(Store(key(0), one, cw_of(b"x"), []), 0.0)
    cache.put(Store(key(0), liar, cw_of(b"y"), []), 0.0)
    cache.put(Store(key(0), two, cw_of(b"x"), []), 1.0)
    for card in (one, two):
        answer = told(cache, 0, 2.0, card)
        assert answer is not None
        assert (answer.cw, answer.card) == (cw_of(b"x"), card)
    assert told(cache, 0, 2.0, liar) is None, "it is for those who may see a card that gave it"
    assert told(cache, 0, 14.9, two) is not None
    assert told(cache, 0, 15.0, two) is None  # the second one does not make it younger


def test_one_ecm_is_one_whatever_its_service_and_its_name_needs_the_key() -> None:
    def wanted(sid: int, section: bytes = b"\x80", ident: int = IDENT) -> Request:
        return Request(CAID, Ident(ident), ShareId(sid), Sid(sid), section)

    ours, others = Fingerprints(b"ours"), Fingerprints(b"theirs")
    assert ours.of(wanted(1)) == ours.of(wanted(2)) == Fingerprints(b"ours").of(wanted(3))
    assert len(ours.of(wanted(1))) == 16
    different = {
        ours.of(wanted(1)),
        ours.of(wanted(1, b"\x81")),
        ours.of(wanted(1, ident=0)),
        others.of(wanted(1)),
    }
    assert len(different) == 4


# Verification.


def test_flaws() -> None:
    verification = Verification(check_checksums=True)
    half = ControlWords(bytes(8) + cw_of(b"x").odd)
    assert verification.flaw(SERVICE, key(0), half) is None
    assert verification.flaw(SERVICE, key(0), ControlWords(bytes(16))) is Outcome.ZERO
    assert verification.flaw(SERVICE, key(0), ControlWords(bytes(range(16)))) is Outcome.CHECKSUM
    lenient = Verification(check_checksums=False)
    assert lenient.flaw(SERVICE, key(0), ControlWords(bytes(range(16)))) is None


@given(st.binary(min_size=16, max_size=16))
def test_checksums_are_judged_as_the_wire_judges_them(raw: bytes) -> None:
    cw = ControlWords(raw)
    flaw = Verification(check_checksums=True).flaw(SERVICE, key(0), cw)
    assert (flaw is None) == (cw.checksums_valid and not cw.is_zero)


def test_a_cw_repeats_only_for_another_ecm_of_the_same_service() -> None:
    verification, card = Verification(check_checksums=True), Desk().upstream("a")
    verification.accept(SERVICE, key(0), cw_of(b"x"), card)
    assert verification.flaw(SERVICE, key(0), cw_of(b"x")) is None
    assert verification.flaw(Service(CAID, IDENT, Sid(2)), key(1), cw_of(b"x")) is None
    assert verification.flaw(SERVICE, key(1), cw_of(b"x")) is Outcome.REPEATED
    verification.accept(SERVICE, key(1), cw_of(b"x"), card)
    assert verification.flaw(SERVICE, key(2), cw_of(b"x")) is None
    verification.accept(SERVICE, key(2), cw_of(b"y"), card)
    assert verification.flaw(SERVICE, key(3), cw_of(b"y")) is Outcome.REPEATED


# Priorities.


def priorities_of(text: str) -> Priorities:
    """What the lines of a CCcam.prio come to."""
    prio = parse_prio(text.encode())
    assert not prio.problems
    return Priorities.of(prio.ignored, prio.orders)


@pytest.mark.parametrize(
    ("line", "service", "ignored"),
    [
        ("B00:0:0", "B00:30B00:1", True),
        ("B00:30B00:0", "B00:30B00:1", True),
        ("B00:30B00:1", "B00:30B00:1", True),
        ("B00:0:1", "B00:30B00:1", True),
        ("B00:30B00:2", "B00:30B00:1", False),
        ("B00:80:0", "B00:30B00:1", False),
        ("100:30B00:0", "B00:30B00:1", False),
        ("B00:30B00:0", "B00:0:1", True),
        ("B00:80:0", "B00:0:1", False),
        ("B00", "B00:30B00:1", True),
        ("B00:30B00", "B00:30B00:1", True),
        ("100, B00:30B00:1", "B00:30B00:1", True),
    ],
)
def test_i_lines(line: str, service: str, ignored: bool) -> None:
    desk = Desk()
    caid, ident, sid = (int(part, 16) for part in service.split(":"))
    priorities = priorities_of(f"I: {line}")
    triple = (Caid(caid), Ident(ident), Sid(sid))
    assert priorities.ignores(desk.upstream("a"), triple) == ignored
    assert not priorities.ignores(desk.local(), triple)


def test_the_first_p_line_of_which_all_systems_are_there_counts() -> None:
    desk = Desk()
    cards = [desk.upstream("a", idents=(ident,)) for ident in (0x80, 0x81, 0x82)]
    lines = [
        "P: B00:99:0, B00:80",  # 99 is not there
        "P: B00:82:2, B00:80:0",  # another service
        "P: 100:1:0, B00:82, B00:81:0",  # other CAIDs do not matter
        "P: B00:80:0",  # too late
    ]
    priorities = priorities_of("\n".join(lines))
    order = priorities.order(cards, (CAID, Ident(0), Sid(1)))
    assert [order[card] for card in cards] == [3, 2, 1]
    assert priorities.order(cards, (CAID, Ident(0x80), Sid(1))) == {}
    assert priorities.order(cards, (Caid(0x500), Ident(0), Sid(1))) == {}


def test_a_card_of_all_providers_stands_for_each_in_a_p_line() -> None:
    desk = Desk()
    cards = [desk.upstream("a", idents=(ident,)) for ident in (0, 0x81)]
    order = priorities_of("P: B00:80, B00:81").order(cards, Service(CAID, Ident(0), Sid(1)))
    assert [order[card] for card in cards] == [1, 2]


def test_p_lines_compare_only_the_caid_of_18xx() -> None:
    priorities = priorities_of("P: 1802:80, 1802:81\nP: 1902:80, 1902:81")
    desk = Desk()
    cards = [desk.upstream("a", idents=(ident,)) for ident in (0x81, 0x80)]
    orders = [
        priorities.order(cards, Service(Caid(caid), Ident(0), Sid(1))) for caid in (0x1802, 0x1902)
    ]
    assert [list(order.values()) for order in orders] == [[], [2, 1]]


# Standby.


def order(group: StandbyGroup, now: float) -> list[int]:
    return sorted((1, 2, 3), key=lambda source: group.place(SourceId(source), now))


def test_a_group_serves_by_rank_health_and_patience() -> None:
    group = StandbyGroup()
    for source in (3, 2, 1):
        group.ready(SourceId(source), rank=source, now=0.0)
    assert order(group, 0.0) == [1, 2, 3]
    group.lost(SourceId(1))
    assert order(group, 1.0) == [2, 3, 1]
    group.ready(SourceId(1), rank=1, now=100.0)
    assert order(group, 159.0) == [2, 3, 1]
    assert order(group, 160.0) == [1, 2, 3]
    group.ready(SourceId(1), rank=1, now=170.0)
    assert order(group, 170.0) == [1, 2, 3]
    group.stalled(SourceId(1), 200.0)
    group.stalled(SourceId(2), 201.0)
    assert order(group, 202.0) == [3, 1, 2]
    group.stalled(SourceId(3), 203.0)
    assert order(group, 204.0) == [1, 2, 3]


# Clones.

ONE, OURS = NodeId(b"oneclone"), NodeId(b"ourselfs")


ANNA, BEN = (NodeHolder(name, "192.0.2.1", is_client=True) for name in ("anna", "ben"))
HEADEND, TWICE = (NodeHolder("h:1", f"192.0.2.{n}", is_client=False) for n in (1, 2))


def test_two_clients_with_one_node_id_are_a_clone_until_one_leaves() -> None:
    """Wherever they are: the copy of an image stands behind the same router as often as not."""
    detector = CloneDetector(OURS)
    assert detector.seen(ONE, ANNA, 1.0) is None
    clone = detector.seen(ONE, BEN, 2.0)
    assert clone is not None
    assert (clone.accounts, clone.addresses, clone.since) == (("anna", "ben"), ("192.0.2.1",), 2.0)
    assert detector.clones() == (clone,)
    detector.gone(ONE, ANNA, 3.0)
    detector.gone(ONE, ANNA, 3.0)
    assert detector.clones() == ()
    again = detector.seen(ONE, ANNA, 4.0)
    assert again is not None
    assert again.since == 4.0
    detector.gone(NodeId(b"stranger"), ANNA, 5.0)


def test_of_two_connections_of_one_account_the_other_is_there_when_one_has_left() -> None:
    detector = CloneDetector(OURS)
    for _ in range(2):
        detector.seen(ONE, ANNA, 1.0)
    detector.gone(ONE, ANNA, 2.0)
    assert detector.seen(ONE, BEN, 3.0) is not None
    detector.gone(ONE, ANNA, 4.0)
    assert detector.clones() == ()
    detector.gone(ONE, BEN, 5.0)
    assert not detector._nodes


def test_an_upstream_that_is_a_client_too_is_one_program() -> None:
    detector = CloneDetector(OURS)
    assert detector.seen(ONE, HEADEND, 1.0) is None
    assert detector.seen(ONE, HEADEND, 1.0) is None
    assert detector.seen(ONE, ANNA, 1.0) is None
    clone = detector.seen(ONE, TWICE, 2.0)
    assert clone is not None
    assert (clone.sources, clone.addresses) == (("h:1",), ("192.0.2.1", "192.0.2.2"))


def test_our_own_node_id_is_a_clone_at_once_and_a_shared_one_never() -> None:
    detector = CloneDetector(OURS)
    clone = detector.seen(OURS, ANNA, 1.0)
    assert clone is not None
    assert clone.own
    for node_id in SHARED_NODE_IDS:
        assert detector.seen(node_id, ANNA, 1.0) is None
        assert detector.seen(node_id, BEN, 1.0) is None
    assert len(detector.clones()) == 1
