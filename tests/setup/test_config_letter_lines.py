"""F, C, N and the other letter lines (docs/config.md section 3)."""

from typing import Any

import pytest

from cccamd.setup.cccamcfg import as_json, parse

ZEROS = "{0,0,0,0,0,0,0,0}"
KEY = "01 02 03 04 05 06 07 08 09 10 11 12 13 14"
JOINED = "0102030405060708091011121314"


def read(*lines: str) -> tuple[dict[str, Any], list[tuple[int | None, str]]]:
    result = parse("\n".join(lines).encode())
    found = [(message.place.line, message.code.value) for message in result.diagnostics]
    return as_json(result, show_secrets=True), found


def differences(form: dict[str, Any], usual: dict[str, Any]) -> dict[str, Any]:
    assert form.keys() == usual.keys()
    return {key: value for key, value in form.items() if value != usual[key]}


F_LINE: dict[str, Any] = {
    "line": 1,
    "user": "u",
    "password": "p",
    "dialect": "vendor",
    "uphops": 5,
    "downhops": None,
    "shareemus": True,
    "allowemm": True,
    "max_distance": 5,
    "limits": [],
    "sids": [],
    "timeframes": [],
    "host": None,
}
ZERO_HOPS = {"uphops": 0, "max_distance": 0}
ONE_HOP = {"uphops": 1, "max_distance": 1}
MASK = {"dialect": "mask", "shareemus": False}
ONE_FRAME = {"timeframes": [["01:00", "02:00"]]}
ONE_LIMIT = {"limits": [["0000", "000000", 1]]}
LOCAL_ONLY = ONE_HOP | {"shareemus": False, "allowemm": False}


