import contextlib
import json
from datetime import UTC, datetime

import pytest
from cas_parts import CAID, SA, UA, head_end, key
from hypothesis import given
from hypothesis import strategies as st

from cccamd.lab.cas import CardKeys, CasError, HeadEnd, KeyFile, format_time

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
