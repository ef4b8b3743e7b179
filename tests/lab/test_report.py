"""The verdict and the table of a run, and the display while it runs."""

import io
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from cccamd.lab.demo.comparison import Seen
from cccamd.lab.demo.picture import Frames
from cccamd.lab.demo.report import DemoReport, describe_moment, open_screen

FRAMES = Frames(75, 75)


def printed(report: DemoReport) -> str:
    console = Console(file=io.StringIO(), width=120)
    report.show(console)
    return console.file.getvalue()  # type: ignore[attr-defined,no-any-return]


def make_report(studio: Any) -> DemoReport:
    return DemoReport(
        broadcast=studio.broadcast,
        period=0.5,
        made=FRAMES,
        played=FRAMES,
        clear_path=Path("demo-output/clear.ts"),
        scrambled_path=Path("demo-output/scrambled.ts"),
        renewal=False,
    )


@pytest.fixture
async def report(open_studio: Any, stream: bytes) -> DemoReport:
    """Of a run in which everything went well."""
    studio = open_studio()
    await studio.broadcast.run(stream, duration=None, at=studio.at)
    studio.broadcast.answer_times[:] = [0.002, 0.004, 0.0015]
    return make_report(studio)


async def test_a_good_run(report: DemoReport) -> None:
    text = printed(report)
    assert report.is_good
    for part in (
        f"{report.broadcast.receiver.packets}, of them 450 scrambled",
        "6 of 0.5 s",
        "median 2.0 ms, worst 4.0 ms",
        "identical to the clear stream, bit for bit",
        "75 of 75 pictures, 75 of 75 frames of sound",
        "demo-output/clear.ts",
    ):
        assert part in text


async def test_a_picture_that_does_not_play_is_no_success(report: DemoReport) -> None:
    assert not replace(report, played=Frames(74, 75)).is_good


async def test_a_failure_is_no_success_and_is_told_once(report: DemoReport) -> None:
    report.broadcast.failures += ["the server is gone [x]"] * 2
    assert not report.is_good
    assert printed(report).count("the server is gone [x]") == 1


async def test_a_dark_run_is_no_success(open_studio: Any, stream: bytes) -> None:
    studio = open_studio(paid=False)
    await studio.broadcast.run(stream, duration=None, at=studio.at)
    report = make_report(studio)
    assert not report.is_good
    assert "0 clear, 450 dark, 0 wrong" in printed(report)
    assert "no answer" in printed(report)


@pytest.mark.parametrize(
    ("stretches", "good"),
    [
        ([Seen.DARK, Seen.CLEAR, Seen.DARK], True),
        ([Seen.CLEAR], False),
        ([Seen.DARK, Seen.CLEAR], False),
    ],
)
async def test_the_story_with_an_emm_must_begin_and_end_dark(
    report: DemoReport, stretches: list[Seen], good: bool
) -> None:
    report.broadcast.comparison.stretches[:] = stretches
    assert replace(report, renewal=True).is_good == good


async def test_the_display_without_a_terminal_is_a_line_per_answer(
    open_studio: Any, stream: bytes
) -> None:
    studio = open_studio()
    console = Console(file=io.StringIO(), width=120)
    with open_screen(console) as screen:
        screen.show(studio.broadcast, 0.0)
        screen.show(studio.broadcast, 0.1)
        await studio.broadcast.run(stream, duration=None, at=studio.at)
        screen.show(studio.broadcast, 1.0)
    first, last = console.file.getvalue().splitlines()  # type: ignore[attr-defined]
    assert first == "  0%  looking for the service"
    assert last.startswith("100%  crypto period 6 (odd CW), last answer ")
    assert last.endswith(" ms, picture clear")


async def test_the_display_on_a_terminal(open_studio: Any, stream: bytes) -> None:
    studio = open_studio(paid=False)
    await studio.broadcast.run(stream, duration=None, at=studio.at)
    assert describe_moment(studio.broadcast) == "crypto period 6 (odd CW), 6 refused, picture dark"
    console = Console(file=io.StringIO(), width=120, force_terminal=True)
    with open_screen(console) as screen:
        screen.show(studio.broadcast, 0.5)
    shown = console.file.getvalue()  # type: ignore[attr-defined]
    assert "50%" in shown
    assert "6 refused, picture dark" in shown