@pytest.mark.parametrize(
    ("rest", "expected", "codes"),
    [
        ("", {}, []),
        ("1", ONE_HOP, []),
        ("1 0 0", LOCAL_ONLY, []),
        ("1 NO yes", ONE_HOP | {"shareemus": False}, []),
        ("1 0 2", ONE_HOP | {"shareemus": False}, ["W124"]),
        ("11", {"uphops": 11, "max_distance": 11}, ["W123"]),
        ("255", {"uphops": 255, "max_distance": 255}, ["W123"]),
        ("1 0 0 0 far", LOCAL_ONLY, ["W122"]),
        # groups
        ("0 1 { 0:0:1 }", ZERO_HOPS | ONE_LIMIT, []),
        ("1 0 0 { } { } { }", LOCAL_ONLY, []),
        ("{ 0:0:1 }", ONE_LIMIT, ["W133"]),
        ("{ }", {}, ["W133"]),
        ("1 { 0500 }", ONE_HOP | {"limits": [["0500", "000000", 0]]}, ["W121"]),
        ("1 { 500 }", ONE_HOP | {"limits": [["0500", "000000", 0]]}, ["W121"]),
        ("1 { 1:2:011 }", ONE_HOP | {"limits": [["0001", "000002", 11]]}, ["W123"]),
        ("1 { 1:2:255 }", ONE_HOP | {"limits": [["0001", "000002", 255]]}, ["W123"]),
        ("1 ( { 0:0:1 } )", ONE_HOP | ONE_LIMIT, ["W127"]),
        ("1 { 0:0:1, }", ONE_HOP | ONE_LIMIT, ["W125"]),
        ("1 { , 0:0:1 }", ONE_HOP | ONE_LIMIT, ["W125"]),
        ("1, { 0:0:1 }", ONE_HOP | ONE_LIMIT, ["W125"]),
        ("1 { 0:0:1 0:0:1 }", ONE_HOP | {"limits": ONE_LIMIT["limits"] * 2}, ["W125"]),
        ("1 { 0:0:1,,0:0:1 }", ONE_HOP | {"limits": ONE_LIMIT["limits"] * 2}, ["W125"]),
        ("1 {}{ a:b:c}", ONE_HOP | {"sids": [["000A", "00000B", "000C"]]}, []),
        ("1 {}{}{00:00-24:00}", ONE_HOP | {"timeframes": [["00:00", "24:00"]]}, []),
        ("1 {}{}{8:00-9:30}", ONE_HOP | {"timeframes": [["08:00", "09:30"]]}, []),
        ("1 {}{}{22:00-02:00}", ONE_HOP | {"timeframes": [["22:00", "02:00"]]}, []),
        ("1 {}{}{12:00-12:00}", ONE_HOP | {"timeframes": [["12:00", "12:00"]]}, ["W126"]),
        # host
        ("1 {}{}{} a.example.org", ONE_HOP | {"host": "a.example.org"}, []),
        ("1 {}{}{} localhost", ONE_HOP | {"host": "localhost"}, []),
        ("1 {}{}{} 2001:db8::1", ONE_HOP | {"host": "2001:db8::1"}, []),
        ("1 {}{}{} fe80::1%eth0", ONE_HOP | {"host": "fe80::1%eth0"}, []),
        ("1 {}{}{} a.example.org more words", ONE_HOP | {"host": "a.example.org"}, ["W122"]),
        ("1 { 0:0:1 } host", ONE_HOP | ONE_LIMIT | {"host": "host"}, ["W120"]),
        ("1 0 0 192.0.2.7", LOCAL_ONLY | {"host": "192.0.2.7"}, ["W120"]),
        ("192.0.2.7", {"host": "192.0.2.7"}, ["W120"]),
        ("1 0 0 1 192.0.2.7", LOCAL_ONLY | {"host": "192.0.2.7"}, ["W120", "W122"]),
        ("1 0 0 host", LOCAL_ONLY, ["W122"]),
        # mask dialect
        (ZEROS, MASK, ["W133"]),
        (f"0 {ZEROS}", MASK | ZERO_HOPS, []),
        (f"3 1 {ZEROS}", MASK | {"uphops": 3, "downhops": 1, "max_distance": 1}, []),
        (f"1 3 {ZEROS}", MASK | ONE_HOP | {"downhops": 3}, ["W130"]),
        ("0 1 {00,00,00,00,00,00,00,00}", MASK | ZERO_HOPS | {"downhops": 1}, []),
        ("0 {0 0 0 0 0 0 0 0}", MASK | ZERO_HOPS, ["W125"]),
        (f"1 0 0 {ZEROS}", LOCAL_ONLY | {"dialect": "mask"}, ["W132"]),
        (f"1 0 0 9 {ZEROS}", LOCAL_ONLY | {"dialect": "mask"}, ["W122", "W132"]),
        (f"0 {ZEROS} {{1:2:3}}", MASK | ZERO_HOPS | {"sids": [["0001", "000002", "0003"]]}, []),
        (f"0 {ZEROS} {{}} {{1:00-2:00}} h", MASK | ZERO_HOPS | ONE_FRAME | {"host": "h"}, []),
        (f"0 {ZEROS} h", MASK | ZERO_HOPS | {"host": "h"}, ["W120"]),
    ],
)
def test_f_line(rest: str, expected: dict[str, Any], codes: list[str]) -> None:
    form, found = read(f"F: u p {rest}")
    assert sorted(code for _, code in found) == codes
    (line,) = form["f_lines"]
    assert differences(line, F_LINE) == expected


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("F: anna secret1    # 5 hops", {"user": "anna", "password": "secret1"}),
        (
            "F: ben secret2 0 1 0 { 0100:000080, 0622:000000:1, 0500:000000:2 }",
            ZERO_HOPS
            | {
                "user": "ben",
                "password": "secret2",
                "allowemm": False,
                "limits": [["0100", "000080", 0], ["0622", "000000", 1], ["0500", "000000", 2]],
            },
        ),
        (
            "F: cleo secret3 5 0 1 { 0:0:3, 0100:000080:1 } { 0100:000080:15df }",
            {
                "user": "cleo",
                "password": "secret3",
                "shareemus": False,
                "limits": [["0000", "000000", 3], ["0100", "000080", 1]],
                "sids": [["0100", "000080", "15DF"]],
            },
        ),
        (
            "F: dan secret4 1 0 0 {} {} {12:00-17:00,22:00-02:00}",
            LOCAL_ONLY
            | {
                "user": "dan",
                "password": "secret4",
                "timeframes": [["12:00", "17:00"], ["22:00", "02:00"]],
            },
        ),
        (
            "F: eva secret5 1 0 1 { } { } { } 192.0.2.80      # only from that address",
            ONE_HOP
            | {"user": "eva", "password": "secret5", "shareemus": False, "host": "192.0.2.80"},
        ),
        (
            "F: finn secret6 0 1 {0,0,0,0,0,0,0,0}   # mask dialect: distance ≤ 0",
            ZERO_HOPS | MASK | {"user": "finn", "password": "secret6", "downhops": 1},
        ),
        (
            "F: gil secret7 1 { 0100:000080 }",
            ONE_HOP | {"user": "gil", "password": "secret7", "limits": [["0100", "000080", 0]]},
        ),
    ],
)
def test_valid_examples_of_the_documentation(line: str, expected: dict[str, Any]) -> None:
    form, found = read(line)
    assert not found
    assert differences(form["f_lines"][0], F_LINE) == expected


