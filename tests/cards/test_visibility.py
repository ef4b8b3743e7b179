"""Visibility against a naive restatement of docs/config.md 3.1 and docs/protocol.md 11."""

from card_factory import CLIENT, OURS, account, announced, node, providers
from hypothesis import given
from hypothesis import strategies as st

from cccamd.cards import Card, CardTable, Limit, LocalOffer, Reason, Viewer, judge
from cccamd.ids import SHARED_NODE_IDS, Caid, Ident, NodeId
from cccamd.setup.cccamcfg import (
    Dialect,
    FLine,
)

CAIDS = st.sampled_from([0x0100, 0x0500])
IDENTS = st.sampled_from([0x80, 0x81, 0x82])

limits = st.lists(
    st.builds(Limit, st.just(0) | CAIDS, st.just(0) | IDENTS, st.integers(0, 4)),
    max_size=4,
    unique_by=lambda limit: (limit.caid, limit.ident),
).map(tuple)

accounts = st.builds(account, uphops=st.integers(0, 4), limits=limits) | st.builds(
    account,
    uphops=st.integers(0, 4),
    limits=limits,
    dialect=st.just(Dialect.MASK),
    downhops=st.integers(0, 3),
)

viewers = st.builds(
    Viewer,
    account=accounts,
    global_limits=limits,
    node_id=st.sampled_from([CLIENT, node("a"), next(iter(SHARED_NODE_IDS))]),
)


def build_card(caid: int, path: list[NodeId], reshare: int, idents: list[int]) -> Card:
    """A card as the table makes it: a path of n nodes is a distance of n."""
    table = CardTable(OURS)
    source = table.add_source()
    if not path:
        local = LocalOffer(caid=Caid(caid), reshare=reshare, providers=providers(*idents))
        table.add_local(source, local)
    else:
        message = announced(
            1,
            caid=Caid(caid),
            reshare=reshare,
            hop=len(path) - 1,
            providers=providers(*idents),
            path=tuple(path),
        )
        table.add(source, message)
    (card,) = table.cards()
    return card


NODES = [node("a"), node("b"), node("c"), CLIENT, *SHARED_NODE_IDS]
cards = st.builds(
    build_card,
    CAIDS,
    st.lists(st.sampled_from(NODES), max_size=4, unique=True),
    st.integers(0, 4),
    st.lists(IDENTS, max_size=3, unique=True),
)


def naive_number(limits: tuple[Limit, ...], caid: int, ident: int) -> int | None:
    """The number of the most specific entry: caid weighs more than ident."""
    matching = [
        (2 * (limit.caid != 0) + (limit.ident != 0), limit.number)
        for limit in limits
        if limit.caid in (0, caid) and limit.ident in (0, ident)
    ]
    return max(matching)[1] if matching else None


def naive_announcement(viewer: Viewer, card: Card) -> tuple[int, set[int]] | None:
    """The reshare byte and the providers that the client is told, or None."""
    line = viewer.account
    limits = line.limits if line.limits else viewer.global_limits
    if card.hop > line.uphops or (line.dialect is Dialect.MASK and card.hop > line.downhops):
        return None
    if viewer.node_id in card.path and viewer.node_id not in SHARED_NODE_IDS:
        return None
    further = card.reshare - (0 if card.hop == 0 else 1)
    if further < 0:
        return None
    levels = [further]
    if line.dialect is Dialect.MASK:
        levels.append(line.downhops)
    told = set()
    for ident in [provider.ident for provider in card.providers] or [0]:
        number = naive_number(limits, card.caid, ident)
        if number != 0:
            told.add(ident)
            levels += [] if number is None else [number - 1]
    return (min(levels), told) if told else None


@given(viewers, cards)
def test_judgement_is_that_of_the_naive_rules(viewer: Viewer, card: Card) -> None:
    verdict = judge(viewer, card)
    found = None
    if verdict.visible:
        found = (verdict.reshare, {provider.ident for provider in verdict.providers})
    assert found == naive_announcement(viewer, card)


def verdict_text(card: Card, line: FLine, *, node_id: NodeId = CLIENT) -> str:
    return judge(Viewer(account=line, node_id=node_id), card).text


def test_each_reason_is_a_sentence_that_names_the_line() -> None:
    far = build_card(0x100, [node("a"), node("b")], 2, [0x80])
    kept = build_card(0x100, [node("a")], 0, [0x80])
    nothing = (Limit(Caid(0x100), Ident(0), 0),)
    assert verdict_text(far, account(uphops=1)) == (
        "hop 2 is beyond uphops 1 of the F-line in line 14"
    )
    assert verdict_text(far, account(dialect=Dialect.MASK, uphops=5, downhops=1)) == (
        "hop 2 is beyond downhops 1 of the F-line in line 14"
    )
    assert "reshare 0" in verdict_text(kept, account())
    assert "limits of the F-line in line 14" in verdict_text(far, account(limits=nothing))
    assert "through the client itself" in verdict_text(far, account(), node_id=node("a"))
    assert judge(Viewer(account=account(), node_id=CLIENT), far).line == 14


def test_own_limits_replace_the_global_ones() -> None:
    card = build_card(0x100, [], 3, [0x80])
    deny, allow = (Limit(Caid(0), Ident(0), 0),), (Limit(Caid(0), Ident(0), 2),)
    strict = Viewer(account=account(), node_id=CLIENT, global_limits=deny)
    own = Viewer(account=account(limits=allow), node_id=CLIENT, global_limits=deny)
    assert judge(strict, card).reason is Reason.LIMITED
    assert "GLOBAL LIMITS" in judge(strict, card).text
    assert judge(own, card).reshare == 1


def test_the_stricter_of_two_entries_for_the_same_pair_counts() -> None:
    card = build_card(0x100, [], 9, [0x80])
    twice = (Limit(Caid(0), Ident(0), 3), Limit(Caid(0), Ident(0), 1))
    for limits in (twice, twice[::-1]):
        assert judge(Viewer(account=account(limits=limits), node_id=CLIENT), card).reshare == 0
