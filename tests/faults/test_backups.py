"""`cccamd backup` and `restore` that are killed, or whose disk takes no more, at each of their
calls; and a disk that is really full."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import shim
from test_disks import WHY_NOT

pytestmark = [
    pytest.mark.processes,
    pytest.mark.skipif(bool(shim.WHY_NOT), reason=shim.WHY_NOT),
]
FILES = 5


def rounds(what: str, folder: Path) -> list[dict[str, Any]]:
    made = shim.build(folder)
    found: list[dict[str, Any]] = json.loads(
        shim.run("restorekills.py", what, str(folder), shim=made, timeout=240)
    )
    return found


def test_a_restore_that_is_killed_anywhere_leaves_the_old_or_the_new_and_says_so(
    tmp_path: Path,
) -> None:
    *killed, last = rounds("kill", tmp_path)
    assert (last["ended"], last["after"], last["told"]) == (0, "new", "nothing")
    assert len(killed) > 10 * FILES, "each of its calls was one of these"
    for each in killed:
        assert each["ended"] == 9
        assert "?" not in each["after"], "no file is torn"
        # When all is in its place it still looks at what it put there.
        was_done = each["after"] == "new" and each["told"] == "nothing"
        assert each["then"] == ("new" if was_done or "finished now" in each["told"] else "old")
        assert each["left"] == []
        assert each["again"] == "nothing", "it is told once"
        if each["after"] not in ("old", "new") or each["then"] != each["after"]:
            assert "finished now" in each["told"]
    assert any("before it changed anything" in each["told"] for each in killed)
    assert {each["after"] for each in killed} > {"old", "new"}


def test_a_backup_onto_a_disk_that_takes_no_more_leaves_the_one_that_is_there(
    tmp_path: Path,
) -> None:
    *failed, last = rounds("full", tmp_path)
    assert last["said"].startswith("0 ")
    assert "card.json" in last["said"], "no key is left out silently"
    assert len(failed) > 2 * FILES
    for each in failed:
        assert each["said"].startswith("2 cccamd backup: ")
        assert "Traceback" not in each["said"]
        assert each["left"] == []
        # The last step is to have the disk confirm the new name: it is there, and may be lost.
        assert each["is_old"] or each is failed[-1] or each is failed[-2]


@pytest.mark.skipif(bool(WHY_NOT), reason=WHY_NOT)
def test_a_disk_that_is_really_full(tmp_path: Path) -> None:
    house, disk = tmp_path / "house", tmp_path / "disk"
    disk.mkdir()
    house.mkdir()
    (house / "CCcam.cfg").write_text("F: anna secret\n" + 3000 * "# a remark of some length\n")
    (house / "node-id").write_text("0102030405060708\n")
    words = [
        *(sys.executable, "-m", "cccamd", "backup", str(disk / "a.tar"), "--force"),
        *("-C", str(house / "CCcam.cfg"), "-n", str(house / "node-id")),
    ]
    script = f'mount -t tmpfs -o size=32k none {disk}; echo old > {disk}/a.tar; "$@"; ls -A {disk};'
    done = subprocess.run(
        ["unshare", "-m", "sh", "-c", f"{script} cat {disk}/a.tar", "sh", *words],
        capture_output=True,
        text=True,
        check=False,
        env=dict(os.environ),
        timeout=60,
    )
    assert done.stderr.startswith("cccamd backup: ")
    assert "No space left on device" in done.stderr
    assert "Traceback" not in done.stderr
    assert done.stdout.split() == ["a.tar", "old"]