@pytest.mark.parametrize(
    ("line", "code"),
    [
        ("F: hal", "E301"),
        ("F: ida pw viel", "E311"),
        ("F: jon pw 1 0 0 { 0:0:1", "E318"),
        ("F: kim pw 1 0 0 { 0100:000080:15df }", "E314"),
        ("F: lea pw 0 1 {0,0,0,0,0,0,0,1}", "E313"),
        ("F: my friend pw 1 0 0", "E311"),
        ("F: u {0:0:1}", "E301"),
        ("F: {u p", "E301"),
        ("F: <user> p", "E330"),
        ("F: u <pass>", "E330"),
        ("F: u p <hops>", "E330"),
        ("F: u p 1 0 0 { <caid>:<ident> }", "E330"),
        ("F: u p 256", "E311"),
        ("F: u p -1", "E311"),
        ("F: u p yes", "E311"),
        ("F: u p 1 on", "E311"),
        ("F: u p 1 0 maybe", "E311"),
        (f"F: u p 1 yes {ZEROS}", "E311"),
        (f"F: u p 1 256 {ZEROS}", "E311"),
        (f"F: u p 1 2 3 4 x.y {ZEROS} }}", "E318"),
        ("F: u p 0 1 {0,0,0,0}", "E313"),
        ("F: u p 0 1 {0,0,0,0,0,0,0,0,0}", "E313"),
        ("F: u p 0 1 { 5 }", "E313"),
        ("F: u p 1 { 0100:000080:)1 }", "E312"),
        ("F: u p 1 { 0100:000080(:1) }", "E312"),
        ("F: u p 1 { 10000:80 }", "E312"),
        ("F: u p 1 { 0100:1000000 }", "E312"),
        ("F: u p 1 { 0100:80:1:1 }", "E312"),
        ("F: u p 1 { 0100:80: }", "E312"),
        ("F: u p 1 { 0100: }", "E312"),
        ("F: u p 1 { 0100:80:1, 05 }", "E312"),
        ("F: u p 1 { 0100:80:x }", "E312"),
        ("F: u p 1 { all }", "E312"),
        ("F: u p 1 { 0100:80:256 }", "E314"),
        ("F: u p 1 { 12:00-13:00 }", "E314"),
        ("F: u p 1 { } { 12:00-13:00 }", "E314"),
        ("F: u p 1 { } { } { 0100:80 }", "E314"),
        ("F: u p 1 { } { } { 0100:80:15df }", "E314"),
        ("F: u p 1 { } { 0100:80 }", "E315"),
        ("F: u p 1 { } { 15df }", "E315"),
        ("F: u p 1 { } { 0100:80:15dfa }", "E315"),
        ("F: u p 1 { } { 0100:80:1:2 }", "E315"),
        ("F: u p 1 { } { } { 24:01-02:00 }", "E316"),
        ("F: u p 1 { } { } { 12:60-13:00 }", "E316"),
        ("F: u p 1 { } { } { 12-13 }", "E316"),
        ("F: u p 1 { } { } { 12:00 - 13:00 }", "E316"),
        ("F: u p 1 { } { } { 12.00-13.00 }", "E316"),
        ("F: u p 1 { } { } { } { }", "E317"),
        ("F: u p 1 { { } }", "E318"),
        ("F: u p 1 }", "E318"),
        ("F: u p 1 { } } ", "E318"),
        ("F: u p 1 { } x { }", "E318"),
        ("F: u p{ 0:0:1 }", "E318"),
        ("F: u p 1 0 0 http://a.example.org", "E303"),
        ("F: u p 1 0 0 0:0:1", "E303"),
        ("F: u p 1 { } a/b", "E303"),
        ("F: u p 1 { } { } { } größe.example.org", "E303"),
        ("F: abcdefghijklmnopqrstu p", "E321"),
        ("F: ääääääääääö p", "E321"),
    ],
)
def test_refused_f_line_is_no_account(line: str, code: str) -> None:
    form, found = read(line)
    assert found == [(1, code)]
    assert form["f_lines"] == []
    assert (form["error_lines"], form["warning_lines"]) == ([1], [])


