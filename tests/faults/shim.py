"""Builds `shim.c`, and says what it needs."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).parent
CC = shutil.which("cc") or shutil.which("gcc")
WHY_NOT = "" if CC and sys.platform.startswith("linux") else "needs Linux and a C compiler"


def build(folder: Path) -> Path:
    """Compile it into a folder."""
    assert CC
    made = folder / "shim.so"
    source = str(HERE / "shim.c")
    subprocess.run([CC, "-shared", "-fPIC", "-O1", "-o", str(made), source, "-ldl"], check=True)
    return made


def run(script: str, *words: str, shim: Path, timeout: float) -> str:
    """Run a script of this folder in which calls may fail; what it prints."""
    done = subprocess.run(
        [sys.executable, str(HERE / script), *words],
        env={
            **os.environ,
            "LD_PRELOAD": str(shim),
            "PYTHONPATH": os.pathsep.join(map(str, (HERE.parent / "server", HERE.parent))),
        },
        capture_output=True,
        text=True,
        check=False,
        timeout=timeout,
    )
    assert not done.returncode, done.stderr[-4000:]
    return done.stdout + done.stderr
