"""Decides what installing and uninstalling take, by looking at what is there.

A file that we write carries in its first lines the checksum of the rest, so what the person has
changed since is known, and kept.
"""

import hashlib
import re
from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum
from importlib.resources import files
from pathlib import Path, PurePosixPath
from typing import Final

from cccamd.machine import UNIT_NAME
from cccamd.service.people import number_of
from cccamd.service.steps import (
    GROUP,
    Grant,
    Keep,
    MakeFolder,
    Remove,
    Run,
    ServiceError,
    Step,
    Write,
)

UNIT: Final = PurePosixPath("/etc/systemd/system", UNIT_NAME)
PACKAGED_UNIT: Final = PurePosixPath("/lib/systemd/system", UNIT_NAME)
"""Where Debian's package has its unit; the one in /etc would hide it."""
SCRIPT: Final = PurePosixPath("/etc/init.d/softcam.cccamd")
VIX_FOLDER: Final = PurePosixPath("/usr/softcams")
STATE: Final = PurePosixPath("/var/lib/cccamd")
LOGS: Final = PurePosixPath("/var/log/cccamd")
CONFIG_FOLDER: Final = PurePosixPath("/etc/cccam")
MARK: Final = "# Written by `cccamd install`, taken away by `cccamd uninstall`; checksum "
_WRITES: Final = f"ConfigurationDirectoryMode=0770\nReadWritePaths=-{CONFIG_FOLDER}\n"
"""What lets the service write its configuration, as its unit has it."""
HIDDEN: Final = ("/home", "/root", "/run/user", "/tmp", "/var/tmp")
"""Folders that the unit keeps from the service."""
EXAMPLE: Final = """\
# Accounts and servers, one a line; `cccamd check` explains each line.
#
# F: livingroom secret1            an account for a receiver
# C: 192.168.1.20 12000 me pw      a server to fetch cards from
"""


class Flavour(Enum):
    """The kinds of systems that are known."""

    SYSTEMD = "systemd"
    ENIGMA2 = "enigma2"


@dataclass(frozen=True, slots=True, kw_only=True)
class Machine:
    """The system that is installed on."""

    root: Path
    """`/`, or the folder that stands for it."""
    program: PurePosixPath
    """The `cccamd` that the service starts, as the system sees it."""
    config: PurePosixPath
    """Its CCcam.cfg."""
    read_only: bool = False
    """The service must not change its configuration, whatever somebody wants on its pages."""

    @property
    def writes(self) -> bool:
        """Whether the service may replace its CCcam.cfg: only in a folder of its own, for that
        takes the right to make files there."""
        return not self.read_only and self.config.parent == CONFIG_FOLDER

    @property
    def is_real(self) -> bool:
        """Whether this is the running system."""
        return self.root == Path("/")

    @property
    def runs_systemd(self) -> bool:
        """Whether there is a systemd that can be asked to start something."""
        return self.is_real and Path("/run/systemd/system").is_dir()

    def real(self, path: PurePosixPath) -> Path:
        """Where a path of that system lies here."""
        return self.root / path.relative_to("/")


def find_flavour(root: Path) -> Flavour:
    """Say what kind of system a root holds.

    Raises:
        ServiceError: neither of those that we know.
    """
    if any((root / name).exists() for name in ("usr/bin/enigma2", "usr/lib/enigma2")):
        return Flavour.ENIGMA2
    if any((root / name).exists() for name in ("usr/lib/systemd/systemd", "lib/systemd/systemd")):
        return Flavour.SYSTEMD
    where = "here" if root == Path("/") else f"in {root}"
    raise ServiceError(f"there is neither systemd nor Enigma2 {where}; --for names one of them")


def installed_config(flavour: Flavour, root: Path) -> PurePosixPath | None:
    """The CCcam.cfg that the service which is installed there reads; None: there is no service."""
    path = UNIT if flavour is Flavour.SYSTEMD else SCRIPT
    found = re.search(r"(?: -C |^CONFIG=)(/\S+)", _text(root / path.relative_to("/")), re.MULTILINE)
    return PurePosixPath(found[1]) if found else None


