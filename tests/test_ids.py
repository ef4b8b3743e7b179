"""Numbers and addresses: what is shown can be read, and any text is a value or the one error."""

import re
import string
from collections.abc import Callable
from contextlib import suppress
from ipaddress import ip_address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cccamd import ids
from cccamd.errors import NumberError

NUMBERS = {
    "CAID": (ids.parse_caid, ids.format_caid, ids.CAID_DIGITS),
    "provider": (ids.parse_ident, ids.format_ident, ids.IDENT_DIGITS),
    "SID": (ids.parse_sid, ids.format_sid, ids.SID_DIGITS),
    "share id": (ids.parse_share_id, ids.format_share_id, ids.SHARE_ID_DIGITS),
}
# Texts of which most are almost a number or an address.
ALMOST = st.one_of(
    st.text(max_size=24),
    st.text(alphabet="0123456789abfxX:.[]%-_+ \t\n/٣", max_size=40),
    st.ip_addresses().map(str),
    st.ip_addresses(v=6).map("[{}]:12000".format),
)
ADDRESSES = st.ip_addresses().map(str)
NAMES = st.text(alphabet=string.ascii_letters + string.digits + "._-", min_size=1, max_size=30)
HOSTS = NAMES | ADDRESSES | st.ip_addresses(v=6).map("{}%eth0".format)


@pytest.mark.parametrize("kind", NUMBERS)
@given(data=st.data())
def test_a_number_is_read_as_it_is_shown_and_as_people_write_it(
    kind: str, data: st.DataObject
) -> None:
    parse, show, digits = NUMBERS[kind]
    number = data.draw(st.integers(0, 16**digits - 1))
    shown = show(number)
    assert len(shown) == digits
    spellings = (
        shown,
        shown.lower(),
        ids.format_short(number),
        f"0x{shown}",
        f"0X{number:x}",
        f" {shown}\n",
    )
    assert {parse(text) for text in spellings} == {number}
    assert ids.bare_hex(shown, digits) == ids.bare_hex(ids.format_short(number), digits) == number
    assert re.search(ids.bare_pattern(digits), ids.format_short(number))
    assert re.search(ids.bare_pattern(digits, at_least=digits), shown)


def test_how_numbers_are_shown() -> None:
    assert ids.format_service(0xB00, 0x30B00, 0x1D80) == "0B00:030B00:1D80"
    assert ids.format_share_id(0x6A) == "0000006A"
    assert ids.format_node_id(ids.NO_NODE_ID) == "0000000000000000"
    assert ids.bare_decimal("0") == 0


@pytest.mark.parametrize("text", ["", "-1", "+1", "0x", "0x0x1", "1_0", "٣", "0B 00", "10000", "G"])
def test_what_is_no_caid_by_the_typed_rule(text: str) -> None:
    with pytest.raises(NumberError, match=r"^a CAID is up to 4 hex digits, for instance 0B00$"):
        ids.parse_caid(text)


@pytest.mark.parametrize("text", ["", "0x1", " 1", "1\n", "-1", "+1", "1_0", "٣", "10000"])
def test_the_bare_rule_takes_digits_alone(text: str) -> None:
    assert ids.bare_hex(text, 4) is None
    assert ids.bare_decimal(text, 0, 9999) is None


def test_a_decimal_number_has_bounds_and_may_have_zeros_before_it() -> None:
    assert [ids.bare_decimal(text, 1, 10) for text in ("0", "1", "0010", "11")] == [
        *(None, 1, 10, None)
    ]
    assert ids.bare_decimal("9" * 5000) is None


@given(st.integers(0, 0xFFFF), st.integers(0, 0xFFFFFF), st.integers(0, 0xFFFF))
def test_a_service_is_read_as_it_is_shown(caid: int, ident: int, sid: int) -> None:
    assert ids.parse_service(ids.format_service(caid, ident, sid)) == (caid, ident, sid)


def test_parts_of_a_service_may_be_left_out() -> None:
    assert ids.parse_service("B00") == (0xB00, None, None)
    assert ids.parse_service(" ::1D80") == (None, None, 0x1D80)
    for text, words in (
        ("1:2:3:4", "CAID:provider:SID, for instance 0B00:030B00:1D80$"),
        ("1:2:10000", "^a SID is"),
        ("1:x", "^a provider is"),
    ):
        with pytest.raises(NumberError, match=words):
            ids.parse_service(text)


