"""Read every file that a server is built from, and say what is wrong with them."""

import logging
import secrets
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Final

from cccamd.ids import Sid
from cccamd.localcards import find_kinds
from cccamd.machine import own_address
from cccamd.routing import Priorities, System
from cccamd.setup.cccamcfg import (
    ChannelNames,
    Config,
    ConfigFileError,
    Diagnostic,
    ParseResult,
    PrioEntry,
    ProviderNames,
    Severity,
    load_config,
    parse,
    parse_channelinfo,
    parse_prio,
    parse_providers,
    read_file,
)
from cccamd.setup.files import Problem
from cccamd.setup.toml import FILE_NAME, ParsedToml, TomlConfig, load
from cccamd.setup.toml import parse as parse_toml

EXAMPLE_USER: Final = "receiver"
EXAMPLE_FILE: Final = "the built-in example"
EXAMPLE_TOML: Final = """
[[card]]
kind = "test"
name = "example"
caid = "7F00"
providers = ["00000A"]
"""

Message = tuple[int, str]
"""Log level and text."""
_LEVELS = {
    Severity.NOTE: logging.INFO,
    Severity.WARNING: logging.WARNING,
    Severity.ERROR: logging.ERROR,
}


@dataclass(frozen=True, slots=True)
class Example:
    """What runs when nobody has configured anything."""

    port: int
    password: str = field(repr=False)

    @property
    def c_line(self) -> str:
        """The line that a receiver needs."""
        return f"C: {own_address()} {self.port} {EXAMPLE_USER} {self.password}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Names:
    """What channels and providers are called."""

    channels: ChannelNames = field(default_factory=ChannelNames)
    providers: ProviderNames = field(default_factory=ProviderNames)


@dataclass(frozen=True, slots=True, kw_only=True)
class Files:
    """Everything that was read."""

    config: Config
    toml: TomlConfig
    priorities: Priorities
    messages: tuple[Message, ...]
    refused: bool
    """A file is so wrong that the server must not start."""
    doubtful: bool
    """A file is so wrong that a running server must keep what it has."""
    paths: tuple[Path, ...]
    """The files that count, also those that are not there (yet)."""
    names: Names = field(default_factory=Names)
    example: Example | None = None


def load_files(config_path: Path | None, toml_path: Path | None) -> Files:
    """Read CCcam.cfg, cccamd.toml and CCcam.prio.

    Raises:
        ConfigFileError: CCcam.cfg is there but cannot be read.
    """
    loaded = load_config(config_path)
    if loaded.missing and config_path is None:
        return _load_example(toml_path)
    path = loaded.path or config_path
    assert path is not None
    messages: list[Message] = []
    if loaded.missing:
        text = f"{path}: there is no such file; a server without it has no accounts"
        messages.append((logging.ERROR, text))
    else:
        messages.append((logging.INFO, f"configuration read from {path}"))
    messages += describe_diagnostics(loaded.result)
    messages += _describe_unserved(loaded.result.config)
    beside = path.parent / FILE_NAME
    toml = _load_toml(toml_path or beside, required=toml_path is not None, messages=messages)
    messages += _describe_strays(loaded.result.config, toml.config)
    prio_path = loaded.result.config.settings.caid_prio_file
    return Files(
        config=loaded.result.config,
        toml=toml.config,
        priorities=_load_priorities(prio_path, messages),
        messages=tuple(messages),
        refused=loaded.result.refused or (toml_path is not None and not toml.usable),
        doubtful=loaded.result.refused or _is_empty(path) or not toml.usable,
        paths=(path, toml_path or beside, *([Path(prio_path)] if prio_path else [])),
        names=_load_names(loaded.result.config, messages),
    )


def _is_empty(path: Path) -> bool:
    """A file that is empty or gone while we run is one that somebody is about to write."""
    try:
        return path.stat().st_size == 0
    except OSError:
        return True


def describe_diagnostics(result: ParseResult) -> list[Message]:
    """One log line for each diagnostic."""
    return [(_LEVELS[found.severity], _describe(found)) for found in result.diagnostics]