def plan_install(flavour: Flavour, machine: Machine, *, force: bool = False) -> list[Step]:
    """The steps that make the server a service; a second time it renews what we wrote.

    Raises:
        ServiceError: a file that somebody has changed would be overwritten, without `force`.
    """
    if flavour is Flavour.ENIGMA2:
        return _install_enigma2(machine, force=force)
    return _install_systemd(machine, force=force)


def plan_uninstall(flavour: Flavour, machine: Machine, *, purge: bool = False) -> list[Step]:
    """The steps that undo it. `purge`: node id, keys, journal and logs go as well."""
    if flavour is Flavour.ENIGMA2:
        return _uninstall_enigma2(machine, purge=purge)
    return _uninstall_systemd(machine, purge=purge)


def unit_text(program: PurePosixPath, config: PurePosixPath) -> str:
    """The unit for those who make packages; it lies where their system has its own units."""
    return _filled(UNIT_NAME, Machine(root=Path("/"), program=program, config=config))


def first_config() -> str:
    """The CCcam.cfg that a new installation begins with."""
    return EXAMPLE


# systemd.


def _install_systemd(machine: Machine, *, force: bool) -> list[Step]:
    _refuse_beside_package(machine)
    # A virtual environment may lie in the open, and its Python in somebody's home.
    for path in (machine.program, _target(machine, machine.program.with_name("python3"))):
        hidden = next((name for name in HIDDEN if str(path).startswith(f"{name}/")), None)
        if hidden is not None:
            raise ServiceError(
                f"the service sees nothing of {hidden}, where {path} is; install cccamd outside,"
                " with a Python of the system, for instance into an environment at /opt/cccamd"
            )
    steps: list[Step] = []
    if not _has_user(machine):
        steps += _add_user()
    steps += _configuration(machine, group=GROUP)
    steps.append(_own(machine, UNIT, _filled(UNIT_NAME, machine), force=force))
    if machine.runs_systemd:
        steps.append(_systemctl("daemon-reload"))
        steps.append(_systemctl("enable", UNIT_NAME))
        steps.append(_systemctl("restart", UNIT_NAME))
    else:
        steps.append(_systemctl("--root={root}", "enable", UNIT_NAME))
    return steps


def _refuse_beside_package(machine: Machine) -> None:
    """Two owners of one service would take it away from each other."""
    if machine.real(PACKAGED_UNIT).exists():
        raise ServiceError(
            f"the service is that of the Debian package cccamd, {PACKAGED_UNIT}: systemctl enables"
            " and disables it, apt-get removes and purges it"
        )


def _uninstall_systemd(machine: Machine, *, purge: bool) -> list[Step]:
    if not machine.real(UNIT).exists():
        _refuse_beside_package(machine)
    steps: list[Step] = []
    if machine.real(UNIT).exists():
        if machine.runs_systemd:
            steps.append(_systemctl("disable", "--now", UNIT_NAME))
        else:
            steps.append(_systemctl("--root={root}", "disable", UNIT_NAME))
        steps.append(_gone(machine, UNIT))
        if machine.runs_systemd:
            steps.append(_systemctl("daemon-reload"))
    steps += _leftovers(machine, purge=purge)
    if purge and _has_user(machine):
        steps += _remove_user()
    return steps


def _target(machine: Machine, path: PurePosixPath) -> PurePosixPath:
    """Where a link leads in the end, as the installed system sees it."""
    for _ in range(16):
        real = machine.real(path)
        if not real.is_symlink():
            break
        path = path.parent / real.readlink()
    return path


def _systemctl(*arguments: str) -> Run:
    words = " ".join(word for word in arguments if "{root}" not in word)
    return Run(arguments=("systemctl", *arguments), what=f"run systemctl {words}")


