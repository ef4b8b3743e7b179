"""Print what of requirements.lock something needs, with its hashes, for `pip install -r`.

    python3 scripts/locked.py server [EXTRA ...]     what runs a server, and these extras
    python3 scripts/locked.py build                  what makes a wheel
    python3 scripts/locked.py compile                what compiles it, besides a C compiler
    python3 scripts/locked.py develop                everything

It runs before anything is installed: with Python alone.
"""

import re
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parent.parent
ENTRY = re.compile(
    r"^(?P<name>[a-z0-9][a-z0-9._-]*)==(?P<version>[^ \\]+)(?: ; (?P<when>.+?))? \\$"
)
VIA = re.compile(r"^    #(?: via|  )\s+(?P<name>\S+)(?: \((?P<where>\S+)\))?$")
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")


def entries(lock: str) -> Iterator[tuple[str, str]]:
    """Each package by name, with its lines; one that differs between systems comes again."""
    name, lines = "", list[str]()
    for line in lock.splitlines(keepends=True):
        if found := ENTRY.match(line.rstrip("\n")):
            if name:
                yield name, "".join(lines)
            name, lines = found["name"], []
        lines.append(line)
    if name:
        yield name, "".join(lines)


def roots(project: dict[str, Any], what: list[str]) -> set[str]:
    """The names that pyproject.toml has for it.

    Raises:
        ValueError: it has no such thing.
    """
    wanted: list[str] = []
    for each in what:
        if each == "server":
            wanted += project["project"]["dependencies"]
        elif each == "build":
            wanted += project["build-system"]["requires"]
        elif each == "compile":
            hooks = project["tool"]["hatch"]["build"]["targets"]["wheel"]["hooks"]
            wanted += hooks["custom"]["tools"]
        elif each in (extras := project["project"]["optional-dependencies"]):
            wanted += extras[each]
        else:
            raise ValueError(
                f"locked: what is {each}? server, build, compile, develop, {', '.join(extras)}"
            )
    found = (_NAME.match(word) for word in wanted)
    return {re.sub(r"[-_.]+", "-", name[0]).lower() for name in found if name}


def needed(lock: str, names: set[str]) -> str:
    """The lines of these packages, and of what they need."""
    blocks = list(entries(lock))
    wanted_by = [
        (name, {via["name"] for via in map(VIA.match, text.splitlines()) if via})
        for name, text in blocks
    ]
    known, before = set(names), -1
    while len(known) > before:
        before = len(known)
        known |= {name for name, by in wanted_by if by & known}
    return "".join(text for name, text in blocks if name in known)


def picked(what: list[str]) -> str:
    """The lines of the lock that these words ask for.

    Raises:
        SystemExit: it has no such thing; with the words that it knows.
    """
    lock = (ROOT / "requirements.lock").read_text()
    if "develop" in what:
        return lock
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    try:
        return needed(lock, roots(project, what))
    except ValueError as error:
        raise SystemExit(str(error)) from None


if __name__ == "__main__":
    sys.stdout.write(picked(sys.argv[1:]))
