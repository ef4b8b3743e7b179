"""Codes of keys: what people make of them on the phone, and what a mistake comes to."""

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, load_pem_private_key
from hypothesis import given
from hypothesis import strategies as st

from cccamd.errors import NumberError
from cccamd.wire.certificates import code_of, formal_signer, make_key
from cccamd.wire.keycodes import LENGTH, KeyCode, format_key_code, parse_key_code

CODES = st.binary(min_size=LENGTH, max_size=LENGTH).map(KeyCode)


@given(CODES)
def test_a_code_is_read_however_it_is_written_down(code: KeyCode) -> None:
    text = format_key_code(code)
    assert [len(group) for group in text.split("-")] == [5] * 7
    for written in (text, text.lower(), text.replace("-", " "), f" {text.replace('-', '')}\n"):
        assert parse_key_code(written) == code
    assert parse_key_code(text.replace("0", "O").replace("1", "l")) == code


@given(CODES, st.integers(0, 34), st.sampled_from("0123456789ABCDEFGHJKMNPQRSTVWXYZ"))
def test_one_wrong_letter_is_noticed_or_told_apart(code: KeyCode, at: int, letter: str) -> None:
    letters = format_key_code(code).replace("-", "")
    wrong = letters[:at] + letter + letters[at + 1 :]
    try:
        read = parse_key_code(wrong)
    except NumberError:
        return
    assert (read == code) == (wrong == letters)


@pytest.mark.parametrize("text", ["", "3YWJ5", "U" * 35, "é" * 35, "0" * 34, "0" * 36])
def test_what_is_no_code_is_said_to_be_none(text: str) -> None:
    with pytest.raises(NumberError, match="7 groups of 5"):
        parse_key_code(text)


def test_a_key_is_known_by_its_public_part_alone() -> None:
    pem = make_key()
    certificate = x509.load_pem_x509_certificate(pem)
    key = load_pem_private_key(pem, None)
    assert key.public_key() == certificate.public_key()
    der = certificate.public_bytes(Encoding.DER)
    assert code_of(pem) == code_of(der) != code_of(make_key())
    signer = x509.load_der_x509_certificate(formal_signer())
    certificate.verify_directly_issued_by(signer)
    dates = (certificate.not_valid_before_utc, certificate.not_valid_after_utc)
    assert [date.year for date in dates] == [1950, 9999]
