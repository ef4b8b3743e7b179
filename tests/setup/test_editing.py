"""Accounts added, removed and switched: every other byte of the file stays."""

import os
import stat
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from cccamd.setup.accounts import edit_file, new_password
from cccamd.setup.cccamcfg import (
    EditError,
    add_account,
    disable_account,
    enable_account,
    find_account,
    parse,
    remove_account,
)
from cccamd.setup.files import ConfigFileError

LINES = st.sampled_from(
    [
        *(b"", b" ", b"# a remark", b"F: ben secret", b"F: carl secret { 0:0:1 } # 2011"),
        *(b"f :ben again", b"F: ben", b"SERVER LISTEN PORT : 12000", b"C: h.example 1 a b"),
        *(b"#switched off by cccamd# F: dora secret", b"Stra\xdfe", b"# \xe2\x80\xa6", b"\r", b"x"),
    ]
)
FILES = st.one_of(
    st.binary(max_size=200),
    st.builds(
        lambda mark, lines, end, last: mark + end.join(lines) + last,
        st.sampled_from([b"", b"\xef\xbb\xbf"]),
        st.lists(LINES, max_size=8),
        st.sampled_from([b"\n", b"\r\n", b"\r"]),
        st.sampled_from([b"", b"\n", b"\r\n", b"\r"]),
    ),
)


def added(data: bytes) -> bytes | None:
    """None: the file is none that an account can be added to."""
    try:
        return add_account(data, "anna", "hidden")
    except EditError:
        assert parse(data).refused
        return None


@given(FILES)
@example(b"F: ben secret")
@example(b"X\r\nA\r")
@example(b"\xef\xbb\xbf")
def test_added_and_removed_is_the_same_file(data: bytes) -> None:
    new = added(data)
    if new is None:
        return
    assert find_account(new, "anna").is_on
    assert remove_account(new, "anna") == data


@given(FILES)
def test_one_line_is_added_and_the_others_say_what_they_said(data: bytes) -> None:
    new = added(data)
    if new is None:
        return
    names = [line.user for line in parse(data).config.f_lines]
    assert {line.user for line in parse(new).config.f_lines} == {*names, "anna"}
    before, after = parse(data).config, parse(new).config
    assert after.settings == before.settings
    assert len(after.c_lines) == len(before.c_lines)


@given(FILES, st.sampled_from(["ben", "carl"]))
@example(b"F: ben secret\r\n#switched off by cccamd# F: ben other", "ben")
def test_switched_off_and_on_is_the_same_file(data: bytes, user: str) -> None:
    try:
        found = find_account(data, user)
        off = disable_account(data, user)
    except EditError:
        return
    assert user not in {line.user for line in parse(off).config.f_lines}
    there = find_account(off, user)
    assert not there.is_on
    assert (there.account is None) == (found.account is None)
    if all(line.is_on for line in found.lines):
        assert enable_account(off, user) == data


@pytest.mark.parametrize(
    ("data", "user", "password", "words"),
    [
        (b"F: anna x\n", "anna", "secret", "there is an account anna already, in line 1"),
        (
            b"\n#switched off by cccamd# F: anna x\n",
            *("anna", "secret"),
            "already, in line 2, switched off",
        ),
        (b"", "an na", "secret", "a name has no blanks"),
        (b"", "anna", "sec ret", "a password has no blanks"),
        (b"", "anna", "#secret", "a password does not begin with #"),
        (b"", "anna", "x\nF: eve y", "printable characters only"),
        (b"", "<anna>", "secret", "a name does not begin with <"),
        (b"F: ben x y\n", "{anna", "secret", "a name does not begin with {"),
        (b"F: ben x y\n", "anna", "s { 1", "a password has no blanks"),
        (b"", 21 * "x", "secret", "room for 20"),
        (b"[x]\n", "anna", "secret", "no CCcam.cfg"),
        (b"\xff\xfe", "anna", "secret", "UTF-16"),
        (b"# \xff\n", "\u0142ucja", "secret", "send such letters as UTF-8"),
        (b"# \xff\n", "J\u00fcrgen", "secret", "send such letters as UTF-8"),
    ],
)
def test_what_cannot_be_added_is_refused(data: bytes, user: str, password: str, words: str) -> None:
    with pytest.raises(EditError, match=words):
        add_account(data, user, password)


def test_rights_that_cannot_be_read_are_told_and_not_the_fault_of_another_line() -> None:
    with pytest.raises(EditError, match=r"as it is meant: .*UPHOPS"):
        add_account(b"F: dan\nF: ben x\n", "anna", "secret", "many")


def test_every_line_of_an_account_goes() -> None:
    data = b"F: anna one\nF: ben x\nF: anna two\nF: anna\n#switched off by cccamd# F: anna 4\n"
    assert remove_account(data, "anna") == b"F: ben x\n"
    assert disable_account(data, "anna").count(b"#switched off by cccamd# F: anna") == 4


def test_who_is_not_there_cannot_be_changed() -> None:
    for act in (remove_account, disable_account, enable_account):
        with pytest.raises(EditError, match="there is no account anna"):
            act(b"F: ben x\n", "anna")
    with pytest.raises(EditError, match="not switched off"):
        enable_account(b"F: anna x\n", "anna")


def test_a_file_keeps_its_mode_and_its_link(tmp_path: Path) -> None:
    real, link = tmp_path / "real", tmp_path / "CCcam.cfg"
    real.write_bytes(b"F: ben x\r\n")
    real.chmod(0o640)
    link.symlink_to(real)
    edit_file(link, lambda data: add_account(data, "anna", "y"))
    assert link.is_symlink()
    assert real.read_bytes() == b"F: ben x\r\nF: anna y\r\n"
    assert stat.S_IMODE(real.stat().st_mode) == 0o640
    with pytest.raises(ConfigFileError, match="no such file"):
        edit_file(tmp_path / "none", lambda data: data)
    edit_file(tmp_path / "new", lambda data: add_account(data, "anna", "y"), make=True)
    assert stat.S_IMODE((tmp_path / "new").stat().st_mode) == 0o600
    assert sorted(os.listdir(tmp_path)) == ["CCcam.cfg", "new", "real"]


def test_a_file_that_somebody_else_changes_meanwhile_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "CCcam.cfg"
    path.write_bytes(b"F: ben x\n")

    def change(data: bytes) -> bytes:
        path.write_bytes(b"F: ben x\nF: carl y\n")
        return add_account(data, "anna", "z")

    with pytest.raises(ConfigFileError, match="somebody else"):
        edit_file(path, change)
    assert path.read_bytes() == b"F: ben x\nF: carl y\n"


def test_passwords_are_made_anew() -> None:
    made = {new_password() for _ in range(50)}
    assert len(made) == 50
    assert all(len(each) == 12 and each.isalnum() for each in made)
