from datetime import timedelta

import pytest
from cas_parts import CAID, LATER, NONCE, NOON, SA, UA, WORDS, head_end, key

from cccamd.ids import Sid
from cccamd.lab.cas import (
    Addressee,
    CardKeys,
    CasError,
    EcmHeader,
    RevokeKey,
    ServiceKey,
    SetKey,
    decode,
    learn,
)

SID = Sid(0x1D80)


def card(*, with_service_keys: bool = True) -> CardKeys:
    return head_end().card_keys(UA, with_service_keys=with_service_keys)


def ecm(key_id: int = 1) -> bytes:
    return head_end().make_ecm(EcmHeader(SID, key_id, 7), WORDS, nonce=NONCE)


@pytest.mark.parametrize("sid", [SID, Sid(0)])
def test_decodes_its_service_and_an_unknown_one(sid: Sid) -> None:
    assert decode(card(), ecm(), sid=sid, now=NOON) == WORDS


def test_another_service_is_refused() -> None:
    with pytest.raises(CasError, match="the ECM is for service 1D80, asked was 1D81"):
        decode(card(), ecm(), sid=Sid(0x1D81), now=NOON)


def test_key_opens_until_the_second_it_expires() -> None:
    assert decode(card(), ecm(2), sid=SID, now=NOON - timedelta(seconds=1)) == WORDS
    with pytest.raises(CasError, match="service key 0002 expired 2026-11-22 12:00 UTC"):
        decode(card(), ecm(2), sid=SID, now=NOON)


def test_unknown_key_is_named() -> None:
    with pytest.raises(CasError, match="service key 0001 is not on the card; it holds none"):
        decode(card(with_service_keys=False), ecm(), sid=SID, now=NOON)


@pytest.mark.parametrize(
    ("to", "address"), [(Addressee.CARD, UA), (Addressee.GROUP, SA), (Addressee.ALL, b"")]
)
def test_learns_renews_and_forgets_keys(to: Addressee, address: bytes) -> None:
    head = head_end()
    empty = card(with_service_keys=False)
    head, given = head.make_emm(to, address, (head.set_command(2),), nonce=NONCE)
    held = learn(empty, given)
    assert held.service_keys == {2: ServiceKey(key=key(0x52), expires=NOON)}

    renewed = (SetKey(2, key(0x62), LATER),)
    head, sent = head.make_emm(to, address, renewed, nonce=NONCE)
    held = learn(held, sent)
    assert held.service_keys == {2: ServiceKey(key=key(0x62), expires=LATER)}

    head, revoked = head.make_emm(to, address, (RevokeKey(2), RevokeKey(9)), nonce=NONCE)
    assert learn(held, revoked).service_keys == {}


def test_an_emm_is_taken_once_and_older_ones_never() -> None:
    head, first = head_end().make_emm(Addressee.ALL, b"", (RevokeKey(1),), nonce=NONCE)
    _, second = head.make_emm(Addressee.ALL, b"", (RevokeKey(2),), nonce=NONCE)
    held = learn(card(), second)
    for seen in (first, second):
        with pytest.raises(CasError, match="seen before"):
            learn(held, seen)


def test_serials_of_addressees_are_apart() -> None:
    head, _ = head_end().make_emm(Addressee.ALL, b"", (RevokeKey(1),), nonce=NONCE)
    head, to_all = head.make_emm(Addressee.ALL, b"", (RevokeKey(1),), nonce=NONCE)
    _, to_card = head.make_emm(Addressee.CARD, UA, (RevokeKey(2),), nonce=NONCE)
    assert learn(learn(card(), to_all), to_card).service_keys == {}


@pytest.mark.parametrize(
    ("to", "address"), [(Addressee.CARD, bytes(8)), (Addressee.GROUP, bytes(4))]
)
def test_other_addressees_are_refused(to: Addressee, address: bytes) -> None:
    other = head_end().with_card(bytes(8), head_end().cards[UA])
    other = other.with_group(bytes(4), head_end().groups[SA])
    _, emm = other.make_emm(to, address, (RevokeKey(1),), nonce=NONCE)
    with pytest.raises(CasError, match="which this card is not"):
        learn(card(), emm)


def test_emm_of_another_head_end_changes_nothing() -> None:
    stranger = head_end().replace(all=head_end().all.replace(key=key(9)))
    _, emm = stranger.make_emm(Addressee.ALL, b"", (RevokeKey(1),), nonce=NONCE)
    with pytest.raises(CasError, match="not authentic"):
        learn(card(), emm)


def test_a_new_card_takes_the_newest_emm_and_no_older_one() -> None:
    head, old = head_end().make_emm(Addressee.ALL, b"", (RevokeKey(1),), nonce=NONCE)
    head, newest = head.make_emm(Addressee.ALL, b"", (RevokeKey(2),), nonce=NONCE)
    fresh = head.card_keys(UA, with_service_keys=True)
    with pytest.raises(CasError, match="seen before"):
        learn(fresh, old)
    assert set(learn(fresh, newest).service_keys) == {1}


def test_caid_is_bound() -> None:
    moved = card().replace(caid=CAID + 1)
    with pytest.raises(CasError, match="not authentic"):
        decode(moved, ecm(), sid=SID, now=NOON)
