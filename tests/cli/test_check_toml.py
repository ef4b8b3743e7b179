"""`cccamd check cccamd.toml`."""

from pathlib import Path

import pytest
from typer.testing import CliRunner

from cccamd.cli import command_line
from cccamd.cli.deeds.check import SHOWN_LIMIT

SOUND = '[[card]]\nkind = "test"\ncaid = "7F00"\n'


@pytest.mark.parametrize(
    ("content", "options", "status", "said"),
    [
        (SOUND, [], 0, "1 local card, 0 problems"),
        (SOUND + 'colour = "red"\n', [], 1, "cccamd.toml:4:1: error"),
        ("not toml", [], 1, "error"),
        (SOUND.replace('"7F00"', "1702"), [], 0, "warning"),
        (SOUND.replace('"7F00"', "1702"), ["--strict"], 1, "warning"),
        (
            '[dvbapi]\nport = 9000\naccount = "tv"\n',
            [],
            0,
            "dvbapi on 127.0.0.1:9000, [::1]:9000, by the account tv",
        ),
        ("[dvbapi]\nport = 9000\n", [], 1, "expected account too"),
        (SOUND, ["--json"], 2, "--json is for CCcam.cfg"),
        (None, [], 2, "there is no such file"),
    ],
)
def test_problems_are_shown(
    tmp_path: Path, content: str | None, options: list[str], status: int, said: str
) -> None:
    path = tmp_path / "cccamd.toml"
    if content is not None:
        path.write_text(content)
    result = CliRunner().invoke(command_line(["check"]), ["check", str(path), *options])
    assert result.exit_code == status
    assert said in result.output


def test_not_every_one_of_a_thousand_ports_is_listed(tmp_path: Path) -> None:
    path = tmp_path / "cccamd.toml"
    ports = range(1, SHOWN_LIMIT + 4)
    path.write_text("".join(f"[[newcamd]]\nport = {port}\n" for port in ports))
    lines = CliRunner().invoke(command_line(["check"]), ["check", str(path)]).output.splitlines()
    shown = [line for line in lines if line.startswith("newcamd on port")]
    assert len(shown) == SHOWN_LIMIT
    assert "and 3 more ports of newcamd" in lines
