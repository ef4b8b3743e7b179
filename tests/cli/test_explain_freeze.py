"""`cccamd explain --freeze`: from the server, from the journal, and as a report."""

import json
import stat
from dataclasses import replace
from pathlib import Path

import pytest
from pydantic import TypeAdapter
from test_explain_command import answering, run

from cccamd.facts import Freeze, Verdict
from cccamd.watch.journal import Database
from cccamd.watch.journal.frozen import entry_of
from fact_factory import NOW, UPSTREAM, a_freeze

CFG = f"F: anna secret\nF: living secret\nC: {UPSTREAM.replace(':', ' ')} u p\n"
FREEZE = a_freeze(
    verdict=Verdict.SOURCE_LATE,
    name=None,
    cause=f"{UPSTREAM} took 11.2 s",
    evidence=("-10.0 s: asked, CW after 11.40 s",),
    around=("+1.0 s: something else", "+2.0 s: and more"),
)


def journal_with(folder: Path, *freezes: Freeze) -> Path:
    path = folder / "journal.db"
    database = Database(path)
    for freeze in freezes:
        database.write([entry_of(freeze)])
    database.close()
    return path


def test_the_server_is_asked_first(tmp_path: Path) -> None:
    body = TypeAdapter(Freeze).dump_json(FREEZE)
    with answering(200, body) as (port, asked):
        result = run(tmp_path, CFG, "--freeze", "7", port=port)
    assert result.exit_code == 0
    assert asked[0].endswith("/api/freezes/7")
    assert "verdict: a source answered late\n" in result.stdout
    assert f"  {UPSTREAM} took 11.2 s\n" in result.stdout


def test_a_server_that_does_not_know_it_is_believed(tmp_path: Path) -> None:
    with answering(404, b'{"error": "no freeze 7 is known here"}') as (port, _):
        result = run(tmp_path, CFG, "--freeze", "7", port=port)
    assert result.exit_code == 2
    assert result.stderr == "cccamd explain: no freeze 7 is known here\n"


def test_without_a_server_the_journal_tells(tmp_path: Path) -> None:
    began = replace(FREEZE, over=False, verdict=Verdict.UNKNOWN)
    path = journal_with(tmp_path, began, FREEZE, replace(FREEZE, number=8, at=NOW + 60))
    result = run(tmp_path, CFG, "--freeze", "7", "--journal", str(path), "--json")
    assert result.exit_code == 0
    known = TypeAdapter(Freeze).validate_python(json.loads(result.stdout))
    assert known.change
    assert replace(known, change="") == FREEZE
    lost = run(tmp_path, CFG, "--freeze", "9", "--journal", str(path))
    assert lost.exit_code == 2
    assert "no freeze 9 is written down" in lost.stderr


def test_the_server_was_killed_while_it_was_frozen(tmp_path: Path) -> None:
    path = journal_with(tmp_path, replace(FREEZE, over=False, from_start=True))
    result = run(tmp_path, CFG, "--freeze", "7", "--journal", str(path))
    assert result.exit_code == 0
    assert "dark from the start since" in result.stdout


def test_neither_server_nor_journal(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STATE_DIRECTORY", str(tmp_path / "nowhere"))
    result = run(tmp_path, CFG, "--freeze", "7")
    assert result.exit_code == 2
    assert "no server answers at" in result.stderr
    assert "there is no such file" in result.stderr


def test_a_report_is_written_once(tmp_path: Path) -> None:
    path, report = journal_with(tmp_path, FREEZE), tmp_path / "report.txt"
    arguments = ("--freeze", "7", "--journal", str(path), "--report", str(report))
    result = run(tmp_path, CFG, *arguments)
    assert result.exit_code == 0, result.output
    assert stat.S_IMODE(report.stat().st_mode) == 0o600
    text = report.read_text()
    assert "living" not in text
    assert UPSTREAM.partition(":")[0] not in text
    assert "freeze 7: account-1 on 0500:032830:sid-1" in text
    assert "  source-1 took 11.2 s" in text
    report.write_text("somebody's work")
    again = run(tmp_path, CFG, *arguments)
    assert again.exit_code == 2
    assert "is there already; --force overwrites it" in again.stderr
    assert report.read_text() == "somebody's work"
    forced = run(tmp_path, CFG, *arguments, "--force")
    assert forced.exit_code == 0
    assert report.read_text() == text


def test_a_report_that_cannot_be_written(tmp_path: Path) -> None:
    path = journal_with(tmp_path, FREEZE)
    arguments = ("--freeze", "7", "--journal", str(path), "--report", str(tmp_path / "no" / "file"))
    result = run(tmp_path, CFG, *arguments)
    assert result.exit_code == 2
    assert "cannot be written: No such file or directory" in result.stderr


@pytest.mark.parametrize(
    "arguments",
    [("anna", "--freeze", "7"), ("anna", "--report", "x"), (), ("--freeze", "0")],
)
def test_what_makes_no_sense_together(tmp_path: Path, arguments: tuple[str, ...]) -> None:
    assert run(tmp_path, CFG, *arguments).exit_code == 2
