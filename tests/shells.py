"""Shell scripts that start programs of their own, none of which outlives them."""

import os
import signal
import subprocess
from collections.abc import Mapping, Sequence
from contextlib import suppress


def run_shell(
    command: Sequence[str], *, seconds: float, env: Mapping[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    """Run a command to its end, and end all that it has started.

    `subprocess.run` ends nothing but the shell when it takes too long, and then waits for the
    others, which hold what it reads from.

    Raises:
        subprocess.TimeoutExpired: it took longer; with what it has said so far.
    """
    with subprocess.Popen(
        command,
        env=env,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    ) as shell:
        try:
            printed, said = shell.communicate(timeout=seconds)
        finally:
            with suppress(ProcessLookupError):
                os.killpg(shell.pid, signal.SIGKILL)
    return subprocess.CompletedProcess(command, shell.returncode, printed, said)
