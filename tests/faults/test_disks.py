"""A disk that is full: a small one of our own, in a namespace."""

import os
import shutil
import subprocess
from contextlib import suppress
from pathlib import Path

import pytest
from house import House, until

from cccamd.watch.journal import Kind, read_entries

MOUNT = 'mount -t tmpfs -o size=1m none {folder} && exec "$@"'


def _why_not() -> str:
    if os.geteuid():
        return "only root may mount"
    try:
        done = subprocess.run(["unshare", "-m", "true"], capture_output=True, check=False)
    except FileNotFoundError:
        return "unshare is not installed"
    return "mount namespaces are not allowed here" if done.returncode else ""


WHY_NOT = _why_not()
pytestmark = [pytest.mark.processes, pytest.mark.skipif(bool(WHY_NOT), reason=WHY_NOT)]


@pytest.fixture
def house(tmp_path: Path) -> House:
    """Its state, and its log, lie on a disk of one megabyte."""
    disk = tmp_path / "disk"
    disk.mkdir()
    return House(tmp_path, state=disk)


def on_its_disk(house: House) -> tuple[str, ...]:
    return ("unshare", "-m", "sh", "-c", MOUNT.format(folder=house.state), "sh")


def quick(house: House) -> tuple[str, ...]:
    """The same program, which looks at its disk and tries again sooner."""
    launcher = Path(__file__).with_name("impatient.py")
    return (str(launcher),)


def written(house: House) -> int:
    """How many logins are in the journal. SQLite cannot open it by way of /proc: a copy."""
    copy = house.cfg.with_name("copy.db")
    for suffix in ("", "-wal"):
        shutil.copy(house.seen(house.state / f"journal.db{suffix}"), f"{copy}{suffix}")
    return sum(each.kind is Kind.LOGIN for each in read_entries(copy))


def fill(path: Path) -> None:
    """Write to a file until nothing more goes onto its disk."""
    with path.open("wb", buffering=0) as file, suppress(OSError):
        while True:
            file.write(bytes(4096))


def test_a_full_disk_stops_nobody_and_nothing_is_lost(house: House) -> None:
    with house.serving(on_its_disk(house), quick(house)):
        until(house.is_watched)
        until(lambda: written(house) >= 1)
        filler = house.seen(house.state / "filler")
        fill(filler)
        before = written(house)
        for _ in range(8):
            assert house.is_watched()
        until(lambda: "the journal" in house.said() and "disk is full" in house.said())
        until(lambda: "disk full" in house.is_wrong())
        filler.unlink()
        assert until(lambda: written(house) >= before + 8, within=5) < 5
        until(lambda: not house.is_wrong())
    said = house.said()
    assert said.count("cannot be written: database or disk is full") == 1
    assert "is written again; nothing was lost" in said
    assert said.count("cannot write the log: [Errno 28]") <= 1
    assert "Traceback" not in said
