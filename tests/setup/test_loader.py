import os
from pathlib import Path

import pytest
from reading import KINDS

from cccamd.setup.files import Place
from cccamd.setup.toml import ParsedToml, TomlConfig, load


def read(path: Path, *, required: bool = True) -> ParsedToml:
    return load(path, kinds=KINDS, required=required)


def test_reads_a_file_and_remembers_its_folder(tmp_path: Path) -> None:
    path = tmp_path / "own.toml"
    path.write_bytes(b'\xef\xbb\xbf[[card]]\r\nkind = "test"\r\ncaid = "1"\r\nx = 1\r\n')
    (problem,) = read(path).problems
    assert problem.place == Place(str(path), 4, 1)
    path.write_text('[[card]]\nkind = "test"\ncaid = "1"\n')
    assert read(path).config.cards[0].config.folder == tmp_path


def test_a_missing_file_matters_only_when_named(tmp_path: Path) -> None:
    path = tmp_path / "cccamd.toml"
    assert read(path, required=False) == ParsedToml(TomlConfig(file=str(path)))
    named = read(tmp_path / "cccamd.toml")
    assert not named.usable
    assert str(named.problems[0]) == f"{tmp_path / 'cccamd.toml'}: error: there is no such file"


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (b"a = 1\nb = '\xe4'", ":2: error: a letter is not UTF-8; save the file as UTF-8"),
        ("a = 1".encode("utf-16"), ": error: is UTF-16 text; save it as UTF-8"),
    ],
)
def test_wrong_encodings(tmp_path: Path, data: bytes, expected: str) -> None:
    path = tmp_path / "cccamd.toml"
    path.write_bytes(data)
    parsed = read(path)
    nothing = TomlConfig(file=str(path), unread=parsed.config.unread)
    assert (parsed.usable, parsed.config) == (False, nothing)
    assert str(parsed.problems[0]) == f"{path}{expected}"


def test_a_folder_is_no_file(tmp_path: Path) -> None:
    assert read(tmp_path, required=False).problems[0].text == "this is a directory, not a file"


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_file_that_may_not_be_read(tmp_path: Path) -> None:
    path = tmp_path / "cccamd.toml"
    path.touch(mode=0)
    assert "no permission" in read(path).problems[0].text


def test_other_errors_are_told(tmp_path: Path) -> None:
    loop = tmp_path / "cccamd.toml"
    loop.symlink_to(loop)
    assert "cannot be read: " in read(loop).problems[0].text
