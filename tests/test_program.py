"""What surrounds the program: the unit that starts it, and what it is built of."""

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

PROJECT = Path(__file__).parent.parent


@pytest.mark.skipif(not shutil.which("systemd-analyze"), reason="there is no systemd here")
def test_the_unit_is_sound_and_gives_next_to_nothing_away(tmp_path: Path) -> None:
    unit = tmp_path / "cccamd.service"
    text = (PROJECT / "src/cccamd/service/cccamd.service").read_text()
    unit.write_text(text.replace("@PROGRAM@", "/bin/true"))
    verified = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", unit], capture_output=True, text=True, check=False
    )
    assert (verified.returncode, verified.stderr) == (0, "")
    said = subprocess.run(
        ["systemd-analyze", "security", "--offline=true", unit],
        capture_output=True,
        text=True,
        check=False,
    ).stdout
    level = re.search(r"exposure level for cccamd\.service: ([0-9.]+)", said)
    if level is None:
        pytest.skip("an older systemd does not judge files")
    assert float(level[1]) <= 1.5
    assert "adjtimex" in text, "the server looks whether the clock is synchronised"


def test_the_bill_of_materials_is_that_of_the_lock() -> None:
    """Of what a server runs on, in its version, and of nothing that only developers need."""
    checked = subprocess.run(
        [sys.executable, PROJECT / "scripts" / "sbom.py", "--check"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert checked.returncode == 0, checked.stdout
    document = json.loads((PROJECT / "cccamd.cdx.json").read_text())
    names = {each["name"] for each in document["components"]}
    assert {"cryptography", "cffi", "pydantic-core", "uvicorn"} <= names
    assert not names & {"pytest", "mypy", "ruff", "hypothesis", "hatchling"}
    known = {each["bom-ref"] for each in document["components"]}
    assert {ref for each in document["dependencies"] for ref in each["dependsOn"]} == known
