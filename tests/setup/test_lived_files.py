"""Files as people have them, of twenty years: checked, converted, and served.

`expected.json` says what config.md promises for each line; it was written by hand.
"""

import asyncio
import json
import re
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from cccamd.cards import Limit
from cccamd.cli import command_line
from cccamd.ids import Caid, Ident, NodeId
from cccamd.lab.ports import free_port
from cccamd.net import Client
from cccamd.setup.cccamcfg import CLine, FLine, NLine
from cccamd.setup.logins import accounts_of, upstreams_of
from cccamd.setup.setup import Setup, load_setup
from cccamd.wire.cccam import Caller, Identity, Target

FOLDER = Path(__file__).parents[1] / "data" / "lived"
EXPECTED: dict[str, Any] = json.loads((FOLDER / "expected.json").read_text(encoding="utf-8"))
NAMES = sorted(EXPECTED)
REFUSED = ("E001", "E002")


def test_there_are_twenty_and_each_is_expected() -> None:
    assert sorted(path.stem for path in FOLDER.glob("*.cfg")) == NAMES
    assert len(NAMES) == 20


def text_of(name: str, data: bytes) -> str:
    return data.decode("utf-8-sig" if EXPECTED[name]["codec"] == "utf-8" else "latin-1")


@pytest.mark.parametrize("name", NAMES)
def test_check_finds_what_is_to_be_found(name: str) -> None:
    expected = EXPECTED[name]
    path = FOLDER / f"{name}.cfg"
    run = CliRunner().invoke(command_line(["check"]), ["check", str(path), "--json"])
    form = json.loads(run.stdout)
    found = form["diagnostics"]
    assert sorted([each["line"], each["code"]] for each in found if each["line"]) == sorted(
        expected["codes"]
    )
    assert [each["code"] for each in found if not each["line"]] == expected["notes"]
    kinds = ("f_lines", "c_lines", "n_lines", "unsupported_lines")
    numbers = [expected[key] for key in ("accounts", "links", "servers", "others")]
    assert [len(form[kind]) for kind in kinds] == numbers
    wrong = [code for _, code in expected["codes"] if code.startswith("E")]
    assert run.exit_code == (1 if wrong else 0)
    plain = CliRunner().invoke(command_line(["check"]), ["check", str(path)])
    assert plain.exit_code == run.exit_code
    for line, code in expected["codes"]:
        assert re.search(rf":{line}:\d+: .*{code}", plain.output), (line, code)
    words = ["check", str(path), "--json", "--show-secrets"]
    shown = json.loads(CliRunner().invoke(command_line(["check"]), words).stdout)
    passwords = {each["password"] for kind in kinds[:3] for each in shown[kind]}
    users = {each["user"] for kind in kinds[:3] for each in shown[kind]}
    for secret in SECRETS_OF_CARDS | {each for each in passwords - users if len(each) > 4}:
        assert secret not in plain.output.replace(str(path), "")


SECRETS_OF_CARDS = {"00 11 22 33", "11 22 33 44", " 1234"}


def converted(name: str, folder: Path) -> bytes:
    out = folder / "converted.cfg"
    words = ["convert", str(FOLDER / f"{name}.cfg"), "-o", str(out), "--force"]
    done = CliRunner().invoke(command_line(["convert"]), words)
    assert done.exit_code == 0, done.output
    return out.read_bytes()


@pytest.mark.parametrize("name", NAMES)
def test_convert_keeps_comments_order_and_meaning_and_is_done_at_once(
    name: str, tmp_path: Path
) -> None:
    old = (FOLDER / f"{name}.cfg").read_bytes()
    new = converted(name, tmp_path)
    before = re.split("\r\n|\n|\r", text_of(name, old).removesuffix("\n").removesuffix("\r"))
    after = text_of(name, new).removesuffix("\n").split("\n")
    assert len(after) == len(before)
    for old_line, new_line in zip(before, after, strict=True):
        remark = re.search(r"(?:^|(?<=[\s}:]))#.*", old_line)
        if remark:
            assert new_line.endswith(remark[0].rstrip(" \t")), "each comment, in its place"
    (tmp_path / "CCcam.cfg").write_bytes(new)
    again = CliRunner().invoke(command_line(["convert"]), ["convert", str(tmp_path / "CCcam.cfg")])
    assert again.stdout_bytes == new
    (tmp_path / "old").mkdir()
    (tmp_path / "old" / "CCcam.cfg").write_bytes(old)
    first, second = (load_setup(tmp_path / file, None) for file in ("old/CCcam.cfg", "CCcam.cfg"))
    assert meaning(second) == meaning(first)


