"""Kinds of lines and what is left when none fits (docs/config.md section 1.3)."""

import pytest

from cccamd.setup.cccamcfg import parse

KNOWN = "SERVER LISTEN PORT : 0\n"
"""Keeps a file from being refused as something else."""


def found(text: str) -> list[str]:
    """Codes of the second line, behind a line that is known and fine."""
    result = parse((KNOWN + text).encode())
    return sorted(message.code.value for message in result.diagnostics)


@pytest.mark.parametrize(
    ("line", "codes"),
    [
        # letter lines
        ("F:anna secret", []),
        ("F : anna secret", ["W103"]),
        ("f: anna secret", ["W104"]),
        ("f : anna secret", ["W103", "W104"]),
        ("c:a.example.org 12000 u p", ["W104"]),
        ("F:", ["W107"]),
        ("C: # not yet", ["W107"]),
        ("N :", ["W103", "W107"]),
        ("L:", ["W107"]),
        ("Q: something", ["W101"]),
        ("P: 0100:000080", ["W162"]),
        ("I: 0100", ["W162"]),
        ("S: 0100 000080 0001", ["W162"]),
        # key lines
        ("DEBUG: no", []),
        ("DEBUG :no", []),
        ("  DEBUG   :   no", []),
        ("SHOW\t TIMING : yes", []),
        ("Debug : no", ["W104"]),
        ("debug=no", ["W104", "W105"]),
        ("ALLOW TELNETINFO=yes", ["W105"]),
        ("DEBUG = no : yes", ["E201"]),
        ("DEBUG :", ["W107"]),
        ("DEBUG : # yes", ["W107"]),
        ("DEBUG =", ["W105", "W107"]),
        ("INFO LISTEN PORT : 16010", ["W106"]),
        ("HTML INFO LISTEN PORT : 16010", ["W106"]),
        ("POSTINIT /dev/sci0,/tmp/init", ["W160"]),
        ("POSTINIT : /dev/sci0,/tmp/init", ["W160"]),
        ("POSTINIT /dev/sci0 a=b", ["W160"]),
        ("CARD INFO PORT : 14000", ["W163"]),
        ("CAID IGNORE FILE : no", ["W163"]),
        # colon missing
        ("SERVER LISTEN PORT 12000", ["E202"]),
        ("DEBUG", ["E202"]),
        ("debug yes", ["E202"]),
        ("GLOBAL LIMITS { 0:0:1 }", ["E202"]),
        ("F anna secret", ["E202"]),
        ("F anna secret 1 0 0 { 0:0:1 }", ["E202"]),
        ("C a.example.org 12000 u p", ["E202"]),
        ("N 192.0.2.9 15000 u p", ["E202"]),
        # unknown
        ("CCAM DEBUG : yes", ["W101"]),
        ("MINI EMM ADDR : 1", ["W101"]),
        ("DEBUG LEVEL : 3", ["W101"]),
        ("KEY_1 :", ["W101"]),
        ("http://www.example.org/", ["W101"]),
        ("F anna", ["W100"]),
        ("L 192.0.2.5 567 u p", ["W100"]),
        ("-----------------", ["W100"]),
        ("My Server", ["W100"]),
        ("[account]", ["W100"]),
        ("CCAM DEBUG = yes", ["W100"]),
        ("CCAM DEBUG = yes : no", ["W100"]),
        ("DEBUGGING yes", ["W100"]),
        ("DEBUG-LEVEL : 1", ["W100"]),
        (": 1", ["W100"]),
        ("ALLOW TELNET\u0131NFO : yes", ["W100"]),
    ],
)
def test_kind(line: str, codes: list[str]) -> None:
    assert found(line) == codes


@pytest.mark.parametrize(
    ("key", "meant"),
    [
        ("SHOW EXTENDED CLIENTINFO", "SHOW EXTENDED CLIENT INFO"),
        ("WEBINFO LISTENPORT", "WEBINFO LISTEN PORT"),
        ("completely different", None),
        ("X" * 5000, None),
    ],
)
def test_unknown_key_suggests_the_nearest(key: str, meant: str | None) -> None:
    (message,) = parse(f"{KNOWN}{key} : 1".encode()).diagnostics
    assert message.instead == (f"perhaps {meant} is meant" if meant else None)


def test_suggestions_are_not_made_for_thousands_of_keys() -> None:
    text = "".join(f"WEBINFO LISTENPORT{number} : 1\n" for number in range(200))
    made = [message.instead for message in parse((KNOWN + text).encode()).diagnostics]
    assert 0 < len([text for text in made if text]) < 100


@pytest.mark.parametrize(
    "text",
    [
        "[global]\nlogfile = /tmp/x\n",
        "a.example.org 12000 user pass\n",
        "P: 0100:000080\nI: 0500\n",
        "Q: what\n",
        "----",
    ],
)
def test_file_of_something_else_is_refused(text: str) -> None:
    result = parse(text.encode())
    assert (None, "E002") in [(found.place.line, found.code.value) for found in result.diagnostics]
    assert result.refused


@pytest.mark.parametrize(
    "line",
    [
        "F: hal",
        "F:",
        "X: 1",
        "B: x",
        "F anna secret",
        "DEBUG",
        "DEBUG : perhaps",
        "OSD PORT : 80",
        "CARD INFO PORT : 1",
    ],
)
def test_one_known_line_makes_it_a_config(line: str) -> None:
    assert not parse(f"[global]\n----\n{line}\n".encode()).refused


@pytest.mark.parametrize("text", ["", "# nothing\n\n", "F:\n"])
def test_no_foreign_line_is_no_reason_to_refuse(text: str) -> None:
    assert not parse(text.encode()).refused
