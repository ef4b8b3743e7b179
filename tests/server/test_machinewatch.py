"""Since when something is wrong with the machine, and when it is over."""

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path

from cccamd.machine import Clock, Resources, Room
from cccamd.net import TaskSet
from cccamd.server.machinewatch import JUMP_TOLD, MachineWatch
from cccamd.watch.journal import JournalState

NOW = 1_800_000_000.0
SOUND = Resources(
    clock=Clock(wall=NOW, steady=0.0, is_kept=True),
    rooms={"the journal": Room(total=10**9, free=10**8, files=1000)},
    files_open=100,
    files_allowed=1024,
    memory_used=10**7,
    memory_left=10**9,
)
FULL = replace(SOUND, rooms={"the journal": Room(total=10**9, free=0, files=1000)})


def at(found: Resources, seconds: float, *, ahead: float = 0.0) -> Resources:
    return replace(found, clock=Clock(wall=NOW + seconds + ahead, steady=seconds, is_kept=True))


def a_watch(journal: Callable[[], JournalState] | None = None) -> MachineWatch:
    def fail(name: str, error: BaseException) -> None:
        raise AssertionError(name) from error

    return MachineWatch(dict, on_failure=fail, journal=journal)


def shown(watch: MachineWatch) -> list[tuple[str, str, float]]:
    return [
        (one.diagnosis.finding.code, one.diagnosis.subject, one.since) for one in watch.troubles()
    ]


def test_a_full_disk_is_one_trouble_from_its_beginning_to_its_end() -> None:
    watch = a_watch()
    watch.judge(at(SOUND, 0), 0.0)
    assert shown(watch) == []
    for seconds in (30, 60, 90):
        watch.judge(at(FULL, seconds), float(seconds))
        assert shown(watch) == [("disk-full", "the file system of the journal", 30.0)]
    watch.judge(at(SOUND, 120), 120.0)
    assert shown(watch) == []
    watch.judge(at(FULL, 150), 150.0)
    assert shown(watch) == [("disk-full", "the file system of the journal", 150.0)]


def test_a_jump_of_the_clock_is_told_for_some_minutes() -> None:
    watch = a_watch()
    watch.judge(at(SOUND, 0), 0.0)
    watch.judge(at(SOUND, 30, ahead=3600), 30.0)
    assert shown(watch) == [("clock-jumped", "this machine's clock", 30.0)]
    watch.judge(at(SOUND, 60, ahead=3600), 60.0)
    assert shown(watch) == [("clock-jumped", "this machine's clock", 30.0)]
    watch.judge(at(SOUND, 360, ahead=3600), 30.0 + JUMP_TOLD)
    assert shown(watch) == []


def test_a_clock_that_is_set_at_last_is_good_news() -> None:
    watch = a_watch()
    watch.judge(replace(SOUND, clock=Clock(wall=5.0, steady=5.0, is_kept=False)), 5.0)
    assert [code for code, _, _ in shown(watch)] == ["clock-unset"]
    watch.judge(at(SOUND, 35), NOW + 35)
    assert shown(watch) == []


async def test_a_look_that_fails_is_told_and_not_the_last() -> None:
    told = []

    def written() -> Mapping[str, Path]:
        raise OSError("odd")

    watch = MachineWatch(written, on_failure=lambda name, _: told.append(name))
    tasks = TaskSet(on_failure=lambda name, _: told.append(name))
    task = tasks.start("the machine", watch.run())
    while not told:
        await asyncio.sleep(0)
    assert not task.done()
    await tasks.cancel()
    assert told == ["looking at this machine"]


def test_a_journal_that_cannot_be_written_is_an_incident_until_it_is_written_again() -> None:
    sound = JournalState(trouble="", waiting=0, dropped=0, jump=0.0)
    state = replace(sound, trouble="database or disk is full", waiting=7, dropped=3)
    watch = a_watch(lambda: state)
    watch.judge(at(SOUND, 0), 0.0)
    assert shown(watch) == [("journal-stopped", "the journal", 0.0)]
    text = watch.troubles()[0].diagnosis.finding.text
    assert text == "is not written: database or disk is full; 7 lines in memory, 3 are lost"
    state = sound
    watch.judge(at(SOUND, 30), 30.0)
    assert shown(watch) == []


def test_a_journal_that_its_disk_stops_is_no_second_trouble_when_there_is_room_again() -> None:
    state = JournalState(trouble="database or disk is full", waiting=7, dropped=3, jump=0.0)
    watch = a_watch(lambda: state)
    watch.judge(at(FULL, 0), 0.0)
    disk = ("disk-full", "the file system of the journal", 0.0)
    assert shown(watch) == [disk]
    watch.judge(at(SOUND, 30), 30.0)
    assert shown(watch) == []  # it was not tried since
    watch.judge(at(SOUND, 60), 60.0)
    assert shown(watch) == [("journal-stopped", "the journal", 60.0)]


def test_a_clock_that_jumped_between_two_runs_is_told_of_once() -> None:
    state = JournalState(trouble="", waiting=0, dropped=0, jump=100 * 86_400.0)
    watch = a_watch(lambda: state)
    watch.judge(at(SOUND, 0), 0.0)
    assert shown(watch) == [("clock-jumped", "this machine's clock", 0.0)]
    assert "100 days ahead of" in watch.troubles()[0].diagnosis.finding.text
    watch.judge(at(SOUND, JUMP_TOLD), JUMP_TOLD)
    assert shown(watch) == []
