"""`cccamd client`: what is printed is what the program of that name wants, and works."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from cccamd.cli import command_line
from cccamd.machine import own_address
from cccamd.setup.cccamcfg import parse
from cccamd.setup.recipes import PROGRAMS

CFG = "SERVER LISTEN PORT : 12000\nF: anna pass,word\nF: ben other\n"
TOML = """
[[newcamd]]
port = 15000
accounts = ["anna"]
[dvbapi]
port = 9000
account = "anna"
"""


@pytest.fixture
def house(tmp_path: Path) -> Path:
    (tmp_path / "CCcam.cfg").write_text(CFG)
    (tmp_path / "cccamd.toml").write_text(TOML)
    return tmp_path


def client(house: Path, *words: str) -> Result:
    options = ["-C", str(house / "CCcam.cfg"), "--host", "192.0.2.1"]
    return CliRunner().invoke(command_line(["client"]), ["client", *words, *options])


@pytest.mark.parametrize("program", PROGRAMS)
def test_every_program_gets_what_it_can_paste(house: Path, program: str) -> None:
    result = client(house, "anna", "--for", program, "--json")
    assert result.exit_code == 0, result.stderr
    told = json.loads(result.stdout)
    assert told["where"]
    assert told["text"]
    assert "{" not in told["text"]


def test_a_c_line_is_one(house: Path) -> None:
    result = client(house, "anna")
    assert result.stdout == "C: 192.0.2.1 12000 anna pass,word\n"
    assert "keep it to yourself" in result.stderr
    (line,) = parse(result.stdout.encode()).config.c_lines
    assert (line.host, line.port, line.user, line.password) == (
        "192.0.2.1",
        12000,
        "anna",
        "pass,word",
    )


@pytest.mark.parametrize(
    ("bind", "host"),
    [
        ('["127.0.0.1"]', "127.0.0.1"),
        ('["192.0.2.7", "127.0.0.1"]', "192.0.2.7"),
        ('["0.0.0.0", "127.0.0.1"]', own_address()),
    ],
)
def test_a_c_line_names_an_address_where_the_server_listens(
    house: Path, bind: str, host: str
) -> None:
    with (house / "cccamd.toml").open("a") as toml:
        toml.write(f"[server]\nbind = {bind}\n")
    words = ["client", "anna", "-C", str(house / "CCcam.cfg")]
    result = CliRunner().invoke(command_line(["client"]), words)
    assert result.stdout.split()[:2] == ["C:", host]


def test_the_ways_of_one_program(house: Path) -> None:
    cccam = client(house, "anna", "--for", "oscam").stdout
    assert "protocol = cccam\ndevice = 192.0.2.1,12000\n" in cccam
    newcamd = client(house, "anna", "--for", "oscam", "--over", "newcamd").stdout
    assert "key = 0102030405060708091011121314\n" in newcamd
    assert "device = 192.0.2.1,15000\n" in newcamd
    line = client(house, "anna", "--for", "mgcamd").stdout
    key = "01 02 03 04 05 06 07 08 09 10 11 12 13 14"
    assert line == f"CWS = 192.0.2.1 15000 anna pass,word {key} lan\n"
    box = client(house, "anna", "--for", "tvheadend")
    assert "Mode: OSCam net protocol\nCamd.socket filename / IP Address: 127.0.0.1\n" in box.stdout
    assert "pass,word" not in box.stdout, "dvbapi knows no login"


def test_what_is_not_open_is_said(house: Path) -> None:
    ben = client(house, "ben", "--for", "minisatip")
    assert (ben.exit_code, ben.stdout) == (1, "")
    assert "[dvbapi] of cccamd.toml opens nothing for this account" in ben.stderr
    assert client(house, "ben", "--for", "mgcamd").stdout.startswith("C: ")
    near = client(house, "Anna")
    assert near.exit_code == 2
    assert "did you mean anna?" in near.stderr
    unknown = client(house, "anna", "--for", "kodi")
    assert unknown.exit_code == 2
    assert "known are cccam, enigma2" in unknown.stderr
    way = client(house, "anna", "--for", "vdr", "--over", "cccam")
    assert way.exit_code == 2
    assert "vdr knows dvbapi" in way.stderr
