"""Values, directives, repetition, ports, EMM and logins (docs/config.md sections 1.4, 2 and 6)."""

from typing import Any

import pytest

from cccamd.setup.cccamcfg import ParseResult, as_json, parse

ONE_LIMIT = {"GLOBAL LIMITS": [["0000", "000000", 1]]}


def read(*lines: str) -> tuple[dict[str, Any], list[tuple[int | None, str]]]:
    result = parse("\n".join(lines).encode())
    return as_json(result, show_secrets=True), codes(result)


def codes(result: ParseResult) -> list[tuple[int | None, str]]:
    return [(found.place.line, found.code.value) for found in result.diagnostics]


@pytest.mark.parametrize(
    ("line", "settings", "found"),
    [
        ("DEBUG : yes", {"DEBUG": True}, []),
        ("DEBUG : NO", {"DEBUG": False}, []),
        ("DEBUG : 1", {"DEBUG": True}, []),
        ("DEBUG : 0", {"DEBUG": False}, []),
        ("DEBUG : on", {"DEBUG": True}, ["W108"]),
        ("DEBUG : False", {"DEBUG": False}, ["W108"]),
        ("DEBUG : perhaps", {}, ["E201"]),
        ("DEBUG : 2", {}, ["E201"]),
        ("DEBUG : yes; or no", {}, ["E201"]),
        ("SHOW TIMING : yes", {"SHOW TIMING": True}, []),
        ("EXTRA EMM LEVEL : yes", {"EXTRA EMM LEVEL": True}, []),
        ("SHOW EXTENEDED CLIENT INFO : no", {"SHOW EXTENEDED CLIENT INFO": False}, []),
        ("SHOW EXTENDED CLIENT INFO : no", {"SHOW EXTENEDED CLIENT INFO": False}, []),
        ("MINIMUM DOWNHOPS : 1", {"MINIMUM DOWNHOPS": 1}, []),
        ("MINIMUM DOWNHOPS : 001", {"MINIMUM DOWNHOPS": 1}, []),
        ("MINIMUM DOWNHOPS : -1", {}, ["E201"]),
        ("MINIMUM DOWNHOPS : +1", {}, ["E201"]),
        ("MINIMUM DOWNHOPS : 1_0", {}, ["E201"]),
        ("MINIMUM DOWNHOPS : ٣", {}, ["E201"]),
        ("MINIMUM DOWNHOPS : " + "9" * 5000, {}, ["E201"]),
        ("GLOBAL EMM : 0", {"GLOBAL EMM": 0}, []),
        ("GLOBAL EMM : 3", {}, ["E201"]),
        ("GLOBAL EMM : yes", {}, ["E201"]),
        ("MINIMUM CLIENT VERSION : 2.0.11", {"MINIMUM CLIENT VERSION": "2.0.11"}, []),
        ("MINIMUM CLIENT VERSION : 2.1", {}, ["E201"]),
        ("MINIMUM CLIENT VERSION : 2.3.0-3316", {}, ["E201"]),
        ("IGNORE NODE : 0011AABBccdd2233", {"IGNORE NODE": ["0011aabbccdd2233"]}, []),
        ("IGNORE NODE : 0011AABBccdd22", {}, ["E201"]),
        ("IGNORE NODE : 0011AABBccdd223G", {}, ["E201"]),
        ("LOG FILE : /var/log/my file", {"LOG FILE": "/var/log/my file"}, []),
        ("LOG FILE : /var/log/a#b", {"LOG FILE": "/var/log/a#b"}, ["W110"]),
        ("LOG WARNINGS : no", {"LOG WARNINGS": None}, ["W109"]),
        ("LOG WARNINGS : OFF", {"LOG WARNINGS": None}, ["W109"]),
        ("CAID PRIO FILE : 0", {"CAID PRIO FILE": None}, ["W109"]),
        ("PROVIDERINFO FILE : none", {"PROVIDERINFO FILE": None}, ["W109"]),
        ("CHANNELINFO FILE : /tmp/x", {"CHANNELINFO FILE": "/tmp/x"}, []),
        ("LOG FILE :", {}, ["W107"]),
        ("ALLOW EMM : no", {"ALLOW EMM": False}, []),
        ("DISABLE EMM : yes", {"DISABLE EMM": True}, []),
        ("GLOBAL LIMITS : { }", {"GLOBAL LIMITS": []}, []),
        (
            "GLOBAL LIMITS : { 0100:80, 0500:0:2 }",
            {"GLOBAL LIMITS": [["0100", "000080", 0], ["0500", "000000", 2]]},
            [],
        ),
        ("GLOBAL LIMITS : { 0500 }", {"GLOBAL LIMITS": [["0500", "000000", 0]]}, ["W121"]),
        ("GLOBAL LIMITS : { 0:0:1 } x", ONE_LIMIT, ["W122"]),
        ("GLOBAL LIMITS : ({ 0:0:1, })", ONE_LIMIT, ["W125", "W127"]),
        ("GLOBAL LIMITS : { 0:0:11 }", {"GLOBAL LIMITS": [["0000", "000000", 11]]}, ["W123"]),
    ],
)
def test_value(line: str, settings: dict[str, Any], found: list[str]) -> None:
    form, diagnostics = read(line)
    assert form["settings"] == settings
    assert sorted(code for _, code in diagnostics) == found


