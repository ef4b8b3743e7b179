from datetime import UTC, datetime

import pytest
from cas_parts import CAID, LATER, NONCE, SA, UA, key
from hypothesis import given
from hypothesis import strategies as st

from cccamd.lab.cas import (
    Addressee,
    CasError,
    EmmHeader,
    KeyCommand,
    RevokeKey,
    SetKey,
    parse_sealed_emm,
    seal_emm,
)
from cccamd.lab.cas.section import seal_section

key_ids = st.integers(0, 0xFFFF)
moments = st.integers(0, 2**32 - 1).map(lambda seconds: datetime.fromtimestamp(seconds, UTC))
commands = st.one_of(
    st.builds(RevokeKey, key_ids),
    st.builds(SetKey, key_ids, st.binary(min_size=16, max_size=16), moments),
)
addresses = st.sampled_from(
    [(Addressee.CARD, UA), (Addressee.GROUP, SA), (Addressee.ALL, b"")],
)
HEADER = EmmHeader(Addressee.GROUP, SA, 5)
SEALED = seal_emm(HEADER, (RevokeKey(3),), caid=CAID, key=key(1), nonce=NONCE)


@given(addresses, st.integers(0, 2**64 - 1), st.lists(commands, min_size=1, max_size=8).map(tuple))
def test_round_trip(to: tuple[Addressee, bytes], serial: int, sent: tuple[KeyCommand, ...]) -> None:
    header = EmmHeader(*to, serial)
    emm = parse_sealed_emm(seal_emm(header, sent, caid=CAID, key=key(1), nonce=NONCE))
    assert emm.header == header
    assert emm.unseal(key(1), caid=CAID) == sent


@given(st.binary(max_size=120))
def test_any_bytes_are_refused(raw: bytes) -> None:
    with pytest.raises(CasError):
        parse_sealed_emm(raw).unseal(key(1), caid=CAID)


def test_each_flipped_bit_is_refused() -> None:
    for bit in range(8 * len(SEALED)):
        flipped = bytearray(SEALED)
        flipped[bit // 8] ^= 1 << bit % 8
        with pytest.raises(CasError):
            parse_sealed_emm(bytes(flipped)).unseal(key(1), caid=CAID)


@given(st.binary(max_size=100))
def test_any_authentic_content_is_commands_or_refused(secret: bytes) -> None:
    """Whoever holds the key may still send rubbish: all of it is understood, or nothing."""
    raw = seal_section(
        Addressee.ALL, bytes(8), secret, key=key(1), nonce=NONCE, context=b"cccamd open EMM\xff\x01"
    )
    try:
        understood = parse_sealed_emm(raw).unseal(key(1), caid=CAID)
    except CasError:
        return
    assert b"".join(command.serialize() for command in understood) == secret


def test_an_authentic_emm_without_a_command_is_refused() -> None:
    raw = seal_section(
        Addressee.ALL, bytes(8), b"", key=key(1), nonce=NONCE, context=b"cccamd open EMM\xff\x01"
    )
    with pytest.raises(CasError, match="no command in it"):
        parse_sealed_emm(raw).unseal(key(1), caid=CAID)


def test_an_authentic_emm_whose_last_command_is_cut_off_is_refused() -> None:
    whole = RevokeKey(3).serialize() + SetKey(4, key(1), LATER).serialize()
    for length in range(1, len(whole)):
        raw = seal_section(
            Addressee.ALL,
            bytes(8),
            whole[:length],
            key=key(1),
            nonce=NONCE,
            context=b"cccamd open EMM\xff\x01",
        )
        if length != len(RevokeKey(3).serialize()):
            with pytest.raises(CasError, match="the last command is cut off"):
                parse_sealed_emm(raw).unseal(key(1), caid=CAID)


def test_emm_keeps_within_a_ccam_message() -> None:
    nine = tuple(SetKey(number, key(1), LATER) for number in range(9))
    header = EmmHeader(Addressee.CARD, UA, 1)
    seal_emm(header, nine[:8], caid=CAID, key=key(1), nonce=NONCE)
    with pytest.raises(CasError, match="255 are allowed"):
        seal_emm(header, (*nine, *nine[:1]), caid=CAID, key=key(1), nonce=NONCE)


def test_keys_do_not_show() -> None:
    assert key(0x51).hex() not in repr(SetKey(1, key(0x51), LATER))
    assert "QQ" not in repr(SetKey(1, key(0x51), LATER))
