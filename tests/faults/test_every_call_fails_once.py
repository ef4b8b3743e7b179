"""Every open, write, fsync, rename, connect, accept, send and recv fails once, in C as in Python.

`kth.py` is what runs; here is what must hold after each fault.
"""

import json
import re
import shutil
import sqlite3
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import shim

from cccamd.ids import parse_node_id

pytestmark = pytest.mark.skipif(bool(shim.WHY_NOT), reason=shim.WHY_NOT)
BACK_WITHIN = 100.0
"""Virtual seconds: files that cannot be read are tried again after 60, links after 60 at most."""
MOST_LINES = 8


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return shim.build(tmp_path_factory.mktemp("shim"))


@pytest.fixture
def folder() -> Iterator[Path]:
    """In memory where there is such a place: a thousand times fsync take a minute on a disk."""
    memory = Path("/dev/shm")
    made = Path(tempfile.mkdtemp(dir=memory if memory.is_dir() else None))
    yield made
    shutil.rmtree(made)


def rows(printed: str) -> list[dict[str, Any]]:
    assert "Traceback" not in printed, printed[printed.index("Traceback") :][:3000]
    assert "internal error" not in printed
    return [json.loads(line) for line in printed.splitlines() if line.startswith("{")]


def test_a_server_that_runs_is_as_before_after_each(built: Path, folder: Path) -> None:
    printed = shim.run("kth.py", str(folder), "serve", shim=built, timeout=120)
    *rounds, last = rows(printed)
    failed = {found["failed"] for found in rounds}
    assert failed >= {"open64", "write", "pwrite64", "connect", "accept4", "send", "recv"}, failed
    for found in rounds:
        assert found["served"] == "", found
        assert found["accounts"], found
        assert found["prio"], "what could not be read for a moment is kept"
        assert found["written"], found
        assert found["files"] <= 0, found
        assert found["back_after"] <= BACK_WITHIN, found
        assert len(found["told"]) <= MOST_LINES, found
    said = "\n".join(line for found in rounds for line in found["told"])
    for words in (
        "cannot be written: database or disk is full",
        "is written again; nothing was lost",
        "cannot be read: Too many open files; the old configuration is kept",
        "no connection can be accepted (Too many open files)",
    ):
        assert words in said
    with sqlite3.connect(folder / "journal.db") as journal:
        assert journal.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        texts = journal.execute("SELECT text FROM entries WHERE kind = 'login'").fetchall()
    journal.close()
    # Beyond the first fifty of an account they are counted: "12 more within ten minutes".
    logins = sum(int(text.split()[0]) if " more " in text else 1 for (text,) in texts)
    assert logins >= last["logins"]


@pytest.mark.processes
def test_a_start_serves_or_says_why_not_and_the_next_one_serves(built: Path, folder: Path) -> None:
    printed = shim.run("kth.py", str(folder), "start", shim=built, timeout=120)
    found = rows(printed)
    firsts = [each for each in found if each["attempt"] == "first"]
    seconds = [each for each in found if each["attempt"] == "second"]
    assert len(firsts) == len(seconds) > 50
    for first in firsts:
        if "refused" in first:
            assert re.search(r": cannot be read: [A-Z]", first["refused"]), first
        elif first["status"]:
            assert first["failed"] in ("socket", "bind", "listen"), first
        else:
            assert first["served"] == "", first
    assert len(re.findall("ERROR +cannot listen on", printed)) == sum(
        each.get("status") == 2 for each in firsts
    )
    for second in seconds:
        assert (second["status"], second["served"], second["trouble"]) == (0, "", ""), second
        parse_node_id(second["node_id"].strip())
