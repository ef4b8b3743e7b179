"""A folder of OSCam is taken over by the command, and a client is served with the result."""

import json
import os
from pathlib import Path

import pytest
from laboratory import Laboratory, ask, cards_of
from typer.testing import CliRunner

from cccamd.cli import command_line
from cccamd.lab.ports import free_port
from cccamd.server import Server
from cccamd.setup.setup import load_setup
from cccamd.values import ControlWords

HOUSE = Path(__file__).parents[1] / "data" / "oscam" / "house"
CW = "00112233aabbcc3100112233aabbcc31"


def run(*words: str) -> tuple[int, str]:
    arguments = ["import", "oscam", *words]
    result = CliRunner().invoke(command_line(arguments), arguments)
    return result.exit_code, result.output


async def test_a_client_is_served_by_what_was_taken_over(tmp_path: Path) -> None:
    source, out, port = tmp_path / "oscam", tmp_path / "out", free_port()
    source.mkdir()
    for file in HOUSE.iterdir():
        (source / file.name).write_bytes(file.read_bytes())
    conf = f"[cccam]\nport = {port}\nserverip = 127.0.0.1\n[webif]\nhttpport = 0\n"
    (source / "oscam.conf").write_text(conf)
    (source / "oscam.server").write_text(
        "[reader]\nlabel = constant\nprotocol = constcw\ndevice = /x/constant.cw\ngroup = 1\n"
    )
    assert run(str(source), "--out", str(out))[0] == 0
    assert run("-h")[0] == 0
    checked = CliRunner().invoke(command_line(["check", "x"]), ["check", str(out / "CCcam.cfg")])
    assert checked.exit_code == 0
    setup = load_setup(out / "CCcam.cfg", None)
    assert not [
        str(each) for each in setup.messages if each.kind is not None and "W110" not in each.text
    ]
    server = Server(setup)
    await server.start()
    try:
        lab = Laboratory(server, port)
        async with lab.client("kids", "bunk bed") as client:
            await cards_of(client, 1)
        async with lab.client("livingroom", "sofa") as client:
            assert await cards_of(client, 1) == [0xFF02]
            words = await ask(client, b"\x80\x70\x01a", sid=0x1D90, caid=0xFF02)
            assert words == ControlWords(bytes.fromhex(CW))
    finally:
        await server.stop()


def test_what_is_lost_as_json_and_as_exit_status(tmp_path: Path) -> None:
    status, output = run(str(HOUSE), "--out", str(tmp_path / "out"), "--json")
    assert status == 3
    (node_id, slot) = json.loads(output)["lost"]
    assert node_id.keys() == {"file", "section", "key", "line", "why"}
    assert (slot["file"], slot["section"], slot["key"], slot["line"]) == (
        "oscam.server",
        "reader",
        "protocol",
        34,
    )


def test_both_files_are_to_be_checked_next(tmp_path: Path) -> None:
    _, output = run(str(HOUSE), "--out", str(tmp_path))
    toml = tmp_path / "cccamd.toml"
    told = output.splitlines()[-1]
    assert told == f"Next: cccamd check {tmp_path / 'CCcam.cfg'}, cccamd check {toml}"
    words = ["check", str(tmp_path / "CCcam.cfg")]
    assert f"cccamd check {toml}" in CliRunner().invoke(command_line(words), words).output
    toml.unlink()
    assert "toml" not in CliRunner().invoke(command_line(words), words).output


def test_nothing_is_overwritten_unless_asked_for(tmp_path: Path) -> None:
    os.chmod(tmp_path, 0o700)
    old = tmp_path / "CCcam.providers"
    old.write_text("mine")
    old.chmod(0o640)
    status, output = run(str(HOUSE), "--out", str(tmp_path))
    assert (status, [path.name for path in tmp_path.iterdir()]) == (2, ["CCcam.providers"])
    assert "--force" in output
    assert run(str(HOUSE), "--out", str(tmp_path), "--force")[0] == 3
    assert old.read_text() != "mine"
    modes = {path.name: path.stat().st_mode & 0o777 for path in tmp_path.iterdir()}
    assert modes == {
        "CCcam.cfg": 0o600,
        "cccamd.toml": 0o600,
        "CCcam.channelinfo": 0o644,
        "CCcam.providers": 0o640,
    }


@pytest.mark.parametrize("there", ["nothing", "a file", "another file", "a pipe"])
def test_what_is_no_folder_of_oscam(tmp_path: Path, there: str) -> None:
    source = tmp_path / "source"
    if there == "a file":
        source.write_text("[a]\n")
    elif there != "nothing":
        source.mkdir()
        (source / "oscam.services").write_text("[a]\n")
    if there == "a pipe":
        os.mkfifo(source / "oscam.user")
    status, output = run(str(source), "--out", str(tmp_path / "out"))
    assert status == 2
    assert str(source) in output
    assert ("there is no such folder" in output) == (there == "nothing")
    assert not (tmp_path / "out").exists()
