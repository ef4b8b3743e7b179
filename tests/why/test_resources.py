"""What a running server sees of its machine without anybody's help, and what it makes of it."""

import os
import time
from dataclasses import replace
from pathlib import Path

import pytest

from cccamd.machine import (
    Clock,
    Hindrance,
    Resources,
    Room,
    SystemUser,
    look_at_target,
    read_resources,
)
from cccamd.watch.journal import JournalState
from cccamd.why import JOURNAL, judge_resources

MEBIBYTE = 2**20
NOW = 1_800_000_000.0
SOUND = Resources(
    clock=Clock(wall=NOW, steady=100.0, is_kept=True),
    rooms={"journal": Room(total=10**9, free=10**8, files=1000)},
    files_open=100,
    files_allowed=1024,
    memory_used=60 * MEBIBYTE,
    memory_left=500 * MEBIBYTE,
)
LATER = replace(SOUND, clock=Clock(wall=NOW + 30.0, steady=130.0, is_kept=True))


def journal(**words: object) -> Resources:
    room = Room(**({"total": 10**9, "free": 10**8, "files": 1000} | words))  # type: ignore[arg-type]
    return replace(SOUND, rooms={"journal": room})


def clock(wall: float, steady: float = 130.0, *, is_kept: bool | None = None) -> Resources:
    return replace(SOUND, clock=Clock(wall=wall, steady=steady, is_kept=is_kept))


def test_this_machine_is_read_in_no_time(tmp_path: Path) -> None:
    written = {"LOG FILE": tmp_path / "none" / "deep" / "log", "journal": tmp_path / "journal.db"}
    started = time.perf_counter()
    found = read_resources(written, ["127.0.0.1", "::1", "::", "192.0.2.77", "192.0.2.77"])
    assert found.missing == ("192.0.2.77",)
    assert time.perf_counter() - started < 5.0
    assert found.rooms.keys() == written.keys()
    assert all(room.total > 0 for room in found.rooms.values())
    assert 3 <= found.files_open < (found.files_allowed or 10**9)
    assert found.memory_left > 0 < found.memory_used
    assert abs(found.clock.wall - time.time()) < 5
    assert found.clock.is_kept in (True, False, None)


def test_nothing_is_said_when_all_is_well() -> None:
    assert judge_resources(SOUND) == ()
    assert judge_resources(LATER, SOUND) == ()
    assert judge_resources(journal(total=8 * MEBIBYTE, free=MEBIBYTE)) == ()
    unlimited = replace(LATER, files_allowed=None)
    assert judge_resources(unlimited, SOUND) == ()


@pytest.mark.parametrize(
    ("now", "code", "words"),
    [
        (clock(NOW + 3630.0), "clock-jumped", "set forward by 1 h"),
        (clock(NOW - 7170.0, is_kept=False), "clock-jumped", "back by 2 h 0 min; nothing keeps it"),
        (clock(1000.0), "clock-unset", "it shows 1970-01-01"),
        (journal(free=3 * MEBIBYTE), "disk-full", "has 3.0 MiB left"),
        (journal(free=0), "disk-full", "nothing can be written"),
        (journal(files=0), "disk-full", "no inodes"),
        (journal(read_only=True), "disk-read-only", "mounted read-only"),
        (replace(SOUND, files_open=1000), "few-files-left", "1,000 of 1,024"),
        (replace(SOUND, memory_left=5 * MEBIBYTE), "little-memory-left", "5 MiB are left"),
        (replace(SOUND, space_left=9 * MEBIBYTE), "little-memory-left", "9 MiB more of address"),
        (replace(SOUND, missing=("192.0.2.7",)), "no-such-address", "takes nobody in"),
    ],
)
def test_each_trouble_has_its_code(now: Resources, code: str, words: str) -> None:
    (found,) = judge_resources(now, SOUND if "clock" in code else None)
    assert found.finding.code == code
    assert words in found.finding.text
    assert found.advice


def test_one_disk_that_is_full_is_one_trouble_whatever_is_written_there() -> None:
    full, roomy = (
        Room(total=10**9, free=0, files=9, device=1),
        Room(total=10**9, free=10**9, files=9),
    )
    stopped = JournalState(trouble="database or disk is full", waiting=7, dropped=0, jump=0.0)
    rooms = {"LOG FILE": full, "LOG WARNINGS": roomy, JOURNAL: full}
    (found,) = judge_resources(replace(SOUND, rooms=rooms), journal=stopped)
    assert f"{found.subject} {found.finding.text}" == (
        "the file system of LOG FILE and the journal has 0.0 MiB left: nothing can be written;"
        " the journal is not written: database or disk is full; 7 lines in memory"
    )
    elsewhere = replace(SOUND, rooms=rooms | {JOURNAL: roomy})
    codes = [each.finding.code for each in judge_resources(elsewhere, journal=stopped)]
    assert codes == ["disk-full", "journal-stopped"]


def test_a_clock_that_creeps_has_not_jumped() -> None:
    assert judge_resources(clock(NOW + 34.0), SOUND) == ()


# Where something is to be written.

ROOT, NOBODY = SystemUser("root", 0), SystemUser("nobody", 65_534)


@pytest.mark.parametrize("user", [ROOT, NOBODY])
def test_what_keeps_a_user_from_writing(tmp_path: Path, user: SystemUser) -> None:
    tmp_path.chmod(0o755)
    (tmp_path / "open").mkdir()
    (tmp_path / "open").chmod(0o777)
    (tmp_path / "own").touch(mode=0o644)
    os.mkfifo(tmp_path / "pipe")

    def hindrance(name: str, **words: bool) -> object:
        target = look_at_target(tmp_path / name)
        # pytest's own folders let nobody in.
        way = tuple(part for part in target.way if Path(part.name).is_relative_to(tmp_path))
        found = replace(target, way=way).hindrance(user, **words)
        return found and found[0]

    forbidden = None if user is ROOT else Hindrance.FORBIDDEN
    assert hindrance("open/log") is None
    assert hindrance("own") is forbidden
    assert hindrance("new") is forbidden
    assert hindrance("pipe") is Hindrance.NOT_A_FILE
    assert hindrance("open") is Hindrance.NOT_A_FILE
    assert hindrance("none/log") is Hindrance.NO_FOLDER
    assert hindrance("none/log", makes_folders=True) is forbidden
    assert hindrance("open/none/log", makes_folders=True) is None


def test_a_file_on_a_full_or_read_only_disk(tmp_path: Path) -> None:
    target = look_at_target(tmp_path / "log")
    full = replace(target, room=Room(total=9, free=0, files=5))
    assert full.hindrance(ROOT) == (Hindrance.FULL, str(tmp_path))
    fixed = replace(target, room=Room(total=9, free=9, files=5, read_only=True))
    assert fixed.hindrance(ROOT) == (Hindrance.READ_ONLY, str(tmp_path))
