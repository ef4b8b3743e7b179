"""A command loads what it needs: counted in processes of its own, by the modules they end with."""

import ast
import gc
import re
import signal
import socket
import subprocess
import sys
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path

import pytest
from typer.testing import CliRunner

from cccamd.cli import command_line
from cccamd.cli.main import COMMANDS, MODULES, _load
from cccamd.lab.cas import CardKeys, ManagementKey
from cccamd.lab.ports import free_port

# Runs the program, and writes down on its way out which modules it has.
PROGRAM = """
import atexit, sys
path = sys.argv.pop(1)
atexit.register(lambda: open(path, "w").write("\\n".join(sys.modules)))
from cccamd.cli import main
main()
"""

# The same for the help of many commands: in copies of a process that has loaded what they share.
HELPS = """
import os, sys
from cccamd.cli import main
folder, *names = sys.argv[1:]
for name in names:
    child = os.fork()
    if not child:
        sys.argv[1:] = [name, "--help"]
        try:
            main()
        finally:
            with open(f"{folder}/{name}", "w") as note:
                note.write("\\n".join(sys.modules))
        sys.exit("it did not end")
    assert os.waitpid(child, 0)[1] == 0, name
"""

# Libraries that serve pages, tables and pictures, and every room of ours that is none of these.
PAGES = {"fastapi", "jinja2", "prometheus_client", "rich", "starlette", "uvicorn"}
PICTURES = {"av", "numpy"}
NOT_FOR_A_LOOK = {*PAGES, *PICTURES, "asyncio", "cryptography", "pydantic"}
ROOMS = {path.stem for path in (Path(__file__).parents[2] / "src" / "cccamd").iterdir()} - {
    *("__init__", "__main__", "__pycache__", "cli", "errors")
}
CLI = Path(__file__).parents[2] / "src" / "cccamd" / "cli"
ROOMS_OF_PROBE = {"facts", "ids", "machine", "values", "net", "wire"}


def command(note: Path, *arguments: str) -> list[str]:
    return [sys.executable, "-c", PROGRAM, str(note), *arguments]


def modules_of(note: Path, *arguments: str, status: int) -> set[str]:
    done = subprocess.run(command(note, *arguments), capture_output=True, check=False, timeout=30)
    assert done.returncode == status, done.stderr.decode()
    return set(note.read_text().split())


def packages(modules: set[str]) -> set[str]:
    return {module.partition(".")[0] for module in modules}


def rooms(modules: set[str]) -> set[str]:
    return {module.split(".")[1] for module in modules if module.startswith("cccamd.")}


@pytest.mark.parametrize("argument", ["--version", "--help"])
def test_a_look_at_the_program_loads_next_to_nothing(tmp_path: Path, argument: str) -> None:
    found = modules_of(tmp_path / "note", argument, status=0)
    assert "cccamd.cli.main" in found
    assert not packages(found) & NOT_FOR_A_LOOK
    assert not rooms(found) & ROOMS
    assert len(found) < 200, "149 when this was written"


def test_the_help_of_a_command_loads_no_more_than_its_words(tmp_path: Path) -> None:
    program = [sys.executable, "-c", HELPS, str(tmp_path), *COMMANDS]
    done = subprocess.run(program, capture_output=True, check=False, timeout=60)
    assert done.returncode == 0, done.stderr.decode()
    for name in COMMANDS:
        found = set((tmp_path / name).read_text().split())
        assert f"cccamd.cli.{MODULES.get(name, name)}" in found
        assert not packages(found) & NOT_FOR_A_LOOK, name
        assert not rooms(found) & (ROOMS - {"ids", "values", "setup"}), name
        assert not {module for module in found if module.startswith("cccamd.cli.deeds.")}, name


def test_probe_loads_the_protocol_and_the_network_only(tmp_path: Path) -> None:
    with socket.socket() as unused:  # bound, but nobody listens
        unused.bind(("127.0.0.1", 0))
        port = str(unused.getsockname()[1])
        arguments = ("probe", "127.0.0.1", port, "anna", "secret")
        found = modules_of(tmp_path / "note", *arguments, status=1)
    assert {"cccamd.net.client", "cccamd.wire.cccam.client"} <= found
    assert not packages(found) & (PAGES | PICTURES)
    assert not rooms(found) & (ROOMS - ROOMS_OF_PROBE)
    assert len(found) < 450, "355 when this was written, 780 for any command before they were lazy"


def test_check_serves_no_pages(tmp_path: Path) -> None:
    config = tmp_path / "CCcam.cfg"
    config.write_text("F: anna secret\n")
    found = modules_of(tmp_path / "note", "check", str(config), status=0)
    assert "cccamd.setup.cccamcfg" in found
    assert not packages(found) & ((PAGES | PICTURES) - {"rich"})
    assert not rooms(found) & {"server", "web", "oldinfo", "watch", "lab"}


