"""`cccamd journal`: the same entries for people, spreadsheets and programs."""

import csv
import io
import json
import os
import time
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner, Result

from cccamd.cli.journal import journal
from cccamd.watch.journal import Database, Entry, Kind

AT = 1_795_370_400.0

app = typer.Typer()
app.command()(journal)


def run(path: Path, *arguments: str) -> Result:
    return CliRunner().invoke(app, ["--file", str(path), *arguments])


@pytest.fixture(autouse=True)
def _utc(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TZ", "UTC")
    time.tzset()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "journal.db"
    database = Database(path)
    visit = {"account": "anna", "caid": 0x0B00, "ident": 0x030B00, "sid": 0x1D80}
    database.write(
        [
            Entry(at=AT, kind=Kind.START),
            Entry(at=AT + 5, kind=Kind.LOGIN, account="anna", address="192.0.2.7", text="v2"),
            Entry(
                at=AT + 6,
                until=AT + 726,
                kind=Kind.VISIT,
                source="a:12000",
                asked=72,
                answered=71,
                median=0.041,
                worst=0.31,
                **visit,  # type: ignore[arg-type]
            ),
            Entry(at=AT + 300, until=AT + 303, kind=Kind.FREEZE, text="no CW in time", **visit),  # type: ignore[arg-type]
            Entry(at=AT + 800, kind=Kind.REFUSED, address="203.0.113.9", text="=cmd\n\x1b[2J"),
        ]
    )
    database.close()
    return path


def test_for_people(path: Path, tmp_path: Path) -> None:
    (tmp_path / "names").write_text('0B00:030B00:1D80 "Our Channel"\n')
    (tmp_path / "CCcam.cfg").write_text(f"CHANNELINFO FILE : {tmp_path}/names\n")
    found = run(path, "-C", str(tmp_path / "CCcam.cfg"))
    assert found.exit_code == 0
    lines = found.output.splitlines()
    assert lines[0] == "2026-11-22 18:00:00  -             the server began to write"
    assert lines[2].endswith(
        "Our Channel (0B00:030B00:1D80) for 12 min, 71 of 72 ECMs answered,"
        " usually in 41 ms, at worst 310 ms, by a:12000"
    )
    assert "FREEZE on Our Channel (0B00:030B00:1D80) for 3 s: no CW in time" in lines[3]
    assert len(lines) == 5
    assert "\x1b" not in found.output


def test_one_account_and_a_time(path: Path) -> None:
    assert len(run(path, "anna").output.splitlines()) == 3
    assert len(run(path, "--since", "2026-11-22 18:10").output.splitlines()) == 2
    assert "nothing was written down" in run(path, "nobody").output
    wrong = run(path, "--since", "soon")
    assert wrong.exit_code == 2
    assert "is no point in time" in wrong.output


def test_json_and_csv_say_the_same(path: Path) -> None:
    data = json.loads(run(path, "--json").output)
    table = list(csv.DictReader(io.StringIO(run(path, "--csv").output)))
    assert len(data) == len(table) == 5
    assert data[2]["caid"] == table[2]["caid"] == "0B00"
    assert data[2]["at"] == table[2]["at"] == "2026-11-22T18:00:06.000+00:00"
    assert float(table[2]["median"]) == data[2]["median"] == 0.041
    assert table[4]["text"].startswith("'=cmd")  # no spreadsheet takes it for a formula


def test_what_cannot_be_read_is_said(tmp_path: Path) -> None:
    found = run(tmp_path / "none.db")
    assert found.exit_code == 2
    assert "there is no such file" in found.output
    assert not os.listdir(tmp_path)


def test_sources_are_summed_up(tmp_path: Path) -> None:
    path = tmp_path / "journal.db"
    database = Database(path)
    hour = {"kind": Kind.SOURCE, "subject": "a:12000", "until": AT + 3600}
    database.write(
        [
            Entry(
                at=AT, up=3000.0, losses=2, asked=90, answered=80, median=0.04, worst=1.9, **hour
            ),  # type: ignore[arg-type]
            Entry(at=AT + 9, until=AT + 609, kind=Kind.OUTAGE, subject="a:12000", text="no route"),
            Entry(at=AT, until=AT + 60, kind=Kind.SOURCE, subject="b:1", up=60.0),
            Entry(at=AT, kind=Kind.LOGIN, account="anna"),
        ]
    )
    database.close()
    shown = run(path, "--sources").output
    line = next(line for line in shown.splitlines() if line.lstrip().startswith("a:12000"))
    for cell in ("1 h 0 min", "83.3 %", " 2 ", "10 min", "90 88 %", "40 ms", "1900 ms"):
        assert cell in line
    assert "2026-11-22 18:00:09  a:12000 was away for 10 min: no route" in shown
    assert "100.0 %" in next(line for line in shown.splitlines() if line.lstrip().startswith("b:1"))
    (first, second) = json.loads(run(path, "--sources", "--json").output)
    assert (first["name"], first["away"], second["losses"]) == ("a:12000", 600.0, 0)
    (row, _) = csv.DictReader(io.StringIO(run(path, "--sources", "--csv").output))
    assert (row["name"], row["losses"], row["uptime"]) == ("a:12000", "2", str(3000 / 3600))


def test_sources_and_an_account_do_not_go_together(path: Path) -> None:
    refused = run(path, "anna", "--sources")
    assert refused.exit_code == 2
    assert "--sources is about all accounts" in refused.stderr
    assert "nothing was written down about sources" in run(path, "--sources").output
