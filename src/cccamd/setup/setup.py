"""From files to one value that a server can be built from, and what is wrong with them."""

import logging
import secrets
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Final

from cccamd.ids import NO_NODE_ID, NodeId
from cccamd.localcards import find_kinds
from cccamd.setup.cccamcfg import (
    Companions,
    Config,
    Diagnostic,
    LoadedConfig,
    Severity,
    load_companions,
    load_config,
    parse,
)
from cccamd.setup.files import FileProblem
from cccamd.setup.logins import Accounts, Upstream, accounts_of, upstreams_of
from cccamd.setup.toml import FILE_NAME, ParsedToml, TomlConfig, load
from cccamd.setup.toml import parse as parse_toml

EXAMPLE_FILE: Final = "the built-in example"
EXAMPLE_USER: Final = "receiver"
EXAMPLE_TOML: Final = """
[[card]]
kind = "test"
name = "example"
caid = "7F00"
providers = ["00000A"]
"""

Message = tuple[int, str]
"""Log level and text."""
_LEVELS: Final = {
    Severity.NOTE: logging.INFO,
    Severity.WARNING: logging.WARNING,
    Severity.ERROR: logging.ERROR,
}


@dataclass(frozen=True, slots=True)
class Example:
    """What runs when nobody has configured anything."""

    port: int
    user: str
    password: str = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Setup:
    """Everything that a server is built from; a reload brings another one."""

    config: Config
    toml: TomlConfig = field(default_factory=TomlConfig)
    companions: Companions = field(default_factory=Companions)
    node_id: NodeId = NO_NODE_ID
    """Ours, from a file of its own; a setup that is only looked at has none."""
    messages: tuple[Message, ...] = ()
    """What there is to say about the files."""
    refused: bool = False
    """A file is so wrong that the server must not start."""
    doubtful: bool = False
    """A file is so wrong that a running server must keep what it has."""
    paths: tuple[Path, ...] = ()
    """The files that count, also those that are not there (yet)."""
    example: Example | None = None

    @property
    def accounts(self) -> Accounts:
        """Who may log in to us."""
        return accounts_of(self.config, self.toml)

    @property
    def upstreams(self) -> list[Upstream]:
        """Where we log in."""
        return upstreams_of(self.config, self.toml)


def load_setup(config_path: Path | None, toml_path: Path | None) -> Setup:
    """Read CCcam.cfg, its companions and cccamd.toml; the node id is another function's.

    Without any CCcam.cfg it is an example that a receiver can log in to.

    Raises:
        ConfigFileError: CCcam.cfg is there but cannot be read.
    """
    loaded = load_config(config_path)
    path = loaded.path or config_path
    if path is None:
        return _load_example(toml_path)
    beside = toml_path or path.parent / FILE_NAME
    kinds = find_kinds()
    toml = load(beside, kinds=kinds, required=toml_path is not None)
    config = loaded.result.config
    companions = load_companions(config.settings)
    prio_path = config.settings.caid_prio_file
    return Setup(
        config=config,
        toml=toml.config,
        companions=companions,
        messages=(
            *_about_config(path, loaded),
            *_about_toml(kinds.problems, toml),
            *_about_strays(config, toml.config),
            *_about_companions(companions),
        ),
        refused=loaded.result.refused or (toml_path is not None and not toml.usable),
        doubtful=loaded.result.refused or _is_empty(path) or not toml.usable,
        paths=(path, beside, *([Path(prio_path)] if prio_path else [])),
    )


def _is_empty(path: Path) -> bool:
    """A file that is empty or gone while we run is one that somebody is about to write."""
    try:
        return path.stat().st_size == 0
    except OSError:
        return True


def _load_example(toml_path: Path | None) -> Setup:
    """Make the example, with what cccamd.toml says if it is named."""
    password = secrets.token_urlsafe(9)
    config = parse(f"F: {EXAMPLE_USER} {password}\n".encode(), file=EXAMPLE_FILE).config
    kinds = find_kinds()
    toml = ParsedToml()
    if toml_path is not None:
        toml = load(toml_path, kinds=kinds, required=True)
    card = parse_toml(EXAMPLE_TOML, kinds=kinds, folder=Path()).config.cards
    return Setup(
        config=config,
        toml=replace(toml.config, cards=toml.config.cards or card),
        messages=(
            (logging.INFO, "no CCcam.cfg was found: the built-in example runs"),
            *_about_toml(kinds.problems, toml),
        ),
        refused=not toml.usable,
        example=Example(config.server_listen_port, EXAMPLE_USER, password),
    )


# What there is to say.


def _about_config(path: Path, loaded: LoadedConfig) -> Iterator[Message]:
    if loaded.missing:
        text = f"{path}: there is no such file; a server without it has no accounts"
        yield logging.ERROR, text
    else:
        yield logging.INFO, f"configuration read from {path}"
        if _is_empty(path):
            text = "it is empty: by it there are no accounts; a running server keeps what it has"
            yield logging.WARNING, f"{path}: {text}"
    for found in loaded.result.diagnostics:
        yield _LEVELS[found.severity], _describe(found)
    for line in loaded.result.config.n_lines:
        yield logging.WARNING, f"{path}:{line.line}: N-lines (newcamd) are read, but not served yet"


def _describe(found: Diagnostic) -> str:
    return f"{found.place}: {found.code.value}: {found.sentence()}"


def _about_toml(kind_problems: Iterable[str], toml: ParsedToml) -> Iterator[Message]:
    for text in kind_problems:
        yield logging.WARNING, text
    yield from map(_message, toml.problems)


def _message(problem: FileProblem) -> Message:
    level = logging.WARNING if problem.is_warning else logging.ERROR
    return level, f"{problem.place}: {problem.text}"


def _about_strays(config: Config, toml: TomlConfig) -> Iterator[Message]:
    """Tables that name an F-line or C-line which does not exist are typing errors."""
    users = {line.user for line in config.f_lines}
    links = {line.key for line in config.c_lines}
    strays = [(each.heading, "F-line") for each in toml.accounts if each.user not in users]
    strays += [(each.heading, "C-line") for each in toml.upstreams if each.key not in links]
    for heading, missing in strays:
        yield logging.WARNING, f"{toml.place(heading)}: {heading} names no {missing}"


def _about_companions(companions: Companions) -> Iterator[Message]:
    for key, error in companions.unread.items():
        what = "priorities" if key == "CAID PRIO FILE" else "names"
        yield logging.INFO, f"no {what}: {error}"
    yield from map(_message, companions.prio.problems)
    for problems in (companions.channels.problems, companions.providers.problems):
        if problems:  # thousands of lines, and all that is lost is a name
            level, text = _message(problems[0])
            yield level, f"{text}; cccamd check shows all {len(problems)} of this file"
