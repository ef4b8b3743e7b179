"""`cccamd pair`, between two servers, by word of mouth and by file."""

import re
from pathlib import Path

from typer.testing import CliRunner

from cccamd.cli import command_line
from cccamd.setup.pairing import Pairing


def pair(folder: Path, *arguments: str) -> tuple[int, str]:
    line = ["pair", "-n", str(folder / "node-id"), *arguments]
    result = CliRunner().invoke(command_line(line), line)
    return result.exit_code, result.output


def shown_code(folder: Path) -> str:
    status, output = pair(folder)
    found = re.search(r"This server's code:   (\S+)", output)
    assert status == 0
    assert found is not None
    return found[1]


def test_two_servers_are_paired_by_code_and_by_file(tmp_path: Path) -> None:
    here, there, note = tmp_path / "here", tmp_path / "there", tmp_path / "code.txt"
    status, output = pair(here, "--write", str(note))
    assert (status, f"written to {note}" in output) == (0, True)
    assert note.read_text().strip() == shown_code(here)
    status, output = pair(there, "house", str(note))
    assert status == 0
    answer = re.search(r"Tell the other server, too:   cccamd pair NAME (\S+)", output)
    assert answer is not None
    assert answer[1] == shown_code(there)
    status, output = pair(here, "attic", answer[1].lower().replace("-", ""))
    assert (status, "attic is paired." in output) == (0, True)
    assert Pairing(here).paired()["attic"].code == Pairing(there).own_code()
    assert Pairing(there).paired()["house"].code == Pairing(here).own_code()
    assert "attic  " in pair(here)[1]
    status, output = pair(here, "--forget", "attic")
    assert (status, "attic is not paired any more" in output) == (0, True)


def test_mistakes_are_told_in_a_sentence(tmp_path: Path) -> None:
    code = shown_code(tmp_path / "other")
    mistyped = ("2" if code[0] != "2" else "3") + code[1:]
    for arguments, said in (
        (("attic",), "the code is missing"),
        (("attic", mistyped), "is mistyped"),
        (("attic", "no-such-file"), "7 groups of 5"),
        (("attic", str(tmp_path)), "a directory, not a file"),
        (("attic", shown_code(tmp_path / "own")), "of this server itself"),
        (("--forget", "attic"), "no server is paired as attic"),
    ):
        status, output = pair(tmp_path / "own", *arguments)
        assert status == 2
        assert said in output
        assert "Traceback" not in output
