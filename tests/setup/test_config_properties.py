"""What holds for any file: no exception, places inside the file, lines that round-trip."""

import json
from dataclasses import replace

from hypothesis import given, settings
from hypothesis import strategies as st

from cccamd.cards import Limit
from cccamd.ids import Caid, Ident, Sid, format_service
from cccamd.setup.cccamcfg import (
    CLine,
    Code,
    FLine,
    NLine,
    Severity,
    as_json,
    masked_lines,
    parse,
    parse_channelinfo,
    parse_prio,
    parse_providers,
)
from cccamd.setup.cccamcfg.directives import KNOWN_KEYS, normal_key
from cccamd.setup.cccamcfg.lexer import read_source, replace_odd_blanks
from cccamd.setup.hours import TimeFrame
from cccamd.values import Service

# Pieces of which most combinations are almost a line.
PIECES = (
    *("F:", "f :", "C: a.example.org 12000 ", "N: 192.0.2.9 15000 ", "B: ", "P: ", "Q: ", "F "),
    *("u", "p", "<x>", "a#b", "ü", "{", "}", "{}", "(", ")", ",", "0", "1", "300", "yes", "off"),
    *("0:0:1", "0100:80", "0500", "100:80:15df", "12:00-13:00", "{0,0,0,0,0,0,0,0}", "::1", "a.b"),
    *("01 02 03 04 05 06 07 08 09 10 11 12 13 14", "=", ":", "#", "\t", "\r", "\0", "\u2028"),
    *KNOWN_KEYS,
)
TEXTS = st.lists(
    st.lists(st.sampled_from(PIECES), max_size=9).flatmap(
        lambda pieces: st.sampled_from([" ".join(pieces), "".join(pieces)])
    ),
    max_size=6,
).map("\n".join)


def check_places(data: bytes) -> None:
    result = parse(data)
    lines = read_source(data).physical_lines
    masked = masked_lines(data, range(len(lines) + 1))
    errors = {
        message.place.line for message in result.diagnostics if message.severity is Severity.ERROR
    }
    for message in result.diagnostics:
        assert message.text
        assert message.text.isprintable()
        if message.place.line is None:
            continue
        assert 1 <= message.place.line <= len(lines)
        assert 1 <= message.place.column <= len(lines[message.place.line - 1]) + 1
        shown = masked[message.place.line]
        assert 1 <= shown.column(message.place.column) <= len(shown.text) + 1
        assert message.severity is Severity.ERROR or message.place.line not in errors
    clashes = {m.place.line for m in result.diagnostics if m.code is Code.PORT_CLASH}
    refused = [line.fault.place.line for line in result.config.refused_lines]
    assert errors - {None} == {*refused, *clashes}
    for key, places in result.config.places.items():
        for place in places:
            assert place.line is not None
            assert place.column is not None
            written = lines[place.line - 1][: place.column - 1]
            name = normal_key(replace_odd_blanks(written).strip(" \t:="))
            assert KNOWN_KEYS[name] is KNOWN_KEYS[key]
    json.dumps(as_json(result, show_secrets=True))


@given(st.binary(max_size=200))
@settings(max_examples=150, deadline=None)
def test_any_bytes(data: bytes) -> None:
    check_places(data)
    parse_prio(data)
    parse_providers(data)
    parse_channelinfo(data)


@given(TEXTS)
@settings(max_examples=400, deadline=None)
def test_almost_valid_lines(text: str) -> None:
    check_places(text.encode())


WORD_CHARACTERS = st.characters(
    codec="utf-8", exclude_categories=["C", "Z"], exclude_characters="<{#"
)
WORDS = st.text(WORD_CHARACTERS, min_size=1, max_size=5)
CAIDS = st.integers(0, 0xFFFF).map(Caid)
IDENTS = st.integers(0, 0xFFFFFF).map(Ident)
HOPS = st.integers(0, 10)
HOSTS = st.sampled_from(["a.example.org", "192.0.2.7", "2001:db8::7", "box_1"])
LIMITS = st.lists(st.builds(Limit, CAIDS, IDENTS, HOPS), max_size=3).map(tuple)
SERVICES = st.lists(
    st.builds(Service, CAIDS, IDENTS, st.integers(0, 0xFFFF).map(Sid)), max_size=3
).map(tuple)
MINUTES = st.integers(0, 1440)
FRAMES = st.lists(
    st.builds(TimeFrame, MINUTES, MINUTES).filter(lambda frame: frame.begin != frame.end),
    max_size=2,
).map(tuple)


