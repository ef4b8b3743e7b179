"""A client's view: the list it is told, and what may serve its requests."""

import pytest
from card_factory import CAID, OURS, announced, node, providers, request, view_of
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from cccamd.cards import (
    Added,
    Card,
    CardTable,
    Limit,
    LocalOffer,
    Reason,
    SourceId,
    View,
    difference,
)
from cccamd.cards.table import CHANGES_KEPT
from cccamd.ids import SHARED_NODE_IDS, Caid, Ident, NodeId, ShareId, Sid
from cccamd.values import Offer, Refusal, Service


def learn(table: CardTable, message: Offer) -> Card:
    result = table.add(table.add_source(), message)
    assert isinstance(result, Added)
    return result.card


def reasons(view: View, **fields: int) -> list[Reason]:
    return [exclusion.reason for exclusion in view.explain(request(1, **fields))]


def fits(view: View, share_id: int = 1, **fields: int) -> bool:
    return bool(view.candidates(request(share_id, **fields)).cards)


def test_the_reserve_takes_the_place_without_the_client_losing_the_card() -> None:
    table = CardTable(OURS)
    near = learn(table, announced(3, "x", remote_id=9))
    far = learn(table, announced(4, "x", "b", remote_id=9))
    view = view_of(table)
    told = view.announcements()
    assert [message.hop for message in told.values()] == [1]
    assert view.candidates(request(1)).members == {near, far}
    table.remove(near.source, near.share_id)
    (step,) = difference(told, view.announcements())
    assert isinstance(step, Offer)
    assert (step.share_id, step.hop) == (near.own_share_id, 2)
    assert view.card(step.share_id) is far


def test_the_nearest_way_that_this_client_may_see_is_shown() -> None:
    table = CardTable(OURS)
    learn(table, announced(3, "x", remote_id=9, reshare=0))
    learn(table, announced(4, "x", "b", remote_id=9))
    learn(table, announced(5, "x", "c", "d", remote_id=9))
    hops = [
        [message.hop for message in view_of(table, node_id=node(name)).announcements().values()]
        for name in ("anybody", "b", "x")
    ]
    assert hops == [[2], [3], []]


def test_a_new_reserve_is_not_announced() -> None:
    table = CardTable(OURS)
    learn(table, announced(3, "x", remote_id=9))
    view = view_of(table)
    told = view.announcements()
    learn(table, announced(4, "x", "b", remote_id=9))
    assert not list(difference(told, view.announcements()))


def test_ident_0_in_a_request_means_any_and_on_a_card_all() -> None:
    table = CardTable(OURS)
    learn(table, announced(1, "a", providers=providers(0x80, 0x81)))
    view = view_of(table)
    assert [fits(view, ident=ident) for ident in (0, 0x80, 0x81, 0x82)] == [
        True,
        True,
        True,
        False,
    ]
    assert reasons(view, ident=0x82) == [Reason.IDENT_MISSING]
    learn(table, announced(1, "b", providers=providers(0)))
    assert fits(view, ident=0x82)


def test_a_limited_provider_cannot_be_had_by_not_naming_it() -> None:
    table = CardTable(OURS)
    learn(table, announced(1, "a", providers=providers(0x80, 0x81)))
    learn(table, announced(2, "a", providers=providers(0)))
    limits = (Limit(CAID, Ident(0x81), 0),)
    view = view_of(table, limits=limits)
    assert fits(view, ident=0x80)
    assert not fits(view, ident=0x81)
    assert reasons(view, ident=0) == [Reason.IDENT_LIMITED]


def test_denied_services() -> None:
    table = CardTable(OURS)
    learn(table, announced(1, "a", providers=providers(0x80, 0x81)))
    view = view_of(table, sids=(Service(CAID, Ident(0x80), Sid(0x15DF)),))
    assert not fits(view, sid=0x15DF)
    assert fits(view, sid=0x15E0)
    assert fits(view, ident=0x81, sid=0x15DF)
    assert not fits(view, ident=0, sid=0x15DF)
    assert not fits(view, sid=0)
    assert "line 14 keeps 0100:000080:15DF" in view.explain(request(1))[0].text


def test_a_denied_service_may_be_meant_for_all_cards_or_all_providers() -> None:
    table = CardTable(OURS)
    learn(table, announced(1, "a", providers=providers(0x80, 0x81)))
    for caid, ident in ((0, 0), (CAID, 0), (0, 0x80)):
        view = view_of(table, sids=(Service(Caid(caid), Ident(ident), Sid(0x15DF)),))
        assert not fits(view, sid=0x15DF)
        assert fits(view, sid=0x15E0)
        assert fits(view, ident=0x81, sid=0x15DF) == bool(ident)
    other = view_of(table, sids=(Service(Caid(0x500), Ident(0), Sid(0x15DF)),))
    assert fits(other, sid=0x15DF)


