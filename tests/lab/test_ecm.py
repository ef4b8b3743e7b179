import pytest
from cas_parts import CAID, NONCE, WORDS, key
from hypothesis import given
from hypothesis import strategies as st

from cccamd.ids import Caid, Sid
from cccamd.lab.cas import CasError, EcmHeader, parse_ecm, seal_ecm
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
    sealed = seal_ecm(header, ControlWords(raw), caid=CAID, key=key(1), nonce=nonce)
    ecm = parse_ecm(sealed)
    assert ecm.header == header
    assert ecm.unseal(key(1), caid=CAID).raw == raw


def test_section_frame() -> None:
    assert SEALED[0] == 0x81, "an odd period has table id 0x81"
    assert len(SEALED) == 56
    assert int.from_bytes(SEALED[1:3]) == 0x7000 | 53


@given(st.binary(max_size=80))
def test_any_bytes_are_refused(raw: bytes) -> None:
    with pytest.raises(CasError):
        parse_ecm(raw).unseal(key(1), caid=CAID)


@given(st.binary(max_size=80))
def test_any_bytes_in_a_sound_frame_are_refused(rest: bytes) -> None:
    raw = b"\x80" + (0x7000 | len(rest) + 1).to_bytes(2) + b"\x01" + rest
    with pytest.raises(CasError):
        parse_ecm(raw).unseal(key(1), caid=CAID)


def test_each_flipped_bit_is_refused() -> None:
    for bit in range(8 * len(SEALED)):
        flipped = bytearray(SEALED)
        flipped[bit // 8] ^= 1 << bit % 8
        with pytest.raises(CasError):
            parse_ecm(bytes(flipped)).unseal(key(1), caid=CAID)


@pytest.mark.parametrize(("caid", "number"), [(Caid(0xFF02), 1), (CAID, 2)])
def test_another_caid_or_key_is_refused(caid: Caid, number: int) -> None:
    with pytest.raises(CasError, match="not authentic"):
        parse_ecm(SEALED).unseal(key(number), caid=caid)


def test_every_cut_is_refused() -> None:
    for length in range(len(SEALED)):
        with pytest.raises(CasError):
            parse_ecm(SEALED[:length])
    with pytest.raises(CasError, match="says that it has 56 bytes, and has 57"):
        parse_ecm(SEALED + b"\0")
