"""`cccamd install` and `uninstall`, for real, on folders that stand for systems."""

import json
import os
import re
import shutil
import socket
import subprocess
import sys
from pathlib import Path
from typing import get_args

import pytest
from typer.testing import CliRunner, Result

from cccamd.cli import command_line
from cccamd.cli.command import NEW_CONFIG
from cccamd.cli.install import Kind
from cccamd.lab.ports import free_port
from cccamd.service import Flavour
from cccamd.setup.cccamcfg import SEARCHED_PATHS

PROGRAM = "/opt/cccamd/bin/cccamd"
UNIT = "etc/systemd/system/cccamd.service"
WANTED = "etc/systemd/system/multi-user.target.wants/cccamd.service"
NEEDED = ("useradd", "userdel", "systemctl")

pytestmark = pytest.mark.skipif(
    os.geteuid() != 0 or not all(shutil.which(name) for name in NEEDED),
    reason="only root adds users, with the tools of Debian",
)


def run(*arguments: str | Path, status: int = 0) -> Result:
    words = [str(word) for word in arguments]
    result = CliRunner().invoke(command_line(words), words)
    assert result.exit_code == status, result.output
    return result


def install(root: Path, *more: str, status: int = 0) -> Result:
    return run("install", "--root", root, "--program", PROGRAM, "--yes", *more, status=status)


def tree(root: Path) -> dict[str, bytes | None]:
    """Everything that is there, but for what useradd itself leaves: locks and backups."""
    return {
        str(path.relative_to(root)): path.read_bytes() if path.is_file() else None
        for path in sorted(root.rglob("*"))
        if not re.search(
            r"etc/(\.pwd\.lock|(passwd|group|shadow|gshadow|subuid|subgid)-?)$", str(path)
        )
    }


@pytest.fixture
def debian(tmp_path: Path) -> Path:
    for folder in ("etc/systemd/system", "lib/systemd", "var/lib", "var/log"):
        (tmp_path / folder).mkdir(parents=True)
    (tmp_path / "lib/systemd/systemd").touch()
    (tmp_path / "etc/passwd").write_text("root:x:0:0:root:/root:/bin/sh\n")
    (tmp_path / "etc/group").write_text("root:x:0:\n")
    return tmp_path


@pytest.fixture
def box(tmp_path: Path) -> Path:
    for folder in ("etc/init.d", "usr/bin", "usr/softcams"):
        (tmp_path / folder).mkdir(parents=True)
    (tmp_path / "usr/bin/enigma2").touch()
    return tmp_path


def test_the_words_of_the_command_know_all_kinds_and_a_place_that_is_searched() -> None:
    assert get_args(Kind) == tuple(kind.value for kind in Flavour)
    assert NEW_CONFIG in SEARCHED_PATHS


def test_installed_and_purged_leaves_nothing(debian: Path) -> None:
    before = tree(debian)
    install(debian)
    config = debian / "etc/cccam/CCcam.cfg"
    found = re.search(r"^cccamd:[^:]*:(\d+):", (debian / "etc/group").read_text(), re.MULTILINE)
    assert found
    user = re.search(r"^cccamd:[^:]*:(\d+):", (debian / "etc/passwd").read_text(), re.MULTILINE)
    assert user
    for path, mode, uid in ((config, 0o640, int(user[1])), (config.parent, 0o770, 0)):
        assert (path.stat().st_uid, path.stat().st_gid) == (uid, int(found[1]))
        assert path.stat().st_mode & 0o777 == mode
    assert "\nReadWritePaths=-/etc/cccam\n" in (debian / UNIT).read_text()
    assert "\nConfigurationDirectoryMode=0770\n" in (debian / UNIT).read_text()
    assert f"ExecStart={PROGRAM} serve -C /etc/cccam/CCcam.cfg\n" in (debian / UNIT).read_text()
    assert (debian / WANTED).is_symlink()
    (debian / "var/lib/cccamd").mkdir()
    (debian / "var/lib/cccamd/node-id").touch()
    run("uninstall", "--root", debian, "--yes")
    assert (debian / "var/lib/cccamd/node-id").exists()
    run("uninstall", "--root", debian, "--yes", "--purge")
    assert tree(debian) == before
    assert "cccamd" not in (debian / "etc/passwd").read_text() + (debian / "etc/group").read_text()


