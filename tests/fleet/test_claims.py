"""Which node asks for an ECM, in virtual time (docs/design/fleet.md)."""

import pytest
from claimnodes import SERVICE, Node, PlainSeals, PlayedEngine, World, cw_of, ecm
from hypothesis import given
from hypothesis import strategies as st

from cccamd.cards import SourceId
from cccamd.fleet.actions import EngineBack, Publish, Pushed
from cccamd.fleet.claims import LOST_PUSH, Claims, Go, Prospect
from cccamd.fleet.told import MS_LIMIT, Nothing, Told, decode, encode
from cccamd.ids import Caid, NodeId
from cccamd.routing import AskId
from cccamd.values import CardId

AN_ECM = ecm(1)


def asks(world: World) -> int:
    return sum(len(node.asked) for node in world.nodes)


def waited(node: Node, fingerprint: bytes = AN_ECM) -> float:
    """How long its client waited."""
    ((at, _),) = node.got[fingerprint]
    return at - node.wants[fingerprint]


def test_one_of_many_nodes_asks_and_all_get_the_answer() -> None:
    world, engine = World(), PlayedEngine()
    nodes = [world.node(f"node{number}", engine) for number in range(5)]
    for node in nodes:
        node.want(AN_ECM)
    world.run(5.0)
    assert asks(world) == 1
    assert all(waited(node) == pytest.approx(0.1, abs=0.005) for node in nodes)
    assert sorted(node.claims.counts.heard for node in nodes) == [0, 1, 1, 1, 1]


def test_what_is_known_is_not_asked_again() -> None:
    """By a node that listened to nothing when it was told: it looks once, and finds it."""
    world, engine = World(), PlayedEngine()
    first, second = world.node("first", engine), world.node("second", engine)
    first.want(AN_ECM)
    world.run(1.0)
    second.want(AN_ECM)
    world.run(1.0)
    assert asks(world) == 1
    assert waited(second) < 0.005


def test_a_card_that_never_lets_wait_is_asked_without_the_engine() -> None:
    world, engine = World(), PlayedEngine(seconds=10.0)
    node = world.node("node", engine, card_takes=0.0, local=True, immediate=True)
    node.want(AN_ECM)
    world.run(0.0)
    assert waited(node) == 0.0


@pytest.mark.parametrize(
    ("seconds", "local", "takes", "most"),
    [(0.02, True, 0.1, 0.005), (0.02, False, 0.1, 0.010), (0.02, False, 0.5, 0.015)],
)
def test_an_engine_that_is_slow_costs_the_head_start_and_no_more(
    seconds: float, local: bool, takes: float, most: float
) -> None:
    world, engine = World(), PlayedEngine(seconds=seconds)
    node = world.node("node", engine, card_takes=takes, local=local)
    node.want(AN_ECM)
    world.run(5.0)
    assert waited(node) == pytest.approx(takes + most)


def test_an_engine_that_is_far_away_is_waited_for_as_far_as_it_pays() -> None:
    """Two round trips of 40 ms are nothing beside a card of 400, and much beside one of 80."""
    world, engine = World(), PlayedEngine(seconds=0.02)
    slow, other = (world.node(name, engine, card_takes=0.4) for name in ("slow", "other"))
    for number in range(4):
        slow.want(ecm(number))
        other.want(ecm(number))
        world.run(10.0)
    assert len(slow.asked) + len(other.asked) < 8, "each asked each time"
    asked = asks(world)
    slow.want(ecm(99))
    other.want(ecm(99))
    world.run(10.0)
    assert asks(world) == asked + 1
    assert max(waited(slow, ecm(99)), waited(other, ecm(99))) < 0.4 + 0.06 + 0.04
    quick = world.node("quick", engine, card_takes=0.08)
    for number in range(100, 104):
        quick.want(ecm(number))
        world.run(10.0)
    assert waited(quick, ecm(103)) == pytest.approx(0.08 + 0.02), "a quarter of what it takes"