@pytest.mark.parametrize(
    ("line", "first"),
    [
        ("F: {u <x> 1 {", "E301"),
        ("F: <u> p far { } a/b", "E330"),
        ("F: abcdefghijklmnopqrstu p far { } a/b", "E303"),
        ("F: abcdefghijklmnopqrstu p far {", "E321"),
        ("F: u p far {1} {2} {3} {4} {", "E318"),
        ("F: u p far {1} {2} {3} {4}", "E317"),
        ("F: u p far {1} {x}", "E313"),
        ("F: u p far {x}", "E311"),
        ("C: <h> x u", "E301"),
        ("C: <h> x u p", "E330"),
        ("C: h/h x abcdefghijklmnopqrstu p {", "E303"),
        ("C: h x abcdefghijklmnopqrstu p {", "E302"),
        ("C: h 1 abcdefghijklmnopqrstu p {", "E321"),
        ("C: h 1 u p {x} {x} {", "E318"),
        ("C: h 1 u p {x} {x}", "E317"),
    ],
)
def test_first_of_several_errors(line: str, first: str) -> None:
    assert read(line)[1] == [(1, first)]


@pytest.mark.parametrize("letter", ["F:", "C: h 1", "N: h 1"])
def test_odd_credentials(letter: str) -> None:
    tail = KEY if letter.startswith("N") else ""
    assert read(f"{letter} u{{ p {tail}")[1] == [(1, "W111")]
    assert read(f"{letter} u p}} {tail}")[1] == [(1, "W111")]
    assert read(f"{letter} ü p {tail}")[1] == [(1, "W112")]
    assert read(f"{letter} u#v p {tail}")[1] == [(1, "W110")]
    assert read(f"{letter} {'x' * 20} p {tail}")[1] == []


def test_first_account_of_a_name_counts() -> None:
    form, found = read("F: u", "F: u p 1", "F: u q 2", "F: U p 3")
    assert [(line["line"], line["uphops"]) for line in form["f_lines"]] == [(2, 1), (4, 3)]
    assert found == [(1, "E301"), (3, "W140")]


C_LINE: dict[str, Any] = {
    "line": 1,
    "host": "a.example.org",
    "port": 12000,
    "user": "u",
    "password": "p",
    "wantemus": False,
    "limits": [],
}


@pytest.mark.parametrize(
    ("rest", "expected", "codes"),
    [
        ("", {}, []),
        ("# remark", {}, []),
        ("no", {}, []),
        ("1", {"wantemus": True}, []),
        ("YES", {"wantemus": True}, []),
        ("yes { 0:0:1 }", {"wantemus": True} | ONE_LIMIT, []),
        ("no { 0:0:1, 93b:80 }", {"limits": [["0000", "000000", 1], ["093B", "000080", 0]]}, []),
        ("no { 093b:0 }", {"limits": [["093B", "000000", 0]]}, []),
        ("no { }", {}, []),
        ("{ 0:0:1 }", ONE_LIMIT, ["W150"]),
        ("v2.3.0-3367", {}, ["W124"]),
        ("2", {}, ["W124"]),
        ("true", {}, ["W124"]),
        ("no no", {}, ["W122"]),
        ("yes v2.1.4", {"wantemus": True}, ["W122"]),
        ("no { 0:0:1 } more", ONE_LIMIT, ["W122"]),
        ("no { 0500 }", {"limits": [["0500", "000000", 0]]}, ["W121"]),
        ("no { 0:0:12 }", {"limits": [["0000", "000000", 12]]}, ["W123"]),
        ("no { 0:0:1, }", ONE_LIMIT, ["W125"]),
        ("no ( { 0:0:1 } )", ONE_LIMIT, ["W127"]),
    ],
)
def test_c_line(rest: str, expected: dict[str, Any], codes: list[str]) -> None:
    form, found = read(f"C:a.example.org 12000 u p {rest}")
    assert [code for _, code in found] == codes
    assert differences(form["c_lines"][0], C_LINE) == expected


