"""What is shared by all clients with the same rights, and how much is done at once."""

from collections.abc import Collection, Mapping
from itertools import islice

import pytest
from card_factory import OURS, announced, node, request, view_of

from cccamd.cards import NOTHING, CardTable
from cccamd.cards.offers import Offers
from cccamd.cards.sight import SHOWN_AT_ONCE
from cccamd.cards.table import CHANGES_KEPT
from cccamd.ids import Caid, ShareId
from cccamd.values import Offer

MANY = 3000


def crowded(cards: int = MANY) -> CardTable:
    table = CardTable(OURS)
    source = table.add_source()
    for number in range(1, cards + 1):
        table.add(source, announced(number, "a", remote_id=number, caid=Caid(0x0200)))
    return table


def test_an_ecm_judges_no_cards_but_those_of_its_caid() -> None:
    table = crowded()
    table.add(table.add_source(), announced(1, "b", caid=Caid(0x0100)))
    view = view_of(table)
    assert view.candidates(request(0, caid=0x0100)).cards
    assert len(view._shared._judged_at) == 1


def test_what_serves_is_found_anew_only_when_cards_of_its_caid_change() -> None:
    table = CardTable(OURS)
    source = table.add_source()
    table.add(source, announced(1, "a", caid=Caid(0x0100)))
    view = view_of(table)
    found = view.candidates(request(0, caid=0x0100))
    table.add(source, announced(2, "a", caid=Caid(0x0200)))
    assert view.candidates(request(0, caid=0x0100)) is found
    table.add(source, announced(3, "a", caid=Caid(0x0100)))
    assert len(view.candidates(request(0, caid=0x0100)).cards) == 2


def test_clients_with_the_same_rights_share_what_was_judged() -> None:
    table = crowded(10)
    first, second = view_of(table, node_id=node("x")), view_of(table, node_id=node("y"))
    assert first.announcements() is second.announcements()
    assert second.behind == 0


def test_who_becomes_a_server_on_the_way_sees_less_and_others_do_not() -> None:
    table = crowded(10)
    first, second = view_of(table, node_id=node("x")), view_of(table, node_id=node("y"))
    table.add(table.add_source(), announced(1, "x", remote_id=99, caid=Caid(0x0300)))
    assert len(first.announcements()) == 10
    assert len(second.announcements()) == 11


def test_a_list_is_looked_at_in_small_steps_and_shown_in_between() -> None:
    table = crowded()
    view = view_of(table)
    steps = shown = 0
    for _ in view.looks():
        steps += 1
        shown += len(view.shown.offers) not in (0, MANY)
    assert steps == MANY
    assert shown, "a client need not wait for the whole list"
    assert len(view.shown.offers) == MANY


@pytest.mark.pure_only("counts what a method of a compiled class is given")
@pytest.mark.parametrize("unseen", [MANY, CHANGES_KEPT + 1])
def test_no_step_is_about_more_than_a_few_cards_however_many_have_changed(
    unseen: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """They come faster than they are judged, or while nobody looks, or are judged for an ECM."""
    pieces: list[int] = []
    changed = Offers.changed

    def counted(
        offers: Offers, touched: Collection[ShareId], now: Mapping[ShareId, Offer]
    ) -> Offers:
        pieces.append(len(touched))
        return changed(offers, touched, now)

    monkeypatch.setattr(Offers, "changed", counted)
    table = crowded()
    view = view_of(table)
    view.announcements()
    source = table.add_source()
    for number in range(unseen):
        share_id, reshare = 1 + number % 2000, 1 + number // 2000 % 2
        card = announced(share_id, "b", remote_id=share_id, caid=Caid(0x0200), reshare=reshare)
        table.add(source, card)
    sight = view._shared
    judged = len(sight._judged_at)
    assert view.behind >= 2000
    assert len(sight._judged_at) == judged, "to follow is to judge none"
    view.candidates(request(0, caid=0x0200))
    more = iter(range(MANY))
    for _ in view.looks():
        for number in islice(more, 3):
            table.add(source, announced(100_000 + number, "c", remote_id=1 + number))
    assert max(pieces) <= SHOWN_AT_ONCE
    assert len(view.shown.offers) == len(list(table.share_ids()))
    assert not sight._queue


def test_changes_lead_from_any_state_that_was_shown_to_the_last_one() -> None:
    table = crowded(50)
    source = table.add_source()
    view = view_of(table)
    states = [NOTHING]
    for number in range(1, 30):
        table.add(source, announced(100 + number, "b", remote_id=number, caid=Caid(0x0300)))
        if number % 3 == 0:
            table.remove(source, ShareId(100 + number - 2))
        if number % 7 == 0:
            table.add(source, announced(100 + number, "b", "c", remote_id=number))
        view.announcements()
        states.append(view.shown)
    for told in states:
        cards = dict(told.offers)
        for change in view.changes_since(told):
            if isinstance(change, Offer):
                cards[change.share_id] = change
            else:
                del cards[change]
        assert cards == dict(view.announcements())
