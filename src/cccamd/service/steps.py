"""The single things that are done to a machine, as values: they can be shown before they happen."""

from dataclasses import dataclass, field
from pathlib import PurePosixPath
from typing import Final

from cccamd.errors import CccamdError

GROUP: Final = "cccamd"


class ServiceError(CccamdError):
    """It cannot be installed here, or not like this, or a step failed; says what to do."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Write:
    """A file with this content, in place of the one there."""

    path: PurePosixPath
    content: str = field(repr=False)
    mode: int = 0o644
    group: str | None = None
    owner: str | None = None

    def __str__(self) -> str:
        return f"write {self.path}"


@dataclass(frozen=True, slots=True, kw_only=True)
class MakeFolder:
    """A folder of root, that a group may enter."""

    path: PurePosixPath
    mode: int
    group: str | None = None

    def __str__(self) -> str:
        return f"make the folder {self.path}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Grant:
    """Let one group read a file, and nobody else besides its owner."""

    path: PurePosixPath
    group: str
    mode: int = 0o640
    owner: str | None = None
    """Whose it is from then on, so that he may replace it; None: whose it was."""

    def __str__(self) -> str:
        if self.owner == self.group:
            return f"let {self.owner} read and write {self.path}, and no other user"
        return f"let {self.group} read {self.path}, and no other user (mode {self.mode:04o})"


@dataclass(frozen=True, slots=True, kw_only=True)
class Remove:
    """A file, or a folder with what is in it (`whole`), or one that is empty."""

    path: PurePosixPath
    whole: bool = False

    def __str__(self) -> str:
        return f"remove {self.path}" + (" and everything in it" if self.whole else "")


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """A program of the system. `{root}` in an argument is the root folder."""

    arguments: tuple[str, ...]
    what: str
    may_fail: bool = False

    def __str__(self) -> str:
        return self.what


@dataclass(frozen=True, slots=True, kw_only=True)
class Keep:
    """Nothing is done: something stays, and why."""

    path: PurePosixPath
    why: str

    def __str__(self) -> str:
        return f"keep {self.path}: {self.why}"


Step = Write | MakeFolder | Grant | Remove | Run | Keep


def as_json(step: Step) -> dict[str, str]:
    """What programs are told of a step."""
    path = "" if isinstance(step, Run) else str(step.path)
    return {"does": type(step).__name__.lower(), "path": path, "text": str(step)}
