"""Scenarios with several servers: who answers, how fast, and that nothing goes in circles."""

import random
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from network import (
    LATENCY,
    Behaviour,
    Link,
    Network,
    cw_of,
    decodes,
    refuses,
    silent,
)

from cccamd.cards import Limit
from cccamd.ids import Caid, Ident
from cccamd.routing import (
    SourceTraits,
)
from cccamd.setup.cccamcfg import (
    Dialect,
)
from cccamd.values import ControlWords, Offer, Refusal, Request


def chain(network: Network, names: str) -> None:
    """Each is a client of the one before."""
    for server, client in pairwise(names):
        network.link(server, client)


def ecm(number: int) -> bytes:
    return b"\x80" + number.to_bytes(4)


def test_a_chain_of_five() -> None:
    network = Network()
    chain(network, "abcde")
    network.node("a").add_card(decodes(0.1), reshare=4)
    receiver = network.receiver("e")
    network.run(2)
    (card,) = receiver.told.values()
    assert (card.hop, card.reshare, len(card.path)) == (4, 0, 5)
    reply = network.ask(receiver, ecm(1))
    network.run()
    assert reply.right
    assert reply.seconds == pytest.approx(0.1 + 8 * LATENCY)
    assert not network.visited_twice()


def test_a_chain_is_cut_where_reshare_ends() -> None:
    network = Network()
    chain(network, "abcde")
    network.node("a").add_card(decodes(), reshare=3)
    receivers = {name: network.receiver(name) for name in "abcde"}
    network.run(2)
    assert {name: len(link.told) for name, link in receivers.items()} == {
        "a": 1,
        "b": 1,
        "c": 1,
        "d": 1,
        "e": 0,
    }


@pytest.mark.parametrize("names", ["ab", "abc", "abcde"])
def test_rings_answer_and_do_not_circle(names: str) -> None:
    """Each node has a card; only one of them can decode."""
    for able in names:
        network = Network()
        chain(network, names + names[0])
        for name in names:
            network.node(name).add_card(decodes() if name == able else refuses())
        receiver = network.receiver(names[0])
        network.run(2)
        for card in list(receiver.told.values()):
            reply = network.ask(receiver, ecm(card.share_id), share_id=card.share_id)
            network.run()
            assert reply.right
            assert not network.visited_twice()
        assert network.all_answered()


def test_a_server_that_never_announced_anything_is_known_by_its_name() -> None:
    """c has no card of its own: a knows that c is a server only because it logs in to c."""
    network = Network()
    for server, client in ("ac", "ba", "ca", "cb"):
        network.link(server, client)
    network.node("a").add_card(refuses())
    network.node("b").add_card(refuses())
    receiver = network.receiver("b")
    network.run(2)
    for card in list(receiver.told.values()):
        reply = network.ask(receiver, ecm(card.share_id), share_id=card.share_id)
        network.run()
        assert reply.answer is Refusal.CANNOT_DECODE
        assert reply.seconds < 0.5
    assert not network.visited_twice()


def test_twenty_servers() -> None:
    """Each has a card and is a client of three others; everybody wants everything at once."""
    network = Network()
    names = "abcdefghijklmnopqrst"
    for index, name in enumerate(names):
        for step in (1, 3, 7):
            network.link(names[(index + step) % 20], name)
        network.node(name).add_card(decodes(0.05 * (index % 4)))
    receivers = [network.receiver(name) for name in names]
    network.run(5)
    assert network.servers_know_each_other()
    replies = [network.ask(receiver, ecm(number)) for receiver in receivers for number in range(5)]
    network.run()
    assert all(reply.right for reply in replies)


def test_a_ring_in_which_nobody_can_says_nok2_at_once() -> None:
    network = Network()
    chain(network, "abca")
    for name in "abc":
        network.node(name).add_card(refuses())
    receiver = network.receiver("a")
    network.run(2)
    reply = network.ask(receiver, ecm(1))
    network.run()
    assert reply.answer is Refusal.CANNOT_DECODE
    assert reply.seconds < 0.5
    assert not network.visited_twice()


def test_both_ends_of_a_ring_want_the_same_ecm() -> None:
    """Neither waits for the other: that would be waiting for itself."""
    network = Network()
    chain(network, "aba")
    network.node("a").add_card(refuses())
    network.node("b").add_card(refuses())
    receivers = [network.receiver(name) for name in "ab"]
    network.run(2)
    replies = [network.ask(receiver, ecm(1)) for receiver in receivers]
    network.run()
    assert [reply.answer for reply in replies] == [Refusal.CANNOT_DECODE, Refusal.CANNOT_DECODE]
    assert max(reply.seconds for reply in replies) < 0.5


