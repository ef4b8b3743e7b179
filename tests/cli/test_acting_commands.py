"""The commands that tell a running server what to do, against a real process."""

import json
from pathlib import Path

from test_serve_reload import SECRET, House, until
from typer.testing import CliRunner, Result

from cccamd.cli import command_line


def run(*words: str) -> Result:
    return CliRunner().invoke(command_line(words), words)


def test_commands_reach_the_server_and_tell_by_their_status(tmp_path: Path) -> None:
    house = House(tmp_path)
    there = ("-n", str(house.node_id))
    alone = run("reload", *there)
    assert alone.exit_code == 3
    assert "no server runs that could be told" in alone.output
    with house.serving():
        until(lambda: run("log", *there).exit_code == 0)
        house.write(f"F: anna {SECRET}\nF: ben {SECRET}\n")
        changed = run("reload", *there)
        assert changed.exit_code == 0, changed.output
        assert "accounts: added ben" in changed.output or house.accounts() == ["anna", "ben"]
        house.write(f"F: anna {SECRET}\nF: ben\n")
        wrong = run("reload", "--json", *there)
        assert wrong.exit_code == 1
        found = json.loads(wrong.output)
        assert found["status"] == 1
        assert any("CCcam.cfg:6: " in each for each in found["problems"])
        house.cfg.write_text("[x]\n")
        refused = run("reload", *there)
        assert refused.exit_code == 2
        assert "the old configuration is kept" in refused.output
        assert run("kick", "anna", *there).exit_code == 1
        assert run("link", "pause", "nowhere", *there).exit_code == 1
        assert run("unban", "192.0.2.7", *there).exit_code == 1
        assert run("debug", "anna", "--for", "soon", *there).exit_code == 2
        assert run("debug", "anna", "--for", "15m", *there).exit_code == 0
        shown = run("log", "anna", "--json", *there)
        assert shown.exit_code == 0
        lines = [json.loads(line) for line in shown.output.splitlines()]
        assert "logs everything of anna for 15 min" in lines[0]["line"]
        assert lines[-1]["status"] == 0
        assert SECRET not in run("log", *there).output
