"""Started as `CCcam`, with the original's options."""

import os
import select
import signal
import socket
import struct
import subprocess
import sys
from pathlib import Path

import pytest

from cccamd.cli.oldname import Start, StartOptionError, translate
from cccamd.lab.ports import free_port

PROGRAM = "import sys; from cccamd.__main__ import main_as_original; main_as_original()"


@pytest.mark.parametrize(
    ("words", "arguments", "in_background"),
    [
        ("", "serve", True),
        ("-C /etc/a.cfg", "serve -C /etc/a.cfg", True),
        ("-C/etc/a.cfg -f", "serve -C /etc/a.cfg", False),
        ("-dv -C a", "serve -C a -d", False),
        ("-fC a", "serve -C a", False),
        ("-vC/etc/a.cfg", "serve -C /etc/a.cfg -d", False),
        ("-v", "serve -d", False),
    ],
)
def test_the_originals_options(words: str, arguments: str, in_background: bool) -> None:
    expected = Start(arguments=tuple(arguments.split()), in_background=in_background)
    assert translate(words.split()) == expected


def test_what_has_no_meaning_is_told_and_what_cannot_be_done_refused() -> None:
    assert translate(["-t"]).notes == ("-t is passed over: the log has answer times with -d",)
    for words in (["-s"], ["-C"], ["-dC"], ["-h"], ["--help"], ["status"], ["-"]):
        with pytest.raises(StartOptionError):
            translate(words)


def test_it_serves_from_the_background(tmp_path: Path) -> None:
    """The start script goes on at once, and the server has a session of its own."""
    config = tmp_path / "CCcam.cfg"
    config.write_text(
        f"SERVER LISTEN PORT : {free_port()}\nALLOW WEBINFO : no\nALLOW TELNETINFO : no\n"
    )
    (tmp_path / "cccamd.toml").write_text('[server]\nbind = ["127.0.0.1"]\n')
    told = {"NOTIFY_SOCKET": str(tmp_path / "notify"), "STATE_DIRECTORY": str(tmp_path)}
    command = [sys.executable, "-c", PROGRAM, "-C", str(config)]
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(told["NOTIFY_SOCKET"])
        manager.setsockopt(socket.SOL_SOCKET, socket.SO_PASSCRED, 1)
        manager.settimeout(60)
        subprocess.run(command, env={**os.environ, **told}, check=True, timeout=60)
        said, (credentials, *_), *_ = manager.recvmsg(100, 100)
        pid = struct.unpack("3i", credentials[2])[0]
        process = os.pidfd_open(pid)
        try:
            assert said == b"READY=1"
            assert os.getsid(pid) not in (0, os.getsid(0))
        finally:
            os.kill(pid, signal.SIGTERM)
            assert select.select([process], [], [], 60)[0]
            os.close(process)
