"""`cccamd backup` and `restore`, on real files; archives that somebody else made."""

import io
import json
import os
import sqlite3
import tarfile
import tempfile
from contextlib import closing
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from typer.testing import CliRunner, Result

from cccamd.cli import command_line
from cccamd.machine import FileLock
from cccamd.setup.backup import FORMAT, MANIFEST, BackupError, Places, read_archive
from cccamd.setup.restoring import put_back

CARD = """\
[[card]]
kind = "open"
caid = "F0CA"
keys = "card.json"
"""


def run(command: str, archive: Path, house: Path, *more: str, status: int = 0) -> Result:
    files = ["-C", str(house / "etc/CCcam.cfg"), "-n", str(house / "lib/node-id")]
    words = [command, str(archive), *files, *more]
    result = CliRunner().invoke(command_line(words), words)
    assert result.exit_code == status, result.output
    return result


def furnish(house: Path) -> dict[str, bytes]:
    (house / "etc").mkdir(parents=True)
    (house / "lib").mkdir()
    contents = {
        "etc/CCcam.cfg": f"F: anna secret\nCHANNELINFO FILE : {house}/etc/CCcam.channelinfo\n",
        "etc/CCcam.channelinfo": '0100:000000:0001 "One"\n',
        "etc/cccamd.toml": CARD,
        "etc/card.json": "{}",
        "lib/node-id": "0102030405060708\n",
        "lib/link-key.pem": "key\n",
        "lib/paired.toml": "# nobody\n",
    }
    for name, text in contents.items():
        (house / name).write_text(text)
    return {name: text.encode() for name, text in contents.items()}


def archive_of(members: dict[str, bytes], path: Path) -> Path:
    with tarfile.open(path, "w") as tar:
        listed = json.dumps({"format": FORMAT, "from": dict.fromkeys(members, "")}).encode()
        for name, data in {MANIFEST: listed, **members}.items():
            member = tarfile.TarInfo(name)
            member.size = len(data)
            tar.addfile(member, io.BytesIO(data))
    return path


def places_in(folder: Path) -> Places:
    return Places(
        config=folder / "etc/CCcam.cfg",
        toml=folder / "etc/cccamd.toml",
        state=folder / "lib",
        companions=folder / "var",
    )


def test_a_house_moves_with_everything_while_its_server_writes(tmp_path: Path) -> None:
    old, archive = tmp_path / "old", tmp_path / "backup.tar"
    contents = furnish(old)
    # A journal whose newest line stands only in its log, as with a server that runs.
    with closing(sqlite3.connect(old / "lib/journal.db")) as writer:
        writer.execute("PRAGMA journal_mode=WAL")
        writer.execute("CREATE TABLE seen (what TEXT)")
        writer.execute("INSERT INTO seen VALUES ('last')")
        writer.commit()
        run("backup", archive, old)
    assert archive.stat().st_mode & 0o777 == 0o600
    (tmp_path / "new").mkdir()
    old.rename(tmp_path / "gone")
    run("restore", archive, old)  # the same places again: as after a disk has died
    for name, data in contents.items():
        assert (old / name).read_bytes() == data
    with closing(sqlite3.connect(old / "lib/journal.db")) as reader:
        assert reader.execute("SELECT what FROM seen").fetchall() == [("last",)]
    assert (old / "lib/link-key.pem").stat().st_mode & 0o777 == 0o600


def test_what_the_configuration_names_in_the_old_places_is_told_in_the_new(tmp_path: Path) -> None:
    old, new, archive = tmp_path / "old", tmp_path / "new", tmp_path / "backup.tar"
    furnish(old)
    run("backup", archive, old)
    names, now = old / "etc/CCcam.channelinfo", new / "etc/CCcam.channelinfo"
    said = run("restore", archive, new).output
    assert f"names {names}: that is {now} now" in said
    assert "card.json:" not in said, "it is named as beside cccamd.toml"
    again = run("restore", archive, new, "--json").output
    assert json.loads(again)["moved"] == {str(names): str(now)}
    assert "moved" not in json.loads(run("restore", archive, old, "--json").output)


def test_a_restore_that_cannot_go_on_says_that_it_is_half_done(tmp_path: Path) -> None:
    old, new, archive = tmp_path / "old", tmp_path / "new", tmp_path / "backup.tar"
    furnish(old)
    run("backup", archive, old)
    (new / "lib").mkdir(parents=True)
    (new / "etc").write_text("a file in the way")
    said = run("restore", archive, new, status=2).output
    assert said.endswith("not all files are in their places; mend that, and run it again\n")
    (new / "etc").unlink()
    assert "finished now" in run("restore", archive, new).output


def test_nothing_is_overwritten_unless_asked(tmp_path: Path) -> None:
    archive = tmp_path / "backup.tar"
    furnish(tmp_path / "house")
    run("backup", archive, tmp_path / "house")
    assert "is there already" in run("backup", archive, tmp_path / "house", status=2).output
    config = tmp_path / "house/etc/CCcam.cfg"
    config.write_text("F: otto other\n")
    config.chmod(0o640)
    assert "overwritten" in run("restore", archive, tmp_path / "house", status=2).output
    assert config.read_text() == "F: otto other\n"
    run("restore", archive, tmp_path / "house", "--force")
    assert config.read_text().startswith("F: anna secret\n")
    assert config.stat().st_mode & 0o777 == 0o640


