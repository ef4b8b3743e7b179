"""What holds for all commands, those of groups too: `--json`, and exit statuses that are told."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer
from typer.testing import CliRunner

from cccamd.cli import command_line
from cccamd.cli.main import COMMANDS


def leaves(words: list[str], command: Any) -> Iterator[tuple[str, Any]]:
    for name, below in getattr(command, "commands", {}).items():
        yield from leaves([*words, name], below)
    if not hasattr(command, "commands"):
        yield " ".join(words), command


def every() -> Iterator[tuple[str, Any]]:
    for name in COMMANDS:
        yield from leaves([name], typer.main.get_command(command_line([name])).commands[name])


@pytest.mark.parametrize(("name", "command"), list(every()), ids=lambda value: str(value))
def test_every_command_has_json_and_tells_its_exit_statuses(name: str, command: Any) -> None:
    assert "--json" in {option for each in command.params for option in each.opts}
    told = " ".join(command.help.split())
    assert re.search(r"Exit status(, [^:]+)?: 0 \w", told), f"{name}: {told}"


def answer(*arguments: str | Path, status: int = 0) -> Any:
    words = [str(word) for word in (*arguments, "--json")]
    result = CliRunner().invoke(command_line(words), words)
    assert result.exit_code == status, result.output
    return json.loads(result.output)


def test_a_head_end_speaks_json(tmp_path: Path) -> None:
    head_end, card = tmp_path / "headend.json", tmp_path / "card.json"
    made = answer("cas", "new-headend", head_end, "--caid", "7F00")
    assert made == {"file": str(head_end), "caid": "7F00"}
    assert answer("cas", "new-key", head_end, "--id", "0001")["id"] == "0001"
    assert answer("cas", "new-group", head_end, "--sa", "00000001")["ident"] == "000000"
    issued = answer("cas", "new-card", head_end, card, "--group", "00000001")
    assert 'kind = "open"' in issued["toml"]
    asked = answer("cas", "ecm", head_end, "--key", "0001", "--sid", "1D80", "--show-cw")
    assert (len(asked["cw"]), asked["ecm"][:2] in ("80", "81")) == (32, True)
    assert set(answer("cas", "emm", head_end, "--all", "--set", "0001")) == {"emm"}
    shown = answer("cas", "show", card)
    assert shown["ua"] == issued["ua"]
    assert [(key["id"], key["expired"]) for key in shown["service_keys"]] == [("0001", False)]


def test_converting_and_pairing_speak_json(tmp_path: Path) -> None:
    old, new = tmp_path / "old.cfg", tmp_path / "new.cfg"
    old.write_text("f : anna secret\n")
    text = answer("convert", old)["text"]
    assert answer("convert", old, "-o", new) == {"file": str(new)}
    assert new.read_text() == text == "F: anna secret 5 1 1\n"
    node_id, other = tmp_path / "here" / "node-id", tmp_path / "there" / "node-id"
    code = answer("pair", "-n", other)["code"]
    assert answer("pair", "house", code, "-n", node_id)["paired"] == "house"
    (paired,) = answer("pair", "-n", node_id)["paired"]
    assert (paired["name"], paired["code"]) == ("house", code)
    assert answer("pair", "--forget", "house", "-n", node_id) == {"forgotten": "house"}
