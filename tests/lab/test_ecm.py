import pytest
from cas_parts import CAID, NONCE, WORDS, key
from hypothesis import given
from hypothesis import strategies as st

from cccamd.ids import Caid, Sid
from cccamd.lab.cas import CasError, EcmHeader, parse_sealed_ecm, seal_ecm
from cccamd.lab.cas.section import seal_section
from cccamd.values import ControlWords

headers = st.builds(
    EcmHeader,
    sid=st.integers(0, 0xFFFF).map(Sid),
    key_id=st.integers(0, 0xFFFF),
    period=st.integers(0, 0xFFFFFFFF),
)
SEALED = seal_ecm(EcmHeader(Sid(0x1D80), 3, 7), WORDS, caid=CAID, key=key(1), nonce=NONCE)


@given(headers, st.binary(min_size=16, max_size=16), st.binary(min_size=12, max_size=12))
def test_round_trip(header: EcmHeader, raw: bytes, nonce: bytes) -> None:
    raw_ecm = seal_ecm(header, ControlWords(raw), caid=CAID, key=key(1), nonce=nonce)
    ecm = parse_sealed_ecm(raw_ecm)
    assert ecm.header == header
    assert ecm.unseal(key(1), caid=CAID).raw == raw


def sealed(
    *, table_id: int = 0x81, period: int = 7, secret: bytes = WORDS.raw, nonce: bytes = NONCE
) -> bytes:
    """Make an authentic section of which something is not as it should be."""
    header = EcmHeader(Sid(0x1D80), 3, period).serialize()
    context = b"cccamd open ECM" + CAID.to_bytes(2)
    return seal_section(table_id, header, secret, key=key(1), nonce=nonce, context=context)


@pytest.mark.parametrize(("period", "table_id"), [(0, 0x80), (1, 0x81), (2, 0x80), (3, 0x81)])
def test_the_table_id_says_whether_the_period_is_odd(period: int, table_id: int) -> None:
    assert sealed(table_id=table_id, period=period)[0] == table_id
    header = EcmHeader(Sid(1), 3, period)
    assert header.table_id == table_id
    assert parse_sealed_ecm(sealed(table_id=table_id, period=period)).header.period == period
    with pytest.raises(CasError, match="does not fit period"):
        parse_sealed_ecm(sealed(table_id=table_id ^ 1, period=period))


def test_authentic_words_of_another_length_are_refused() -> None:
    for length in (15, 17):
        with pytest.raises(CasError, match=f"{length} bytes where 16"):
            parse_sealed_ecm(sealed(secret=bytes(length))).unseal(key(1), caid=CAID)


def test_what_a_section_can_hold() -> None:
    most = 255 - 4 - 8 - 12 - 16
    assert len(sealed(secret=bytes(most))) == 255
    with pytest.raises(CasError, match="would have 256 bytes"):
        sealed(secret=bytes(most + 1))
    with pytest.raises(ValueError, match="a nonce is 12 bytes, not 11"):
        sealed(nonce=bytes(11))


def test_the_frame_alone_refuses_another_length_or_version() -> None:
    for changed in (1, 2, 4, 8):
        with pytest.raises(CasError, match="says that it has"):
            parse_sealed_ecm(SEALED[:1] + bytes([SEALED[1] ^ changed]) + SEALED[2:])
    with pytest.raises(CasError, match="format version 2, expected 1"):
        parse_sealed_ecm(SEALED[:3] + b"\2" + SEALED[4:])


def test_section_frame() -> None:
    assert SEALED[0] == 0x81, "an odd period has table id 0x81"
    assert len(SEALED) == 56
    assert int.from_bytes(SEALED[1:3]) == 0x7000 | 53


@given(st.binary(max_size=80))
def test_any_bytes_are_refused(raw: bytes) -> None:
    with pytest.raises(CasError):
        parse_sealed_ecm(raw).unseal(key(1), caid=CAID)


@given(st.binary(max_size=80))
def test_any_bytes_in_a_sound_frame_are_refused(rest: bytes) -> None:
    raw = b"\x80" + (0x7000 | len(rest) + 1).to_bytes(2) + b"\x01" + rest
    with pytest.raises(CasError):
        parse_sealed_ecm(raw).unseal(key(1), caid=CAID)


def test_each_flipped_bit_is_refused() -> None:
    for bit in range(8 * len(SEALED)):
        flipped = bytearray(SEALED)
        flipped[bit // 8] ^= 1 << bit % 8
        with pytest.raises(CasError):
            parse_sealed_ecm(bytes(flipped)).unseal(key(1), caid=CAID)


@pytest.mark.parametrize(("caid", "number"), [(Caid(0xFF02), 1), (CAID, 2)])
def test_another_caid_or_key_is_refused(caid: Caid, number: int) -> None:
    with pytest.raises(CasError, match="not authentic"):
        parse_sealed_ecm(SEALED).unseal(key(number), caid=caid)


def test_every_cut_is_refused() -> None:
    for length in range(len(SEALED)):
        with pytest.raises(CasError):
            parse_sealed_ecm(SEALED[:length])
    with pytest.raises(CasError, match="says that it has 56 bytes, and has 57"):
        parse_sealed_ecm(SEALED + b"\0")