def _describe(found: Diagnostic) -> str:
    return f"{found.place}: {found.code.value}: {found.sentence()}"


def _describe_unserved(config: Config) -> list[Message]:
    return [
        (
            logging.WARNING,
            f"{config.file}:{line.line}: N-lines (newcamd) are read, but not served yet",
        )
        for line in config.n_lines
    ]


def _describe_strays(config: Config, toml: TomlConfig) -> list[Message]:
    """Tables that name an F-line or C-line which does not exist are typing errors."""
    users = {line.user for line in config.f_lines}
    links = {(line.host.lower(), line.port, line.user) for line in config.c_lines}
    strays = [
        (f"[[account]] {account.identity}", "F-line")
        for account in toml.accounts
        if account.user not in users
    ]
    strays += [
        (f"[[upstream]] {upstream.identity}", "C-line")
        for upstream in toml.upstreams
        if (upstream.host.lower(), upstream.port, upstream.user) not in links
    ]
    return [
        (logging.WARNING, f"{toml.place(table)}: {table} names no {missing}")
        for table, missing in strays
    ]


def _load_example(toml_path: Path | None) -> Files:
    """Run something that a receiver can log in to, with what cccamd.toml says if it is named."""
    password = secrets.token_urlsafe(9)
    result = parse(f"F: {EXAMPLE_USER} {password}\n".encode(), file=EXAMPLE_FILE)
    messages: list[Message] = [(logging.INFO, "no CCcam.cfg was found: the built-in example runs")]
    kinds = find_kinds()
    toml = ParsedToml()
    if toml_path is not None:
        toml = _load_toml(toml_path, required=True, messages=messages)
    card = parse_toml(EXAMPLE_TOML, kinds=kinds.kinds, folder=Path()).config.cards
    return Files(
        config=result.config,
        toml=replace(toml.config, cards=toml.config.cards or card),
        priorities=Priorities(),
        messages=tuple(messages),
        refused=not toml.usable,
        doubtful=False,
        paths=(),
        example=Example(result.config.server_listen_port, password),
    )


def _load_toml(path: Path, *, required: bool, messages: list[Message]) -> ParsedToml:
    kinds = find_kinds()
    messages += [(logging.WARNING, text) for text in kinds.problems]
    toml = load(path, kinds=kinds.kinds, required=required)
    messages += _describe_problems(toml.problems)
    return toml


def _describe_problems(problems: Iterable[Problem]) -> list[Message]:
    return [
        (logging.WARNING if problem.is_warning else logging.ERROR, str(problem))
        for problem in problems
    ]


def _load_priorities(name: str | None, messages: list[Message]) -> Priorities:
    if name is None:
        return Priorities()
    try:
        prio = parse_prio(read_file(Path(name)), file=name)
    except ConfigFileError as error:
        messages.append((logging.INFO, f"no priorities: {error}"))
        return Priorities()
    messages += _describe_problems(prio.problems)
    return Priorities(
        ignored=tuple(_system(entry) for entry in prio.ignored),
        orders=tuple(tuple(_system(entry) for entry in order) for order in prio.orders),
    )


def _load_names(config: Config, messages: list[Message]) -> Names:
    settings = config.settings
    channels, providers = ChannelNames(), ProviderNames()
    if name := settings.channelinfo_file:
        channels = parse_channelinfo(_read_companion(name, messages), file=name)
    if name := settings.providerinfo_file:
        providers = parse_providers(_read_companion(name, messages), file=name)
    for problems in (channels.problems, providers.problems):
        if problems:
            text = f"{problems[0]}; cccamd check shows all {len(problems)} of this file"
            messages.append((logging.WARNING, text))
    return Names(channels=channels, providers=providers)


def _read_companion(name: str, messages: list[Message]) -> bytes:
    try:
        return read_file(Path(name))
    except ConfigFileError as error:
        messages.append((logging.INFO, f"no names: {error}"))
        return b""


def _system(entry: PrioEntry) -> System:
    return System(entry.caid, entry.ident, entry.sid or Sid(0))
