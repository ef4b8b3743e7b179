"""A secret is never shown, whatever is wrong with its line."""

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cccamd.setup.cccamcfg import as_json, masked_lines, parse

KEY = "01 02 03 04 05 06 07 08 09 10 11 12 13 14"
JOINED = KEY.replace(" ", "")


@pytest.mark.parametrize(
    ("line", "shown"),
    [
        ("F: anna s3cret 1 0 0 { 0:0:1 } # old: s3cret", "F: anna ******** 1 0 0 { 0:0:1 }"),
        ("F: my s3cret pw2 1", "F: my ******** ******** 1"),
        ("F: my s3cret beef 1 { beef }", "F: my ******** ******** 1 { beef }"),
        ("F:\tu\ts3cret", "F: u ********"),
        ("F: u", "F: u"),
        ("F anna s3cret 1", "F anna ********"),
        ("C: h 12000 u s3cret no { 0:0:1 }", "C: h 12000 u ******** no { 0:0:1 }"),
        ("C: h 12000 u s3cret v2.3.0", "C: h 12000 u ******** ********"),
        ("C: h:12000 u s3cret no", "C: h:12000 ******** ******** ********"),
        ("C: h 12000 s3cret", "C: h 12000 ********"),
        ("C: cccam://u:s3cret@h 1 2 3", "C: ******** ******** ******** ********"),
        ("C h 12000 u s3cret", "C h ********"),
        (f"N: h 15000 u s3cret {KEY}", "N: h 15000 u ******** ********"),
        (f"N: h 15000 u s3cret {KEY} 15 16", "N: h 15000 u ******** ******** ******** ********"),
        (f"N: h 15000 u s3cret {JOINED} 1", "N: h 15000 u ******** ******** ********"),
        ("N: h 15000 u s3cret", "N: h 15000 u ********"),
        ("L: h 1 u s3cret 0100 000080", "L: ********"),
        ("G: s3cret", "G: ********"),
        ("B: /dev/sci0 01", "B: ********"),
        ("Q: s3cret", "Q: ********"),
        ("WEBINFO PASSWORD : s3cret", "WEBINFO PASSWORD : ********"),
        ("WEBINFO PASSWORD s3cret", "WEBINFO PASSWORD ********"),
        ("WEBINFO PASWORD : s3cret", "WEBINFO PASWORD : ********"),
        ("WEBINFO PASWORD = s3cret", "WEBINFO ********"),
        ("WEBINFO USERNAME : anna", "WEBINFO USERNAME : anna"),
        ("BOXKEY : /dev/sci0 00 11 22 33", "BOXKEY : ********"),
        ("POSTINIT /dev/sci0,s3cret", "POSTINIT ********"),
        ("SERVER LISTEN PORT : x", "SERVER LISTEN PORT : x"),
        ("host 12000 u s3cret", "host ********"),
        ("=======", "======="),
        ("\x1b[2J", "********"),
        ("LOG FILE : \x1b[2J", "LOG FILE : ?[2J"),
    ],
)
def test_masked_line(line: str, shown: str) -> None:
    assert masked_lines(line.encode(), {1})[1].text == shown


def test_columns_move_with_the_masks() -> None:
    line = masked_lines(b"F: anna x longer 1 { 0:0:y }", {1})[1]
    assert line.text == "F: anna ******** ******** 1 { ******** }"
    assert [line.column(column) for column in (4, 9, 11, 12, 18, 22, 28)] == [
        4,
        9,
        18,
        18,
        27,
        31,
        40,
    ]


SECRETS = st.text(st.sampled_from("qzxjQZXJ7~!%é€"), min_size=6, max_size=24).map(
    lambda text: f"q!{text}"
)
LINES = st.sampled_from(
    [
        "F: user {} 1 0 0",
        "F: user {}",
        "F: my user {} 1 0 0",
        "F: user {} 1 0 0 {{ 0:0:1",
        "F: user {} far 0 0",
        "F: user x{}{{ 0:0:1 }}",
        "f : user {} 99 5 5 5 ( {{ 0500, }} ) host",
        "F user {} 1 0 0",
        "F: user pass 1 {{ {} }}",
        "F: abcdefghijklmnopqrstuvwxyz {}",
        "F: <user> {}",
        "C: h 12000 user {} maybe",
        "C: h 12000 user {} no {{ 0:0:1 }} {{ }}",
        "C: h:12000 user {}",
        "C: h port user {}",
        "C: h 12000 {}",
        "C: http://user:{}@h 12000 u p",
        "C h 12000 user {}",
        "C cccam://user:{}@h 12000 u p",
        "N: h 15000 user {} 01 02",
        "N: h 15000 user pass {} 1 9",
        "N: h 15000 user pass 01 02 {}",
        "N: h 15000 user pass 01 02 03 04 05 06 07 08 09 10 11 12 13 14 {}",
        "L: h 1 user {} 0100 000080",
        "G: {} h 1 {} h 1",
        "Q: {}",
        "WEBINFO PASSWORD : {}",
        "telnetinfo password = {}",
        "WEBINFO PASSWORD {}",
        "WEBINFO PASWORD : {}",
        "OSD PASSWORD : {}",
        "BOXKEY : /dev/sci0 {}",
        "POSTINIT /dev/sci0,{}",
        "h 12000 user {}",
        "password={}",
        "http://user:{}@h/",
        "# {}",
        "F: user pass # {}",
    ]
)


@given(st.lists(st.tuples(LINES, SECRETS), min_size=1, max_size=8))
@settings(max_examples=200, deadline=None)
def test_no_secret_is_shown(pairs: list[tuple[str, str]]) -> None:
    data = "\n".join(line.format(secret, secret) for line, secret in pairs).encode()
    result = parse(data)
    lines = masked_lines(data, range(len(pairs) + 1))
    shown = "\n".join(
        (
            json.dumps(as_json(result, show_secrets=False), ensure_ascii=False),
            *(line.text for line in lines.values()),
            *(message.sentence() for message in result.diagnostics),
            *(hint.text for hint in result.hints),
            repr(result.config),
        )
    )
    for _, secret in pairs:
        assert secret not in shown