@pytest.mark.parametrize(
    ("line", "code"),
    [
        ("C: domain port user password", "E302"),
        ("C: a.example.org:12000 u p", "E301"),
        ("C: a.example.org:12000 12000 u p", "E303"),
        ("C: http://a.example.org 12000 u p", "E303"),
        ("C: a.example.org 12000 u p no { 0:0:1", "E318"),
        ("C: <192.0.2.10> <12000> <u> <p> <no>", "E330"),
        ("C: a.example.org 12000 u p <no>", "E330"),
        ("C: a.example.org 12000 u", "E301"),
        ("C: a.example.org 12000 u { 0:0:1 }", "E301"),
        ("C: a.example.org 12000 { 0:0:1 }", "E301"),
        ("C: a.example.org 0 u p", "E302"),
        ("C: a.example.org 65536 u p", "E302"),
        ("C: a.example.org 12000 abcdefghijklmnopqrstu p", "E321"),
        ("C: a.example.org 12000 u p no { 0:0:1 } { }", "E317"),
        ("C: a.example.org 12000 u p no { 0,0,0,0,0,0,0,0 }", "E312"),
        ("C: a.example.org 12000 u p no { 0:0:x }", "E312"),
        ("C: a.example.org 12000 u p no { 0:0:15df }", "E314"),
    ],
)
def test_refused_c_line(line: str, code: str) -> None:
    form, found = read(line)
    assert found == [(1, code)]
    assert form["c_lines"] == []


def test_first_upstream_counts() -> None:
    form, found = read(
        "C: a.example.org 12000 u p no {",
        "C: a.example.org 12000 u p",
        "C: A.Example.org 12000 u other yes",
        "C: a.example.org 12000 U p",
        "C: a.example.org 12001 u p",
        f"N: a.example.org 12000 u p {KEY}",
        f"N: A.example.org 12000 u p {KEY}",
    )
    assert [line["line"] for line in form["c_lines"]] == [2, 4, 5]
    assert [line["line"] for line in form["n_lines"]] == [6]
    assert found == [(1, "E318"), (3, "W141"), (7, "W141")]


N_LINE: dict[str, Any] = {
    "line": 1,
    "host": "192.0.2.9",
    "port": 15000,
    "user": "u",
    "password": "p",
    "deskey": JOINED,
    "hops": 1,
    "stealth": 0,
}


@pytest.mark.parametrize(
    ("rest", "expected", "codes"),
    [
        (KEY, {}, []),
        (JOINED, {}, []),
        (f"{KEY} # 0500:030B00", {}, []),
        (f"{KEY} 2", {"hops": 2}, []),
        (f"{KEY} 1 0", {}, []),
        (f"{JOINED} 0 0", {"hops": 0}, []),
        ("1 2 3 4 5 6 7 8 9 A b C d E", {"deskey": "0102030405060708090a0b0c0d0e"}, []),
        (f"{KEY} 10", {"hops": 10}, []),
        (f"{KEY} 256", {}, ["W155"]),
        (f"{KEY} 1 2", {"stealth": 2}, ["W160"]),
        (f"{KEY} 1 0 x", {}, ["W122"]),
    ],
)
def test_n_line(rest: str, expected: dict[str, Any], codes: list[str]) -> None:
    form, found = read(f"N: 192.0.2.9 15000 u p {rest}")
    assert [code for _, code in found] == codes
    assert differences(form["n_lines"][0], N_LINE) == expected


@pytest.mark.parametrize(
    ("rest", "code"),
    [
        ("15000 u", "E301"),
        ("15000 u p", "E304"),
        (f"15000 u p {KEY[:-3]}", "E304"),
        (f"15000 u p {KEY.replace('10', '1G')}", "E304"),
        (f"15000 u p {KEY.replace('10', '100')}", "E304"),
        (f"15000 u p {JOINED}0", "E304"),
        (f"15000 u p {KEY} 1 9", "E311"),
        (f"15000 u p {KEY} 1 yes", "E311"),
        (f"15000 u p {KEY} far", "E311"),
        (f"port u p {KEY}", "E302"),
        (f"15000 <u> p {KEY}", "E330"),
        (f"15000 abcdefghijklmnopqrstu p {KEY}", "E321"),
    ],
)
def test_refused_n_line(rest: str, code: str) -> None:
    form, found = read(f"N: 192.0.2.9 {rest}")
    assert found == [(1, code)]
    assert form["n_lines"] == []


@pytest.mark.parametrize(
    "line",
    [
        "R: 192.0.2.4 678 0100 000080",
        "R: 192.0.2.4 0100 000080",
        "L: 192.0.2.5 567 u p 0100 000080 2",
        "L: 192.0.2.5 567 u p",
        "G: A1B2C3D4 my.example.org 2500 0F1E2D3C peer.example.org 2500 { 0:0:1 }",
        "G: 192.0.2.6 2500 2501 0F1E2D3C A1B2C3D4",
        "x : 0100 000080",
    ],
)
def test_line_of_another_protocol(line: str) -> None:
    form, found = read(line)
    assert form["unsupported_lines"] == [{"line": 1, "letter": line[0].upper()}]
    assert "W161" in [code for _, code in found]
    assert form["warning_lines"] == [1]
