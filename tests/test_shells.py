"""What tests start in shells ends with these tests."""

import subprocess
import time
from pathlib import Path

import psutil
import pytest

from shells import run_shell

CHILD = 'sleep 300 {}& echo $! > "{}"; echo started'


def has_ended(note: Path) -> bool:
    """Whether the child is gone, or is a zombie that nobody has asked for."""
    number = int(note.read_text())
    deadline = time.monotonic() + 10.0
    while time.monotonic() < deadline:
        try:
            if psutil.Process(number).status() == psutil.STATUS_ZOMBIE:
                return True
        except psutil.NoSuchProcess:
            return True
        time.sleep(0.01)
    return False


def test_what_a_shell_leaves_behind_is_ended(tmp_path: Path) -> None:
    command = ["sh", "-c", CHILD.format(">/dev/null 2>&1 ", tmp_path / "child")]
    done = run_shell(command, seconds=30.0)
    assert (done.returncode, done.stdout, done.stderr) == (0, "started\n", "")
    assert has_ended(tmp_path / "child")


def test_a_shell_that_takes_too_long_is_ended_with_its_children(tmp_path: Path) -> None:
    """Also when these hold what is read from."""
    command = ["sh", "-c", CHILD.format("", tmp_path / "child") + "; wait"]
    with pytest.raises(subprocess.TimeoutExpired) as late:
        run_shell(command, seconds=1.0)
    assert late.value.stdout == b"started\n"
    assert has_ended(tmp_path / "child")
