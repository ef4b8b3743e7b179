"""What holds for all commands, those of groups too: `--json`, exit statuses, completion."""

import json
import re
import subprocess
import sys
from importlib import import_module
from importlib.util import find_spec
from inspect import Parameter, signature
from io import BytesIO, TextIOWrapper
from pathlib import Path
from typing import Any, get_type_hints

import pytest
from typer.testing import CliRunner

from cccamd.cli import command_line, main
from cccamd.cli.main import COMMANDS, MODULES

sys.path.append(str(Path(__file__).parents[2] / "scripts"))

from commandtree import Command, whole

PROGRAM = whole()
EVERY = list(PROGRAM.leaves())
COMPLETES = """
import json, os, sys
from contextlib import redirect_stdout
from io import StringIO

from cccamd.cli import main

os.environ["_CCCAMD_COMPLETE"] = "complete_bash"
sys.argv = ["cccamd"]
offered = []
for typed in json.load(sys.stdin):
    os.environ["COMP_WORDS"] = typed
    os.environ["COMP_CWORD"] = str(typed.count(" "))
    with redirect_stdout(StringIO()) as said:
        try:
            main()
        except SystemExit:
            pass
    offered.append(said.getvalue().split())
print(json.dumps(offered))
"""


def options(command: Command) -> list[str]:
    return re.findall(r"(?<!\S)--[a-z][a-z-]*", " ".join(each.words for each in command.parameters))


@pytest.mark.parametrize("command", EVERY, ids=lambda command: command.path)
def test_every_command_has_json_and_tells_its_exit_statuses(command: Command) -> None:
    assert "--json" in options(command)
    assert all(dict(each.meanings).get(0) for each in command.statuses)
    assert command.statuses
    assert all(each.meaning.strip() for each in command.parameters), "an option without a word"
    assert not any("Exit status" in paragraph for paragraph in command.text)
    assert not [each.words for each in command.parameters if re.search("<(str|path)>", each.words)]


@pytest.mark.parametrize("name", sorted({MODULES.get(name, name) for name in COMMANDS}))
def test_what_a_command_does_takes_the_options_that_it_has(name: str) -> None:
    module = import_module(f"cccamd.cli.{name}")
    for command in vars(module).values():
        if getattr(command, "__module__", "") == module.__name__ and hasattr(
            command, "__wrapped__"
        ):
            deeds = import_module(f"cccamd.cli.deeds.{name}")
            run = vars(deeds).get("run") or vars(deeds)[command.__name__]
            assert run.__module__ == deeds.__name__
            assert get_type_hints(run) == get_type_hints(command)
            taken = signature(run).parameters.values()
            assert all(each.kind is Parameter.KEYWORD_ONLY for each in taken)


@pytest.mark.parametrize("name", COMMANDS)
def test_no_exit_status_goes_untold(name: str) -> None:
    """Those that the module of a command knows by name or number."""
    known: set[int] = set()
    for place in (
        f"cccamd.cli.{MODULES.get(name, name)}",
        f"cccamd.cli.deeds.{MODULES.get(name, name)}",
    ):
        if find_spec(place) is None:
            continue
        module = import_module(place)
        source = Path(str(module.__file__)).read_text()
        known |= {getattr(module, found) for found in re.findall(r"\bEXIT_[A-Z]+\b", source)}
        known |= set(map(int, re.findall(r"typer\.Exit\((\d)\)", source)))
        known |= {3} if "orders import order" in source else set()  # no server can be reached
    shared = {other for other in COMMANDS if MODULES.get(other, other) == MODULES.get(name, name)}
    told = {
        number
        for part in PROGRAM.parts
        if part.name in shared
        for command in part.leaves()
        for each in command.statuses
        for number, _ in each.meanings
    }
    assert known <= told


def test_a_shell_completes_every_command_and_every_option() -> None:
    """As bash asks for it, and each in the place where it may stand."""
    wanted = {
        f"{group.path} {part.name[:-1]}": part.name
        for group in (PROGRAM, *(part for part in PROGRAM.parts if part.parts))
        for part in group.parts
    }
    wanted |= {
        f"{command.path} {option}": option for command in EVERY for option in options(command)
    }
    done = subprocess.run(
        [sys.executable, "-c", COMPLETES],
        input=json.dumps(list(wanted)),
        capture_output=True,
        text=True,
        check=True,
        timeout=120,
    )
    offered = dict(zip(wanted, json.loads(done.stdout), strict=True))
    assert {typed: word for typed, word in wanted.items() if word not in offered[typed]} == {}
    assert len(wanted) > 200


GIVEN = {"port": "12000", "host": "127.0.0.1", "address": "127.0.0.1"}
NAMING = ("--config", "--toml", "--node-id", "--file", "--out", "--journal")
NEEDED = {
    "new-headend": ["--caid", "7F00"],
    "new-key": ["--id", "0001"],
    "new-group": ["--sa", "1"],
}
STARTING = ("serve", "demo", "install", "uninstall", "doctor", "probe", "debug")
"""Those that do their work first, or another work than reading files."""


@pytest.mark.parametrize(
    ("command", "file"),
    [
        (command, file)
        for command in EVERY
        for file in ("folder", "binary", "x" * 300, None)
        if file is None or command.name not in STARTING
    ],
    ids=lambda each: each.path if isinstance(each, Command) else (each or "")[:8],
)
def test_a_wrong_command_line_or_file_ends_in_words_and_with_a_status_that_is_told(
    command: Command,
    file: str | None,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    """Each file that a command takes is one that it cannot use; None: an option is unknown."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "folder").mkdir()
    (tmp_path / "binary").write_bytes(bytes(range(256)))
    words = command.path.split()[1:]
    takes = [each.words for each in command.parameters]
    words += [GIVEN.get(each, file or "x") for each in takes if not each.startswith("-")]
    words += NEEDED.get(command.name, [])
    if file is None:
        words.append("--unknown")
    else:
        words += [
            w for option in NAMING if f"{option} FILE" in " ".join(takes) for w in (option, file)
        ]
        words += ["--json"] if file == "binary" else []
    monkeypatch.setattr(sys, "argv", ["cccamd", *words])
    monkeypatch.setattr(sys, "stdin", TextIOWrapper(BytesIO()))
    with pytest.raises(SystemExit) as ended:
        main()
    output = "".join(capfd.readouterr())
    told = {number for each in command.statuses for number, _ in each.meanings}
    assert (ended.value.code or 0) in (told if file is not None else set()) | {2}
    assert output.strip() or not ended.value.code
    assert "Errno" not in output
    assert "internal error" not in output


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


def test_trouble_of_the_machine_is_told_in_its_words_and_is_no_fault_of_ours(
    tmp_path: Path,
) -> None:
    config = tmp_path / "CCcam.cfg"
    config.write_text("F: anna secret\n")
    command = ["backup", str(tmp_path / "none" / "archive"), "-C", str(config)]
    result = CliRunner().invoke(command_line(command), command)
    assert (result.exit_code, "Errno" in result.stderr) == (2, False)
    assert result.stderr.endswith(": No such file or directory\n")
    program = "import sys; sys.argv[1:] = ['schema']; from cccamd.cli import main; main()"
    with Path("/dev/full").open("wb") as full:
        done = subprocess.run(
            [sys.executable, "-c", program],
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
            timeout=60,
        )
    assert (done.returncode, done.stderr) == (
        2,
        "cccamd: No space left on device: not all of it is written\n",
    )
