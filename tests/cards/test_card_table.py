"""The card table: numbering, replacing, several ways to one card."""

from dataclasses import replace

import pytest
from card_factory import OURS, announced, node

from cccamd.cards import Added, Card, CardTable, Kept, LocalOffer, Rejected, SourceId, SourcePolicy
from cccamd.ids import SHARED_NODE_IDS, Caid, NodeId, ShareId
from cccamd.values import Offer

LOCAL = LocalOffer(caid=Caid(0x0B00), reshare=1)


@pytest.fixture
def table() -> CardTable:
    return CardTable(OURS)


def add(table: CardTable, source: SourceId, message: Offer) -> Card:
    result = table.add(source, message)
    assert isinstance(result, Added)
    return result.card


def test_the_same_words_change_nothing(table: CardTable) -> None:
    source = table.add_source()
    card = add(table, source, announced(1, "a"))
    generation = table.generation
    assert table.add(source, announced(1, "a")) == Kept(card)
    assert table.generation == generation


def test_a_replaced_card_keeps_its_name_at_us(table: CardTable) -> None:
    source = table.add_source()
    before = add(table, source, announced(1, "a", reshare=1))
    result = table.add(source, announced(1, "a", reshare=2))
    assert isinstance(result, Added)
    assert result.replaced is before
    assert result.card.own_share_id == before.own_share_id
    assert list(table.cards()) == [result.card]


def test_another_card_under_the_same_share_id_gets_another_name(table: CardTable) -> None:
    source = table.add_source()
    before = add(table, source, announced(1, "a", remote_id=5))
    after = add(table, source, announced(1, "b", remote_id=6))
    assert after.own_share_id != before.own_share_id
    assert list(table.cards()) == [after]


def test_a_rejected_replacement_takes_the_card_out(table: CardTable) -> None:
    source = table.add_source()
    add(table, source, announced(1, "a"))
    looped = announced(1, path=(OURS,), hop=0)
    assert isinstance(table.add(source, looped), Rejected)
    assert list(table.cards()) == []
    assert [rejected.offer for rejected in table.rejected_of(source)] == [looped]
    assert table.remove(source, ShareId(1)) is None
    assert table.rejected_of(source) == ()


def test_two_ways_to_the_same_card_share_a_name_and_the_nearest_comes_first(
    table: CardTable,
) -> None:
    far = add(table, table.add_source(), announced(7, "x", "b", remote_id=99))
    near = add(table, table.add_source(), announced(3, "x", remote_id=99))
    assert table.ways_to(far.own_share_id) == (near, far)
    table.remove(near.source, near.share_id)
    assert table.ways_to(far.own_share_id) == (far,)


@pytest.mark.parametrize(
    "other",
    [
        announced(7, "y", "b", remote_id=99),
        announced(7, "x", "b", remote_id=98),
        announced(7, "x", "b", remote_id=99, caid=Caid(0x0500)),
    ],
    ids=["origin", "remote id", "CAID"],
)
def test_what_differs_in_origin_remote_id_or_caid_is_another_card(
    table: CardTable, other: Offer
) -> None:
    one = add(table, table.add_source(), announced(3, "x", remote_id=99))
    two = add(table, table.add_source(), other)
    assert one.own_share_id != two.own_share_id


@pytest.mark.parametrize("path", [(), (next(iter(SHARED_NODE_IDS)),)])
def test_cards_of_nameless_origin_are_never_the_same(
    table: CardTable, path: tuple[NodeId, ...]
) -> None:
    message = announced(3, path=path, hop=0)
    one = add(table, table.add_source(), message)
    two = add(table, table.add_source(), message)
    assert one.own_share_id != two.own_share_id


def test_a_nameless_card_that_is_announced_anew_keeps_its_name_at_us(table: CardTable) -> None:
    source = table.add_source()
    one = add(table, source, announced(3, path=(), hop=0, reshare=1))
    two = add(table, source, announced(3, path=(), hop=0, reshare=2))
    assert one.own_share_id == two.own_share_id
    named = add(table, source, announced(3, "a"))
    assert named.own_share_id != two.own_share_id
    again = add(table, source, announced(3, path=(), hop=0))
    assert again.own_share_id not in (two.own_share_id, named.own_share_id)


def test_a_card_is_equal_to_its_copy_and_to_no_other(table: CardTable) -> None:
    source = table.add_source()
    card = add(table, source, announced(1, "a"))
    assert replace(card) == card
    assert hash(replace(card)) == hash(card)
    assert add(table, source, announced(1, "a", reshare=1)) != card
    assert card != object()


