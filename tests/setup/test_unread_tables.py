"""A restriction in cccamd.toml that cannot be read never turns into no restriction."""

import asyncio
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from test_lived_files import log_in

from cccamd.ids import Caid, Ident, Sid
from cccamd.lab.ports import free_port
from cccamd.net import ConnectError
from cccamd.setup.setup import Setup, load_setup
from cccamd.setup.toml.reader import TABLES_LIMIT

LINES = """\
F: anna secret
F: ben secret
F: 5 secret
C: far.example 12000 me pw
C: far.example 12000 you pw
C: near.example 13000 me pw
N: far.example 15000 me pw 01 02 03 04 05 06 07 08 09 10 11 12 13 14
"""
LINKS = {("far.example", 12000, "me"), ("far.example", 12000, "you")}
LINKS |= {("near.example", 13000, "me"), ("far.example", 15000, "me")}


def read(folder: Path, toml: str | bytes, *, is_named: bool = False) -> Setup:
    (folder / "CCcam.cfg").write_text(LINES)
    path = folder / "cccamd.toml"
    path.write_bytes(toml if isinstance(toml, bytes) else toml.encode())
    return load_setup(folder / "CCcam.cfg", path if is_named else None)


def out_of_use(setup: Setup) -> set[object]:
    """What the lines have, and the setup does not."""
    users = {b"anna", b"ben", b"5"} - set(setup.accounts)
    links = LINKS - {each.line.key for each in setup.upstreams}
    told = [(line.name, line.subject) for line in setup.config.refused_lines]
    assert len(told) == len(users) + len(links), "each has its reason"
    assert all(line.fault.place.line for line in setup.config.refused_lines)
    return users | links


@pytest.mark.parametrize(
    ("table", "expected"),
    [
        ("user = 'anna'\nexpires = '2026-13-01'", {b"anna"}),
        ("user = 'anna'\nexpire = 2026-12-31", {b"anna"}),
        ("user = 'anna'\ncaids = ['7G00']", {b"anna"}),
        ("user = 'anna'", {b"anna"}),
        ("usr = 'anna'\nlogins = 1", {b"anna"}),
        ("user = 5\nlogins = 1", {b"5"}),
        (f"user = 0x{'F' * 5000}\nname = 'anna'", {b"anna"}),
        ("user = 'carl'\nlogins = 'x'", set()),
    ],
)
def test_a_mistake_in_an_account_takes_it_out(
    table: str, expected: set[object], tmp_path: Path
) -> None:
    setup = read(tmp_path, f"[[account]]\n{table}\n")
    assert out_of_use(setup) == expected
    assert not setup.refusal
    assert "so the account that this [[account]] is about is not used" in "\n".join(
        map(str, setup.messages)
    )


@pytest.mark.parametrize(
    ("table", "expected"),
    [
        ("host = 'FAR.example'\nport = 12000\nuser = 'me'\ncaid = ['0500']", 1),
        ("host = 'far.example'\nport = '12000'\nuser = 'me'\npaired = 'far'", 2),
        ("host = 'far.example'\nport = 12000\npaired = 'far'", 2),
        ("hots = 'far.example'\nport = 13000\nuser = 'me'\npaired = 'far'", 1),
        ("user = 'me'\npaired = 'far'", 3),
        ("paired = 'far'", 0),
        ("host = 'other.example'\nport = 12000\nuser = 'me'\nx = 1", 0),
    ],
)
def test_a_mistake_in_an_upstream_takes_its_line_out(
    table: str, expected: int, tmp_path: Path
) -> None:
    """What is not said may be anything: `paired` forbids to send a password in the clear."""
    setup = read(tmp_path, f"[[upstream]]\n{table}\n")
    assert len(out_of_use(setup)) == expected
    assert not setup.refusal


@pytest.mark.parametrize(
    "toml",
    [
        "[account]\nuser = 'anna'\nlogins = 1\n",
        "account = [5, { user = 'anna', logins = 1 }]\n",
        "".join(f"[[account]]\nuser = 'u{n}'\nlogins = 1\n" for n in range(TABLES_LIMIT))
        + "[[account]]\nuser = 'anna'\nexpires = 2020-01-01\n",
    ],
)
def test_so_do_tables_that_are_passed_over(toml: str, tmp_path: Path) -> None:
    assert out_of_use(read(tmp_path, toml)) == {b"anna"}


@pytest.mark.parametrize(
    "toml", [b"[[account]\nuser = 'anna'\n", b"\xff\xfea\0", b"a = '\xe4'\n", b"#" * 5_000_000]
)
def test_a_file_that_cannot_be_read_takes_out_all_lines(toml: bytes, tmp_path: Path) -> None:
    """A server that runs keeps what it has; one that starts with it by name does not start."""
    setup = read(tmp_path, toml)
    assert out_of_use(setup) == {b"anna", b"ben", b"5"} | LINKS
    assert (setup.refusal, bool(setup.doubt)) == ("", True)
    assert read(tmp_path, toml, is_named=True).refusal
    text = "uses no account and no server of CCcam.cfg until it is mended"
    assert any(text in str(message) for message in setup.messages)


def test_a_list_that_is_not_there_is_no_restriction_either(tmp_path: Path) -> None:
    table = (
        "[[account]]\nuser = 'anna'\nservices = ['news', '!adult']\n[services.news]\nsids = [1]\n"
    )
    for more, expected in (("", False), ("[services.adult]\nsids = [2]\n", True)):
        (line,) = [
            each for each in read(tmp_path, table + more).config.f_lines if each.user == "anna"
        ]
        assert line.grant.lets_service(Caid(0x0500), Ident(0), Sid(1)) is expected


def test_who_starts_with_it_serves_again_once_it_is_mended(tmp_path: Path) -> None:
    port, path = free_port(), tmp_path / "CCcam.cfg"
    ports = f"SERVER LISTEN PORT : {port}\nALLOW WEBINFO : no\nALLOW TELNETINFO : no\n"
    path.write_text(f"{ports}F: anna secret\n")
    toml = tmp_path / "cccamd.toml"
    toml.write_text("[[account]\n")
    with serving(path):
        with pytest.raises(ConnectError):
            asyncio.run(log_in(port, b"anna", b"secret"))
        toml.write_text('[[account]]\nuser = "anna"\nlogins = 2\n')
        wait_for("added anna", tmp_path / "said")
        asyncio.run(log_in(port, b"anna", b"secret"))
        toml.write_text('[[account]]\nuser = "anna"\nlogins = "two"\n')
        wait_for("removed anna", tmp_path / "said")
        with pytest.raises(ConnectError):
            asyncio.run(log_in(port, b"anna", b"secret"))
    said = (tmp_path / "said").read_text()
    assert "what cccamd.toml says of it cannot be read, and may restrict it" in said
    assert "Traceback" not in said


@contextmanager
def serving(path: Path) -> Iterator[None]:
    words = [sys.executable, "-m", "cccamd", "serve", "-C", path, "-n", path.with_name("node")]
    with (path.with_name("said")).open("wb") as said:
        process = subprocess.Popen(words, stdout=said, stderr=said)
    try:
        yield
    finally:
        process.send_signal(signal.SIGTERM)
        assert process.wait(30) == 0


def wait_for(word: str, log: Path) -> None:
    until = time.monotonic() + 20
    while word not in log.read_text():
        assert time.monotonic() < until, log.read_text()
        time.sleep(0.05)
