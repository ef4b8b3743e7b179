"""The command: its messages and its exit status."""

import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer
from typer.testing import CliRunner, Result

from cccamd.cli.demo import demo as demo_command


@pytest.fixture(autouse=True)
def _handlers_restored() -> Iterator[None]:
    before = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGHUP)}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


def call(*arguments: str) -> Result:
    app = typer.Typer(pretty_exceptions_enable=False)
    app.command()(demo_command)
    return CliRunner().invoke(app, arguments)


def test_options_that_do_not_fit_together() -> None:
    result = call("--emm", "--period", "20")
    assert result.exit_code == 1
    assert result.stderr == "cccamd demo: the story with an EMM takes 8 crypto periods or more\n"


def test_a_folder_that_cannot_be_made(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    result = call("--seconds", "10", "--output", str(tmp_path / "file" / "folder"))
    assert result.exit_code == 1
    assert str(tmp_path / "file" / "folder") in result.stderr
    assert "Traceback" not in result.stderr


@pytest.mark.parametrize(("good", "status"), [(True, 0), (False, 1)])
def test_the_exit_status_is_the_verdict(
    monkeypatch: pytest.MonkeyPatch, good: bool, status: int
) -> None:
    class Seen:
        is_good = good

        def show(self, console: Any) -> None:
            console.print("the table")

    async def run(*_: object) -> Seen:
        return Seen()

    monkeypatch.setattr("cccamd.cli.deeds.demo.run", run)
    result = call("--fast")
    assert result.exit_code == status
    assert "the table" in result.stdout
