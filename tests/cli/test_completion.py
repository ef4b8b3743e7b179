"""What the shell completes: commands, and the options of the one that is typed."""

import os
import subprocess
import sys

import pytest


@pytest.mark.parametrize(
    ("typed", "word", "offered"),
    [("cccamd unin", 1, "uninstall"), ("cccamd serve --conf", 2, "--config")],
)
def test_bash_completes(typed: str, word: int, offered: str) -> None:
    asked = {"_CCCAMD_COMPLETE": "complete_bash", "COMP_WORDS": typed, "COMP_CWORD": str(word)}
    program = "import sys; sys.argv[0] = 'cccamd'; from cccamd.cli import main; main()"
    done = subprocess.run(
        [sys.executable, "-c", program],
        env={**os.environ, **asked},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.stdout.split() == [offered], done.stderr