def diamond(left: Behaviour, right: Behaviour) -> tuple[Network, Link]:
    """A top card over two ways; what each way does is up to a card of its own as well."""
    network = Network()
    network.link("top", "left")
    network.link("top", "right")
    network.link("left", "bottom")
    network.link("right", "bottom")
    network.node("left").add_card(left, reshare=1)
    network.node("right").add_card(right, reshare=1)
    receiver = network.receiver("bottom")
    network.run(2)
    return network, receiver


def test_a_diamond_shows_one_card_once_and_survives_the_loss_of_a_way() -> None:
    network = Network()
    network.link("top", "left")
    network.link("top", "right")
    way = network.link("left", "bottom")
    network.link("right", "bottom")
    network.node("top").add_card(decodes())
    receiver = network.receiver("bottom")
    network.run(2)
    (before,) = receiver.told.values()
    way.cut()
    network.run(2)
    (after,) = receiver.told.values()
    assert (after.share_id, after.remote_id) == (before.share_id, before.remote_id)
    assert after.path != before.path
    reply = network.ask(receiver, ecm(1))
    network.run()
    assert reply.right
    way.restore()
    network.run(2)
    assert list(receiver.told.values()) == [before]


def test_a_source_lost_in_the_middle_of_a_request() -> None:
    network, receiver = diamond(decodes(1.0), decodes(1.0))
    bottom = network.node("bottom")
    reply = network.ask(receiver, ecm(1))
    network.run(0.05)
    ((_, asked, _),) = network.asks[ecm(1)][:1]
    (link,) = [
        link
        for link in bottom.sources.values()
        if isinstance(link, Link) and link.server.name == asked
    ]
    link.cut()
    network.run()
    assert reply.right
    assert network.all_answered()


def test_a_flapping_upstream_costs_no_answer() -> None:
    network, receiver = diamond(decodes(0.1), decodes(0.15))
    bottom = network.node("bottom")
    flapping = next(link for link in bottom.sources.values() if isinstance(link, Link))
    replies = []
    for number in range(40):
        if number % 4 == 1:
            flapping.cut()
        if number % 4 == 3:
            flapping.restore()
        network.run(0.03)
        replies.append(network.ask(receiver, ecm(number)))
        network.run(3)
    assert all(reply.right for reply in replies)
    assert max(reply.seconds for reply in replies) < 0.5


def test_a_source_that_turns_slow_is_left_for_another_without_a_freeze() -> None:
    def turns_slow(request: Request, now: float) -> tuple[float, ControlWords]:
        return (0.05 if now < 100 else 3.0), cw_of(request.section)

    network, receiver = diamond(turns_slow, decodes(0.15))
    replies = []
    for number in range(30):
        replies.append(network.ask(receiver, ecm(number)))
        network.run(10)
    assert all(reply.right for reply in replies)
    assert max(reply.seconds for reply in replies) < 0.5
    late = [
        asker
        for number in range(20, 30)
        for asker, goal, _ in network.asks[ecm(number)]
        if goal == "left"
    ]
    assert len(late) <= 2


def test_a_source_that_falls_silent_costs_no_freeze() -> None:
    def falls_silent(request: Request, now: float) -> tuple[float, ControlWords | None]:
        return 0.05, cw_of(request.section) if now < 50 else None

    network, receiver = diamond(falls_silent, decodes(0.15))
    replies = []
    for number in range(30):
        replies.append(network.ask(receiver, ecm(number)))
        network.run(10)
    assert all(reply.right for reply in replies)
    assert max(reply.seconds for reply in replies) < 1.0


WRONG = {
    "zero": ControlWords(bytes(16)),
    "checksum": ControlWords(bytes(range(16))),
    "old": cw_of(b"an old one"),
}


@pytest.mark.parametrize("lie", WRONG)
def test_a_source_that_lies_is_not_believed(lie: str) -> None:
    network, receiver = diamond(
        lambda request, now: (0.01, WRONG[lie]), lambda request, now: (0.1, cw_of(request.section))
    )
    replies = []
    for number in range(20):
        replies.append(network.ask(receiver, ecm(number)))
        network.run(10)
    # Of the same old CW, again and again, the first is believed: nothing tells that it is old.
    assert [reply.right for reply in replies[1:]] == [True] * 19
    assert replies[0].right == (lie != "old")


def test_a_fixed_key_feed_is_believed_and_costs_one_extra_request() -> None:
    same = cw_of(b"always")
    network, receiver = diamond(lambda request, now: (0.01, same), lambda request, now: (0.1, same))
    replies = []
    for number in range(10):
        replies.append(network.ask(receiver, ecm(number)))
        network.run(10)
    assert all(reply.answer == same for reply in replies)
    asked = [
        len([goal for asker, goal, _ in network.asks[ecm(number)] if asker == "bottom"])
        for number in range(10)
    ]
    assert asked == [1, 2, 1, 1, 1, 1, 1, 1, 1, 1]


