"""The messages a client is told."""

from card_factory import CAID, CLIENT, OURS, account, announced, node, providers, view_of
from hypothesis import given, settings
from hypothesis import strategies as st

from cccamd.cards import (
    Added,
    Card,
    CardTable,
    LocalOffer,
    Viewer,
    announcement,
    difference,
    judge,
)
from cccamd.ids import Ident, ShareId, Sid
from cccamd.values import Offer, Provider
from cccamd.wire.cccam import (
    PAYLOAD_LIMIT,
    SIDS_LIMIT,
    fitted,
    serialize_offer,
)

SIDS = tuple(Sid(number) for number in range(1, 301))


def told(message: Offer, **viewer: object) -> Offer | None:
    table = CardTable(OURS)
    result = table.add(table.add_source(), message)
    assert isinstance(result, Added)
    fields: dict[str, object] = {"account": account(uphops=255), "node_id": CLIENT}
    return fitted(announcement(judge(Viewer(**(fields | viewer)), result.card), OURS))  # type: ignore[arg-type]


def test_a_learnt_card_goes_on_with_our_node_id_last() -> None:
    message = announced(77, "x", "a", remote_id=5, reshare=2, ua=b"\0\0\0\0\x12\x34\x56\x78")
    passed_on = told(message)
    assert passed_on == Offer(
        share_id=ShareId(1),
        remote_id=5,
        caid=CAID,
        hop=2,
        reshare=1,
        ua=b"\0\0\0\0\x12\x34\x56\x78",
        providers=(Provider(message.providers[0].ident),),
        path=(node("x"), node("a"), OURS),
    )


def test_who_may_not_send_emms_learns_no_ua() -> None:
    message = announced(77, "x", ua=b"\0\0\0\0\x12\x34\x56\x78")
    passed_on = told(message, emm_allowed=False)
    assert passed_on is not None
    assert passed_on.ua == bytes(8)


def test_who_may_not_send_emms_learns_no_shared_address() -> None:
    shared = (Provider(Ident(0x80), b"\0\0\xaa\x01"), Provider(Ident(0x81), b"\0\0\xaa\x02"))
    message = announced(77, "x", providers=shared)
    for allowed, expected in ((True, shared), (False, providers(0x80, 0x81))):
        passed_on = told(message, emm_allowed=allowed)
        assert passed_on is not None
        assert passed_on.providers == expected


def test_a_local_card_is_announced_with_provider_0_and_its_own_reshare() -> None:
    table = CardTable(OURS)
    table.add_local(table.add_source(), LocalOffer(caid=CAID, reshare=0))
    (message,) = view_of(table, uphops=0).announcements().values()
    assert (message.hop, message.reshare, message.path) == (0, 0, (OURS,))
    assert message.providers == providers(0)


@given(st.integers(0, 255), st.integers(0, 220), st.integers(0, 220), st.integers(1, 130))
@settings(max_examples=300)
def test_it_fits_into_a_frame_and_never_widens(
    provider_count: int, assigned: int, rejected: int, path_length: int
) -> None:
    message = announced(
        1,
        providers=providers(*range(1, provider_count + 1)),
        assigned_sids=SIDS[:assigned],
        rejected_sids=SIDS[:rejected],
        path=tuple(node(f"{number}") for number in range(path_length)),
        hop=0,
    )
    passed_on = told(message)
    if passed_on is None:
        assert 24 + 8 * (path_length + 1) + 7 + 2 > PAYLOAD_LIMIT
        return
    assert len(serialize_offer(passed_on, with_sids=True)) <= PAYLOAD_LIMIT
    assert passed_on.path == (*message.path, OURS)
    assert bool(passed_on.assigned_sids) == bool(assigned)
    assert passed_on.providers
    assert set(passed_on.assigned_sids) <= set(message.assigned_sids)
    assert max(len(passed_on.assigned_sids), len(passed_on.rejected_sids)) <= SIDS_LIMIT


def test_rejected_sids_go_first_then_assigned_ones_then_providers() -> None:
    # The fixed part and a path of two leave 980 bytes: 40 providers and 200 SIDs take 680.
    all_lists = announced(
        1,
        "a",
        providers=providers(*range(1, 41)),
        assigned_sids=SIDS[:200],
        rejected_sids=SIDS[:200],
    )
    fewer = told(all_lists)
    assert fewer is not None
    assert (len(fewer.providers), len(fewer.assigned_sids)) == (40, 200)
    assert len(fewer.rejected_sids) == 150
    many = announced(1, "a", providers=providers(*range(1, 101)), assigned_sids=SIDS[:200])
    fewest = told(many)
    assert fewest is not None
    assert (len(fewest.providers), len(fewest.assigned_sids)) == (100, 140)
    full = announced(1, "a", providers=providers(*range(1, 201)), assigned_sids=SIDS[:200])
    cut = told(full)
    assert cut is not None
    assert (len(cut.providers), len(cut.assigned_sids)) == (139, 1)


messages = st.builds(
    announced, st.integers(1, 6), st.sampled_from("abc"), reshare=st.integers(1, 3)
)
lists = st.lists(messages, max_size=6).map(lambda cards: {card.share_id: card for card in cards})


@given(lists, lists)
def test_the_difference_leads_from_one_list_to_the_other(
    old: dict[ShareId, Offer], new: dict[ShareId, Offer]
) -> None:
    known = dict(old)
    steps = list(difference(old, new))
    for step in steps:
        if not isinstance(step, Offer):
            del known[step]
        else:
            assert known.get(step.share_id) != step
            known[step.share_id] = step
    assert known == new
    kinds = [isinstance(step, Offer) for step in steps]
    assert kinds == sorted(kinds)


def test_nothing_is_said_of_a_card_without_a_visible_way() -> None:
    table = CardTable(OURS)
    result = table.add(table.add_source(), announced(1, "a", reshare=0))
    assert isinstance(result, Added)
    assert isinstance(result.card, Card)
    assert dict(view_of(table).announcements()) == {}
