"""Does the steps of a plan to a machine, or to a folder that stands for one."""

import os
import shutil
import subprocess
from collections.abc import Iterator, Sequence
from pathlib import Path, PurePosixPath
from typing import Literal

from cccamd.machine import replace_file
from cccamd.service.people import number_of
from cccamd.service.steps import Grant, Keep, MakeFolder, Remove, Run, ServiceError, Step, Write


def carry_out(steps: Sequence[Step], root: Path) -> Iterator[Step]:
    """Do one step after the other; each is yielded when it is done.

    Raises:
        ServiceError: one failed. Doing the whole again goes on from there.
    """
    for step in steps:
        try:
            _do(step, root)
        except OSError as error:
            raise ServiceError(f"could not {step}: {error.strerror or error}") from None
        yield step


def _do(step: Step, root: Path) -> None:
    match step:
        case Write():
            path = _below(root, step.path)
            path.parent.mkdir(mode=0o755, parents=True, exist_ok=True)
            uid, gid = _uid(root, step.owner), _gid(root, step.group)
            replace_file(
                path,
                step.content.encode(),
                mode=0o600,
                prepare=lambda opened: _give(opened, gid, step.mode, uid),
            )
        case MakeFolder():
            path = _below(root, step.path)
            path.mkdir(parents=True, exist_ok=True)
            _give(path, _gid(root, step.group), step.mode)
        case Grant():
            path = _below(root, step.path)
            _give(path, _gid(root, step.group), step.mode, _uid(root, step.owner))
        case Remove():
            _remove(_below(root, step.path), whole=step.whole)
        case Run():
            _run(step, root)
        case Keep():
            pass


def _below(root: Path, path: PurePosixPath) -> Path:
    return root / path.relative_to("/")


def _give(path: Path | int, gid: int | None, mode: int, uid: int | None = None) -> None:
    if gid is not None or uid is not None:
        os.chown(path, -1 if uid is None else uid, -1 if gid is None else gid)
    os.chmod(path, mode)


def _gid(root: Path, group: str | None) -> int | None:
    return None if group is None else _number(root, "group", group)


def _uid(root: Path, user: str | None) -> int | None:
    return None if user is None else _number(root, "passwd", user)


def _number(root: Path, kind: Literal["passwd", "group"], wanted: str) -> int:
    found = number_of(root, kind, wanted)
    if found is None:
        raise ServiceError(f"there is no {'group' if kind == 'group' else 'user'} {wanted}")
    return found


def _remove(path: Path, *, whole: bool) -> None:
    if path.is_dir() and not path.is_symlink():
        if whole:
            shutil.rmtree(path)
        elif not any(path.iterdir()):
            path.rmdir()
    else:
        path.unlink(missing_ok=True)


def _run(step: Run, root: Path) -> None:
    arguments = [argument.replace("{root}", str(root)) for argument in step.arguments]
    done = subprocess.run(
        arguments, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False
    )
    if done.returncode != 0 and not step.may_fail:
        said = (done.stderr or done.stdout).strip().splitlines()
        why = said[-1] if said else f"exit status {done.returncode}"
        raise ServiceError(f"could not {step}: {arguments[0]}: {why}")
