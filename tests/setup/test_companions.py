"""CCcam.prio, CCcam.providers and CCcam.channelinfo (docs/config.md section 4)."""

from collections.abc import Callable

import pytest

from cccamd.ids import Caid, Ident, Sid
from cccamd.setup.cccamcfg import companions, parse_channelinfo, parse_prio, parse_providers
from cccamd.setup.cccamcfg.companions import ChannelNames, Prio
from cccamd.values import Service


def entry(caid: int, ident: int = 0, sid: int = 0) -> Service:
    return Service(Caid(caid), Ident(ident), Sid(sid))


def test_prio_lines() -> None:
    prio = parse_prio(
        b"# remark\n; remark\n// remark\n\n"
        b"P: 0500:032830, 0100:80:c8e\t# first\n"
        b"i:0d00 ; all of it\n"
        b"I: 0500:030b00:1\r\n"
        b"P: 0500\n"
    )
    assert prio.orders == ((entry(0x500, 0x32830), entry(0x100, 0x80, 0xC8E)), (entry(0x500),))
    assert prio.ignored == {entry(0xD00), entry(0x500, 0x30B00, 1)}
    assert not prio.problems


@pytest.mark.parametrize(
    "line", ["P:", "P: 0500,", "P: x", "P: 10000", "I: 0500:1:2:3", "S: 1 2 3", "F: u p", "P 0500"]
)
def test_bad_prio_line_is_skipped(line: str) -> None:
    prio = parse_prio(f"{line}\nI: 0100\n".encode())
    assert [problem.place.line for problem in prio.problems] == [1]
    assert not prio.orders
    assert prio.ignored == {entry(0x100)}


def test_short_form_names_further_idents() -> None:
    prio = parse_prio(b"P: 1802:000000,004801,004901")
    assert prio.orders == ((entry(0x1802), entry(0x1802, 0x4801), entry(0x1802, 0x4901)),)
    assert [problem.place.line for problem in prio.problems] == [1, 1]


def test_providers() -> None:
    names = parse_providers(
        '# 2011\n05022C00 "Eins" // 0500:022C00\n01000068\t"Zwei""\n18335411 "Drei"\n'
        '05022c00 "Spät"\n'.encode("latin-1")
    )
    assert not names.problems
    assert names.name(Caid(0x0500), Ident(0x022C00)) == "Eins"
    assert names.name(Caid(0x0100), Ident(0x000068)) == "Zwei"
    assert names.name(Caid(0x1833), Ident(0x005411)) == "Drei"
    assert names.name(Caid(0x0500), Ident(0x022C01)) is None


@pytest.mark.parametrize(
    "line",
    [
        "05022C00 Eins",
        '05022C00 "Eins',
        '0502 "Eins"',
        '05022C0G "Eins"',
        '05022C00 ""',
        "2011-05-13",
    ],
)
def test_bad_provider_line_is_skipped(line: str) -> None:
    names = parse_providers(f'{line}\n01000068 "Zwei"'.encode())
    assert [problem.place.line for problem in names.problems] == [1]
    assert list(names.names.values()) == ["Zwei"]


def test_channelinfo() -> None:
    names = parse_channelinfo(
        b'; remark\n1702:0:000b  "Eins"\n1802:4801,4901:015F\t"Zwei # 2"\n1702:1:b "Drei"\n'
        b'1702:1:b "Spaeter"\n'
    )
    assert not names.problems
    assert names.name(Caid(0x1702), Ident(0x5), Sid(0xB)) == "Eins"
    assert names.name(Caid(0x1702), Ident(0x1), Sid(0xB)) == "Drei"
    assert names.name(Caid(0x1802), Ident(0x4801), Sid(0x15F)) == "Zwei # 2"
    assert names.name(Caid(0x1802), Ident(0x4901), Sid(0x15F)) == "Zwei # 2"
    assert names.name(Caid(0x1802), Ident(0x4902), Sid(0x15F)) is None


@pytest.mark.parametrize(
    "line",
    [
        "=====",
        '1702.0:b "x"',
        '1702 0:b "x"',
        '1702:0:b "x',
        '1702:0 "x"',
        '1702:0:b:1 "x"',
        "1702:0:b x",
        f'{"1," * 300}1:0:1 "x"',
    ],
)
def test_bad_channel_line_is_skipped(line: str) -> None:
    names = parse_channelinfo(f'{line}\n1:2:3 "Zwei"'.encode())
    assert [problem.place.line for problem in names.problems] == [1]
    assert names.names == {(1, 2, 3): "Zwei"}


@pytest.mark.parametrize("parser", [parse_prio, parse_providers, parse_channelinfo])
def test_utf16_companion_is_not_read(parser: object) -> None:
    assert callable(parser)
    (problem,) = parser("P: 0500".encode("utf-16")).problems
    assert "UTF-16" in problem.text


@pytest.mark.parametrize(
    ("read", "line"),
    [
        (parse_prio, "I: " + "1," * 9 + "1\n"),
        (parse_channelinfo, ",".join(["1"] * 10) + ':0:1 "x"\n'),
    ],
)
def test_no_more_entries_are_read_than_any_file_has(
    read: Callable[[bytes], Prio | ChannelNames], line: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Commas multiply: a file of 4 MB may have fifteen million. Here, few are read."""
    assert companions.ENTRIES_LIMIT == 250_000
    monkeypatch.setattr(companions, "ENTRIES_LIMIT", 2_500)
    full = 2_500 // 10
    assert not read((line * full).encode()).problems
    (problem,) = read((line * full * 2).encode()).problems
    assert (problem.place.line, problem.is_left_out) == (full + 1, True)
    assert problem.text == "more than 2,500 entries; the file is not read from here on"