def test_a_request_without_a_service_is_not_for_a_card_that_serves_some() -> None:
    for lists in ({"assigned_sids": (Sid(1),)}, {"rejected_sids": (Sid(2),)}):
        table = CardTable(OURS)
        learn(table, announced(1, "a", **lists))
        view = view_of(table)
        assert reasons(view, sid=0) == [Reason.SERVICE_UNKNOWN]
        assert fits(view, sid=1)
        (why,) = view.explain(request(1, sid=0))
        assert why.text == "the request names no service, and it serves only some"


def test_why_a_card_is_left_out_is_said_in_words() -> None:
    table = CardTable(OURS)
    card = announced(1, "a", assigned_sids=(Sid(1), Sid(2)), rejected_sids=(Sid(2),))
    learn(table, card)
    limits = (Limit(CAID, Ident(0x82), 0),)
    view = view_of(table, limits=limits)

    def text(**fields: int) -> str:
        (why,) = view.explain(request(1, **fields))
        return why.text

    assert text(ident=0x99) == "it has no provider 000099"
    assert text(sid=3) == "service 0003 is not among those assigned to it"
    assert text(sid=2) == "it rejects service 0002"
    learn(table, announced(2, "b", providers=providers(0)))
    texts = [why.text for why in view.explain(request(1, ident=0x82, sid=1))]
    assert texts[1] == "the F-line in line 14 keeps provider 000082 of it from this client"
    far = [why.text for why in view_of(table, uphops=0).explain(request(1, sid=1))]
    assert far == 2 * ["hop 1 is beyond uphops 0 of the F-line in line 14"]


def test_a_view_follows_whatever_is_asked_first() -> None:
    table = CardTable(OURS)
    view = view_of(table)
    assert view.card(ShareId(1)) is None
    card = learn(table, announced(1, "a"))
    assert view.card(card.own_share_id) is card
    table.remove(card.source, card.share_id)
    assert view.explain(request(card.own_share_id)) == ()
    again = learn(table, announced(1, "a"))
    assert view.explain(request(again.own_share_id)) == ()
    assert view.candidates(request(again.own_share_id)).members == {again}
    assert list(view.announcements()) == [again.own_share_id]


def test_candidates_are_remembered_until_the_table_changes() -> None:
    table = CardTable(OURS)
    card = learn(table, announced(1, "a"))
    view = view_of(table)
    first = view.candidates(request(card.own_share_id))
    second = view.candidates(request(card.own_share_id, sid=7))
    assert view.candidates(request(card.own_share_id)) is first
    assert view.candidates(request(card.own_share_id, sid=7)) is second
    for sid in range(1, 5000):
        view.candidates(request(card.own_share_id, sid=sid))
    assert view.candidates(request(card.own_share_id)) is not first, "a bound for memory"
    latest = view.candidates(request(card.own_share_id))
    table.add(card.source, announced(1, "a", reshare=1))
    assert view.candidates(request(card.own_share_id)) is not latest


def test_candidates_for_cards_that_are_gone_are_not_kept() -> None:
    """Each login of a source gives its cards new share ids."""
    table = CardTable(OURS)
    view = view_of(table)
    sight = view._sight
    for _ in range(50):
        card = learn(table, announced(1, "a"))
        for sid in range(1, 21):
            assert view.candidates(request(card.own_share_id, sid=sid)).cards == (card,)
        table.drop_source(card.source)
    assert sum(len(found) for _, found in sight._candidates.values()) == 20
    assert sight._candidates_count == 20


def test_assigned_and_rejected_sids() -> None:
    table = CardTable(OURS)
    learn(table, announced(1, "a", assigned_sids=(Sid(1), Sid(2)), rejected_sids=(Sid(2),)))
    view = view_of(table)
    assert [fits(view, sid=sid) for sid in (0, 1, 2, 3)] == [False, True, False, False]
    assert [reasons(view, sid=sid) for sid in (0, 2, 3)] == [
        [Reason.SERVICE_UNKNOWN],
        [Reason.SERVICE_REJECTED],
        [Reason.SERVICE_NOT_ASSIGNED],
    ]


def test_nok1_when_the_card_is_not_there_and_nok2_when_it_cannot() -> None:
    table = CardTable(OURS)
    view = view_of(table)
    assert view.candidates(request(5)).refusal is Refusal.PASSING
    assert view.candidates(request(0)).refusal is Refusal.PASSING
    card = learn(table, announced(1, "a"))
    assert view.candidates(request(card.own_share_id, ident=0x99)).refusal is Refusal.CANNOT_DECODE
    assert view.candidates(request(0, ident=0x99)).refusal is Refusal.CANNOT_DECODE
    assert view.candidates(request(77, ident=0x99)).refusal is Refusal.PASSING
    assert fits(view, share_id=77)


def test_a_server_that_our_cards_pass_gets_only_what_cannot_lead_back() -> None:
    table = CardTable(OURS)
    local = table.add_local(table.add_source(), LocalOffer(caid=CAID, reshare=3))
    learnt = learn(table, announced(1, "b"))
    other = learn(table, announced(2, "d", "b"))
    learn(table, announced(3, "relay", "b"))
    relay, receiver = view_of(table, node_id=node("relay")), view_of(table)
    assert len(receiver.candidates(request(learnt.own_share_id)).cards) == 4
    assert relay.candidates(request(learnt.own_share_id)).members == {local.card, learnt}
    assert relay.candidates(request(other.own_share_id)).members == {local.card, learnt, other}
    asked = relay.explain(request(learnt.own_share_id))
    assert [exclusion.reason for exclusion in asked] == [Reason.OTHER_WAY, Reason.LOOP]
    assert asked[0].text.startswith("it takes another way than the card asked for")
    fresh = view_of(table, node_id=node("relay"))
    assert fresh.explain(request(learnt.own_share_id)) == asked


