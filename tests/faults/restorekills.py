"""`cccamd restore` and `cccamd backup`, killed, or failing, at each of their calls to the system.

Run with `shim.c` loaded: `kill` or `full`, and a folder. Each round is a process of its own, forked
from this one. What became of each is printed as JSON.
"""

import ctypes
import errno
import io
import json
import os
import shutil
import signal
import sys
from collections.abc import Callable
from contextlib import redirect_stderr, redirect_stdout
from importlib import metadata
from itertools import count
from pathlib import Path

from typer.testing import CliRunner

from cccamd.cli import command_line
from cccamd.cli.deeds.backup import places_of, told_of
from cccamd.errors import CccamdError
from cccamd.localcards import registry
from cccamd.setup.restoring import finish

shim = ctypes.CDLL(None)
shim.fault_arm.argtypes = [ctypes.c_long, ctypes.c_int]
FILES = ("etc/CCcam.cfg", "etc/cccamd.toml", "etc/card.json", "lib/node-id", "lib/paired.toml")
CARD = '[[card]]\nkind = "open"\ncaid = "F0CA"\nkeys = "card.json"\n# '


def furnish(house: Path, word: str) -> None:
    shutil.rmtree(house, ignore_errors=True)
    for name in FILES:
        (house / name).parent.mkdir(parents=True, exist_ok=True)
        start = CARD if name.endswith("cccamd.toml") else "# "
        (house / name).write_text(f"{start}{word}\n")
    (house / "etc/CCcam.cfg").write_text(f"F: {word} secret\n")
    (house / "lib/node-id").write_text({"old": "01", "new": "02"}[word] * 8 + "\n")


def state(house: Path) -> str:
    """old, new, or a letter for each file: o, n, or ? where one is torn or gone."""
    pattern = house.with_name("pattern")
    found = ""
    for name in FILES:
        data = (house / name).read_bytes() if (house / name).exists() else b""
        for word in ("old", "new"):
            if data == (pattern / word / name).read_bytes():
                found += word[0]
                break
        else:
            found += "?"
    words = {"o" * len(FILES): "old", "n" * len(FILES): "new"}
    return words.get(found, found)


def invoke(house: Path, *words: str) -> tuple[int, str]:
    files = ("-C", str(house / "etc/CCcam.cfg"), "-n", str(house / "lib/node-id"))
    done = CliRunner().invoke(command_line(words), [*words, *files])
    return done.exit_code, done.output


def forked(act: Callable[[], str]) -> tuple[int, str]:
    """Do something in a process of its own; the signal that ended it, and what it said."""
    reader, writer = os.pipe()
    child = os.fork()
    if not child:
        said = ""
        try:
            with redirect_stdout(io.StringIO()), redirect_stderr(io.StringIO()):
                said = act()
        finally:
            shim.fault_disarm()
            os.write(writer, said.encode())
            os._exit(0)
    os.close(writer)
    with os.fdopen(reader) as file:
        said = file.read()
    _, status = os.waitpid(child, 0)
    return os.WTERMSIG(status) if os.WIFSIGNALED(status) else 0, said


def finished(house: Path) -> str:
    """What the server does first when it starts."""
    try:
        found = finish(places_of(house / "etc/CCcam.cfg", None, house / "lib/node-id"))
    except (CccamdError, OSError) as error:
        return f"cannot: {error}"
    return "nothing" if found is None else told_of(found)


def kills(house: Path, archive: Path) -> list[dict[str, object]]:
    rounds: list[dict[str, object]] = []
    for at in count(1):
        furnish(house, "old")

        def act(at: int = at) -> str:
            shim.fault_arm(at, -signal.SIGKILL)
            return str(invoke(house, "restore", str(archive), "--force"))

        ended, said = forked(act)
        after = state(house)
        _, told = forked(lambda: finished(house))
        left = sorted(str(path.relative_to(house)) for path in house.rglob(".*"))
        rounds.append({"ended": ended, "after": after, "told": told, "then": state(house)})
        rounds[-1] |= {"left": left, "again": finished(house), "said": said if not ended else ""}
        if not ended:
            return rounds
    return rounds


def full(house: Path, archive: Path) -> list[dict[str, object]]:
    """A disk that takes no more, at each call of a backup over an older one."""
    rounds: list[dict[str, object]] = []
    before = archive.read_bytes()
    for at in count(1):

        def act(at: int = at) -> str:
            shim.fault_arm(at, errno.ENOSPC)
            status, said = invoke(house, "backup", str(archive), "--force")
            return f"{status} {said}"

        _, said = forked(act)
        left = sorted(path.name for path in archive.parent.iterdir() if ".new" in path.name)
        is_old = archive.read_bytes() == before
        rounds.append({"said": said, "left": left, "is_old": is_old})
        archive.write_bytes(before)
        if said.startswith("0 "):
            return rounds
    return rounds


def look_for_cards_once() -> None:
    """Each card kind of each package is a file: not a matter of backups."""
    find = metadata.entry_points
    found = {group: find(group=group) for group in (registry.GROUP, "pydantic")}
    metadata.entry_points = lambda *, group: found[group]  # type: ignore[assignment]


def main() -> None:
    look_for_cards_once()
    what, folder = sys.argv[1], Path(sys.argv[2])
    house, archive = folder / "house", folder / "tar" / "backup.tar"
    archive.parent.mkdir()
    for word in ("new", "old"):
        furnish(folder / "pattern" / word, word)
        furnish(house, word)
        if word == "new":
            status, said = invoke(house, "backup", str(archive))
            assert not status, said
    print(json.dumps((kills if what == "kill" else full)(house, archive)))


if __name__ == "__main__":
    main()