def _add_user() -> list[Run]:
    options = ("--system", "--gid", GROUP, "--home-dir", str(STATE), "--no-create-home")
    more = ("--shell", "/usr/sbin/nologin", "--comment", "cccamd")
    return [
        _accounts("groupadd", "--force", "--system", what="add the system group"),
        _accounts("useradd", *options, *more, what="add the system user"),
    ]


def _remove_user() -> list[Run]:
    """The group goes with the user where login.defs says so."""
    return [
        _accounts("userdel", what="remove the user"),
        _accounts("groupdel", what="remove the group", may_fail=True),
    ]


def _accounts(tool: str, *options: str, what: str, may_fail: bool = False) -> Run:
    arguments = (tool, "--prefix", "{root}", *options, GROUP)
    return Run(arguments=arguments, what=f"{what} {GROUP}", may_fail=may_fail)


def _has_user(machine: Machine) -> bool:
    return number_of(machine.root, "passwd", GROUP) is not None


# Enigma2.


def _install_enigma2(machine: Machine, *, force: bool) -> list[Step]:
    steps = _configuration(machine, group=None)
    script = _filled(SCRIPT.name, machine)
    steps.append(_own(machine, SCRIPT, script, force=force, mode=0o755))
    if machine.real(VIX_FOLDER).is_dir():
        start = f"#!/bin/sh\nexec {machine.program} serve -C {machine.config}\n"
        steps.append(_own(machine, VIX_FOLDER / "cccamd", start, force=force, mode=0o755))
    return steps


def _uninstall_enigma2(machine: Machine, *, purge: bool) -> list[Step]:
    steps: list[Step] = []
    link = PurePosixPath("/etc/init.d/softcam")
    script = machine.real(SCRIPT)
    if script.exists():
        what = "stop the server"
        if machine.is_real:
            steps.append(Run(arguments=(str(SCRIPT), "stop"), what=what, may_fail=True))
        if machine.real(link).is_symlink() and machine.real(link).readlink().name == SCRIPT.name:
            steps.append(Remove(path=link))
        steps.append(_gone(machine, SCRIPT))
    if machine.real(VIX_FOLDER / "cccamd").exists():
        steps.append(_gone(machine, VIX_FOLDER / "cccamd"))
    return steps + _leftovers(machine, purge=purge)


# Both.


def _configuration(machine: Machine, *, group: str | None) -> list[Step]:
    """Let the service read what is there, or write a file to begin with."""
    path, toml = machine.config, machine.config.with_name("cccamd.toml")
    steps: list[Step] = []
    owner = group if machine.writes else None
    if path.parent == CONFIG_FOLDER:
        mode = _folder_mode(machine) if group else 0o755
        steps.append(MakeFolder(path=path.parent, mode=mode, group=group))
    if not machine.real(path).exists():
        content = _marked(EXAMPLE)
        mode = 0o640 if group else 0o600
        steps.append(Write(path=path, content=content, mode=mode, group=group, owner=owner))
    elif group:
        # With --read-only it is root's again.
        back = "root" if machine.read_only and path.parent == CONFIG_FOLDER else owner
        steps.append(Grant(path=path, group=group, owner=back))
    if group and machine.real(toml).exists():
        steps.append(Grant(path=toml, group=group))
    return steps


def _folder_mode(machine: Machine) -> int:
    """Of the folder of the configuration, for its group: the service."""
    return 0o770 if machine.writes else 0o750


