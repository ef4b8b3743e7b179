"""The report of a soak is one whatever came of the soak."""

import runpy
from argparse import Namespace
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

SCRIPT = Path(__file__).parents[1] / "scripts" / "soak_report.py"


def test_a_soak_whose_server_never_answered_has_a_report() -> None:
    found = runpy.run_path(str(SCRIPT))
    counts = SimpleNamespace(
        right=0,
        wrong=0,
        unanswered=0,
        refused_local=0,
        refused=0,
        refused_in_fault=0,
        lost=0,
        done={},
    )
    story = found["Story"](counts=counts, ended=True)
    text, sound = found["report"](story, Namespace(receivers=1, seed=1, rate=1.0, skip=[]))
    assert not sound
    assert "No sample came" in text


def test_memory_that_fills_and_stays_is_flat_and_a_leak_is_not() -> None:
    found = runpy.run_path(str(SCRIPT))
    empty = dict.fromkeys(found["Sample"].__slots__, 0)

    def verdict(memory: Callable[[int], float]) -> tuple[bool, str]:
        samples = [
            found["Sample"](**{**empty, "at": 10.0 * number, "rss": int(memory(number) * 2**20)})
            for number in range(361)
        ]
        judged: tuple[bool, str] = next(found["_growth"](found["Story"](samples=samples)))
        return judged

    flat, text = verdict(lambda number: 90.0 + 5 * min(number / 180, 1.0))
    assert flat
    assert text.endswith("+8.99 MiB an hour in the first half, +0.00 in the second")
    flat, text = verdict(lambda number: 90.0 + 3 * number / 360)
    assert not flat
    assert text.endswith("+3.00 MiB an hour in the first half, +3.00 in the second")
