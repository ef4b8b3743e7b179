"""docs/faults.md names every test of this folder, and no others."""

import re
from pathlib import Path

HERE = Path(__file__).parent
TABLE = (HERE.parent.parent / "docs" / "faults.md").read_text()


def test_the_table_and_the_tests_name_each_other() -> None:
    named = set(re.findall(r"`(test_\w+\.py)::(test_\w+)`", TABLE))
    there = {
        (path.name, name)
        for path in HERE.glob("test_*.py")
        if path != Path(__file__)
        for name in re.findall(r"^(?:async )?def (test_\w+)", path.read_text(), re.MULTILINE)
    }
    assert named == there