def test_a_service_that_may_not_write_its_configuration(debian: Path) -> None:
    install(debian)
    config = debian / "etc/cccam/CCcam.cfg"
    assert config.stat().st_uid != 0
    install(debian, "--read-only")
    assert config.stat().st_uid == 0
    assert config.parent.stat().st_mode & 0o777 == 0o750
    assert "ReadWritePaths" not in (debian / UNIT).read_text().partition("[Service]")[2]
    assert "\nConfigurationDirectoryMode=0750\n" in (debian / UNIT).read_text()


def test_a_folder_that_others_use_is_not_given_to_the_service(debian: Path) -> None:
    config = debian / "etc/CCcam.cfg"
    config.write_text("F: anna pw\n")
    before = (debian / "etc").stat().st_mode
    install(debian)
    assert config.stat().st_uid == 0
    assert (debian / "etc").stat().st_mode == before
    assert "ReadWritePaths" not in (debian / UNIT).read_text().partition("[Service]")[2]


def test_a_configuration_that_is_there_is_used_and_kept(debian: Path) -> None:
    config = debian / "etc/CCcam.cfg"
    config.write_text("F: anna secret\n")
    config.chmod(0o644)
    install(debian)
    assert config.stat().st_mode & 0o777 == 0o640
    assert "-C /etc/CCcam.cfg" in (debian / UNIT).read_text()
    assert not (debian / "etc/cccam").exists()
    run("uninstall", "--root", debian, "--yes", "--purge")
    assert config.read_text() == "F: anna secret\n"
    assert config.stat().st_gid == 0


@pytest.mark.parametrize("theirs", [{"CCcam.cfg"}, {"cccamd.toml"}, {"CCcam.cfg", "names/list"}])
def test_what_stays_belongs_to_nobody_who_is_gone(debian: Path, theirs: set[str]) -> None:
    """A later user may get the numbers of the one who is gone."""
    before = tree(debian)
    install(debian)
    folder = debian / "etc/cccam"
    service = folder.joinpath("CCcam.cfg").stat()
    for name in theirs:
        path = folder / name
        path.parent.mkdir(exist_ok=True)
        path.write_text("# mine\n")
        os.chown(path, service.st_uid, service.st_gid)
    (folder / "of-root").write_text("# mine\n")
    (folder / "of-root").chmod(0o604)
    run("uninstall", "--root", debian, "--yes", "--purge")
    assert {path.relative_to(folder).as_posix() for path in folder.rglob("*")} == {
        *theirs,
        *(str(Path(name).parent) for name in theirs if "/" in name),
        "of-root",
    }
    owners = {(path.stat().st_uid, path.stat().st_gid) for path in debian.rglob("*")}
    assert owners == {(0, 0)}
    assert (folder / "of-root").stat().st_mode & 0o777 == 0o604, "not ours to change"
    assert folder.stat().st_mode & 0o777 == 0o700
    shutil.rmtree(folder)
    assert tree(debian) == before


def test_what_the_person_changed_is_kept(debian: Path) -> None:
    install(debian)
    install(debian)  # again: to renew it
    unit = debian / UNIT
    unit.write_text(unit.read_text().replace("WatchdogSec=60", "WatchdogSec=90"))
    said = install(debian, status=2)
    assert "not as cccamd wrote it" in said.output
    (debian / "etc/cccam/CCcam.cfg").write_text("F: anna secret\n")
    run("uninstall", "--root", debian, "--yes", "--purge")
    assert "WatchdogSec=90" in unit.read_text()
    assert (debian / "etc/cccam/CCcam.cfg").read_text() == "F: anna secret\n"
    install(debian, "--force")
    assert "WatchdogSec=60" in unit.read_text()


def test_it_is_shown_first_and_asked_for(debian: Path) -> None:
    before = tree(debian)
    shown = run("install", "--root", debian, "--program", PROGRAM, "--dry-run")
    assert f"write /{UNIT}" in shown.output
    said = json.loads(run("install", "--root", debian, "--program", PROGRAM, "--json").output)
    assert said["done"] is False
    assert {"does": "write", "path": f"/{UNIT}", "text": f"write /{UNIT}"} in said["steps"]
    declined = run("install", "--root", debian, "--program", PROGRAM, status=1)
    assert "Do that?" in declined.output
    assert tree(debian) == before


