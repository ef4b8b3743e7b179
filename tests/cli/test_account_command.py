"""`cccamd account`, with a running server and without."""

import io
import json
from pathlib import Path

from test_serve_reload import SECRET, House, until
from typer.testing import CliRunner, Result

from cccamd.cli import command_line
from cccamd.setup.qrcode import code_address, print_code


def run(*words: str, **more: str) -> Result:
    return CliRunner().invoke(command_line(words), words, input=more.get("input"))


def test_an_account_is_added_comes_in_is_disabled_and_stays_out(tmp_path: Path) -> None:
    house = House(tmp_path)
    files = ("-C", str(house.cfg))
    there = (*files, "-n", str(house.node_id))
    before = house.cfg.read_bytes()
    card = '[[card]]\nkind = "test"\ncaid = "7F00"\nproviders = ["00000A"]\n'
    house.toml.write_text(house.toml.read_text() + card)  # what `probe` waits for
    with house.serving():
        until(lambda: run("log", "-n", str(house.node_id)).exit_code == 0)
        added = run("account", "add", "ben", "--json", "--host", "127.0.0.1", *there)
        assert added.exit_code == 0, added.output
        found = json.loads(added.output)
        assert found["server"]["status"] == 0
        assert SECRET not in added.output
        password, port = found["password"], str(house.port)
        lines = {each["program"]: each["text"] for each in found["programs"]}
        assert lines["cccam"] == f"C: 127.0.0.1 {port} ben {password}"
        assert run("probe", "127.0.0.1", port, "ben", password).exit_code == 0

        disabled = run("account", "disable", "ben", *there)
        assert disabled.exit_code == 0, disabled.output
        assert house.accounts() == ["anna"]
        assert run("account", "show", "ben", *files).exit_code == 1
        assert run("account", "enable", "ben", *there).exit_code == 0
        assert house.accounts() == ["anna", "ben"]
        assert run("account", "remove", "ben", *there).exit_code == 0
        assert house.cfg.read_bytes() == before
    journal = ("journal", "--file", str(tmp_path / "journal.db"), "ben")
    assert "account ben switched off: done by" in run(*journal).output


def test_without_a_server_it_counts_from_the_next_start(tmp_path: Path) -> None:
    path = tmp_path / "CCcam.cfg"
    there = ("-C", str(path), "-n", str(tmp_path / "node-id"))
    added = run("account", "add", "ben", "--ask", "--rights", "1 0 0", *there, input="hidden\n")
    assert added.exit_code == 0
    assert "takes it by itself within seconds" in added.output
    assert path.read_text() == "F: ben hidden 1 0 0\n"
    shown = run("account", "show", "ben", "-C", str(path), "--host", "box.example")
    assert "    C: box.example 12000 ben hidden\n" in shown.output
    again = run("account", "add", "ben", *there)
    assert again.exit_code == 2
    assert "already, in line 1" in again.output
    for act in ("show", "remove", "disable", "enable"):
        words = ("-C", str(path)) if act == "show" else there
        missing = run("account", act, "eve", *words)
        assert missing.exit_code == 2
        assert "there is no account eve" in missing.output


def test_a_file_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    missing = run("account", "add", "ben", "-C", str(tmp_path / "none" / "CCcam.cfg"))
    assert missing.exit_code == 2
    assert "cannot be written" in missing.output


def test_a_code_is_drawn() -> None:
    out, text = io.StringIO(), "C: box.example 12000 ben hidden"
    print_code(text, out)
    assert code_address(text).startswith("data:image/svg+xml")
    rows = out.getvalue().splitlines()
    assert len(rows) > 10
    assert set("\u2580\u2584\u2588") & set(out.getvalue())


def test_no_password_is_taken_from_the_command_line() -> None:
    shown = run("account", "add", "--help")
    assert "--ask" in shown.output
    assert "--password" not in shown.output