def test_shared_node_ids_are_nobody() -> None:
    table = CardTable(OURS)
    nobody = next(iter(SHARED_NODE_IDS))
    learn(table, announced(1, path=(nobody, node("b")), hop=1))
    view = view_of(table, node_id=nobody)
    assert len(view.announcements()) == 1
    assert fits(view)


@pytest.mark.parametrize("behind", [CHANGES_KEPT - 1, CHANGES_KEPT, CHANGES_KEPT + 1])
def test_a_view_that_is_far_behind_looks_at_every_card_again(behind: int) -> None:
    """The table keeps its last changes; older ones must not go unnoticed."""
    table = CardTable(OURS)
    gone = learn(table, announced(1, "a"))
    restless = learn(table, announced(2, "b"))
    view = view_of(table)
    assert set(view.announcements()) == {gone.own_share_id, restless.own_share_id}
    before = table.generation
    table.remove(gone.source, gone.share_id)
    while table.generation < before + behind:
        table.remove(restless.source, restless.share_id)
        if table.generation < before + behind:
            table.add(restless.source, announced(2, "b"))
    table.add(restless.source, announced(2, "b", reshare=1))
    (left,) = view.announcements().values()
    assert (left.reshare, view.card(gone.own_share_id)) == (0, None)
    assert not view.candidates(request(gone.own_share_id)).members & {gone}


NAMES = ["a", "b", "c", "relay"]
shares = st.integers(1, 4)
announcements = st.builds(
    lambda share_id, path, **fields: announced(share_id, *path, **fields),
    shares,
    st.lists(st.sampled_from(NAMES), min_size=1, max_size=3, unique=True),
    remote_id=st.integers(0, 2),
    reshare=st.integers(0, 2),
    providers=st.sampled_from([providers(0), providers(0x80), providers(0x80, 0x81)]),
)


class Client:
    """What a client believes, from the messages alone."""

    def __init__(self, table: CardTable, node_id: NodeId, **fields: object) -> None:
        self.view = view_of(table, node_id=node_id, **fields)
        self.told: dict[ShareId, Offer] = {}

    def update(self) -> None:
        new = self.view.announcements()
        for step in list(difference(self.told, new)):
            if not isinstance(step, Offer):
                del self.told[step]
            else:
                assert self.told.get(step.share_id) != step
                self.told[step.share_id] = step


class TableMachine(RuleBasedStateMachine):
    """Whatever happens to the table, a client that follows knows what a new one is told."""

    def __init__(self) -> None:
        super().__init__()
        self.table = CardTable(OURS)
        self.sources = [self.table.add_source() for _ in range(3)]
        limits = (Limit(Caid(0), Ident(0x81), 0),)
        self.accounts = [
            (node("receiver"), {}),
            (node("relay"), {"uphops": 2, "limits": limits}),
        ]
        self.clients = [Client(self.table, node_id, **fields) for node_id, fields in self.accounts]

    @rule(index=st.integers(0, 2), message=announcements)
    def announce(self, index: int, message: Offer) -> None:
        self.table.add(self.source(index), message)

    @rule(index=st.integers(0, 2), share_id=shares)
    def remove(self, index: int, share_id: int) -> None:
        self.table.remove(self.source(index), ShareId(share_id))

    @rule(index=st.integers(0, 2))
    def lose(self, index: int) -> None:
        self.table.drop_source(self.source(index))

    @rule(index=st.integers(0, 1))
    def tell(self, index: int) -> None:
        self.clients[index].update()

    def source(self, index: int) -> SourceId:
        return self.sources[index]

    @invariant()
    def clients_know_what_a_new_client_is_told(self) -> None:
        for client, (node_id, fields) in zip(self.clients, self.accounts, strict=True):
            fresh = Client(self.table, node_id, **fields)
            fresh.update()
            assert dict(client.view.announcements()) == fresh.told
            wanted = request(next(iter(fresh.told), ShareId(0)), ident=0)
            same = client.view.candidates(wanted), fresh.view.candidates(wanted)
            assert same[0].members == same[1].members
            assert len(same[0].members) == len(same[0].cards)

    @invariant()
    def the_books_balance(self) -> None:
        cards = list(self.table.cards())
        assert len(set(cards)) == len(cards)
        by_source = [card for source in self.sources for card in self.table.cards_of(source)]
        assert set(by_source) == set(cards) == set(self.table.cards_with(CAID))
        assert {card.own_share_id for card in cards} == set(self.table.share_ids())


TestTable = TableMachine.TestCase
TestTable.settings = settings(max_examples=60, stateful_step_count=25, deadline=None)
