import contextlib
import json
from datetime import UTC, datetime

import pytest
from cas_parts import CAID, NONCE, SA, UA, head_end, key
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from cccamd.errors import NumberError
from cccamd.ids import Caid, Ident, format_key_id, parse_key_id
from cccamd.lab.cas import (
    Addressee,
    CardKeys,
    CasError,
    GroupKey,
    HeadEnd,
    IssuedCard,
    KeyFile,
    ManagementKey,
    RevokeKey,
    format_time,
    parse_sealed_emm,
)

CARD = head_end().card_keys(UA, with_service_keys=True)


@pytest.mark.parametrize("keys", [CARD, head_end()])
def test_files_round_trip(keys: KeyFile) -> None:
    assert type(keys).parse(keys.serialize()) == keys


def test_card_file_is_readable_by_people() -> None:
    content = json.loads(CARD.serialize())
    assert content["caid"] == "FF01"
    assert content["ua"] == UA.hex()
    assert content["groups"][SA.hex()]["ident"] == "000102"
    assert content["service_keys"]["0002"]["expires"] == "2026-11-22T12:00:00Z"


@given(st.text(max_size=100))
def test_any_text_is_refused(text: str) -> None:
    with pytest.raises(CasError):
        CardKeys.parse(text)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner),
    max_leaves=5,
)


@given(st.data())
def test_any_damage_is_refused_or_read(data: st.DataObject) -> None:
    content = json.loads(CARD.serialize())
    place = data.draw(st.sampled_from([content, content["card"], content["service_keys"]["0001"]]))
    place[data.draw(st.sampled_from([*place, "more"]))] = data.draw(json_values)
    with contextlib.suppress(CasError):
        CardKeys.parse(json.dumps(content))


def test_every_wrong_place_is_named_without_values() -> None:
    content = json.loads(CARD.serialize())
    content["card"]["key"] = "secret"
    content["service_keys"]["0001"]["expires"] = "2199-01-01T00:00:00Z"
    content["surprise"] = 1
    with pytest.raises(CasError) as caught:
        CardKeys.parse(json.dumps(content))
    text = str(caught.value)
    assert "card.key: expected 32 hex digits" in text
    assert "service_keys.0001.expires: expected a moment from 1970 to 2106" in text
    assert "surprise" in text
    assert "secret" not in text


MOST = 2**64 - 1
TAKEN = [
    ("card", "serial", MOST),
    ("card", "serial", 0),
    ("service_keys.0001", "expires", "1970-01-01T00:00:00Z"),
    ("service_keys.0001", "expires", "2106-02-07T06:28:15Z"),
    ("", "caid", 0xFFFF),
    (f"groups.{SA.hex()}", "ident", 0xFFFFFF),
]
REFUSED = [
    ("card", "serial", MOST + 1),
    ("card", "serial", -1),
    ("card", "serial", "5"),
    ("service_keys.0001", "expires", "1969-12-31T23:59:59Z"),
    ("service_keys.0001", "expires", "2106-02-07T06:28:16Z"),
    ("service_keys.0001", "expires", "2026-11-22T12:00:00.5Z"),
    ("", "caid", 0x10000),
    ("", "caid", -1),
    (f"groups.{SA.hex()}", "ident", 0x1000000),
]


def with_value(place: str, name: str, value: object) -> str:
    content = json.loads(CARD.serialize())
    record = content
    for part in filter(None, place.split(".")):
        record = record[part]
    record[name] = value
    return json.dumps(content)


@pytest.mark.parametrize(("place", "name", "value"), TAKEN)
def test_the_last_value_that_fits(place: str, name: str, value: object) -> None:
    CardKeys.parse(with_value(place, name, value))


@pytest.mark.parametrize(("place", "name", "value"), REFUSED)
def test_the_first_value_that_does_not_fit(place: str, name: str, value: object) -> None:
    with pytest.raises(CasError, match=f"^{f'{place}.{name}'.lstrip('.')}: "):
        CardKeys.parse(with_value(place, name, value))


def test_key_ids_are_read_as_they_are_shown() -> None:
    for number in (0, 3, 0xFFFF):
        assert parse_key_id(format_key_id(number)) == number
    for text in ("", "10000", "xyz"):
        with pytest.raises(NumberError, match="a key id is up to 4 hex digits"):
            parse_key_id(text)


def test_a_key_id_has_sixteen_bits() -> None:
    service_key = head_end().service_keys[1]
    HeadEnd(caid=CAID, all=head_end().all, service_keys={0xFFFF: service_key})
    with pytest.raises(ValidationError):
        HeadEnd(caid=CAID, all=head_end().all, service_keys={0x10000: service_key})


@pytest.mark.parametrize("text", ["1" * 5000, "[" * 100_000])
def test_json_that_python_itself_gives_up_on(text: str) -> None:
    with pytest.raises(CasError, match="not JSON that a key file can hold"):
        CardKeys.parse(text)


def test_what_a_file_may_leave_out() -> None:
    group = GroupKey(key=key(1))
    assert (group.serial, group.ident) == (0, Ident(0))


def test_keys_are_values() -> None:
    with pytest.raises(ValidationError, match="frozen"):
        CARD.caid = Caid(1)  # type: ignore[misc]


def test_each_emm_has_the_next_serial_until_none_is_left() -> None:
    head = HeadEnd(caid=CAID, all=ManagementKey(key=key(1), serial=MOST - 1))
    head, emm = head.make_emm(Addressee.ALL, b"", (RevokeKey(1),), nonce=NONCE)
    assert parse_sealed_emm(emm).header.serial == head.all.serial == MOST
    with pytest.raises(CasError, match="used up"):
        head.make_emm(Addressee.ALL, b"", (RevokeKey(1),), nonce=NONCE)


def test_a_head_end_makes_nothing_for_nobody() -> None:
    with pytest.raises(CasError, match="at least one command"):
        head_end().make_emm(Addressee.ALL, b"", (), nonce=NONCE)
    with pytest.raises(CasError, match="the head-end has no group 00000009"):
        head_end().with_card(bytes(8), IssuedCard(key=key(1), groups=(b"\0\0\0\x09",)))


def test_a_head_end_is_no_card() -> None:
    with pytest.raises(CasError, match="format"):
        CardKeys.parse(head_end().serialize())


def test_keys_do_not_show() -> None:
    shown = repr(CARD) + repr(head_end())
    assert repr(key(0x51)) not in shown
    assert repr(key(0xA1)) not in shown


def test_times_for_people() -> None:
    assert format_time(datetime(2026, 11, 22, 10, tzinfo=UTC)) == "2026-11-22 10:00 UTC"
    assert format_time(datetime(2026, 11, 22, 10, 0, 9, tzinfo=UTC)) == "2026-11-22 10:00:09 UTC"


def test_head_end_names_what_it_lacks() -> None:
    head = HeadEnd(caid=CAID, all=head_end().all)
    with pytest.raises(CasError, match="the head-end has no card 0000000012345678"):
        head.card_keys(UA, with_service_keys=True)
    with pytest.raises(CasError, match="the head-end has no service key 0001"):
        head.set_command(1)
    with pytest.raises(CasError, match="the head-end has a card 0000000012345678 already"):
        head_end().with_card(UA, head_end().cards[UA])
