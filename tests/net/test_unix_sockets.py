"""The file of a UNIX socket, from its first moment on."""

import os
import socket
import stat
from pathlib import Path

import pytest

from cccamd.net import ListenError, open_unix_socket


def test_nobody_can_connect_before_the_mode_is_right(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, modes = tmp_path / "s", []
    chmod = Path.chmod

    def look(self: Path, mode: int) -> None:
        modes.append(stat.S_IMODE(self.stat().st_mode))
        chmod(self, mode)

    monkeypatch.setattr(Path, "chmod", look)
    umask = os.umask(0)
    try:
        with open_unix_socket(path, mode=0o660, group=None):
            assert modes == [0]
            assert stat.S_IMODE(path.stat().st_mode) == 0o660
            with socket.socket(socket.AF_UNIX) as client:
                client.connect(os.fspath(path))
    finally:
        os.umask(umask)


def test_what_is_wrong_is_told_in_words(tmp_path: Path) -> None:
    with pytest.raises(ListenError, match="there is no group nobody-has-this"):
        open_unix_socket(tmp_path / "s", mode=0o660, group="nobody-has-this")
    with pytest.raises(ListenError, match=r"there is no folder .*/a$"):
        open_unix_socket(tmp_path / "a" / "b" / "s", mode=0o660, group=None)
    file = tmp_path / "file"
    file.write_text("a letter")
    with pytest.raises(ListenError, match="something else is there, which is no socket"):
        open_unix_socket(file, mode=0o660, group=None)
    assert file.read_text() == "a letter"