def test_a_running_server_is_left_alone(tmp_path: Path) -> None:
    archive = tmp_path / "backup.tar"
    furnish(tmp_path / "house")
    run("backup", archive, tmp_path / "house")
    lock = FileLock(tmp_path / "house/lib/journal.db.lock")
    assert lock.take()
    try:
        said = run("restore", archive, tmp_path / "house", "--force", status=2)
    finally:
        lock.release()
    assert "stop it first" in said.output


def test_the_log_of_the_old_journal_goes_with_it(tmp_path: Path) -> None:
    archive = archive_of({"state/journal.db": b"SQLite format 3\0"}, tmp_path / "a.tar")
    places = places_in(tmp_path)
    places.state.mkdir()
    (places.state / "journal.db-wal").write_text("old")
    put_back(read_archive(archive, places), places)
    assert not (places.state / "journal.db-wal").exists()


def test_no_link_is_followed(tmp_path: Path) -> None:
    archive = archive_of({"config/CCcam.cfg": b"F: a b\n"}, tmp_path / "a.tar")
    places = places_in(tmp_path)
    places.config.parent.mkdir()
    (tmp_path / "elsewhere").write_text("mine")
    places.config.symlink_to(tmp_path / "elsewhere")
    contents = read_archive(archive, places)
    with pytest.raises(BackupError, match="no plain file"):
        put_back(contents, places, force=True)
    assert (tmp_path / "elsewhere").read_text() == "mine"


@pytest.mark.parametrize(
    "name",
    [
        *("keys/passwd", "keys/../x.json", "keys/ssl/x.json", "keys/.x.json", "keys/x.json/"),
        *("others/../node-id", "others/a/b", "others/.profile", "others/.."),
        *("config/../CCcam.cfg", "config/passwd", "state/known_hosts", "companions/passwd"),
        *("/etc/passwd", "../x", "CCcam.cfg", "./config/CCcam.cfg", "config", ""),
    ],
)
def test_a_name_that_no_backup_has_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(BackupError):
        places_in(tmp_path).place(name)


@pytest.mark.parametrize("kind", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.FIFOTYPE])
def test_only_plain_files_are_taken(tmp_path: Path, kind: bytes) -> None:
    path = archive_of({"state/node-id": b"x"}, tmp_path / "a.tar")
    with tarfile.open(path, "a") as tar:
        member = tarfile.TarInfo("state/paired.toml")
        member.type, member.linkname = kind, "state/node-id"
        tar.addfile(member)
    with pytest.raises(BackupError, match="no plain file"):
        read_archive(path, places_in(tmp_path))


NAMES = st.one_of(
    st.sampled_from(
        [
            "config/CCcam.cfg",
            "config/../CCcam.cfg",
            "/etc/passwd",
            "config/passwd",
            "keys/card.json",
            "keys/../../x.json",
            "others/.profile",
            "others/name",
            "state/node-id",
            "state/authorized_keys",
            "companions/CCcam.prio",
            "companions/passwd",
            "./config/cccamd.toml",
        ]
    ),
    st.text(max_size=30).filter(lambda name: "\0" not in name),
)


@st.composite
def archives(draw: st.DrawFn) -> bytes:
    """A tar of anything, perhaps damaged."""
    packed = io.BytesIO()
    kinds = [tarfile.REGTYPE] * 6 + [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.FIFOTYPE]
    with tarfile.open(fileobj=packed, mode="w") as tar:
        names = draw(st.lists(NAMES, max_size=4))
        listed = json.dumps({"format": FORMAT, "from": dict.fromkeys(names, "")}).encode()
        if draw(st.integers(0, 9)):
            names.insert(0, MANIFEST)
        for name in names:
            member = tarfile.TarInfo(name)
            data = draw(st.binary(max_size=40))
            data = listed if name == MANIFEST else data
            member.type = draw(st.sampled_from(kinds)) if name != MANIFEST else tarfile.REGTYPE
            member.linkname = "/etc/passwd"
            member.size = len(data)
            tar.addfile(member, io.BytesIO(data))
    whole = bytearray(packed.getvalue())
    for place, value in draw(
        st.lists(st.tuples(st.integers(0, 3000), st.integers(0, 255)), max_size=2)
    ):
        whole[place % len(whole)] = value
    return bytes(whole[: draw(st.integers(0, len(whole)))] if draw(st.booleans()) else whole)


@settings(max_examples=60)
@given(archives())
def test_no_archive_writes_where_it_should_not(data: bytes) -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name).resolve()
        archive, house = folder / "a.tar", folder / "house"
        archive.write_bytes(data)
        house.mkdir()
        (folder / "etc").mkdir()
        places = places_in(house)
        try:
            put_back(read_archive(archive, places), places)
        except BackupError:
            assert not any(path.is_file() for path in house.rglob("*"))
        allowed = {"etc/CCcam.cfg", "etc/cccamd.toml", "lib/journal.db.lock"}
        for path in folder.rglob("*"):
            assert not path.is_symlink()
            if path.is_dir() or path == archive:
                continue
            shown = str(path.relative_to(house))
            known = shown in allowed or shown.startswith(("etc/CCcam.", "var/CCcam.", "lib/"))
            assert known or (
                path.parent == house / "etc" and path.suffix in (".json", ".key", ".keys")
            )
            assert path.stat().st_mode & 0o007 == 0
            assert os.path.commonpath([path, house]) == str(house)