def served(folder: Path, cards: str = "") -> set[str]:
    """What a server has imported when it is ready, its pages too, and has stopped again."""
    (folder / "CCcam.cfg").write_text(
        f"SERVER LISTEN PORT : {free_port()}\nWEBINFO LISTEN PORT : {free_port()}\n"
        "ALLOW TELNETINFO : no\n"
    )
    (folder / "cccamd.toml").write_text(f'[server]\nbind = ["127.0.0.1"]\n{cards}')
    note = folder / "note"
    run = command(note, "serve", "-C", f"{folder}/CCcam.cfg", "-n", f"{folder}/node-id")
    with subprocess.Popen(run, stdout=subprocess.PIPE) as server:
        assert server.stdout is not None
        for line in server.stdout:
            if b"listening for clients" in line:
                server.send_signal(signal.SIGTERM)
    assert server.returncode == 0
    return set(note.read_text().split())


SELDOM = {
    *("importlib.metadata", "logging.handlers", "statistics", "tarfile", "xml.sax"),
    *("cccamd.oldinfo.oscam", "cccamd.server.logfile"),
    *("cccamd.fleet", "cccamd.server.fleetdesk", "cccamd.server.fleetbans"),
}
"""What most servers that just have started have no use for: 5 MiB, with what it brings along."""


def test_a_server_without_cards_of_its_own_does_without_what_is_seldom_wanted(
    tmp_path: Path,
) -> None:
    found = served(tmp_path)
    assert "cccamd.localcards.registry" in found
    assert not SELDOM & found


FIXED = '[[card]]\nkind = "fixed"\ncaid = "0B00"\ncw = "00112233aabbcc3100112233aabbcc31"\n'
TEST = '[[card]]\nkind = "test"\ncaid = "7F00"\n'
OPEN = '[[card]]\nkind = "open"\ncaid = "7F00"\nkeys = "card.json"\n'


def test_a_server_loads_the_laboratory_with_an_open_card_only(tmp_path: Path) -> None:
    found = served(tmp_path, FIXED)
    assert {"cccamd.server.server", "cccamd.localcards.fixed"} <= found
    assert not {module for module in found if module.startswith("cccamd.lab")}
    key = ManagementKey(key=bytes(16))
    keys = CardKeys(caid="7F00", ua="0000000000000001", card=key, all=key)
    (tmp_path / "card.json").write_text(keys.serialize())
    assert "cccamd.lab.opencard" in served(tmp_path, OPEN)


def test_a_server_loads_pages_when_somebody_comes_and_formats_for_what_is_configured(
    tmp_path: Path,
) -> None:
    found = served(tmp_path, TEST)
    assert "cccamd.localcards.testcard" in found
    assert "pydantic" not in packages(found)
    assert {"cccamd.server.infopages", "cccamd.web.door"} <= found
    assert not packages(found) & (PAGES | PICTURES)
    assert "cccamd.wire.certificates" not in found
    assert ("cryptography" in packages(found)) == (find_spec("arc4") is None), "it is 8 MiB"


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_is_there_and_has_a_summary_that_fits(name: str) -> None:
    result = CliRunner().invoke(command_line([name]), [name, "--help"])
    assert result.exit_code == 0
    module = import_module(f"cccamd.cli.{MODULES.get(name, name)}")
    words = module.app.info.help if hasattr(module, "app") else getattr(module, name).__doc__
    assert words.split(".")[0] in " ".join(result.output.split()), "the command, not its name alone"
    assert len(COMMANDS[name]) <= 66, "80 columns, less the name"


@pytest.mark.parametrize("columns", [40, 80])
def test_help_fits_the_terminal(columns: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", str(columns))
    result = CliRunner().invoke(command_line(["serve"]), ["serve", "--help"])
    longest = max(map(len, result.output.splitlines()))
    assert columns - 10 < longest <= columns


def test_nobody_looks_for_garbage_in_what_stays() -> None:
    gc.unfreeze()
    command_line(["status"])
    assert gc.get_freeze_count() > 10_000
    with pytest.raises(ModuleNotFoundError):
        _load("cccamd.cli.none")
    assert gc.isenabled()


FRONTS = sorted({MODULES.get(name, name) for name in COMMANDS})


@pytest.mark.parametrize("name", FRONTS)
def test_what_a_command_loads_when_it_runs_is_not_looked_through_either(name: str) -> None:
    tree = ast.parse((CLI / f"{name}.py").read_text())
    late = {
        node
        for function in ast.walk(tree)
        if isinstance(function, ast.FunctionDef)
        for node in ast.walk(function)
        if isinstance(node, ast.ImportFrom)
    }
    quiet = {
        node
        for block in ast.walk(tree)
        if isinstance(block, ast.With) and ast.unparse(block.items[0]) == "staying()"
        for node in block.body
    }
    assert late <= quiet


def test_the_list_of_commands_is_that_of_the_files() -> None:
    """A module with a function of its own name, or an `app`, is a command."""
    pattern = re.compile(r"^(def (?P<name>\w+)\(|app = typer)", re.MULTILINE)
    found = {
        path.stem
        for path in CLI.glob("*.py")
        if any(match["name"] in (path.stem, None) for match in pattern.finditer(path.read_text()))
    }
    assert found - {"main"} == {MODULES.get(name, name) for name in COMMANDS}
