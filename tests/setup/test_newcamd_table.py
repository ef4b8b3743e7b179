"""`[[newcamd]]` of cccamd.toml: what is taken, what is not and why."""

from pathlib import Path

import pytest

from cccamd.localcards import find_kinds
from cccamd.setup.setup import load_setup
from cccamd.setup.toml import ParsedToml, parse

USUAL = bytes.fromhex("0102030405060708091011121314")


def read(text: str) -> ParsedToml:
    return parse(text, kinds=find_kinds(), folder=Path())


def test_a_port_is_enough() -> None:
    found = read("[[newcamd]]\nport = 15000\n")
    assert not found.problems
    (table,) = found.config.newcamd
    assert (table.key, table.wish.caid, table.accounts) == (USUAL, None, ())
    assert table.admits("anybody")


@pytest.mark.parametrize(
    "key",
    [
        "a1a2a3a4a5a6a7a8a9aaabacadae",
        "A1 A2 A3 A4 A5 A6 A7 A8 A9 AA AB AC AD AE",
        "a1.a2.a3.a4.a5.a6.a7.a8.a9.aa.ab.ac.ad.ae",
    ],
)
def test_a_key_may_be_written_as_people_write_it(key: str) -> None:
    (table,) = read(f'[[newcamd]]\nport = 15000\nkey = "{key}"\n').config.newcamd
    assert table.key == bytes(range(0xA1, 0xAF))


@pytest.mark.parametrize(
    ("text", "line", "words"),
    [
        ('port = 15000\nkey = "01 02"\n', 3, "expected 14 bytes"),
        ('port = 15000\ncaid = "12345"\n', 3, "expected 4 hex digits"),
        ("port = 0\n", 2, "a port, 1 to 65535"),
        ('port = 15000\nproviders = ["030B00"]\n', 1, "expected caid too"),
        ("port = 15000\n[[newcamd]]\nport = 15000\n", 3, "is in line 1 already"),
    ],
)
def test_what_cannot_be_is_said_with_its_line(text: str, line: int, words: str) -> None:
    found = read(f"[[newcamd]]\n{text}")
    (problem,) = found.problems
    assert words in str(problem)
    assert f":{line}:" in str(problem)


def test_strange_accounts_and_a_port_of_ours_are_told_at_the_start(tmp_path: Path) -> None:
    (tmp_path / "CCcam.cfg").write_text("SERVER LISTEN PORT : 12000\nF: anna secret\n")
    (tmp_path / "cccamd.toml").write_text(
        '[[newcamd]]\nport = 15000\naccounts = ["nobody"]\n[[newcamd]]\nport = 12000\n'
    )
    made = load_setup(tmp_path / "CCcam.cfg", None)
    told = [str(message) for message in made.messages]
    assert any("15000" in text and "nobody" in text for text in told), told
    assert any("[[newcamd]] port 12000" in text for text in told), told


def test_an_n_line_that_is_paired_is_not_used(tmp_path: Path) -> None:
    """newcamd goes without TLS, and what is paired is never called without."""
    (tmp_path / "CCcam.cfg").write_text(
        f"N: one.example 15000 anna secret {USUAL.hex()}\n"
        f"N: two.example 15000 anna secret {USUAL.hex()}\nC: one.example 12000 anna secret\n"
    )
    (tmp_path / "cccamd.toml").write_text(
        '[[upstream]]\nhost = "one.example"\nport = 15000\nuser = "anna"\npaired = "one"\n'
        '[[upstream]]\nhost = "one.example"\nport = 12000\nuser = "anna"\npaired = "one"\n'
    )
    setup = load_setup(tmp_path / "CCcam.cfg", tmp_path / "cccamd.toml")
    names = sorted(upstream.name for upstream in setup.upstreams)
    assert names == ["one.example:12000", "two.example:15000"]
    (told,) = [str(each) for each in setup.messages if "newcamd goes without TLS" in str(each)]
    assert "cccamd.toml:1:1: [[upstream]] one.example 15000" in told
