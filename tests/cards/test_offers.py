"""A card list that does not change, and the next one made of it."""

from card_factory import announced
from hypothesis import given
from hypothesis import strategies as st

from cccamd.cards import difference
from cccamd.cards.offers import PART_BITS, Offers, differing_parts
from cccamd.ids import ShareId
from cccamd.values import Offer

PART = 1 << PART_BITS
ids = st.sampled_from([ShareId(number) for number in (1, 2, PART - 1, PART, PART + 1, 9 * PART)])
steps = st.lists(st.dictionaries(ids, st.integers(0, 3) | st.none(), max_size=6), max_size=6)


@given(steps)
def test_each_state_is_what_a_copy_would_have_been(steps: list[dict[ShareId, int | None]]) -> None:
    now: dict[ShareId, Offer] = {}
    shown, states = Offers(), []
    for step in steps:
        for share_id, hop in step.items():
            if hop is None:
                now.pop(share_id, None)
            else:
                now[share_id] = announced(share_id, "a", hop=hop)
        shown = shown.changed(step, now)
        states.append((shown, dict(now)))
    for old, old_copy in states:
        for new, new_copy in states:
            found = list(difference(old, new))
            assert sorted(map(repr, found)) == sorted(map(repr, difference(old_copy, new_copy)))
            kinds = [isinstance(each, Offer) for each in found]
            assert kinds == sorted(kinds), "what is withdrawn comes first"
    for state, copy in states:
        assert dict(state) == copy
        assert len(state) == len(copy)
        assert bool(state) is bool(copy)
        assert set(state.values()) == set(copy.values())
        assert all((share_id in state) is (share_id in copy) for share_id in (1, 2, PART, 7 * PART))
        assert state.get(ShareId(1)) == copy.get(ShareId(1))
        assert all(state.parts.values()), "no part is empty"


def test_only_the_parts_are_copied_in_which_something_changed() -> None:
    many = {ShareId(number): announced(number, "a") for number in range(1, 5 * PART)}
    before = Offers().changed(many, many)
    many[ShareId(PART)] = announced(PART, "a", hop=2)
    after = before.changed([ShareId(PART)], many)
    assert list(differing_parts(before, after)) == [(before.parts[1], after.parts[1])]
    assert [after.parts[number] is before.parts[number] for number in range(5)] == [
        number != 1 for number in range(5)
    ]
