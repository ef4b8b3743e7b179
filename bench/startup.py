"""How long commands take from the shell's point of view: whole processes, again and again.

    .venv/bin/python bench/startup.py [RUNS]

`probe` asks a port where nobody listens, so that no server's time counts.
"""

import statistics
import subprocess
import sys
import time

COMMANDS = {
    "(python alone)": ["-c", "pass"],
    "--version": ["-m", "cccamd", "--version"],
    "--help": ["-m", "cccamd", "--help"],
    "probe": ["-m", "cccamd", "probe", "127.0.0.1", "1", "user", "password"],
    "check": ["-m", "cccamd", "check", "/dev/null"],
    "status": ["-m", "cccamd", "status", "--url", "http://127.0.0.1:1"],
    "serve --help": ["-m", "cccamd", "serve", "--help"],
}


def milliseconds(arguments: list[str]) -> float:
    """Run one process to its end."""
    started = time.perf_counter()
    subprocess.run([sys.executable, *arguments], capture_output=True, check=False)
    return 1000 * (time.perf_counter() - started)


def main() -> None:
    """Print the shortest and the usual time of each."""
    runs = int(sys.argv[1]) if len(sys.argv) > 1 else 15
    for name, arguments in COMMANDS.items():
        milliseconds(arguments)  # the first run compiles and fills the file cache
        times = [milliseconds(arguments) for _ in range(runs)]
        print(f"{name:16} min {min(times):4.0f} ms, median {statistics.median(times):4.0f} ms")


if __name__ == "__main__":
    main()