SLOW = 0.68


def late(**what: object) -> tuple[World, Node]:
    """A node that comes second, while a slow card is asked by the first."""
    world, engine = World(), PlayedEngine()
    first = world.node(
        "first", engine, card_takes=SLOW, orders_of=what.pop("first_orders_of", None)
    )
    second = world.node("second", engine, **what)
    first.want(AN_ECM)
    world.run(0.05)
    second.want(AN_ECM)
    return world, second


def test_who_is_of_no_use_is_not_waited_for() -> None:
    """Its list of cards has not come yet: what it will tell is for nobody here."""
    world, second = late(knows_not=frozenset({"first"}))
    world.run(5.0)
    assert waited(second) == pytest.approx(0.1, abs=0.005)
    world, second = late()
    world.run(5.0)
    assert waited(second) == pytest.approx(0.1 + LOST_PUSH + 0.1, abs=0.01), "its own usual time"


@pytest.mark.parametrize(
    ("whose", "waits"), [("third", True), ("unknown", False), ("second", True)]
)
def test_it_counts_whose_card_is_asked_and_not_who_asks(whose: str, waits: bool) -> None:
    """The first orders of a third; or of the second itself, whose order is on its way."""
    known_not = frozenset({"first", "second", "unknown"})
    world, second = late(first_orders_of=whose, knows_not=known_not)
    world.run(5.0)
    expected = 0.1 + LOST_PUSH + 0.1 if waits else 0.1
    assert waited(second) == pytest.approx(expected, abs=0.01)


def test_nobody_is_waited_for_who_cannot_be_read() -> None:
    world, engine = World(), PlayedEngine()
    second = world.node("second", engine)
    name = second.claims._seals.name("claim", AN_ECM, bytes(1))
    engine.entries[name] = b"anything", world.now + 9.0
    second.want(AN_ECM)
    world.run(5.0)
    assert waited(second) == pytest.approx(0.1, abs=0.005)


def test_a_dead_claimer_costs_the_usual_time_and_one_more_ask() -> None:
    world, engine = World(), PlayedEngine()
    claimer = world.node("claimer", engine)
    others = [world.node(f"node{number}", engine) for number in range(5)]
    claimer.want(AN_ECM)
    world.run(0.005)
    for node in others:
        node.want(AN_ECM)
    world.run(0.05)
    claimer.is_dead = True
    world.run(5.0)
    assert asks(world) == 2
    assert all(waited(node) < 0.1 + 0.02 + 0.1 + 0.02 for node in others)


def test_a_dead_claimer_of_each_turn_is_no_freeze() -> None:
    world, engine = World(), PlayedEngine()
    nodes = [world.node(f"node{number}", engine) for number in range(6)]
    for node in nodes:
        node.want(AN_ECM)
    for _ in range(3):  # whoever asks dies
        world.run(0.1)
        for node in nodes:
            node.is_dead = node.is_dead or bool(node.asked)
    world.run(5.0)
    living = [node for node in nodes if not node.is_dead]
    assert [len(node.asked) for node in living] == [1, 1, 1], "after three turns all ask"
    assert all(waited(node) < 1.0 for node in living)


def test_nobody_is_waited_for_longer_than_a_second() -> None:
    """However slow the card of the one who waits is."""
    world, engine = World(), PlayedEngine()
    claimer, other = (world.node(name, engine, card_takes=1.5) for name in ("claimer", "other"))
    claimer.want(AN_ECM)
    world.run(0.005)
    claimer.is_dead = True
    other.want(AN_ECM)
    world.run(5.0)
    assert waited(other) < 1.0 + 0.02 + 1.5 + 0.02