def test_a_constant_source_is_never_suspected() -> None:
    same = cw_of(b"always")
    network = Network()
    node = network.node("a")
    node.add_card(lambda request, now: (0.01, same), traits=SourceTraits(constant=True))
    node.add_card(decodes(0.2))
    receiver = network.receiver("a")
    network.run(1)
    for number in range(5):
        network.ask(receiver, ecm(number))
        network.run(10)
        assert len(network.asks[ecm(number)]) == 1


def test_a_thousand_clients_on_twenty_services_are_one_request_per_service_and_period() -> None:
    network = Network()
    network.link("top", "hub")
    network.node("top").add_card(decodes(0.1))
    receivers = [network.receiver("hub", f"tv{number}") for number in range(1000)]
    network.run(2)
    numbers = random.Random(1)
    replies = []
    for period in range(3):
        for number, receiver in enumerate(receivers):
            service = number % 20

            def ask(
                receiver: Link = receiver, service: int = service, period: int = period
            ) -> None:
                section = ecm(100 * period + service)
                replies.append(network.ask(receiver, section, share_id=1, sid=1 + service))

            network.later(numbers.uniform(0, 8), ask)
        network.run(10)
    assert len(replies) == 3000
    assert all(reply.right for reply in replies)
    to_top = [edge for edges in network.asks.values() for edge in edges if edge[1] == "top"]
    assert len(to_top) == 60


BEHAVIOURS = [
    decodes(0.05),
    decodes(0.4),
    decodes(2.0),
    refuses(),
    refuses(Refusal.PASSING),
    silent,
]

account_fields = st.fixed_dictionaries(
    {"uphops": st.integers(0, 5)},
    optional={
        "limits": st.integers(0, 4).map(lambda number: (Limit(Caid(0), Ident(0), number),)),
    },
) | st.fixed_dictionaries(
    {"uphops": st.integers(0, 5), "downhops": st.integers(0, 4), "dialect": st.just(Dialect.MASK)}
)


@st.composite
def networks(draw: st.DrawFn) -> tuple[Network, list[Link]]:
    """A random graph, with cards and accounts of all kinds, and a receiver at each node."""
    names = "abcdefgh"[: draw(st.integers(2, 8))]
    pairs = st.tuples(st.sampled_from(names), st.sampled_from(names))
    network = Network()
    for server, client in sorted(draw(st.sets(pairs, min_size=1, max_size=20))):
        if server != client:
            network.link(server, client, **draw(account_fields))
    for name in names:
        if draw(st.booleans()):
            behaviour = draw(st.sampled_from(BEHAVIOURS))
            network.node(name).add_card(behaviour, reshare=draw(st.integers(0, 5)))
    receivers = [network.receiver(name, f"tv{name}") for name in names]
    network.run(5)
    return network, receivers


def levels(link: Link) -> int:
    """How many levels below its server an account lets a card go."""
    limits = [limit.number for limit in link.account.limits]
    if link.account.downhops is not None:
        limits.append(link.account.downhops + 1)
    return min(limits, default=1000)


def within_rights(network: Network, link: Link, card: Offer) -> bool:
    """Whether a card may be where it is announced, by all accounts on its way."""
    names = [node_id.decode().lstrip(".") for node_id in card.path]
    ways = [
        next(way for way in network.node(server).links if way.client is network.node(client))
        for server, client in pairwise(names)
    ]
    ways.append(link)
    (origin,) = network.node(names[0]).table.cards_of(
        next(s for s, kind in network.node(names[0]).sources.items() if not isinstance(kind, Link))
    )
    distance = len(names) - 1
    return (
        origin.reshare >= distance
        and card.hop == distance
        and card.reshare <= origin.reshare - distance
        and all(way.account.max_distance >= hop for hop, way in enumerate(ways))
        and all(levels(way) >= len(ways) - index for index, way in enumerate(ways))
        and len(set(names)) == len(names)
        and (link.client is None or link.client.name not in names)
    )


@given(networks(), st.data())
@settings(max_examples=60, deadline=None)
def test_any_network_keeps_the_rules(
    built: tuple[Network, list[Link]], data: st.DataObject
) -> None:
    network, receivers = built
    for link, card in network.announcements:
        assert within_rights(network, link, card)
    for number in range(6):
        receiver = data.draw(st.sampled_from(receivers))
        share_id = data.draw(st.sampled_from([0, *receiver.told]))
        network.ask(receiver, ecm(number), share_id=share_id)
        network.run(data.draw(st.sampled_from([1.0, 12.0])))
    network.run()
    assert network.all_answered()
    if network.servers_know_each_other():
        assert not network.visited_twice()