@pytest.mark.parametrize(
    ("value", "code"),
    [
        ("{ 0:0:1", "E318"),
        ("0:0:1", "E312"),
        ("1 { 0:0:1 }", "E312"),
        ("no", "E312"),
        ("{ 0:0:1 } { }", "E317"),
        ("{ 0,0,0,0,0,0,0,0 }", "E312"),
        ("{ 0100:80:15df }", "E314"),
    ],
)
def test_damaged_global_limits_leave_nothing(value: str, code: str) -> None:
    form, diagnostics = read("GLOBAL LIMITS : { 0100:80 }", f"GLOBAL LIMITS : {value}")
    assert form["settings"] == {"GLOBAL LIMITS": [["0000", "000000", 0]]}
    assert diagnostics == [(2, code)]


@pytest.mark.parametrize("port", ["65536", "-1", "x", "12000 x", "1.5", "0x10"])
def test_bad_port(port: str) -> None:
    form, diagnostics = read("SERVER LISTEN PORT : 13000", f"SERVER LISTEN PORT : {port}")
    assert (form["server_listen_port"], form["server_listen_port_line"]) == (13000, 1)
    assert diagnostics == [(2, "E201")]


@pytest.mark.parametrize(
    ("line", "is_quiet"),
    [
        ("SCIDEVICES : 0", True),
        ("SCIDEVICES : 2", False),
        ("EMM THREADS : 1", True),
        ("EMM THREADS : 2", False),
        ("ZAP OSD TIME : 0", True),
        ("OSD USERNAME : root", True),
        ("OSD USERNAME : Root", False),
        ("OSD PASSWORD : dreambox", True),
        ("OSD PORT : 80", True),
        ("OSD PORT : 8080", False),
        ("MINI OSD : NO", True),
        ("MINI OSD : yes", False),
        ("DVB API : -1", True),
        ("DVB API : 1", False),
        ("SECA HANDLER : 1", True),
        ("SECA HANDLER : 2", False),
        ("NEWCAMD CONF : no", True),
        ("NEWCAMD STEALTH : 0", True),
        ("NEWCAMD STEALTH : 1", False),
        ("B: /dev/sci0 00", True),
        ("B: /dev/sci0 0", True),
        ("B: /dev/sci0 01", False),
        ("B: /dev/sci0 /dev/sci1 00", False),
        ("B: 00", False),
        ("BOXKEY : /dev/sci0 00 11 22 33", False),
        ("PIN : /dev/sci0 1234", False),
        ("PINCODE : /dev/sci0 1234", False),
        ("SOFTKEY FILE : /var/keys/SoftCam.Key", False),
        ("LOADBALANCE : /dev/sci0 /dev/sci1 { 100 }", False),
    ],
)
def test_key_without_effect(line: str, is_quiet: bool) -> None:
    form, diagnostics = read(line)
    assert diagnostics == ([] if is_quiet else [(1, "W160")])
    assert form["settings"] == {}


def test_last_valid_setting_counts() -> None:
    form, diagnostics = read(
        "SHOW TIMING : yes",
        "SHOW TIMING : no",
        "SHOW TIMING : perhaps",
        "SHOW TIMING :",
        "TELNETINFO LISTEN PORT : 16010",
        "INFO LISTEN PORT : 16011",
        "IGNORE NODE : 0011223344556677",
        "IGNORE NODE : 8899aabbccddeeff",
    )
    assert form["settings"] == {
        "SHOW TIMING": False,
        "IGNORE NODE": ["0011223344556677", "8899aabbccddeeff"],
    }
    assert form["telnetinfo"]["port"] == 16011
    assert diagnostics == [
        (2, "W142"),
        (3, "E201"),
        (4, "W107"),
        (6, "W106"),
        (6, "W142"),
    ]


def test_refused_value_is_not_the_first_of_two() -> None:
    assert read("DEBUG : perhaps", "DEBUG :", "DEBUG : yes")[1] == [(1, "E201"), (2, "W107")]


@pytest.mark.parametrize(
    ("lines", "port", "line", "found"),
    [
        ((), 12000, None, []),
        (("SERVER LISTEN PORT : 0",), 0, 1, []),
        (("GLOBAL LISTEN PORT : 13000",), 13000, 1, []),
        (("SERVER LISTEN PORT : 1", "GLOBAL LISTEN PORT : 2"), 1, 1, [(2, "W171")]),
        (("GLOBAL LISTEN PORT : 2", "SERVER LISTEN PORT : 1"), 1, 2, [(1, "W171")]),
        (("SERVER LISTEN PORT : x", "GLOBAL LISTEN PORT : 2"), 2, 2, [(1, "E201")]),
        (("SERVER LISTEN PORT :", "GLOBAL LISTEN PORT : 2"), 2, 2, [(1, "W107")]),
    ],
)
def test_server_port(
    lines: tuple[str, ...], port: int, line: int | None, found: list[tuple[int, str]]
) -> None:
    form, diagnostics = read(*lines)
    assert (form["server_listen_port"], form["server_listen_port_line"]) == (port, line)
    assert diagnostics == found