def test_a_push_that_is_lost_is_made_up_by_one_fetch() -> None:
    world, engine = World(), PlayedEngine()
    claimer, waiter = world.node("claimer", engine), world.node("waiter", engine)
    for node in (claimer, waiter):  # what is listened to for a while misses nothing
        node.want(ecm(0))
    world.run(60.0)
    engine.loses = lambda event: isinstance(event, Pushed)
    claimer.want(AN_ECM)
    world.run(0.002)
    waiter.want(AN_ECM)
    world.run(5.0)
    assert asks(world) == 2, "one for each ECM"
    assert waited(waiter) == pytest.approx(0.1 + 0.02, abs=0.01)
    assert waiter.claims.counts.fetched == 1


def test_a_card_that_refuses_passes_the_claim_on() -> None:
    world, engine = World(), PlayedEngine()
    cannot = world.node("cannot", engine, card_takes=None)
    can = [world.node(f"node{number}", engine) for number in range(4)]
    cannot.want(AN_ECM)
    world.run(0.002)
    for node in can:
        node.want(AN_ECM)
    world.run(5.0)
    assert [len(node.asked) for node in can].count(1) == 1
    assert all(waited(node) < 0.02 + 0.1 + 0.01 for node in can)


def test_a_claim_that_was_passed_on_before_it_is_known_to_be_lost_is_the_next_turn() -> None:
    world, engine = World(), PlayedEngine(seconds=0.008)
    cannot = world.node("cannot", engine, card_takes=None)
    can = world.node("can", engine, card_takes=0.9)
    for node in (cannot, can):
        node.claims.round_trips.add(0.016, world.now)
        node.do(node.claims._listening.want(SERVICE, world.now))
    cannot.want(AN_ECM)
    world.run(0.038)  # that the claim was lost is known at 54 ms, that it was passed on at 52
    can.want(AN_ECM)
    world.run(5.0)
    assert waited(can) < 0.9 + 0.06


def test_who_may_not_have_the_answer_is_served_by_its_own_card() -> None:
    world, engine = World(), PlayedEngine()
    claimer, other = world.node("claimer", engine), world.node("other", engine)
    other.sees_others = False
    claimer.want(AN_ECM)
    world.run(0.002)
    other.want(AN_ECM)
    world.run(5.0)
    assert waited(other) == pytest.approx(0.2, abs=0.01)


def test_without_the_engine_each_goes_on_at_once_and_nothing_is_to_be_repaired() -> None:
    world, engine = World(), PlayedEngine()
    nodes = [world.node(f"node{number}", engine) for number in range(3)]
    for node in nodes:
        node.want(AN_ECM)
    world.run(0.05)
    for node in nodes:
        world.lose_engine(node)
    world.run(5.0)
    assert all(len(node.got[AN_ECM]) == 1 and waited(node) < 0.16 for node in nodes)
    for node in nodes:
        node.want(ecm(2))
    world.run(5.0)
    assert all(waited(node, ecm(2)) == pytest.approx(0.1) for node in nodes)
    again = PlayedEngine()
    for node in nodes:
        node.engine = again
        node.do(node.claims.handle(EngineBack(), world.now))
    before = asks(world)
    for node in nodes:
        node.want(ecm(3))
    world.run(5.0)
    assert all(len(node.got[ecm(3)]) == 1 for node in nodes)
    assert asks(world) <= before + len(nodes)


def test_a_split_brain_costs_one_more_ask_per_ecm() -> None:
    """Two engines that know nothing of each other: each side asks once."""
    world, left, right = World(), PlayedEngine(), PlayedEngine()
    nodes = [world.node(f"node{number}", (left, right)[number % 2]) for number in range(6)]
    for number in range(5):
        for node in nodes:
            node.want(ecm(number))
        world.run(10.0)
        assert asks(world) <= 2 * (number + 1)
    assert all(len(node.got[ecm(number)]) == 1 for node in nodes for number in range(5))


def test_who_usually_comes_late_waits_no_less_when_it_does_not() -> None:
    """It used to hear the CW a moment after its client came; the card takes as long as ever."""
    world, engine = World(), PlayedEngine()
    first, late = world.node("first", engine), world.node("late", engine)
    for number in range(40):
        first.want(ecm(number))
        world.run(0.099)
        late.want(ecm(number))
        world.run(5.0)
    before = asks(world)
    first.want(ecm(99))
    world.run(0.002)
    late.want(ecm(99))
    world.run(5.0)
    assert asks(world) == before + 1


