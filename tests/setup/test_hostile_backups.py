"""Archives that somebody wants us to believe, that are damaged, or that are none."""

import gzip
import io
import json
import os
import re
import sqlite3
import subprocess
import sys
import tarfile
import threading
import zipfile
from contextlib import closing
from pathlib import Path

import pytest
from test_backup import furnish, run
from typer.testing import CliRunner

from cccamd.cli import command_line
from cccamd.cli.deeds import serve as deed
from cccamd.machine import FileLock
from cccamd.setup.backup import (
    FORMAT,
    JOURNAL_LIMIT,
    MANIFEST,
    MEMBERS_LIMIT,
    UNDER_WAY,
    BackupError,
    Places,
    packed,
    read_archive,
)
from cccamd.setup.files import SIZE_LIMIT
from cccamd.setup.restoring import finish, put_back

Member = tuple[tarfile.TarInfo, bytes]


@pytest.fixture
def house(tmp_path: Path) -> Path:
    house = tmp_path / "house"
    (house / "etc").mkdir(parents=True)
    (house / "lib").mkdir()
    (house / "etc/CCcam.cfg").write_text("F: old secret\n")
    return house


def everything(folder: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def member(name: str, data: bytes = b"", **words: object) -> Member:
    info = tarfile.TarInfo(name)
    info.size = len(data)
    for key, value in words.items():
        setattr(info, key, value)
    return info, data


def tar_of(*members: Member, listed: bool = True) -> bytes:
    names = [info.name for info, _ in members] if listed else []
    text = json.dumps({"format": FORMAT, "from": dict.fromkeys(names, "")}).encode()
    whole = io.BytesIO()
    with tarfile.open(fileobj=whole, mode="w", format=tarfile.GNU_FORMAT) as tar:
        for info, data in (member(MANIFEST, text), *members):
            tar.addfile(info, io.BytesIO(data))
    return whole.getvalue()


def with_a_huge_size(data: bytes, size: int, name: bytes = b"state/paired.toml") -> bytes:
    """As `tar_of`, with another size in a header, and nothing behind it."""
    info = tarfile.TarInfo(name.decode())
    info.size = size
    kept = data.rstrip(b"\0")
    return kept + bytes(-len(kept) % tarfile.BLOCKSIZE) + info.tobuf(tarfile.GNU_FORMAT)


def another_first() -> bytes:
    whole = io.BytesIO()
    with tarfile.open(fileobj=whole, mode="w") as tar:
        tar.addfile(GOOD[0], io.BytesIO(GOOD[1]))
    return whole.getvalue()


def with_holes() -> bytes:
    """It claims to be a gibibyte of which one byte is there."""
    whole, listed = io.BytesIO(), {"format": FORMAT, "from": {"state/node-id": ""}}
    info, data = member("state/node-id", b"x")
    info.pax_headers = {"GNU.sparse.map": "0,1", "GNU.sparse.size": "1073741824"}
    with tarfile.open(fileobj=whole, mode="w", format=tarfile.PAX_FORMAT) as tar:
        for each, content in (member(MANIFEST, json.dumps(listed).encode()), (info, data)):
            tar.addfile(each, io.BytesIO(content))
    return whole.getvalue()


GOOD = member("config/CCcam.cfg", b"F: new secret\n")
PLAIN = "is no plain file"
NONE_HAS = "which no backup of cccamd has"
HOSTILE: dict[str, tuple[bytes, str]] = {
    "a way up": (tar_of(GOOD, member("../../etc/passwd", b"x")), NONE_HAS),
    "a way up in a folder": (tar_of(GOOD, member("config/../../x", b"x")), NONE_HAS),
    "an absolute path": (tar_of(GOOD, member("/etc/cron.d/x", b"x")), NONE_HAS),
    "a name of a terminal": (tar_of(GOOD, member("\x1b[2Jx", b"x")), r"\\x1b"),
    "a name without end": (tar_of(GOOD, member("state/" + "x" * 9000, b"x")), NONE_HAS),
    "a link": (
        tar_of(GOOD, member("state/paired.toml", type=tarfile.SYMTYPE, linkname="/etc/passwd")),
        PLAIN,
    ),
    "a hard link": (
        tar_of(GOOD, member("state/paired.toml", type=tarfile.LNKTYPE, linkname="/etc/passwd")),
        PLAIN,
    ),
    "a link, and a file through it": (
        tar_of(
            GOOD,
            member("others", type=tarfile.SYMTYPE, linkname="/etc"),
            member("others/passwd", b"x"),
        ),
        PLAIN,
    ),
    "a disk": (tar_of(GOOD, member("state/node-id", type=tarfile.BLKTYPE, devmajor=8)), PLAIN),
    "a terminal": (tar_of(GOOD, member("state/node-id", type=tarfile.CHRTYPE)), PLAIN),
    "a pipe": (tar_of(GOOD, member("state/node-id", type=tarfile.FIFOTYPE)), PLAIN),
    "a folder": (tar_of(GOOD, member("state/node-id", type=tarfile.DIRTYPE)), PLAIN),
    "a file with holes": (
        tar_of(GOOD, member("state/node-id", type=tarfile.GNUTYPE_SPARSE)),
        PLAIN,
    ),
    "a file with holes in the POSIX way": (with_holes(), PLAIN),
    "one twice": (tar_of(GOOD, GOOD), "twice"),
    "one too large": (with_a_huge_size(tar_of(GOOD), SIZE_LIMIT + 1), "too large"),
    "one of 8 TiB": (with_a_huge_size(tar_of(GOOD), 2**43), "too large"),
    "a journal too large": (
        with_a_huge_size(tar_of(GOOD), JOURNAL_LIMIT + 1, b"state/journal.db"),
        "too large",
    ),
    "one that says more than there is": (with_a_huge_size(tar_of(GOOD), 9000), "damaged|cut off"),
    "too many": (
        tar_of(GOOD, *(member(f"others/x{number}", b"x") for number in range(MEMBERS_LIMIT))),
        f"more than {MEMBERS_LIMIT} files",
    ),
    "one more than listed": (
        tar_of(GOOD, listed=False),
        "was put into the archive later",
    ),
    "another one first": (another_first(), "does not begin as a backup"),
    "a journal that is none": (tar_of(GOOD, member("state/journal.db", b"x")), "is none"),
    "a bomb": (gzip.compress(bytes(64 * 1024 * 1024)), "packed with gzip"),
    "a packed backup": (gzip.compress(tar_of(GOOD)), "packed with gzip"),
    "empty": (b"", "is empty"),
    "text": (b"F: new secret\n" * 200, "no tar archive"),
    "zeros": (bytes(20480), "no backup"),
    "a picture": (b"\x89PNG\r\n\x1a\n" + os.urandom(2000), "no tar archive"),
}


@pytest.mark.parametrize("what", HOSTILE)
def test_nothing_is_written_and_it_is_said_why(what: str, house: Path, tmp_path: Path) -> None:
    data, why = HOSTILE[what]
    archive = tmp_path / "a.tar"
    archive.write_bytes(data)
    before = everything(tmp_path)
    done = run("restore", archive, house, "--force", status=2)
    assert done.output.startswith("cccamd restore: ")
    assert "Traceback" not in done.output
    assert "\x1b" not in done.output
    assert len(done.output) < 400
    shown = done.output.replace("\n", " ")
    assert re.search(why, shown), shown
    assert everything(tmp_path) == before


def test_a_zip_is_named(house: Path, tmp_path: Path) -> None:
    archive = tmp_path / "a.tar"
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as file:
        file.writestr("config/CCcam.cfg", bytes(10_000_000))
    assert "packed with zip" in run("restore", archive, house, "--force", status=2).output


@pytest.mark.parametrize("kind", ["folder", "pipe", "missing"])
def test_what_is_no_file_is_not_waited_for(kind: str, house: Path, tmp_path: Path) -> None:
    archive = tmp_path / "a.tar"
    if kind == "folder":
        archive.mkdir()
    elif kind == "pipe":
        os.mkfifo(archive)
    said = run("restore", archive, house, status=2).output
    assert {"folder": "a directory", "pipe": "a pipe", "missing": "No such file"}[kind] in said


def a_backup(tmp_path: Path) -> tuple[Path, bytes]:
    furnish(tmp_path / "furnished")
    archive = tmp_path / "whole.tar"
    run("backup", archive, tmp_path / "furnished")
    return archive, archive.read_bytes()


def places_in(folder: Path) -> Places:
    return Places(
        config=folder / "etc/CCcam.cfg", toml=folder / "etc/cccamd.toml", state=folder / "lib"
    )


def test_one_that_is_cut_off_at_any_block_is_refused_until_all_files_are_there(
    house: Path, tmp_path: Path
) -> None:
    archive, whole = a_backup(tmp_path)
    with tarfile.open(archive) as tar:
        end = max(each.offset_data + each.size for each in tar.getmembers())
    places, refused = places_in(house), 0
    for size in range(0, len(whole), 512):
        archive.write_bytes(whole[:size])
        if size >= end:  # only the padding is missing
            assert len(read_archive(archive, places)) > 5
            continue
        with pytest.raises(BackupError):
            read_archive(archive, places)
        refused += 1
    assert refused > 14


def test_one_with_any_byte_of_a_file_changed_is_refused(house: Path, tmp_path: Path) -> None:
    archive, whole = a_backup(tmp_path)
    with tarfile.open(archive) as tar:
        spots = [
            each.offset_data + at
            for each in tar.getmembers()
            if each.name != MANIFEST
            for at in (0, each.size - 1)
        ]
    for spot in spots:
        archive.write_bytes(whole[:spot] + bytes([whole[spot] ^ 1]) + whole[spot + 1 :])
        with pytest.raises(BackupError, match="is damaged"):
            read_archive(archive, places_in(house))


def test_owner_and_rights_in_the_archive_are_nobodys(house: Path, tmp_path: Path) -> None:
    archive = tmp_path / "a.tar"
    key = member("state/link-key.pem", b"key", uid=12345, gid=12345, mode=0o6777, uname="mallory")
    archive.write_bytes(tar_of(GOOD, key))
    run("restore", archive, house, "--force")
    found = (house / "lib/link-key.pem").stat()
    assert (found.st_uid, found.st_gid) == ((house / "lib").stat().st_uid, os.getegid())
    assert found.st_mode & 0o7777 == 0o600


def test_the_folder_for_others_may_be_no_link(house: Path, tmp_path: Path) -> None:
    archive, elsewhere = tmp_path / "a.tar", tmp_path / "elsewhere"
    elsewhere.mkdir()
    (house / "lib/restored").symlink_to(elsewhere)
    archive.write_bytes(tar_of(GOOD, member("others/names", b"x")))
    assert "no folder" in run("restore", archive, house, "--force", status=2).output
    assert not list(elsewhere.iterdir())
    assert (house / "etc/CCcam.cfg").read_text() == "F: old secret\n"


# Saving.


@pytest.mark.parametrize("kind", ["folder", "pipe", "link to nothing", "file"])
def test_a_backup_is_written_over_nothing_but_an_older_one(kind: str, tmp_path: Path) -> None:
    furnish(tmp_path / "house")
    archive = tmp_path / "a.tar"
    if kind == "folder":
        archive.mkdir()
    elif kind == "pipe":
        os.mkfifo(archive)
    elif kind == "link to nothing":
        archive.symlink_to(tmp_path / "nowhere")
    else:
        archive.write_text("mine")
    said = run("backup", archive, tmp_path / "house", status=2).output
    is_other = kind in ("folder", "pipe")
    assert ("no plain file" if is_other else "is there already") in said
    if is_other:
        assert (
            "no plain file"
            in run("backup", archive, tmp_path / "house", "--force", status=2).output
        )
    assert not (tmp_path / "nowhere").exists()


def test_a_configuration_that_cannot_be_read_is_not_saved_without_its_keys(tmp_path: Path) -> None:
    house, archive = tmp_path / "house", tmp_path / "a.tar"
    furnish(house)
    (house / "etc/cccamd.toml").write_text("[[card]\n")
    said = run("backup", archive, house, status=2).output
    assert "cccamd.toml" in said
    assert not archive.exists()
    (house / "etc/cccamd.toml").write_text('[[card]]\nkind = "open"\nkeys = "card.json"\n')
    assert "1 error" in run("backup", archive, house).output


def test_a_journal_that_is_written_meanwhile_is_saved_as_of_one_moment(tmp_path: Path) -> None:
    """Two rows in each transaction: half of one is never seen."""
    house, archive = tmp_path / "house", tmp_path / "a.tar"
    furnish(house)
    path, done = house / "lib/journal.db", threading.Event()
    with closing(sqlite3.connect(path)) as first:
        first.execute("PRAGMA journal_mode=WAL")
        first.execute("CREATE TABLE seen (what INTEGER, half INTEGER)")
        first.commit()
    written = [0]

    def write() -> None:
        with closing(sqlite3.connect(path)) as writer:
            while not done.is_set():
                rows = [(written[0], half) for half in (1, 2)]
                writer.executemany("INSERT INTO seen VALUES (?, ?)", rows)
                writer.commit()
                written[0] += 1

    thread = threading.Thread(target=write)
    thread.start()
    try:
        counts = []
        for _ in range(8):
            run("backup", archive, house, "--force")
            contents = {each.name: each.data for each in read_archive(archive, places_in(house))}
            copy = tmp_path / "copy.db"
            copy.write_bytes(contents["state/journal.db"])
            with closing(sqlite3.connect(copy)) as reader:
                assert reader.execute("PRAGMA integrity_check").fetchone() == ("ok",)
                (ones, twos) = reader.execute(
                    "SELECT sum(half = 1), sum(half = 2) FROM seen"
                ).fetchone()
            assert ones == twos
            counts.append(ones or 0)
            copy.unlink()
    finally:
        done.set()
        thread.join()
    assert counts == sorted(counts)
    assert counts[-1] > counts[0]


# What an interruption left.


def interrupted(house: Path, **changes: bytes) -> Path:
    """A restore that was interrupted as soon as it had begun."""
    files = {"config/CCcam.cfg": b"F: new secret\n", "state/node-id": b"0202020202020202\n"}
    path = house / "lib" / UNDER_WAY
    path.write_bytes(packed(files | changes, "restore", {}))
    path.chmod(0o600)
    return path


def test_the_next_restore_goes_on_and_says_so(house: Path, tmp_path: Path) -> None:
    pending, archive = interrupted(house), tmp_path / "a.tar"
    archive.write_bytes(tar_of(GOOD))
    done = run("restore", archive, house)
    assert "a restore was interrupted, and is finished now: " in done.output
    assert (house / "lib/node-id").read_text() == "0202020202020202\n"
    assert not pending.exists()
    assert "interrupted" not in run("restore", archive, house).output


def test_a_backup_waits_for_it(house: Path, tmp_path: Path) -> None:
    interrupted(house)
    said = run("backup", tmp_path / "a.tar", house, status=2).output
    assert "a restore was interrupted" in said
    assert not (tmp_path / "a.tar").exists()


def serve(house: Path) -> list[str]:
    return ["serve", "-C", str(house / "etc/CCcam.cfg"), "-n", str(house / "lib/node-id")]


def test_the_server_goes_on_with_it_before_it_reads_anything(house: Path) -> None:
    bad = b"SERVER LISTEN PORT : 1\nF: new secret\nALLOW WEBINFO : no\n"
    pending = interrupted(house, **{"config/CCcam.cfg": b"\xff\xfe" + bad})
    # What was restored is none: it is read, and refused.
    said = subprocess.run(
        [sys.executable, "-m", "cccamd", *serve(house)],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert "a restore was interrupted, and is finished now" in said.stderr + said.stdout
    assert "E001" in said.stderr + said.stdout
    assert said.returncode == 2
    assert not pending.exists()


@pytest.mark.parametrize("what", ["damaged", "another's", "a link"])
def test_the_server_does_not_start_with_half_of_it(
    what: str, house: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if what == "another's" and os.geteuid():
        pytest.skip("only root may give files away")
    pending = interrupted(house)
    if what == "damaged":
        pending.write_bytes(pending.read_bytes()[:3000])
    elif what == "another's":
        os.chown(pending, 12345, 12345)
    else:
        pending.rename(tmp_path / "planted")
        pending.symlink_to(tmp_path / "planted")
    monkeypatch.setattr(deed, "_start_log", lambda *words: pytest.fail("it starts"))
    said = CliRunner().invoke(command_line(["serve"]), serve(house))
    assert isinstance(said.exception, SystemExit), said.exception
    assert said.exit_code == 2
    assert "a restore was interrupted" in said.stderr
    assert (house / "etc/CCcam.cfg").read_text() == "F: old secret\n"


def test_one_that_is_still_under_way_is_not_touched(house: Path) -> None:
    pending = interrupted(house)
    lock = FileLock(house / "lib/journal.db.lock")
    assert lock.take()
    try:
        with pytest.raises(BackupError, match="is running"):
            finish(places_in(house))
    finally:
        lock.release()
    assert pending.exists()


def test_what_is_there_with_the_same_content_is_in_nobodys_way(house: Path, tmp_path: Path) -> None:
    archive = tmp_path / "a.tar"
    archive.write_bytes(tar_of(GOOD, member("state/node-id", b"0202020202020202\n")))
    contents = read_archive(archive, places_in(house))
    put_back(contents, places_in(house), force=True)
    put_back(contents, places_in(house))
    (house / "lib/node-id").write_text("0303030303030303\n")
    with pytest.raises(BackupError, match=r"overwritten: .*/lib/node-id; "):
        put_back(contents, places_in(house))
