"""What `--help` says of every command, read once for all that is made of it.

The manual pages (commandpages.py), the page of the site (site/reference.py) and a test that looks
at every command (tests/cli/test_every_command.py) have it from here.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

import typer

from cccamd.cli import command_line
from cccamd.cli.main import COMMANDS

PROGRAM: Final = "cccamd"
HELP: Final = ["-h", "--help"]
_STATUS: Final = re.compile(r"^Exit status(?:, (?P<how>[^:]+))?: (?P<list>.*)", re.M | re.S)
_EACH: Final = re.compile(r"(?:^|, |; )(\d+) ")


@dataclass(frozen=True, slots=True)
class Parameter:
    """An option or argument."""

    words: str
    """As it is typed: `-C, --config FILE`, `ACCOUNT`."""
    meaning: str
    is_help: bool
    """The one that every command has."""


@dataclass(frozen=True, slots=True)
class Statuses:
    """What a command tells scripts when it ends."""

    how: str
    """For which way of calling it these are; mostly empty."""
    meanings: tuple[tuple[int, str], ...]


@dataclass(frozen=True, slots=True)
class Command:
    """A command, or a group of them."""

    path: str
    """What is typed: `cccamd account add`."""
    summary: str
    """One line, with its stop."""
    usage: tuple[str, ...]
    """What follows the path: `[OPTIONS]`, `ACCOUNT`."""
    text: tuple[str, ...]
    """Paragraphs, without the exit statuses; one that is indented by four is shown as it stands."""
    statuses: tuple[Statuses, ...]
    """Empty for a group alone."""
    parameters: tuple[Parameter, ...]
    parts: "tuple[Command, ...]"
    """The commands of a group."""

    @property
    def name(self) -> str:
        """What is typed last."""
        return self.path.rpartition(" ")[2]

    def leaves(self) -> "Iterator[Command]":
        """The commands that do something: this one, or those of the group."""
        if not self.parts:
            yield self
        for part in self.parts:
            yield from part.leaves()


def whole() -> Command:
    """The program with all its commands.

    Raises:
        ValueError: one does not tell its exit statuses.
    """
    root: Any = typer.main.get_command(command_line([]))
    parts = []
    for name, summary in COMMANDS.items():
        group: Any = typer.main.get_command(command_line([name]))
        parts.append(_read(group.commands[name], f"{PROGRAM} {name}", summary))
    return _read(root, PROGRAM, root.help, parts=tuple(parts))


def _read(command: Any, path: str, summary: str, parts: tuple[Command, ...] = ()) -> Command:
    if not parts:
        below = getattr(command, "commands", {}).items()
        parts = tuple(
            _read(part, f"{path} {name}", _summary(part)) for name, part in below if not part.hidden
        )
    text, statuses = _split(command.help or "")
    if not parts and not statuses:
        raise ValueError(f"{path} --help says nothing of its exit status")
    with typer.Context(command, info_name=path, help_option_names=HELP) as context:
        usage = tuple(command.collect_usage_pieces(context))
        records = [(each, each.get_help_record(context)) for each in command.get_params(context)]
    parameters = tuple(
        Parameter(record[0], record[1], is_help="--help" in each.opts)
        for each, record in records
        if record is not None
    )
    return Command(path, summary, usage, text, statuses, parameters, parts)


def _summary(command: Any) -> str:
    """The first sentence of what a command says of itself."""
    return " ".join((command.help or "").split("\n\n")[0].split())


def _split(text: str) -> tuple[tuple[str, ...], tuple[Statuses, ...]]:
    """The paragraphs, and the exit statuses, which stand last in one."""
    described: list[str] = []
    statuses: list[Statuses] = []
    for paragraph in text.strip("\n").split("\n\n"):
        said = paragraph
        if found := _STATUS.search(paragraph):
            said = paragraph[: found.start()]
            statuses.append(Statuses(found["how"] or "", tuple(_meanings(found["list"]))))
        if said.strip():
            described.append(said.rstrip())
    return tuple(described), tuple(statuses)


def _meanings(text: str) -> Iterator[tuple[int, str]]:
    _, *rest = _EACH.split(" ".join(text.split()))
    for number, said in zip(rest[::2], rest[1::2], strict=True):
        yield int(number), said.strip().rstrip(".")
