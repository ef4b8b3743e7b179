"""`cccamd decode` as it is typed."""

import json
from pathlib import Path

import pytest
from capturing import Call, Said, packets_of, pcap_of
from typer.testing import CliRunner

from cccamd.cli import command_line
from cccamd.cli.deeds.decode import _print
from cccamd.wire.overheard import Kind, Record, Sender

PLAIN = "cccam-plain-oscam2026-server"
NEWCAMD = "newcamd-oscam2026-server"
CW = "30ecdaf6b7021ed7bbbe52cbcd91e644"


@pytest.fixture
def config(tmp_path: Path) -> Path:
    path = tmp_path / "CCcam.cfg"
    path.write_text("F: interop secret99\n")
    return path


@pytest.fixture
def capture(tmp_path: Path) -> Path:
    path = tmp_path / "session.pcap"
    path.write_bytes(pcap_of(packets_of(PLAIN)))
    return path


def run(*arguments: object, given: bytes = b"", status: int = 0) -> tuple[str, str]:
    words = ["decode", *map(str, arguments)]
    result = CliRunner().invoke(command_line(words), words, input=given)
    assert result.exit_code == status, result.output
    return result.stdout, result.stderr


def known(config: Path) -> None:
    password = json.loads((FOLDER / f"{PLAIN}.json").read_text())["password"]
    config.write_text(f"F: interop {password}\n")


FOLDER = Path(__file__).parent.parent / "data" / "sessions"


def test_a_session_as_text(config: Path, capture: Path) -> None:
    known(config)
    said, _ = run(capture, "-C", config)
    lines = said.splitlines()
    assert lines[1].endswith("CCcam: 192.168.1.20:40123 at 192.168.1.2:12000")
    assert any("client ECM 1 for 7F00:000A01:0101" in line for line in lines)
    assert any("server answer to ECM 1 after 10 ms: CW" in line for line in lines)
    assert CW not in said


def test_json_through_a_pipe_and_secrets(config: Path, capture: Path) -> None:
    known(config)
    said, _ = run("-", "-C", config, "--json", given=capture.read_bytes())
    records = json.loads(said)
    assert {"connected", "seed", "login", "who", "card", "ecm", "answer", "closed"} <= {
        record["kind"] for record in records
    }
    assert CW not in said
    opened, _ = run(capture, "-C", config, "--json", "--secrets")
    assert CW in opened
    assert json.loads(opened)[2]["password"] in config.read_text()


def test_a_wrong_password_is_status_1(config: Path, capture: Path) -> None:
    said, _ = run(capture, "-C", config, status=1)
    assert "!client the password known for it is another" in said
    assert "secret99" not in said


def test_nothing_steers_the_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    text = "\x1b[2J\u202e"
    record = Record(at=1.0, connection=1, sender=Sender.CLIENT, kind=Kind.TEXT, text=text)
    _print(iter([record]))
    assert all(line.isprintable() for line in capsys.readouterr().out.split("\n"))


def test_names_cannot_steer_the_terminal(config: Path, tmp_path: Path) -> None:
    call = Call()
    call.connect()
    name = b"\x1b[2J\r\nevil\xe2\x80\xae"
    call.say([Said("client", bytes.fromhex("ffff00010002") + bytes([len(name)]) + name)])
    path = tmp_path / "evil.pcap"
    path.write_bytes(pcap_of(call.packets))
    said, _ = run(path, "-C", config)
    assert "evil" in said
    assert all(line.isprintable() for line in said.split("\n"))


def test_the_usual_des_key_is_known(config: Path, tmp_path: Path) -> None:
    path = tmp_path / "newcamd.pcap"
    path.write_bytes(pcap_of(packets_of(NEWCAMD)))
    said, _ = run(path, "-C", config)
    assert "client login as alice by cccamd, newcamd 5.25" in said


def test_a_damaged_file_is_status_2_after_what_can_be_read(config: Path, capture: Path) -> None:
    known(config)
    capture.write_bytes(capture.read_bytes()[:-30])
    said, why = run(capture, "-C", config, "--json", status=2)
    assert len(json.loads(said)) > 10
    assert "breaks off in the middle of a packet" in why


def test_what_is_no_capture_or_not_there(config: Path, tmp_path: Path) -> None:
    assert "no pcap or pcapng" in run(config, "-C", config, status=2)[1]
    assert "No such file" in run(tmp_path / "none", "-C", config, status=2)[1]
    (tmp_path / "empty.pcap").write_bytes(pcap_of([]))
    said, why = run(tmp_path / "empty.pcap", "-C", config, "--json", status=1)
    assert json.loads(said) == []
    assert "no CCcam, newcamd or dvbapi session" in why
    assert run(config, "-C", tmp_path / "none", status=2)
