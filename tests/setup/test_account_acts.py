"""Accounts and their file, when the disk, another program or cccamd.toml is in the way."""

import errno
import fcntl
import os
import resource
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from cccamd.setup import accounts
from cccamd.setup.accountacts import AccountAct, AccountChange, change_account
from cccamd.setup.accounts import edit_file
from cccamd.setup.cccamcfg import EditError
from cccamd.setup.files import ConfigFileError
from cccamd.setup.toml import TomlConfig, parse

TOML = """
[[account]]
user = "lone"
password = "x"

[[account]]
user = "both"
logins = 2
"""


def toml() -> TomlConfig:
    return parse(TOML, kinds={}, folder=Path()).config


def change(path: Path, act: AccountAct, name: str, password: str = "") -> str:
    return change_account(path, AccountChange(act=act, name=name, password=password), toml)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "CCcam.cfg"
    path.write_text("F: anna a\nF: both b\n")
    return path


def test_what_cccamd_toml_says_is_named_and_left_alone(path: Path) -> None:
    for act in (AccountAct.DISABLE, AccountAct.ENABLE, AccountAct.REMOVE):
        with pytest.raises(EditError, match="which only you change: there, enabled = false"):
            change(path, act, "lone")
        with pytest.raises(EditError, match="there is no account eve"):
            change(path, act, "eve")
    assert not change(path, AccountAct.DISABLE, "both")
    assert "still has a table about both" in change(path, AccountAct.REMOVE, "both")
    assert not change(path, AccountAct.REMOVE, "anna")
    change(path, AccountAct.ADD, "lone", "y")
    assert "has an account lone of its own" in change(path, AccountAct.REMOVE, "lone")


def test_no_password_is_shown_with_a_change() -> None:
    assert "hidden" not in repr(AccountChange(act=AccountAct.ADD, name="anna", password="hidden"))


@contextmanager
def full_disk(most: int) -> Iterator[None]:
    """The kernel takes no more bytes of any file."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (most, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def test_a_full_disk_leaves_the_file_as_it_was_and_no_other(path: Path) -> None:
    before = path.read_bytes()
    with full_disk(8), pytest.raises(ConfigFileError, match="cannot be written"):
        change(path, AccountAct.ADD, "ben", "x")
    assert path.read_bytes() == before
    assert list(path.parent.iterdir()) == [path]


def test_who_holds_the_folder_for_ever_holds_up_nobody(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(accounts, "LOCK_PATIENCE", 0.05)
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        fcntl.flock(folder, fcntl.LOCK_EX)
        with pytest.raises(ConfigFileError, match="another program edits files there"):
            change(path, AccountAct.REMOVE, "anna")
    finally:
        os.close(folder)
    change(path, AccountAct.REMOVE, "anna")


def test_an_edit_within_one_tick_of_the_clock_is_not_lost(path: Path) -> None:
    """Same length, same time, same inode: only the content tells."""
    stamp = path.stat()

    def edit(data: bytes) -> bytes:
        path.write_bytes(data.replace(b"anna a", b"anna z"))
        os.utime(path, ns=(stamp.st_atime_ns, stamp.st_mtime_ns))
        return data + b"F: ben x\n"

    with pytest.raises(ConfigFileError, match="somebody else changes it just now"):
        edit_file(path, edit)
    assert path.read_text() == "F: anna z\nF: both b\n"


def let_root_write_nothing(monkeypatch: pytest.MonkeyPatch, error: OSError) -> None:
    def forbid(*_: object, **__: object) -> None:
        raise error

    monkeypatch.setattr(accounts, "replace_file", forbid)
    monkeypatch.setattr(accounts.os, "geteuid", lambda: 0)


def test_what_may_not_be_written_says_what_to_do(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert not accounts.writing_trouble(path)
    assert "there is no folder" in accounts.writing_trouble(path.parent / "none" / "x")

    let_root_write_nothing(monkeypatch, PermissionError(errno.EPERM, "Operation not permitted"))
    with pytest.raises(ConfigFileError, match=r"cannot be written: Operation not permitted$"):
        change(path, AccountAct.REMOVE, "anna")
    monkeypatch.setattr(accounts.os, "geteuid", lambda: 12345)
    with pytest.raises(ConfigFileError, match=r"cannot be written: .*cccamd account.*as root"):
        change(path, AccountAct.REMOVE, "anna")
    assert "is another user's; `cccamd account`, as root" in accounts.writing_trouble(path)
    monkeypatch.setattr(accounts.os, "access", lambda *_: False)
    assert "cccamd install" in accounts.writing_trouble(path)


def test_on_a_read_only_disk_root_is_not_sent_to_root(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    let_root_write_nothing(monkeypatch, OSError(errno.EROFS, "Read-only file system"))
    with pytest.raises(ConfigFileError, match=r"Read-only file system; dmesg .*remount,rw"):
        change(path, AccountAct.REMOVE, "anna")