def _leftovers(machine: Machine, *, purge: bool) -> list[Step]:
    """What the service has written, and the configuration that nobody has touched."""
    steps: list[Step] = []
    for path, what in ((STATE, "node id, keys and journal"), (LOGS, "logs")):
        if not machine.real(path).exists():
            continue
        if purge:
            steps.append(Remove(path=path, whole=True))
        else:
            steps.append(Keep(path=path, why=f"{what}; --purge removes it"))
    gone = set[PurePosixPath]()
    if machine.real(machine.config).exists():
        if _is_untouched(_text(machine.real(machine.config))):
            steps.append(Remove(path=machine.config))
            gone = {machine.config}
        else:
            steps.append(Keep(path=machine.config, why="it is yours"))
    if purge and _has_user(machine):
        steps += _back_to_root(machine, gone)
    if set(_below(machine, CONFIG_FOLDER)) <= gone and machine.real(CONFIG_FOLDER).is_dir():
        steps.append(Remove(path=CONFIG_FOLDER))
    return steps


def _back_to_root(machine: Machine, gone: set[PurePosixPath]) -> Iterator[Step]:
    """Nothing that stays keeps the numbers of the user and group, which others may get one day."""
    numbers = (
        number_of(machine.root, "passwd", GROUP),
        number_of(machine.root, "group", GROUP),
    )
    both = {machine.config, machine.config.with_name("cccamd.toml")}
    beside = set(_below(machine, CONFIG_FOLDER)) - gone
    folder = {CONFIG_FOLDER} if beside else set[PurePosixPath]()
    for path in sorted((both - gone) | beside | folder):
        real = machine.real(path)
        if not real.exists() or (real.is_symlink() and path not in both):
            continue
        if real.stat().st_uid == numbers[0] or real.stat().st_gid == numbers[1]:
            mode = 0o700 if real.is_dir() else 0o640
            yield Grant(path=path, group="root", owner="root", mode=mode)


def _below(machine: Machine, folder: PurePosixPath) -> Iterator[PurePosixPath]:
    """Everything in a folder, as the installed system names it; nothing if there is none."""
    for path in machine.real(folder).rglob("*"):
        yield PurePosixPath("/", path.relative_to(machine.root))


def _own(
    machine: Machine, path: PurePosixPath, content: str, *, force: bool, mode: int = 0o644
) -> Write:
    """Write a file of ours, unless it is no longer ours."""
    there = machine.real(path)
    if there.exists() and not force and not _is_untouched(_text(there)):
        raise ServiceError(f"{path} is not as cccamd wrote it; --force overwrites it")
    return Write(path=path, content=_marked(content), mode=mode)


def _gone(machine: Machine, path: PurePosixPath) -> Step:
    if _is_untouched(_text(machine.real(path))):
        return Remove(path=path)
    return Keep(path=path, why="somebody changed it; remove it yourself if you don't need it")


def _filled(name: str, machine: Machine) -> str:
    for path in (machine.program, machine.config):
        if any(char.isspace() or char in "\"'\\$%" for char in str(path)):
            raise ServiceError(f"the path has blanks or signs that start scripts read: {path}")
    text = files("cccamd.service").joinpath(name).read_text()
    if not machine.writes:
        mode = f"ConfigurationDirectoryMode={_folder_mode(machine):04o}\n"
        text = text.replace(_WRITES, mode)
    filled = text.replace("@PROGRAM@", str(machine.program))
    return filled.replace("@CONFIG@", str(machine.config)).replace("@RUN@", "/run")


def _marked(content: str) -> str:
    """Put the mark into the first line, or below `#!`."""
    head, line, rest = "", "", content
    if content.startswith("#!"):
        line, _, rest = content.partition("\n")
        head = f"{line}\n"
    return f"{head}{MARK}{_checksum(content)}\n{rest}"


def _is_untouched(text: str) -> bool:
    lines = text.splitlines(keepends=True)
    for index, line in enumerate(lines[:2]):
        if line.startswith(MARK):
            rest = "".join(lines[:index] + lines[index + 1 :])
            return line.removeprefix(MARK).strip() == _checksum(rest)
    return False


def _checksum(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:32]


def _text(path: Path) -> str:
    try:
        return path.read_text(errors="replace")
    except FileNotFoundError:
        return ""
    except OSError as error:
        raise ServiceError(f"{path} cannot be read: {error.strerror}") from None
