from hashlib import sha256

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from cccamd.ids import Caid, Ident, Sid
from cccamd.localcards import CannotDecode, CardConfig, CardOptions
from cccamd.localcards.fixed import FixedCard, FixedOptions
from cccamd.localcards.testcard import TestCard
from cccamd.values import ControlWords

CONFIG = CardConfig(name="lab", caid=Caid(0xFF01))
SOUND = "00112233aabbcc3100112233aabbcc31"
OTHER = "01020306010203060102030601020306"


@given(st.binary(min_size=1, max_size=300))
def test_the_test_kind_is_sha256_with_checksums(ecm: bytes) -> None:
    words = TestCard(CONFIG, CardOptions()).decode_now(ecm, ident=Ident(0), sid=Sid(1)).raw
    digest = sha256(ecm).digest()[:16]
    for start in range(0, 16, 4):
        assert words[start : start + 3] == digest[start : start + 3]
        assert words[start + 3] == sum(words[start : start + 3]) % 256


def test_the_test_kind_on_one_known_ecm() -> None:
    words = TestCard(CONFIG, CardOptions()).decode_now(b"\x80\x70\x00", ident=Ident(0), sid=Sid(1))
    assert words.raw.hex() == "ed7802670dbe1de80fcd330f29ac2f04"


def test_only_the_fixed_kind_may_repeat_a_cw() -> None:
    assert FixedCard.constant
    assert not TestCard.constant


def fixed(**keys: object) -> FixedCard:
    return FixedCard(CONFIG, FixedOptions.model_validate(keys))


def test_fixed_cw_by_service_and_for_the_rest() -> None:
    card = fixed(cw=SOUND, services={"1D80": OTHER})
    assert card.decode_now(b"", ident=Ident(0), sid=Sid(0x1D80)).raw.hex() == OTHER
    assert card.decode_now(b"", ident=Ident(0), sid=Sid(0x1D81)).raw.hex() == SOUND


def test_fixed_without_cw_for_the_service() -> None:
    with pytest.raises(CannotDecode, match="no CW for service 1D81"):
        fixed(services={"1D80": OTHER}).decode_now(b"", ident=Ident(0), sid=Sid(0x1D81))


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        ({}, "expected cw"),
        ({"cw": 7}, "32 hex digits in quotes"),
        ({"cw": "0102"}, "found 4"),
        ({"cw": "x" * 32}, "nothing but hex digits"),
        ({"cw": "0" * 32}, "zeros only"),
        ({"cw": "00112234aabbcc3100112233aabbcc32"}, "wrong: 4, 16;"),
        ({"services": {"0": SOUND}}, "0001 to FFFF"),
        ({"services": {"10000": SOUND}}, "0001 to FFFF"),
    ],
)
def test_fixed_says_what_is_wrong_and_no_digit_of_it(keys: dict[str, object], message: str) -> None:
    with pytest.raises(ValidationError, match=message) as caught:
        fixed(**keys)
    for detail in caught.value.errors(include_input=False, include_url=False):
        assert str(keys.get("cw", SOUND)) not in detail["msg"]


def test_fixed_options_do_not_show_the_cw() -> None:
    options = FixedOptions.model_validate({"cw": SOUND, "services": {"1": OTHER}})
    assert options.cw == ControlWords(bytes.fromhex(SOUND))
    assert SOUND not in repr(options)
    assert "x11" not in repr(options)
