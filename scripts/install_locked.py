"""Install what of requirements.lock something needs, and show how far that is.

    .venv/bin/python scripts/install_locked.py server [demo] ...     words as locked.py has them

pip's own bars are long, and some settings of a machine make it warn of each package: what it says
is shown when it fails. Nothing is compiled ahead: Python does that for what is used.
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
SHOWN_OF_A_FAILURE = 15
"""Lines; the reason comes last."""


def steps(said: Iterable[str], total: int) -> Iterator[str]:
    """What is worth showing of pip's lines: each package once, and what makes one wait."""
    seen = set[str]()
    for line in said:
        found = PACKAGE.match(line)
        name = (found["name"] or found["file"].replace("_", "-")) if found else ""
        if name and name not in seen:
            seen.add(name)
            yield f"{len(seen)} of {total}: {name}"
        elif line.startswith("Installing collected packages"):
            yield "unpacking them"
        elif "Retrying" in line:
            yield f"waiting: {line.strip()}"


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
        print("".join(said[-SHOWN_OF_A_FAILURE:]), file=sys.stderr, end="")
        print("setup: pip could not install them; above is what it says", file=sys.stderr)
    return pip.returncode


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