def test_a_few_cws_that_came_quickly_do_not_tell_how_long_is_to_be_waited() -> None:
    """The card takes 0.1 to 0.2 s; of nineteen CWs none may be among the late ones."""
    world, engine = World(), PlayedEngine()
    first, other = world.node("first", engine), world.node("other", engine, card_takes=0.2)
    for number in range(19):
        first.want(ecm(number))
        world.run(0.002)
        other.want(ecm(number))
        world.run(5.0)
    first.card_takes = 0.2
    before = asks(world)
    first.want(ecm(99))
    world.run(0.002)
    other.want(ecm(99))
    world.run(5.0)
    assert asks(world) == before + 1


def test_who_has_been_ordered_from_is_waited_for_as_long_as_the_order_takes() -> None:
    """Its CW comes two ways through the engine later than that of who has the claim itself."""
    world, engine = World(), PlayedEngine(seconds=0.02)
    node = world.node("node", engine, card_takes=0.1)
    node.claims.round_trips.add(0.04, world.now)
    node.claims.adopt(AN_ECM, SERVICE, [], world.now)
    card = CardId(NodeId(b"n" * 8), 1, SERVICE.caid)
    now = world.now + 0.1
    (told,) = node.claims.answered(AN_ECM, SERVICE, card, cw_of(AN_ECM), now)
    assert isinstance(told, Publish)
    message = decode(told.value[len(told.name) :])
    assert isinstance(message, Told)
    assert message.ms == 180


class Ordered:
    """A node that wants two cards, is ordered to ask one of them for the same ECM, and holds the
    other ask until that has an answer."""

    def __init__(self) -> None:
        self.claims = Claims("node", PlainSeals(), may_serve=lambda node, _: True)
        self.claims.handle(EngineBack(), 100.0)
        prospect = Prospect(AN_ECM, SERVICE, 0.1, False, False, SourceId(1))
        self.claims.ask(AskId(1), prospect, 100.0, orders_of="north")
        self.claims.ask(AskId(2), prospect, 100.0)
        adopted = self.claims.adopt(AN_ECM, SERVICE, [AskId(2)], 100.002)
        assert adopted == [Go(AskId(2))], "the card that was meant is asked at once"


def test_what_is_wanted_beside_what_was_ordered_waits_for_that() -> None:
    """Else two nodes order from each other, or two cards are asked."""
    node = Ordered()
    node.claims.ended(AskId(2), 100.1)
    card = CardId(NodeId(b"n" * 8), 1, SERVICE.caid)
    (told,) = node.claims.answered(AN_ECM, SERVICE, card, cw_of(AN_ECM), 100.1)
    assert isinstance(told, Publish)
    assert node.claims.forget(AskId(1)), "it was ordered"


def test_what_is_wanted_beside_goes_when_what_was_ordered_brings_nothing() -> None:
    node = Ordered()
    node.claims.ended(AskId(2), 100.1)
    assert node.claims.handle_deadline(100.1) == [Go(AskId(1))]


def test_what_is_wanted_beside_goes_when_nothing_is_heard_of_what_was_ordered() -> None:
    node = Ordered()
    due = node.claims.next_deadline()
    assert due == pytest.approx(100.002 + 0.1 + 0.02)
    assert node.claims.handle_deadline(due) == [Go(AskId(1))]


def test_what_a_distrusted_node_tells_is_not_believed_and_not_waited_for() -> None:
    world, engine = World(), PlayedEngine()
    liar, other = world.node("liar", engine), world.node("other", engine)
    other.claims.distrust("liar", world.now + 600.0)
    liar.want(AN_ECM)
    world.run(0.002)
    other.want(AN_ECM)
    world.run(5.0)
    assert [name for _, name in other.got[AN_ECM]] == ["other"]
    assert waited(other) < 0.1 + 0.1 + 0.02
    world.run(600.0)
    assert other.claims.trusts("liar", world.now)


