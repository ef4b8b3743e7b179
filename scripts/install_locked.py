"""Install what of requirements.lock something needs, and show how far that is.

    .venv/bin/python scripts/install_locked.py server [demo] ...     words as locked.py has them

pip's own bars are long, and some settings of a machine make it warn of each package: what it says
is shown when it fails. Nothing is compiled: compile_used.py has that done for what is used.
"""

import re
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Iterator

from locked import entries, picked

PACKAGE = re.compile(
    r"(?:(?:Collecting|Requirement already satisfied:|Ignoring) (?P<name>[\w.-]+)"
    r"|Processing \S*/(?P<file>[\w.]+?)-\d)"
)
"""A file that lies on this machine is told by its name, in which `_` stands for `-`."""
RETRY = "WARNING: Retrying"
SHOWN_OF_A_FAILURE = 15
"""Lines; the reason comes last."""
UNREACHABLE = (
    "setup: the index of packages cannot be reached: look at the network of this machine, at"
    " https_proxy and at `pip config list`; what is there already stays, so do it again then"
)


def steps(said: Iterable[str], total: int) -> Iterator[str]:
    """What is worth showing of pip's lines: each package once, and once what makes one wait."""
    seen, waiting = set[str](), False
    for line in said:
        found = PACKAGE.match(line)
        name = (found["name"] or found["file"].replace("_", "-")) if found else ""
        if name and name not in seen:
            seen.add(name)
            waiting = False
            yield f"{len(seen)} of {total}: {name}"
        elif line.startswith("Installing collected packages"):
            yield "unpacking them"
        elif RETRY in line and not waiting:
            waiting = True
            yield f"waiting for the index of packages: {_reason(line)}"


def _reason(line: str) -> str:
    """Why pip tries again: what the innermost of its errors says."""
    said = line.partition("broken by ")[2].rpartition("'")[0].rpartition(": ")[2]
    said = said.strip("'\") ")
    return f"{said})" if said.count("(") > said.count(")") else said or line.strip()


def install(what: list[str]) -> int:
    """Run pip to its end; its exit status."""
    requirements = picked(what)
    total = len({name for name, _ in entries(requirements)})
    said = list[str]()
    with tempfile.NamedTemporaryFile("w", suffix=".txt") as listed:
        listed.write(requirements)
        listed.flush()
        command = ["install", "--no-compile", "--progress-bar", "off", "--no-color"]
        options = ["--disable-pip-version-check", "--require-hashes", "-r", listed.name]
        with subprocess.Popen(
            [sys.executable, "-u", "-m", "pip", *command, *options],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        ) as pip:
            assert pip.stdout is not None
            show(steps(kept(pip.stdout, said), total))
    if pip.returncode:
        print("".join(shown_of(said)), file=sys.stderr, end="")
        print("setup: pip could not install them; above is what it says", file=sys.stderr)
        if any(RETRY in line for line in said):
            print(UNREACHABLE, file=sys.stderr)
    return pip.returncode


def shown_of(said: list[str]) -> list[str]:
    """The end of what pip has said, and each attempt to reach something at most once."""
    told = set[str]()
    lines = list[str]()
    for line in said:
        attempt = _reason(line) if RETRY in line else ""
        if not attempt or attempt not in told:
            lines.append(line)
        told.add(attempt)
    return lines[-SHOWN_OF_A_FAILURE:]


def kept(lines: Iterable[str], said: list[str]) -> Iterator[str]:
    """The lines, which `said` has afterwards."""
    for line in lines:
        said.append(line)
        yield line


def show(words: Iterable[str]) -> None:
    """One line that changes, on a terminal; else a line for each."""
    lively = sys.stderr.isatty()
    before, after = ("\r\x1b[K", "") if lively else ("", "\n")
    for word in words:
        print(f"{before}setup: {word}", end=after, file=sys.stderr, flush=True)
    if lively:
        print(file=sys.stderr)


if __name__ == "__main__":
    try:
        sys.exit(install(sys.argv[1:]))
    except KeyboardInterrupt:
        sys.exit(130)