def meaning(setup: Setup) -> dict[str, Any]:
    """Everything that a server goes by; the form of a line apart."""
    config = setup.config
    plain = replace(
        config,
        file="",
        places={},
        f_lines=tuple(map(account, config.f_lines)),
        n_lines=tuple(replace(line, stealth=0) for line in config.n_lines),
        settings_set=tuple(sorted(config.settings_set)),
        refused_lines=(),
    )
    return {
        "config": plain,
        "toml": replace(setup.toml, file=""),
        "refused": [
            (line.name, line.subject, line.fault.place.line) for line in config.refused_lines
        ],
        "accounts": sorted(accounts_of(plain, setup.toml)),
        "upstreams": [
            (each.name, type(each.line) in (CLine, NLine))
            for each in upstreams_of(plain, setup.toml)
        ],
    }


def account(line: FLine) -> FLine:
    """The mask dialect as the vendor would have said it; what is a default as if it stood there."""
    limits = line.limits
    if line.downhops is not None:
        limits = (Limit(Caid(0), Ident(0), line.downhops + 1),)
    return replace(
        line,
        dialect=FLine.__dataclass_fields__["dialect"].default,
        uphops=line.max_distance,
        downhops=None,
        limits=limits,
        shareemus=True,  # has no effect, and the mask dialect has no word for it
        allowemm_explicit=True,
    )


# Runs `cccamd serve` for each file that it is told of: what it has loaded is there for all of them.
PROGRAM = """
import sys
from pathlib import Path
import typer
from cccamd.cli.deeds import serve
for line in sys.stdin:
    folder, status = Path(line.strip()), None
    files = {"config": folder / "CCcam.cfg", "toml": None, "node_id": folder / "node"}
    try:
        serve.run(**files, debug=False, workers=None, as_data=False)
    except typer.Exit as ended:
        status = ended.exit_code
    print("status", status, file=sys.stderr, flush=True)
"""


@dataclass
class Program:
    """One process, and what it has said."""

    process: subprocess.Popen[str]
    said: Path

    @contextmanager
    def serving(self, folder: Path) -> Iterator[None]:
        """Serve the CCcam.cfg of a folder; it ends well."""
        assert self.process.stdin is not None
        assert self.process.stderr is not None
        print(folder, file=self.process.stdin, flush=True)
        try:
            yield
        finally:
            self.process.send_signal(signal.SIGTERM)
            assert self.process.stderr.readline() == "status 0\n"


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Program]:
    said = tmp_path_factory.mktemp("program") / "said"
    with (
        said.open("wb") as out,
        subprocess.Popen(
            [sys.executable, "-c", PROGRAM],
            stdin=subprocess.PIPE,
            stdout=out,
            stderr=subprocess.PIPE,
            text=True,
        ) as process,
    ):
        yield Program(process, said)


def connected(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


async def log_in(port: int, user: bytes, password: bytes) -> None:
    target = Target(host="127.0.0.1", port=port, user=user, password=password)
    identity = Identity(NodeId(bytes(range(8))), "a receiver")
    async with asyncio.timeout(30):
        while not connected(port):
            await asyncio.sleep(0.05)
        client = await Client.connect(target.host, port, Caller(target, identity))
    await client.close()


@pytest.mark.parametrize("name", NAMES)
def test_each_is_served_and_a_client_logs_in(name: str, tmp_path: Path, program: Program) -> None:
    """With lines at its end that override its ports and logs, as firmware writes them; the account
    is that of the file, in the bytes of the file, and what is served is what `convert` wrote."""
    expected, port = EXPECTED[name], free_port()
    lines = (
        f"SERVER LISTEN PORT : {port}\nALLOW WEBINFO : no\nALLOW TELNETINFO : no\n"
        f"LOG WARNINGS : {tmp_path / 'warnings'}\nLOG FILE : {tmp_path / 'log'}\n"
    )
    path = tmp_path / "CCcam.cfg"
    path.write_bytes(converted(name, tmp_path) + lines.encode())
    (tmp_path / "cccamd.toml").write_text('[server]\nbind = ["127.0.0.1"]\n')
    user, password = (word.encode(expected["codec"]) for word in expected["login"])
    before = program.said.stat().st_size
    with program.serving(tmp_path):
        asyncio.run(log_in(port, user, password))
    said = program.said.read_bytes()[before:].decode() + (tmp_path / "log").read_text()
    assert "Traceback" not in said
    assert not any(code in said for code in REFUSED)
