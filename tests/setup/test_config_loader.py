"""Which file is read, and what is said about one that cannot be."""

import io
import os
import socket
from pathlib import Path

import pytest

from cccamd.setup import files
from cccamd.setup.cccamcfg import SEARCHED_PATHS, Config, load_config
from cccamd.setup.files import ConfigFileError, ConfigFileMissingError, read_file, read_stream


def test_named_file_is_the_only_one(tmp_path: Path) -> None:
    named, usual = tmp_path / "mine.cfg", tmp_path / "usual.cfg"
    usual.write_bytes(b"F: other secret\n")
    loaded = load_config(named, searched=(usual,))
    assert (loaded.path, loaded.missing) == (named, True)
    assert loaded.result.config == Config(file=str(named))
    named.write_bytes(b"F: anna secret\n")
    loaded = load_config(named, searched=(usual,))
    assert (loaded.path, loaded.missing) == (named, False)
    assert loaded.result.config.f_lines[0].user == "anna"


def test_first_existing_file_counts(tmp_path: Path) -> None:
    searched = [tmp_path / name for name in ("a", "b/none", "c", "d")]
    for path in searched[2:]:
        path.write_bytes(f"F: {path.name} secret\n".encode())
    assert load_config(searched=searched).path == searched[2]
    nothing = load_config(searched=searched[:2])
    assert (nothing.path, nothing.missing) == (None, True)
    assert nothing.result.config == Config()


def test_usual_paths() -> None:
    names = [str(path) for path in SEARCHED_PATHS]
    assert names == ["/var/etc/CCcam.cfg", "/etc/CCcam.cfg", "/etc/cccam/CCcam.cfg"]


def test_unreadable_file_is_no_missing_file(tmp_path: Path) -> None:
    with pytest.raises(ConfigFileError, match="directory") as raised:
        load_config(tmp_path)
    assert not isinstance(raised.value, ConfigFileMissingError)
    assert str(raised.value).startswith(str(tmp_path))


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (PermissionError(13, "x"), "no permission"),
        (OSError(5, "Input/output error"), "Input/output error"),
    ],
)
def test_reason_is_named(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, error: OSError, words: str
) -> None:
    def refuse(*_: object) -> None:
        raise error

    path = tmp_path / "CCcam.cfg"
    path.touch()
    monkeypatch.setattr(os, "open", refuse)
    with pytest.raises(ConfigFileError, match=words):
        read_file(path)


def test_what_is_no_file_is_named_and_never_waited_for(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    with socket.socket(socket.AF_UNIX) as door:
        door.bind(str(tmp_path / "socket"))
        for path, what in (
            (pipe, "a pipe"),
            (tmp_path / "socket", "a socket"),
            (tmp_path, "a directory"),
            (Path("/dev/null"), "a device"),
            (Path("/dev/zero"), "a device"),
        ):
            with pytest.raises(ConfigFileError, match=f"this is {what}, not a file"):
                read_file(path)


def test_a_name_that_cannot_be_one_is_no_traceback() -> None:
    with pytest.raises(ConfigFileError, match="cannot be read"):
        read_file(Path("a\0b"))


def test_missing_file(tmp_path: Path) -> None:
    with pytest.raises(ConfigFileMissingError, match="no such file"):
        read_file(tmp_path / "none")


def test_too_large(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(files, "SIZE_LIMIT", 4)
    assert read_stream(io.BytesIO(b"1234"), "stdin") == b"1234"
    with pytest.raises(ConfigFileError, match="larger than"):
        read_stream(io.BytesIO(b"12345"), "stdin")


@pytest.mark.parametrize("end", [b"\n", b"\r", b"\r\n"])
def test_more_lines_than_any_file_has(end: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(files, "LINES_LIMIT", 4)
    assert read_stream(io.BytesIO(4 * end), "stdin") == 4 * end
    with pytest.raises(ConfigFileError, match="more than 4 lines, so it is no configuration"):
        read_stream(io.BytesIO(5 * end), "stdin")
