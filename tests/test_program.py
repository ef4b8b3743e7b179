"""What surrounds the program: the unit that starts it, and what it is built of."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest

PROJECT = Path(__file__).parent.parent


@pytest.mark.skipif(not shutil.which("systemd-analyze"), reason="there is no systemd here")
def test_the_unit_is_sound_and_gives_next_to_nothing_away(tmp_path: Path) -> None:
    unit = tmp_path / "cccamd.service"
    text = (PROJECT / "contrib" / "cccamd.service").read_text()
    unit.write_text(text.replace("/opt/cccamd/bin/cccamd serve", "/bin/true"))
    verified = subprocess.run(
        ["systemd-analyze", "verify", unit], capture_output=True, text=True, check=False
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
    assert float(level[1]) <= 2.0
    assert "adjtimex" in text, "the server looks whether the clock is synchronised"
    assert "@resources" not in text, "the server takes as many descriptors as it may"
