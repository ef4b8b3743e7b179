"""A disk that the system makes read-only: under way when it breaks, or before a start."""

import shutil
import subprocess
from pathlib import Path

import pytest
import shim
from house import House, until
from test_disks import WHY_NOT, quick, written

from cccamd.watch.journal import Kind

pytestmark = pytest.mark.processes
MOUNT = 'mount -t tmpfs -o size=8m none {folder} && mount -o remount,ro {folder} && exec "$@"'
TROUBLES = {"disk full", "journal stopped", "settings not carried out"}
WRITES_WITHIN = 5.0
"""Seconds until the journal is written again, with the waits of `impatient.py`; 30 s without."""


@pytest.fixture
def house(tmp_path: Path) -> House:
    """Its state, its log and its journal lie on a disk of their own."""
    disk = tmp_path / "disk"
    disk.mkdir()
    return House(tmp_path, state=disk)


@pytest.mark.skipif(bool(shim.WHY_NOT), reason=shim.WHY_NOT)
def test_a_disk_that_turns_read_only_stops_nobody_and_nothing_is_lost(
    house: House, tmp_path: Path
) -> None:
    """Files that are open there stay open, and cannot be written any more, as with ext4."""
    flag = tmp_path / "frozen"
    before = (
        *("env", f"LD_PRELOAD={shim.build(tmp_path)}"),
        *(f"FAULT_DISK={house.state}/", f"FAULT_FROZEN={flag}"),
    )
    with house.serving(before, quick(house)):
        until(house.is_watched)
        until(lambda: written(house) >= 1)
        flag.touch()
        before_it = written(house)
        for _ in range(8):
            assert house.is_watched()
        until(lambda: "the journal" in house.said() and "cannot be written" in house.said())
        until(lambda: "journal stopped" in house.is_wrong())
        house.write("F: anna secret\nF: ben secret\n")  # and files are read again all the same
        until(lambda: "accounts: 2" in house.said(), within=30)
        assert house.is_watched()
        flag.unlink()
        assert until(lambda: written(house) >= before_it + 9, within=60) < WRITES_WITHIN
        until(lambda: not TROUBLES & set(house.is_wrong()), within=30)
    said = house.said()
    assert "is written again; nothing was lost" in said
    assert said.count("cannot be written") < 4
    assert "Traceback" not in said
    assert "cannot be read now" not in said
    assert "all logs are written again" in said
    assert len(house.entries(Kind.LOGIN)) >= before_it + 9


@pytest.mark.skipif(bool(WHY_NOT), reason=WHY_NOT)
def test_a_start_on_a_read_only_disk_serves_and_writes_as_soon_as_it_can(house: House) -> None:
    on_it = ("unshare", "-m", "sh", "-c", MOUNT.format(folder=house.state), "sh")
    with house.serving(on_it, quick(house)):
        until(house.is_watched)
        assert house.is_watched()
        until(lambda: "disk full" in house.is_wrong())
        nsenter = shutil.which("nsenter") or "nsenter"
        mount = ("mount", "-o", "remount,rw", str(house.state))
        subprocess.run([nsenter, "-t", str(house.pid), "-m", *mount], check=True)
        assert until(lambda: written(house) >= 2, within=60) < WRITES_WITHIN
        until(lambda: not TROUBLES & set(house.is_wrong()), within=30)
        node_id = house.seen(house.state / "node-id")
        until(lambda: node_id.exists() and node_id.with_name("control.sock").is_socket(), within=40)
    said = house.said()
    assert said.count("ERROR   cannot write the log to") == 1  # the incident says it, too
    assert "all logs are written again" in said
    assert "Traceback" not in said
