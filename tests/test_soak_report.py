"""The report of a soak is one whatever came of the soak."""

import runpy
from argparse import Namespace
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