@pytest.mark.parametrize(
    ("program", "why"),
    [("/home/anna/.venv/bin/cccamd", "sees nothing of /home"), ("/opt/a b/cccamd", "blanks")],
)
def test_a_program_that_the_unit_cannot_start_is_refused(
    debian: Path, program: str, why: str
) -> None:
    said = run("install", "--root", debian, "--yes", "--program", program, status=2)
    assert why in said.output
    assert not (debian / UNIT).exists()


def test_a_python_that_the_unit_hides_is_refused(debian: Path) -> None:
    (debian / "opt/cccamd/bin").mkdir(parents=True)
    (debian / "opt/cccamd/bin/python3").symlink_to("python")
    (debian / "opt/cccamd/bin/python").symlink_to("/root/.pyenv/bin/python3")
    assert "sees nothing of /root" in install(debian, status=2).output


def test_the_service_of_the_debian_package_is_left_to_it(debian: Path) -> None:
    packaged = debian / "lib/systemd/system/cccamd.service"
    packaged.parent.mkdir()
    packaged.touch()
    before = tree(debian)
    assert "of the Debian package" in install(debian, status=2).output
    said = run("uninstall", "--root", debian, "--yes", "--purge", status=2)
    assert "of the Debian package" in said.output
    assert tree(debian) == before


def test_a_system_that_is_not_known_is_refused(tmp_path: Path) -> None:
    assert "neither systemd nor Enigma2" in install(tmp_path, status=2).output


def test_on_enigma2_the_softcam_managers_find_it_and_nothing_stays(box: Path) -> None:
    before = tree(box)
    install(box, "-C", "/etc/CCcam.cfg")
    script, link = box / "etc/init.d/softcam.cccamd", box / "etc/init.d/softcam"
    assert script.stat().st_mode & 0o777 == 0o755
    assert os.access(box / "usr/softcams/cccamd", os.X_OK)
    link.symlink_to(script.name)  # what a softcam manager does to choose it
    run("uninstall", "--root", box, "--yes", "--purge")
    assert tree(box) == before


@pytest.mark.skipif(not shutil.which("start-stop-daemon"), reason="no start-stop-daemon")
def test_the_start_script_starts_and_stops_a_server(box: Path) -> None:
    port = free_port()
    config = box / "CCcam.cfg"
    config.write_text(
        f"SERVER LISTEN PORT : {port}\nALLOW WEBINFO : no\nALLOW TELNETINFO : no\n"
        f"LOG FILE : {box}/log\n"
    )
    (box / "cccamd.toml").write_text('[server]\nbind = ["127.0.0.1"]\n')
    program = box / "program"
    program.write_text(f'#!/bin/sh\nexec {sys.executable} -m cccamd "$@" -n {box}/node-id\n')
    program.chmod(0o755)
    run("install", "--root", box, "--yes", "--program", program, "-C", config)
    script = box / "etc/init.d/softcam.cccamd"
    script.write_text(script.read_text().replace("/run/", f"{box}/"))
    listener = tell_socket(box)
    environment = {**os.environ, "NOTIFY_SOCKET": str(box / "notify"), "WATCHDOG_USEC": "300000"}
    with listener:
        try:
            subprocess.run([script, "start"], check=True, env=environment)
            told = {listener.recv(100).decode() for _ in range(3)}
            assert told == {"READY=1", "WATCHDOG=1"}
            assert subprocess.run([script, "status"], check=False).returncode == 0
            socket.create_connection(("127.0.0.1", port), 5).close()
        finally:
            subprocess.run([script, "stop"], check=True)
        assert subprocess.run([script, "status"], check=False).returncode == 1
        while listener.recv(100) != b"STOPPING=1":
            pass
    assert not (box / "cccamd.pid").exists()


def tell_socket(folder: Path) -> socket.socket:
    """What a service manager hears with."""
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    listener.bind(str(folder / "notify"))
    listener.settimeout(30)
    return listener
