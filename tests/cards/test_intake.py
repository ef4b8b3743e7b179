"""What is taken from an upstream."""

from card_factory import CAID, OURS, announced, node, providers

from cccamd.cards import Added, CardTable, Kept, Limit, Rejected, Rejection, SourcePolicy
from cccamd.ids import Caid, Ident, NodeId, ShareId
from cccamd.values import Offer


def take(message: Offer, **policy: object) -> Added | Kept | Rejected:
    table = CardTable(OURS)
    return table.add(table.add_source(SourcePolicy(**policy)), message)  # type: ignore[arg-type]


def limit(caid: int, ident: int, number: int) -> Limit:
    return Limit(Caid(caid), Ident(ident), number)


def test_a_card_that_passed_us_is_a_loop() -> None:
    message = announced(1, "a", path=(node("a"), OURS, node("b")))
    result = take(message)
    assert isinstance(result, Rejected)
    assert result.reason is Rejection.LOOP


def test_an_ignored_node_is_named() -> None:
    result = take(announced(1, "a", "b"), ignore_nodes=frozenset({node("a")}))
    assert isinstance(result, Rejected)
    assert result.text == "it passed node 615f5f5f5f5f5f5f, an IGNORE NODE"


def test_minimum_downhops_looks_at_the_byte_on_the_wire() -> None:
    assert isinstance(take(announced(1, "a", reshare=1), minimum_downhops=1), Added)
    result = take(announced(1, "a", reshare=0), minimum_downhops=1)
    assert isinstance(result, Rejected)
    assert result.reason is Rejection.TOO_FEW_DOWNHOPS


def test_limits_count_the_direct_peer_as_one() -> None:
    own, passed_on = announced(1, "a"), announced(1, "a", "b")
    assert isinstance(take(own, limits=(limit(0, 0, 1),)), Added)
    result = take(passed_on, limits=(limit(0, 0, 1),), line=7)
    assert isinstance(result, Rejected)
    assert result.text == "distance 2 of CAID 0100 is beyond the limits of the C-line in line 7"
    assert isinstance(take(own, limits=(limit(0x100, 0, 0),)), Rejected)
    assert isinstance(take(own, limits=(limit(0x500, 0, 0),)), Added)


def test_the_most_specific_limit_counts_whatever_the_order() -> None:
    limits = (limit(0, 0, 0), limit(0, 0x80, 0), limit(0x100, 0, 0), limit(0x100, 0x80, 5))
    for end in range(4):
        assert isinstance(take(announced(1, "a"), limits=limits[: end + 1]), Added) == (end == 3)
        assert isinstance(take(announced(1, "a"), limits=limits[::-1]), Added)


def test_each_entry_outranks_those_that_are_less_specific() -> None:
    entries = ((0, 0), (0, 0x80), (0x100, 0), (0x100, 0x80))
    for count in range(1, 5):
        denied = [limit(*entry, 0) for entry in entries[: count - 1]]
        limits = (*denied, limit(*entries[count - 1], 5))
        assert isinstance(take(announced(1, "a"), limits=limits), Added)
        assert isinstance(
            take(announced(1, "a"), limits=(limit(*entries[count - 1], 0),)), Rejected
        )


def test_providers_go_one_by_one() -> None:
    message = announced(1, "a", providers=providers(0x80, 0x81))
    result = take(message, limits=(limit(0x100, 0x81, 0),))
    assert isinstance(result, Added)
    assert result.card.providers == providers(0x80)


def test_a_source_can_announce_too_many_cards() -> None:
    table = CardTable(OURS)
    source = table.add_source(SourcePolicy(cards_limit=2))
    results = [table.add(source, announced(number, "a")) for number in (1, 2, 3)]
    assert [type(result) for result in results] == [Added, Added, Rejected]
    assert isinstance(table.add(source, announced(2, "a", hop=1)), Added)
    table.remove(source, ShareId(1))
    assert isinstance(table.add(source, announced(3, "a")), Added)


def test_hop_and_reshare_are_ours_and_theirs() -> None:
    result = take(announced(1, "a", "b", hop=1, reshare=2))
    assert isinstance(result, Added)
    assert (result.card.hop, result.card.reshare) == (2, 2)
    assert result.card.path == (node("a"), node("b"))


def test_a_card_without_providers_gets_provider_0_and_one_without_a_path_is_taken() -> None:
    result = take(announced(1, providers=(), path=(), hop=0))
    assert isinstance(result, Added)
    assert result.card.providers == providers(0)
    assert not result.card.local
    assert result.card.caid == CAID
    assert NodeId(OURS) not in result.card.path