def test_nothing_is_left_of_a_card_that_is_gone(table: CardTable) -> None:
    source = table.add_source()
    card = add(table, source, announced(1, "a"))
    table.remove(source, card.share_id)
    assert list(table.share_ids()) == []
    assert list(table.cards_with(card.caid)) == []
    assert add(table, source, announced(1, "a")).own_share_id != card.own_share_id


def test_a_source_that_is_forgotten_gives_its_cards_back(table: CardTable) -> None:
    source = table.add_source()
    card = add(table, source, announced(1, "a"))
    assert table.forget_source(source) == (card,)
    with pytest.raises(KeyError):
        table.cards_of(source)


def test_names_are_never_0_and_not_reused_soon() -> None:
    table = CardTable(OURS, first_share_id=(1 << 32) - 2)
    source = table.add_source()
    names = []
    for number in range(1, 6):
        card = add(table, source, announced(number, "a"))
        names.append(card.own_share_id)
        table.remove(source, card.share_id)
    assert names == [0xFFFFFFFE, 0xFFFFFFFF, 1, 2, 3]


def test_a_lost_source_takes_its_cards_with_it_and_no_others(table: CardTable) -> None:
    lost, other = table.add_source(), table.add_source()
    cards = (add(table, lost, announced(1, "a")), add(table, lost, announced(2, "a")))
    stays = add(table, other, announced(1, "b"))
    table.add(lost, announced(3, path=(OURS,), hop=0))
    assert table.drop_source(lost) == cards
    assert list(table.cards()) == [stays]
    assert table.rejected_of(lost) == ()
    assert set(table.nodes) == {node("b")}


def test_an_upstream_is_known_by_its_node_id_while_its_link_is_up(table: CardTable) -> None:
    source = table.add_source()
    table.set_node_id(source, node("a"))
    table.set_node_id(source, node("b"))
    assert set(table.nodes) == {node("b")}
    add(table, source, announced(1, "b"))
    table.drop_source(source)
    assert set(table.nodes) == set()
    table.drop_source(source)
    table.set_node_id(source, node("c"))
    assert table.nodes == {node("c"): 1}


def test_a_new_policy_judges_all_cards_anew(table: CardTable) -> None:
    source = table.add_source(SourcePolicy(minimum_downhops=3))
    for reshare in (1, 2, 3):
        table.add(source, announced(reshare, "a", reshare=reshare))
    assert [card.reshare for card in table.cards_of(source)] == [3]
    table.set_policy(source, SourcePolicy(minimum_downhops=2))
    assert sorted(card.reshare for card in table.cards_of(source)) == [2, 3]
    assert [rejected.offer.reshare for rejected in table.rejected_of(source)] == [1]
    table.set_policy(source, SourcePolicy(ignore_nodes=frozenset({node("a")})))
    assert table.cards_of(source) == ()
    assert len(table.rejected_of(source)) == 3


def test_a_long_list_is_judged_anew_a_card_a_step_whatever_changes_meanwhile(
    table: CardTable,
) -> None:
    source = table.add_source()
    for number in range(1, 5):
        table.add(source, announced(number, "a", reshare=number))
    judging = table.judging(source, SourcePolicy(minimum_downhops=3))
    out = next(judging)
    assert out is not None
    assert out.share_id == 1
    assert len(table.cards_of(source)) == 3, "the others were not looked at yet"
    table.remove(source, ShareId(2))
    assert isinstance(table.add(source, announced(5, "a", reshare=1)), Rejected)
    assert list(judging) == [None, None]
    assert sorted(card.share_id for card in table.cards_of(source)) == [3, 4]


def test_a_local_card_names_itself(table: CardTable) -> None:
    source = table.add_source()
    result = table.add_local(source, LOCAL)
    assert isinstance(result, Added)
    assert (result.card.hop, result.card.path, result.card.local) == (0, (), True)
    assert result.card.remote_id == result.card.own_share_id
    assert table.add_local(source, LOCAL) == Kept(result.card)
    table.drop_source(source)
    assert list(table.cards_with(Caid(0x0B00))) == []
    assert isinstance(table.add_local(source, LOCAL), Added)


def test_changes_are_named_until_they_are_too_many(table: CardTable) -> None:
    source = table.add_source()
    start = table.generation
    names = {add(table, source, announced(number, "a")).own_share_id for number in (1, 2)}
    assert set(table.changes_since(start) or ()) == names
    assert table.changes_since(table.generation) == ()
    for number in range(17_000):
        table.add(source, announced(1, "a", reshare=number % 2))
    assert table.changes_since(start) is None