@given(st.binary(min_size=ids.NODE_ID_LENGTH, max_size=ids.NODE_ID_LENGTH))
def test_a_node_id_is_read_as_it_is_shown(node_id: bytes) -> None:
    shown = ids.format_node_id(node_id)
    assert ids.parse_node_id(f" {shown.upper()}\n") == ids.bare_node_id(shown) == node_id
    for damaged in (shown[1:], f"{shown}0", f"{shown[:-1]}g", ""):
        assert ids.bare_node_id(damaged) is None
        with pytest.raises(NumberError, match="a node id is 16 hex digits"):
            ids.parse_node_id(damaged)


@given(st.binary(min_size=8, max_size=16))
def test_bytes_are_read_with_and_without_blanks_between_them(raw: bytes) -> None:
    for text in (raw.hex(), raw.hex(" ").upper(), f" 0x{raw.hex()} "):
        assert ids.parse_hex(text, low=8, high=16) == raw
    with pytest.raises(NumberError, match=f"^expected 8 hex digits, found {2 * len(raw)}$"):
        ids.parse_hex(raw.hex(), low=4)
    with pytest.raises(NumberError, match=r"^expected 16 to 32 hex digits, and nothing but hex"):
        ids.parse_hex(f"{raw.hex()}g", low=8, high=16)


@given(HOSTS, st.integers(1, ids.PORT_LIMIT))
def test_an_endpoint_is_read_as_it_is_shown(host: str, port: int) -> None:
    shown = ids.format_endpoint(host, port)
    assert shown.startswith("[") == (":" in host)
    assert ids.parse_endpoint(shown, default_port=1) == (host, port)
    assert ids.parse_endpoint(host, default_port=port) == (host, port)
    assert ids.is_host(host)


@pytest.mark.parametrize(
    "text",
    ["", ":1", "a:", "a:0", "a:65536", "a:b", "[::1", "[::1]x", "[a]:1", "[]:1", "a b", "[::1]:"],
)
def test_what_is_no_endpoint(text: str) -> None:
    with pytest.raises(NumberError):
        ids.parse_endpoint(text, default_port=1)


def test_an_ipv6_address_may_stand_in_brackets_without_a_port() -> None:
    assert ids.parse_endpoint("[::1]", default_port=7) == ("::1", 7)


@given(st.ip_addresses(v=4).map(str))
def test_an_ipv4_address_inside_an_ipv6_one_is_unwrapped_and_nothing_else(text: str) -> None:
    assert ids.unwrap_address(f"::ffff:{text}") == ids.host_key(f"::FFFF:{text}") == text
    assert ids.parse_address(f"::ffff:{text}") == ids.parse_address(text) == ip_address(text)


def test_an_ipv6_address_that_only_begins_like_one_stays_as_it_is() -> None:
    assert ids.unwrap_address("::ffff:1:2:3") == "::ffff:1:2:3"
    assert ids.unwrap_address("fe80::1%eth0") == "fe80::1%eth0"
    assert ids.unwrap_address("somewhere") == "somewhere"


def test_two_spellings_of_a_host_have_one_key() -> None:
    assert ids.host_key("A.Example.Org") == ids.host_key("a.example.org")
    assert ids.host_key("2001:DB8:0::1") == ids.host_key("2001:db8::1")
    assert (
        ids.login_key("Host", 1, "Anna") == ids.login_key("host", 1, "Anna") == ("host", 1, "Anna")
    )
    assert ids.parse_address("fe80::1%eth0") == ids.parse_address("fe80::1")


READERS: list[Callable[[str], object]] = [
    *(ids.parse_caid, ids.parse_ident, ids.parse_sid, ids.parse_service, ids.parse_node_id),
    lambda text: ids.parse_hex(text, low=1, high=16),
    lambda text: ids.parse_endpoint(text, default_port=1),
    ids.parse_address,
]


@given(ALMOST, st.sampled_from(READERS))
def test_any_text_is_a_value_or_the_error_that_can_be_shown(
    text: str, read: Callable[[str], object]
) -> None:
    ids.is_host(text)
    ids.host_key(text)
    ids.bare_hex(text, 8)
    ids.bare_decimal(text)
    with suppress(NumberError):
        read(text)