def test_what_nobody_of_the_fleet_has_written_is_nothing() -> None:
    world, engine = World(), PlayedEngine()
    node = world.node("node", engine)
    node.want(AN_ECM)
    world.run(0.002)
    (channel,) = engine.listening
    for name, value in ((b"x" * 16, b"y" * 99), (b"x" * 16, b"x" * 16 + b"\x01"), (b"", b"")):
        assert node.claims.handle(Pushed(channel, name, value), world.now) == []


def test_a_cw_of_one_ecm_is_not_taken_for_that_of_another() -> None:
    """Although a node has sealed it: under the name of another entry."""
    world, engine = World(), PlayedEngine()
    node = world.node("node", engine)
    node.want(AN_ECM)
    world.run(0.002)
    seals = node.claims._seals
    told = Told("other", ecm(2), CardId(NodeId(b"n" * 8), 1, Caid(1)), cw_of(ecm(2)))
    name = seals.name("cw", AN_ECM)
    (channel,) = engine.listening
    assert node.claims.handle(Pushed(channel, name, seals.seal(name, encode(told))), 0.0) == []


def test_a_service_that_nobody_asks_for_is_listened_to_no_more() -> None:
    world, engine = World(), PlayedEngine()
    node = world.node("node", engine)
    node.want(AN_ECM)
    world.run(200.0)
    other = SERVICE._replace(sid=SERVICE.sid.__class__(8))
    node.do(node.claims._listening.want(other, world.now))
    world.run(1.0)
    assert node.claims.watched == 1
    assert [len(each) for each in engine.listening.values()] == [0, 1]


@given(
    st.integers(0, 2**32),
    st.integers(1, 6),
    st.floats(0.0, 0.05),
    st.floats(0.0, 0.3),
    st.lists(st.sampled_from([None, 0.0, 0.05, 0.3, 1.5]), min_size=6, max_size=6),
)
def test_whatever_is_lost_every_client_of_a_card_that_can_is_answered(
    seed: int, count: int, seconds: float, loss: float, cards: list[float | None]
) -> None:
    world = World(seed)
    engine = PlayedEngine(seconds=seconds)
    engine.loses = lambda event: world.random.random() < loss
    for number in range(count):
        world.node(f"node{number}", engine, card_takes=cards[number])
    for node in world.nodes:
        node.want(AN_ECM)
        world.run(world.random.random() * 0.2)
    world.run(10.0)
    for node in world.nodes:
        assert len(node.asked) <= 1
        if node.card_takes is not None:
            assert AN_ECM in node.got
            assert waited(node) <= 3 * (1.0 + 0.02 + 0.06) + 1.5
        else:
            assert node.asked or AN_ECM in node.got


NODES = st.from_regex(r"[A-Za-z0-9_.-]{1,50}", fullmatch=True)
MESSAGES = st.one_of(
    st.builds(
        Told,
        NODES,
        st.binary(min_size=16, max_size=16),
        st.builds(
            CardId,
            st.binary(min_size=8, max_size=8).map(NodeId),
            st.integers(0, 2**32 - 1),
            st.integers(0, 0xFFFF).map(Caid),
        ),
        st.binary(min_size=16, max_size=16).map(cw_of),
        st.booleans(),
        st.integers(0, MS_LIMIT),
    ),
    st.builds(Nothing, NODES, st.binary(min_size=16, max_size=16), st.integers(0, 255)),
)


@given(MESSAGES)
def test_messages_come_back_as_they_were(message: Told | Nothing) -> None:
    assert decode(encode(message)) == message


@given(st.binary(max_size=80))
def test_any_bytes_are_a_message_or_none(data: bytes) -> None:
    message = decode(data)
    assert message is None or encode(message) == data