def write_limits(limits: tuple[Limit, ...]) -> str:
    return "{" + ",".join(f"{one.caid:x}:{one.ident:06X}:{one.number}" for one in limits) + "}"


def write_f_line(line: FLine) -> str:
    sids = ", ".join(format_service(one.caid, one.ident, one.sid) for one in line.sids)
    frames = ",".join(
        f"{one.begin // 60:02}:{one.begin % 60:02}-{one.end // 60:02}:{one.end % 60:02}"
        for one in line.timeframes
    )
    return (
        f"F: {line.user} {line.password} {line.uphops} {line.shareemus:d} {line.allowemm:d} "
        f"{write_limits(line.limits)} {{ {sids} }} {{ {frames} }} {line.host or ''}"
    )


@given(
    st.builds(
        FLine,
        line=st.just(1),
        user=WORDS,
        password=WORDS,
        uphops=HOPS,
        shareemus=st.booleans(),
        allowemm=st.booleans(),
        allowemm_explicit=st.just(True),
        limits=LIMITS,
        sids=SERVICES,
        timeframes=FRAMES,
        host=st.none() | HOSTS,
    )
)
@settings(max_examples=100, deadline=None)
def test_f_line_round_trips(line: FLine) -> None:
    result = parse(write_f_line(line).encode())
    assert result.config.f_lines == (line,)
    assert {message.code.value for message in result.diagnostics} <= {"W111", "W112"}


@given(
    st.builds(
        CLine,
        line=st.just(1),
        host=HOSTS,
        port=st.integers(1, 65535),
        user=WORDS,
        password=WORDS,
        wantemus=st.booleans(),
        limits=LIMITS,
    )
)
@settings(max_examples=60, deadline=None)
def test_c_line_round_trips(line: CLine) -> None:
    wantemus = "yes" if line.wantemus else "no"
    text = f"C: {line.host} {line.port} {line.user} {line.password} {wantemus}"
    assert parse(f"{text} {write_limits(line.limits)}".encode()).config.c_lines == (line,)


@given(
    st.builds(
        NLine,
        line=st.just(1),
        host=HOSTS,
        port=st.integers(1, 65535),
        user=WORDS,
        password=WORDS,
        deskey=st.binary(min_size=14, max_size=14).map(bytes.hex),
        hops=HOPS,
        stealth=st.integers(0, 4),
    ),
    st.booleans(),
)
@settings(max_examples=60, deadline=None)
def test_n_line_round_trips(line: NLine, joined: bool) -> None:
    key = line.deskey if joined else bytes.fromhex(line.deskey).hex(" ")
    text = (
        f"N: {line.host} {line.port} {line.user} {line.password} {key} {line.hops} {line.stealth}"
    )
    assert parse(text.encode()).config.n_lines == (line,)


WORDS = st.text(st.characters(min_codepoint=0x20, max_codepoint=0x17F), min_size=1, max_size=22)


USERS = WORDS.filter(lambda word: word[0] not in "# \u00a0")
"""What a remark begins with leaves a line without a value, whose column is before the blanks."""


@given(st.lists(st.tuples(st.sampled_from(["a", "b"]) | USERS, WORDS), max_size=4))
def test_what_is_read_by_one_match_is_read_as_the_rest_is(accounts: list[tuple[str, str]]) -> None:
    """With one more blank a line goes the long way."""
    short, long = (
        parse("".join(f"F:{blanks}{user} {word}\n" for user, word in accounts).encode())
        for blanks in (" ", "  ")
    )
    configs = [replace(each.config, refused_lines=()) for each in (short, long)]
    assert configs[0] == configs[1], "but for columns"
    assert [(each.code, each.text, each.place.line) for each in short.diagnostics] == [
        (each.code, each.text, each.place.line) for each in long.diagnostics
    ]
    for one, other in zip(short.diagnostics, long.diagnostics, strict=True):
        first, second = one.place.column or 0, other.place.column or 0
        assert second - first in (0, 1), "0 where nothing but a remark follows the colon"
