"""What the shell completes: commands, and the options of the one that is typed."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest


@pytest.mark.parametrize(
    ("typed", "word", "offered"),
    [
        ("cccamd unin", 1, "uninstall"),
        ("cccamd serve --conf", 2, "--config"),
        ("cccamd client anna --for tvh", 4, "tvheadend"),
        ("cccamd client anna --over n", 4, "newcamd"),
    ],
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


@pytest.mark.skipif(shutil.which("zsh") is None, reason="zsh is not installed")
def test_zsh_completes_at_once(tmp_path: Path) -> None:
    """What it loads for the first word has to complete that word, and not only say how."""
    share = Path(__file__).parents[2] / "share/zsh/site-functions"
    program = tmp_path / "cccamd"
    program.write_text(
        f"#!{sys.executable}\nimport sys\nsys.argv[0] = 'cccamd'\n"
        "from cccamd.cli import main\nmain()\n"
    )
    program.chmod(0o755)
    script = f"""fpath=({share}); path=({tmp_path} $path); autoload -Uz _cccamd
    compdef() {{ }}; _arguments() {{ print -r -- "$@" }}; _files() {{ print files }}
    words=(cccamd unin); CURRENT=2; _cccamd
    words=(cccamd check CC); CURRENT=3; _cccamd"""
    done = subprocess.run(
        ["zsh", "-f", "-c", script], capture_output=True, text=True, check=False, timeout=60
    )
    assert done.stderr == ""
    first, second = done.stdout.splitlines()
    assert '"uninstall"' in first
    assert second == "files"
