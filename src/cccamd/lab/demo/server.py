"""A real `cccamd serve` in a process of its own, with one open card and one account."""

import asyncio
import os
import secrets
import sys
from collections.abc import AsyncIterator
from contextlib import ExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from cccamd.errors import CccamdError
from cccamd.ids import format_caid
from cccamd.lab.cas import CardKeys
from cccamd.lab.ports import hold_port

HOST = "127.0.0.1"
USER = "viewer"
STOP_TIMEOUT = 5.0
_LOG_LINES_SHOWN = 5
_TOML = "cccamd.toml"


@dataclass(frozen=True, slots=True)
class DemoServer:
    """Where it listens, and who may log in."""

    port: int
    password: str
    process: asyncio.subprocess.Process
    log: Path
    dvbapi_port: int = 0
    """Where it serves the same account over dvbapi; 0: nowhere."""
    newcamd_port: int = 0
    """Where it serves it over newcamd; 0: nowhere."""

    def check(self) -> None:
        """Make sure that it still runs.

        Raises:
            CccamdError: it has ended; says with which words.
        """
        if self.process.returncode is not None:
            last = self.log.read_text(errors="replace").splitlines()[-_LOG_LINES_SHOWN:]
            raise CccamdError("\n".join(["the server has ended:", *last]))


@asynccontextmanager
async def run_server(
    folder: Path, card: CardKeys, *, dvbapi: bool = False, newcamd: bool = False
) -> AsyncIterator[DemoServer]:
    """Write the configuration of a server into `folder`, run it, stop it in the end.

    It may not listen yet when the body begins.
    """
    password = secrets.token_hex(8)
    log = folder / "server.log"
    with ExitStack() as stack:
        port = _hold_port(stack)
        dvbapi_port = _hold_port(stack) if dvbapi else 0
        newcamd_port = _hold_port(stack) if newcamd else 0
        arguments = _write_files(folder, card, port=port, password=password)
        if dvbapi:
            _open_dvbapi(folder, dvbapi_port)
        if newcamd:
            _open_newcamd(folder, newcamd_port)
        output = stack.enter_context(log.open("wb"))
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "cccamd", "serve", *arguments),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=output,
            stderr=output,
        )
        try:
            yield DemoServer(port, password, process, log, dvbapi_port, newcamd_port)
        finally:
            await _stop(process)


def _write_files(folder: Path, card: CardKeys, *, port: int, password: str) -> list[str]:
    """Return the arguments that name the files."""
    config = folder / "CCcam.cfg"
    config.write_text(
        f"SERVER LISTEN PORT : {port}\nALLOW WEBINFO : no\nALLOW TELNETINFO : no\n"
        f"F: {USER} {password}\n"
    )
    keys = folder / "card.json"
    keys.touch(mode=0o600)
    keys.write_text(card.serialize())
    toml = folder / _TOML
    toml.write_text(
        "[[card]]\n"
        'kind = "open"\n'
        f'caid = "{format_caid(card.caid)}"\n'
        'providers = ["000000"]\n'
        f'keys = "{keys.name}"\n'
    )
    node_id = folder / "node-id"
    return ["-C", os.fspath(config), "-T", os.fspath(toml), "-n", os.fspath(node_id)]


def _open_dvbapi(folder: Path, port: int) -> None:
    with (folder / _TOML).open("a") as toml:
        toml.write(f'[dvbapi]\nport = {port}\nlisten = ["{HOST}"]\naccount = "{USER}"\n')


def _open_newcamd(folder: Path, port: int) -> None:
    with (folder / _TOML).open("a") as toml:
        toml.write(f"[[newcamd]]\nport = {port}\n")


def _hold_port(stack: ExitStack) -> int:
    """A port that nobody else is given until the stack ends."""
    port: int = stack.enter_context(hold_port()).getsockname()[1]
    return port


async def _stop(process: asyncio.subprocess.Process) -> None:
    if process.returncode is not None:
        return
    process.terminate()
    try:
        await asyncio.wait_for(process.wait(), STOP_TIMEOUT)
    except TimeoutError:
        process.kill()
        await process.wait()
