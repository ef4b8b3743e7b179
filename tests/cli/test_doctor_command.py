"""`cccamd doctor` on real troubles: the verdict, the words, the exit status."""

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import typer
from typer.testing import CliRunner

from cccamd.cli import looking, trial
from cccamd.cli.doctor import doctor
from cccamd.lab.ports import free_port
from cccamd.setup import setup
from cccamd.setup.cccamcfg import load_config

app = typer.Typer()
app.command()(doctor)

TOML = '[[card]]\nkind = "test"\ncaid = "7F00"\n[server]\nbind = ["127.0.0.1"]\n'
SECRET = "verysecret"
HOLD = """
import socket, sys
held = socket.create_server(("127.0.0.1", int(sys.argv[1])))
print("held", flush=True)
sys.stdin.read()
"""


class House:
    """One installation in a folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.port = free_port()
        self.page = free_port()
        self.cfg = folder / "CCcam.cfg"
        self.write(f"F: anna {SECRET}")

    def write(self, lines: str, toml: str = TOML) -> None:
        ports = f"SERVER LISTEN PORT : {self.port}\nALLOW WEBINFO : no\nALLOW TELNETINFO : no\n"
        self.cfg.write_text(ports + lines + "\n")
        self.cfg.chmod(0o600)
        (self.folder / "cccamd.toml").write_text(toml)
        (self.folder / "cccamd.toml").chmod(0o600)

    def open_page(self) -> None:
        text = self.cfg.read_text().replace(
            "ALLOW WEBINFO : no", f"WEBINFO LISTEN PORT : {self.page}"
        )
        self.cfg.write_text(f"{text}WEBINFO USERNAME : me\nWEBINFO PASSWORD : {SECRET}\n")

    @property
    def options(self) -> list[str]:
        return ["-C", str(self.cfg), "-n", str(self.folder / "node-id")]

    def doctor(self, *more: str) -> tuple[int, dict[str, Any]]:
        result = CliRunner().invoke(app, [*self.options, "--json", *more])
        assert result.exception is None or isinstance(result.exception, SystemExit)
        assert SECRET not in result.output
        return result.exit_code, json.loads(result.stdout)

    def found(self, check: str, subject: str = "", *more: str) -> dict[str, Any]:
        _, report = self.doctor(*more)
        return next(
            one
            for one in report["findings"]
            if one["check"] == check and subject in (one["subject"], "")
        )


@pytest.fixture
def house(tmp_path: Path) -> House:
    return House(tmp_path)


@contextmanager
def program(*command: str) -> Iterator[subprocess.Popen[bytes]]:
    process = subprocess.Popen(
        [sys.executable, *command],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    )
    with process:
        try:
            yield process
        finally:
            process.send_signal(signal.SIGTERM)
            assert process.stdin is not None
            process.stdin.close()
            process.wait(20)


def test_a_house_in_order(house: House) -> None:
    status, report = house.doctor("--offline")
    bad = [one for one in report["findings"] if one["verdict"] in ("warning", "failure")]
    bad = [one for one in bad if one["check"] != "firewall"]  # that is the machine's own
    assert bad == []
    assert (status, report["exit_status"]) in ((0, 0), (2, 2))


def test_a_port_taken_by_another_program(house: House) -> None:
    with program("-c", HOLD, str(house.port)) as holder:
        assert holder.stdout is not None
        holder.stdout.readline()
        status, report = house.doctor("--offline")
    found = next(one for one in report["findings"] if one["check"] == "ports")
    assert (status, found["verdict"]) == (2, "failure")
    assert f"process {holder.pid}" in found["evidence"]
    assert "python" in found["evidence"]
    assert "SERVER LISTEN PORT in line 1" in found["advice"]


def serve(house: House) -> AbstractContextManager[subprocess.Popen[bytes]]:
    return program("-m", "cccamd", "serve", *house.options)


def test_a_cloned_installation_and_a_running_one(house: House, tmp_path: Path) -> None:
    folder = tmp_path / "other"
    folder.mkdir()
    other = House(folder)
    other.write(f"F: anna {SECRET}\nC: 127.0.0.1 {house.port} anna {SECRET}")
    with serve(house):
        wait_for(house.port)
        shutil.copy(house.folder / "node-id", other.folder)
        cloned = other.found("node id")
        assert cloned["verdict"] == "failure"
        assert (
            f"upstream 127.0.0.1:{house.port} has the node id of this server"
            in (cloned["evidence"])
        )
        (other.folder / "node-id").unlink()
        other.open_page()
        with serve(other):
            wait_for(other.page)
            wait_until(lambda: "logged in, 1 card" in other.found("C-line")["evidence"])
            found = other.found("server"), other.found("node id"), other.found("accounts")
    assert [one["verdict"] for one in found] == ["ok", "ok", "ok"]
    assert "sources: 2" in found[0]["evidence"]
    assert "2 cards in all (as the running server has them)" in found[2]["evidence"]


def wait_until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.1)


def test_our_own_server_is_no_trouble_and_its_link_is_left_alone(house: House) -> None:
    with socket.create_server(("127.0.0.1", 0)) as upstream:
        upstream.setblocking(False)
        port = upstream.getsockname()[1]
        house.write(f"F: anna {SECRET}\nC: 127.0.0.1 {port} me {SECRET}")
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(trial, "STEP_TIMEOUT", 0.2)
            with serve(house) as server:
                wait_for(house.port)
                _, report = house.doctor()
    by_check = {one["check"]: one for one in reversed(report["findings"])}
    assert by_check["ports"]["verdict"] == "ok"
    assert (
        f"our own server listens here for clients (process {server.pid}"
        in (by_check["ports"]["evidence"])
    )
    assert by_check["server"]["verdict"] == "advice"
    assert "the web pages are switched off" in by_check["server"]["evidence"]
    assert "no seed came" in by_check["C-line"]["evidence"]
    assert by_check["accounts"]["verdict"] == "ok"
    assert by_check["files and memory"]["evidence"].startswith("the running server may open")


def wait_for(port: int) -> None:
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        with socket.socket() as sock:
            if sock.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.02)
    pytest.fail("the server did not start")


@pytest.mark.parametrize(
    ("lines", "check", "subject", "verdict", "words"),
    [
        ("F: anna x 5 1 1 { 0:0:0 }", "accounts", "anna", "warning", "{ 0:0:0 } of the F-line"),
        ("F: anna x 5 1 1 { 7F00:0 }", "accounts", "anna", "warning", "line 4"),
        ("F: anna x 5 1 {0,0,0,1,0,0,0,0}", "configuration", "", "warning", "E313"),
        ("C: 127.0.0.1 1 me pw", "C-line", "127.0.0.1:1", "failure", "connection refused"),
    ],
)
def test_lines_that_do_harm(
    house: House, lines: str, check: str, subject: str, verdict: str, words: str
) -> None:
    house.write(lines)
    _, report = house.doctor()
    wanted = [
        one
        for one in report["findings"]
        if one["check"] == check and subject in ("", one["subject"]) and one["verdict"] == verdict
    ]
    assert words in json.dumps(wanted)


def test_offline_asks_nobody(house: House) -> None:
    with socket.create_server(("127.0.0.1", 0)) as upstream:
        upstream.settimeout(0.1)
        house.write(f"F: a b\nC: 127.0.0.1 {upstream.getsockname()[1]} me {SECRET}")
        found = house.found("C-line", "", "--offline", "--ntp", "127.0.0.1:9")
        assert found["verdict"] == "not checked"
        with pytest.raises(TimeoutError):
            upstream.accept()


def test_no_such_file(house: House) -> None:
    house.cfg.unlink()
    status, report = house.doctor("--offline")
    assert status == 2
    assert report["findings"][0]["verdict"] == "failure"
    assert "there is no such file" in report["findings"][0]["evidence"]


def test_a_file_that_is_no_configuration(house: House) -> None:
    house.cfg.write_bytes(b"\xff\xfeF\0:\0")
    status, report = house.doctor("--offline")
    assert status == 2
    assert "does not start" in json.dumps(report)
    assert {"ports", "accounts"}.isdisjoint(one["check"] for one in report["findings"])


def test_a_broken_toml(house: House) -> None:
    house.write("F: anna x", toml="[[card]\n")
    _, report = house.doctor("--offline")
    texts = [one["evidence"] for one in report["findings"] if one["verdict"] == "failure"]
    assert any("nothing of it is used" in text and "cccamd.toml:1" in text for text in texts)


def test_a_node_id_file_is_never_made(house: House) -> None:
    found = house.found("node id", "", "--offline")
    assert found["verdict"] == "ok"
    assert not (house.folder / "node-id").exists()


@pytest.mark.skipif(os.geteuid() != 0, reason="root gives up its rights here")
def test_without_the_rights_of_root_it_says_what_it_cannot_see(house: House) -> None:
    setpriv = shutil.which("setpriv") or pytest.skip("setpriv is not installed")
    powerless = [setpriv, "--bounding-set=-all", "--inh-caps=-all", sys.executable, "-c"]
    code = "import typer; from cccamd.cli.doctor import doctor; typer.run(doctor)"

    def run() -> dict[str, dict[str, Any]]:
        command = [*powerless, code, *house.options, "--offline", "--json"]
        done = subprocess.run(command, capture_output=True, check=False, timeout=20)
        findings = json.loads(done.stdout)["findings"]
        return {one["check"]: one for one in reversed(findings)}

    words = run()["firewall"]["evidence"]
    assert "only root can see" in words or "is installed here" in words
    os.chown(house.cfg, 65_534, 65_534)
    found = run()["configuration"]
    assert found["verdict"] == "failure"
    assert "no permission to read it" in found["evidence"]
    assert "as root" in found["advice"]


def test_for_people_each_finding_has_its_words(house: House) -> None:
    house.write("F: anna x 5 1 1 { 0:0:0 }")
    result = CliRunner().invoke(app, [*house.options, "--offline"])
    assert result.exit_code in (1, 2)
    lines = result.stdout.splitlines()
    assert any(line.startswith("warning") and "anna: sees 0 of 1 card" in line for line in lines)
    assert any("-> Put 7F00:000000:1 into the first braces of line 4" in line for line in lines)
    assert "Begin with: " in lines[-1]


# What the doctor leaves behind, and what it must see.


def test_it_comes_once_and_leaves_nothing_at_a_server(house: House, tmp_path: Path) -> None:
    """Over one connection, whether it logs in or not; that is no failed login there."""
    folder = tmp_path / "own"
    folder.mkdir()
    own = House(folder)
    journal = house.folder / "log"
    house.cfg.write_text(f"{house.cfg.read_text()}LOG FILE : {journal}\nDEBUG : yes\n")
    own.write(f"F: anna {SECRET}\nC: 127.0.0.1 {house.port} anna {SECRET}")
    with serve(house):
        # By its log: whoever knocks has looked at the port.
        wait_until(lambda: journal.exists() and "listening for clients" in journal.read_text())
        assert own.found("C-line")["verdict"] == "ok"
        with serve(own):
            wait_for(own.port)
            wait_until(lambda: journal.read_text().count(": logged in;") == 2)
            before = journal.read_text().count("looked at the port")
            assert own.found("C-line")["verdict"] == "ok"
            wait_until(lambda: journal.read_text().count("looked at the port") == before + 1)
    told = journal.read_text()
    assert "no login" not in told
    assert before == 0


def test_a_log_that_cannot_be_written_is_seen(house: House) -> None:
    house.write(f"F: anna {SECRET}\nLOG FILE : {house.folder}/none/log\nLOG WARNINGS : /dev")
    _, report = house.doctor("--offline")
    bad = {
        one["subject"]: one
        for one in report["findings"]
        if one["code"] in ("not-writable", "writable")
    }
    log = bad[f"{house.folder}/none/log"]
    assert log["evidence"] == (
        f"LOG FILE in line 5 cannot be written: there is no folder {house.folder}/none"
    )
    assert "mkdir -p" in log["advice"]
    assert bad["/dev"]["evidence"].endswith("this is a directory, not a file")
    assert bad[str(house.folder / "journal.db")]["verdict"] == "ok"


def test_the_same_file_by_another_name_is_no_other_file(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    house.open_page()
    link = house.folder / "link.cfg"
    link.symlink_to(house.cfg)
    monkeypatch.chdir(house.folder)
    with serve(house):
        wait_for(house.page)
        for name in ("./CCcam.cfg", str(link)):
            result = CliRunner().invoke(
                app, ["-C", name, "-T", "cccamd.toml", "-n", "node-id", "--offline", "--json"]
            )
            found = {one["check"]: one for one in json.loads(result.stdout)["findings"]}
            assert found["server"]["verdict"] == "ok", found["server"]
        shutil.copy(house.cfg, house.folder / "other.cfg")
        found = json.loads(
            CliRunner().invoke(app, ["-C", "other.cfg", "--offline", "--json"]).stdout
        )
    assert "not with other.cfg" in json.dumps(found)


def test_without_any_file_the_built_in_example_is_examined(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(looking, "SEARCHED_PATHS", ())
    monkeypatch.setattr(setup, "load_config", partial(load_config, searched=()))
    toml = house.folder / "x.toml"
    toml.write_text('[server]\nbind = ["127.0.0.9"]\n')
    with socket.create_server(("127.0.0.9", 12000)):
        result = CliRunner().invoke(app, ["-T", str(toml), "--offline", "--json"])
    assert result.exit_code == 2
    found = [one for one in json.loads(result.stdout)["findings"] if one["check"] == "ports"]
    assert (found[0]["subject"], found[0]["verdict"]) == ("12000", "failure")
    assert "taken by" in found[0]["evidence"]


def test_a_taken_port_at_the_start_is_named_in_the_same_words(house: House) -> None:
    with program("-c", HOLD, str(house.port)) as holder:
        assert holder.stdout is not None
        holder.stdout.readline()
        done = subprocess.run(
            [sys.executable, "-m", "cccamd", "serve", *house.options],
            capture_output=True,
            text=True,
            check=False,
        )
        _, report = house.doctor("--offline")
    assert done.returncode == 2
    (told,) = [line for line in done.stdout.splitlines() if "ERROR" in line]
    seen = next(one for one in report["findings"] if one["check"] == "ports")
    assert f"process {holder.pid}" in told
    assert seen["evidence"].removesuffix("; the server cannot start") in told
    assert seen["advice"] in told
    assert "cccamd doctor" in told
    assert "Traceback" not in done.stdout + done.stderr


def test_companions_that_are_not_used_are_seen(house: House) -> None:
    prio, pipe = house.folder / "prio", house.folder / "pipe"
    prio.write_text("I: 0500\nnonsense\n")
    os.mkfifo(pipe)
    house.write(f"F: anna {SECRET}\nCAID PRIO FILE : {prio}\nCHANNELINFO FILE : {pipe}")
    _, report = house.doctor("--offline")
    found = {(one["subject"], one["code"]): one for one in report["findings"]}
    assert found[str(prio), "companion-lines"]["more"] == [
        "line 2: skipped: only lines that begin with P: or I: are read"
    ]
    assert found[str(pipe), "companion-unreadable"]["verdict"] == "warning"
    assert "this is a pipe, not a file" in found[str(pipe), "companion-unreadable"]["evidence"]
    assert found[str(prio), "access"]["verdict"] == "ok"