@pytest.mark.parametrize(
    ("lines", "found", "closed"),
    [
        (("SERVER LISTEN PORT : 12000", "INFO LISTEN PORT : 12000"), [(2, "E205")], "telnetinfo"),
        (("TELNETINFO LISTEN PORT : 12000",), [(1, "E205")], "telnetinfo"),
        (("WEBINFO LISTEN PORT : 1", "SERVER LISTEN PORT : 1"), [(2, "E205")], "webinfo"),
        (("SERVER LISTEN PORT : 16001",), [(1, "E205")], "webinfo"),
        (("GLOBAL LISTEN PORT : 16001",), [(1, "E205")], "webinfo"),
        (("WEBINFO LISTEN PORT : 5", "TELNETINFO LISTEN PORT : 5"), [(2, "E205")], "telnetinfo"),
        (("TELNETINFO LISTEN PORT : 5", "WEBINFO LISTEN PORT : 5"), [(2, "E205")], "webinfo"),
        (("TELNETINFO LISTEN PORT : 16001",), [(1, "E205")], "telnetinfo"),
        (("SERVER LISTEN PORT : 16001", "ALLOW WEBINFO : no"), [], ""),
        (("SERVER LISTEN PORT : 0", "WEBINFO LISTEN PORT : 0"), [], ""),
        (("WEBINFO LISTEN PORT : 12000", "SERVER LISTEN PORT : 0"), [], ""),
        (("WEBINFO LISTEN PORT : 12000", "WEBINFO LISTEN PORT : 12001"), [(2, "W142")], ""),
    ],
)
def test_ports_that_clash(
    lines: tuple[str, ...], found: list[tuple[int, str]], closed: str
) -> None:
    result = parse("\n".join(lines).encode())
    assert codes(result) == found
    ports = {"telnetinfo": result.config.telnetinfo, "webinfo": result.config.webinfo}
    assert [name for name, port in ports.items() if port.clashes] == ([closed] if closed else [])


def test_clash_does_not_change_what_was_read() -> None:
    form, _ = read("TELNETINFO LISTEN PORT : 12000")
    expected = {"allowed": True, "port": 12000, "username": None, "password": None}
    assert form["telnetinfo"] == expected


@pytest.mark.parametrize(
    ("lines", "allowed", "found"),
    [
        ((), True, []),
        (("ALLOW EMM : no",), False, []),
        (("DISABLE EMM : yes",), False, []),
        (("DISABLE EMM : no",), True, []),
        (("ALLOW EMM : yes", "DISABLE EMM : no"), True, []),
        (("ALLOW EMM : no", "DISABLE EMM : yes"), False, []),
        (("ALLOW EMM : yes", "DISABLE EMM : yes"), False, [(2, "W170")]),
        (("DISABLE EMM : no", "ALLOW EMM : no"), False, [(2, "W170")]),
        (("DISABLE EMM : no", "ALLOW EMM : perhaps"), True, [(2, "E201")]),
    ],
)
def test_emm(lines: tuple[str, ...], allowed: bool, found: list[tuple[int, str]]) -> None:
    form, diagnostics = read(*lines)
    assert form["emm_allowed"] is allowed
    assert diagnostics == found


@pytest.mark.parametrize("name", ["TELNETINFO", "WEBINFO"])
def test_half_a_login(name: str) -> None:
    assert read(f"{name} USERNAME : u", f"{name} PASSWORD : p")[1] == []
    assert read(f"{name} USERNAME : u", f"{name} PASSWORD :")[1] == [(1, "W173"), (2, "W107")]
    form, diagnostics = read(f"ALLOW {name} : no", f"{name} PASSWORD : p q")
    assert diagnostics == [(2, "W173")]
    assert form[name.lower()]["password"] == "p q"
    assert form[name.lower()]["allowed"] is False
    result = parse(f"{name} PASSWORD : p".encode())
    ports = {"TELNETINFO": result.config.telnetinfo, "WEBINFO": result.config.webinfo}
    assert ports[name].is_protected


def test_hints_are_no_diagnostics() -> None:
    text = (
        "ALLOW EMM : no\nDISABLE EMM : yes\nSHOW EXTENDED CLIENT INFO : yes\n"
        "WEBINFO LISTEN PORT : 80\nF: a b 1 0 1\nF: c d 1 0 {0,0,0,0,0,0,0,0}\n"
    )
    result = parse(text.encode())
    assert not result.diagnostics
    hints = {hint.place.line: hint.text for hint in result.hints if hint.place.line}
    assert sorted(hints) == [2, 3, 4, 5, 6]
    assert "DISABLE EMM blocks the EMM of this client" in hints[5]
