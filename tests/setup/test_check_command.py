"""`cccamd check` as people and programs see it."""

import json
import os
from pathlib import Path

import pytest
import typer
from rich.cells import cell_len
from typer.testing import CliRunner, Result

from cccamd.cli.check import check

app = typer.Typer()
app.command()(check)


@app.command()
def other() -> None:
    """Make `check` a subcommand, as it is in the program."""


def run(*arguments: str, data: bytes = b"") -> Result:
    return CliRunner().invoke(app, ["check", *arguments], input=data)


def run_on(text: str, *arguments: str) -> Result:
    return run("-", *arguments, data=text.encode())


@pytest.mark.parametrize(
    ("text", "status", "strict_status"),
    [
        ("F: anna secret\n", 0, 0),
        ("F: anna secret\r\n", 0, 0),
        ("f: anna secret\n", 0, 1),
        ("F: anna\n", 1, 1),
        ("[ini]\n", 1, 1),
    ],
)
def test_exit_status(text: str, status: int, strict_status: int) -> None:
    assert run_on(text).exit_code == status
    assert run_on(text, "--strict").exit_code == strict_status
    assert run_on(text, "--json").exit_code == status


def test_file_that_cannot_be_read(tmp_path: Path) -> None:
    for path, words in ((tmp_path, "directory"), (tmp_path / "none", "no such file")):
        result = run(str(path), "--json")
        assert result.exit_code == 2
        assert words in result.stderr
        assert result.stdout == ""


def test_secrets_are_for_json_only() -> None:
    assert run_on("", "--show-secrets").exit_code == 2


def test_json_hides_secrets_unless_asked() -> None:
    text = "F: u s3cret\nWEBINFO USERNAME : w\nWEBINFO PASSWORD : s3cret\n"
    hidden = json.loads(run_on(text, "--json").stdout)
    assert hidden["f_lines"][0]["password"] is None
    assert hidden["webinfo"]["password"] is None
    assert hidden["webinfo"]["username"] == "w"
    shown = json.loads(run_on(text, "--json", "--show-secrets").stdout)
    assert shown["f_lines"][0]["password"] == "s3cret"
    assert shown["webinfo"]["password"] == "s3cret"


def test_report_for_people() -> None:
    result = run_on("F: anna longersecret 1 0 0 { 0:0:1\nC: h 1 u p no no\nDEBUGG : [red]\n")
    assert result.stdout.splitlines() == [
        "stdin:1:28: error E318: the braces do not match: this { has no }",
        "    F: anna ******** 1 0 0 { 0:0:1",
        "                           ^",
        "    help: close the group with }",
        "stdin:2:15: warning W122: a field too many is ignored",
        "    C: h 1 u ******** no no",
        "                         ^",
        "    help: take it out",
        "stdin:3:1: warning W101: unknown key 'DEBUGG'; the line is ignored",
        "    DEBUGG : ********",
        "    ^",
        "    help: perhaps DEBUG is meant",
        "stdin: hint: TELNETINFO (port 16000) is open without user name and password",
        "stdin: hint: WEBINFO (port 16001) is open without user name and password",
        "0 accounts, 1 upstream, 1 error, 2 warnings",
    ]


def test_refused_file_says_so() -> None:
    lines = run_on("[ini]\n").stdout.splitlines()
    assert lines[0].startswith("stdin: error E002: ")
    assert lines[-1].endswith("the server would not start with this file")


def test_long_line_is_cut_around_its_mark() -> None:
    limits = "0:0:1, " * 100
    result = run_on(f"F: u p 1 {{ {limits} worse, {limits} }}\n")
    shown, mark = result.stdout.splitlines()[1:3]
    assert len(shown) <= 160
    assert mark == " " * shown.index("********") + "^"


def test_wide_letters_before_the_mark() -> None:
    shown, mark = run_on("F: 日本 p far\n").stdout.splitlines()[1:3]
    assert shown == "    F: 日本 ******** ********"
    assert cell_len(mark) == cell_len("    F: 日本 ******** *")


def test_the_files_that_are_named_are_read_too(tmp_path: Path) -> None:
    prio, names = tmp_path / "my.prio", tmp_path / "my.channelinfo"
    prio.write_text("I: 0500:042400\nnonsense\n")
    names.write_text('1702:0:b "Eins"\n1702 "s3cret"\n')
    cfg = f"F: anna secret\nCAID PRIO FILE : {prio}\nCHANNELINFO FILE : {names}\n"
    told = run_on(cfg).stdout
    assert f"{prio}:2: warning: skipped: only lines that begin with P: or I: are read" in told
    assert f"{names}:2: warning: skipped: write caid:ident:sid" in told
    assert "s3cret" not in told
    assert "0 errors, 2 warnings" in told
    assert (run_on(cfg).exit_code, run_on(cfg, "--strict").exit_code) == (0, 1)
    shown = json.loads(run_on(cfg, "--json").stdout)["companions"]
    assert [(found["file"], found["line"]) for found in shown] == [(str(prio), 2), (str(names), 2)]


def test_a_file_that_is_named_and_not_there_is_told(tmp_path: Path) -> None:
    result = run_on(f"F: anna secret\nCAID PRIO FILE : {tmp_path}/none\n", "--strict")
    assert f"stdin:2:18: hint: {tmp_path}/none: there is no such file" in result.stdout
    assert result.exit_code == 0
    assert "none" not in run_on("F: anna secret\n").stdout


def test_a_colon_that_is_missing_and_an_equals_sign() -> None:
    told = run_on("GLOBAL LIMITS = { 0b00:0:1 }\nF x topsecret 1 0 0\n")
    assert "stdin:2:2: error E202: no ':' behind F\n" in told.stdout
    assert "help: write F: and then the value" in told.stdout
    assert "stdin:1:15: warning W105" in told.stdout
    assert "topsecret" not in told.stdout
    assert told.exit_code == 1


def test_only_files_are_read_and_nothing_is_waited_for(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe.toml"
    os.mkfifo(pipe)
    for path, what in (("/dev/null", "a device"), (str(pipe), "a pipe")):
        result = run(path)
        assert result.exit_code == 2
        assert result.stderr == f"cccamd check: {path}: this is {what}, not a file\n"
    names = tmp_path / "names"
    os.mkfifo(names)
    result = run_on(f"F: anna secret\nCHANNELINFO FILE : {names}\n", "--strict")
    assert result.exit_code == 1
    assert f"{names}: warning: this is a pipe, not a file; it is not used" in result.stdout


def test_of_a_file_that_is_something_else_only_that_is_said(tmp_path: Path) -> None:
    path = tmp_path / "program"
    path.write_bytes(b"\x7fELF\0\0" + bytes(range(256)) * 40)
    lines = run(str(path)).stdout.splitlines()
    assert any("error E002" in line for line in lines)
    assert not any("W10" in line for line in lines)
    assert lines[-1] == "the server would not start with this file"
    assert len(lines) < 6
