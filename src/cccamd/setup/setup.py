"""From files to one value that a server can be built from, and what is wrong with them."""

import logging
import secrets
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Final

from cccamd.facts import ConfigProblemKind
from cccamd.ids import NO_NODE_ID, NodeId
from cccamd.localcards import find_kinds
from cccamd.setup.cccamcfg import (
    SEARCHED_PATHS,
    Companions,
    Config,
    Diagnostic,
    LoadedConfig,
    Severity,
    load_companions,
    load_config,
    parse,
)
from cccamd.setup.files import (
    ConfigFileError,
    ConfigFileMissingError,
    FileProblem,
    Place,
)
from cccamd.setup.logins import Account, Accounts, Upstream, accounts_of, upstreams_of
from cccamd.setup.merging import merge
from cccamd.setup.rights import OPEN_TO_ALL, can_be_read_by_all
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

STRAYS_LIMIT: Final = 2000
"""Tables that are named one by one; nobody reads more."""

_LEVELS: Final = {
    Severity.NOTE: logging.INFO,
    Severity.WARNING: logging.WARNING,
    Severity.ERROR: logging.ERROR,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """One thing that there is to say about the files. No text holds a secret."""

    level: int
    """Of the log."""
    text: str
    """A sentence without its place."""
    place: Place | None = None
    kind: ConfigProblemKind | None = None
    """What it means for the server; None: nothing is wrong."""
    count: int = 1
    """How many things it is said of."""

    def __str__(self) -> str:
        return self.text if self.place is None else f"{self.place}: {self.text}"


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
    refusal: str = ""
    """Why the server must not start with these files; empty: it may."""
    doubt: str = ""
    """Why a running server must keep what it has; empty: it need not."""
    withheld: str = ""
    """Which file the system could not give us just now, and why: it is no file without lines."""
    sources: "Sources" = field(default_factory=lambda: Sources())
    """Where it was read from."""
    example: Example | None = None

    @property
    def refused(self) -> bool:
        """Whether a file is so wrong that the server must not start."""
        return bool(self.refusal)

    @property
    def doubtful(self) -> bool:
        """Whether a file is so wrong that a running server must keep what it has."""
        return bool(self.doubt)

    @property
    def paths(self) -> tuple[Path, ...]:
        """The files that count, also those that are not there (yet)."""
        return self.sources.paths

    @property
    def accounts(self) -> Accounts:
        """Who may log in to us."""
        return accounts_of(self.config, self.toml)

    def account(self, user: str) -> Account | None:
        """One of them; None: there is none of this name."""
        return next(iter(accounts_of(self.config, self.toml, user=user).values()), None)

    @property
    def upstreams(self) -> list[Upstream]:
        """Where we log in."""
        return upstreams_of(self.config, self.toml)


@dataclass(frozen=True, slots=True, kw_only=True)
class Sources:
    """Where a setup was read from, so that the same files are read again."""

    config: Path | None = None
    """None: there is no CCcam.cfg yet; the usual places are looked at."""
    toml: Path | None = None
    toml_required: bool = False
    """It was named, or it was there: one that is missing is a fault."""
    companions: tuple[Path, ...] = ()

    @property
    def paths(self) -> tuple[Path, ...]:
        """All files that count, also those that are not there (yet)."""
        configs = SEARCHED_PATHS if self.config is None else (self.config,)
        return (*configs, *([self.toml] if self.toml else []), *self.companions)


def load_setup(config_path: Path | None, toml_path: Path | None) -> Setup:
    """Read CCcam.cfg, its companions and cccamd.toml; the node id is another function's.

    Without any CCcam.cfg it is an example that a receiver can log in to.

    Raises:
        ConfigFileError: CCcam.cfg is there but cannot be read.
    """
    return _load(config_path, toml_path, toml_required=toml_path is not None)


def load_again(sources: Sources) -> Setup:
    """Read the files of a running server again, and no others: nothing is searched for anew.

    Raises:
        ConfigFileError: CCcam.cfg is there but cannot be read.
    """
    return _load(sources.config, sources.toml, toml_required=sources.toml_required)


def _load(config_path: Path | None, toml_path: Path | None, *, toml_required: bool) -> Setup:
    loaded = load_config(config_path)
    path = loaded.path or config_path
    if path is None:
        return _load_example(toml_path)
    beside = toml_path or path.parent / FILE_NAME
    with _reading_packages():
        kinds = find_kinds()
        toml = load(beside, kinds=kinds, required=toml_required)
        kind_problems = kinds.problems if kinds.were_asked_for else ()
    toml.config.settle()
    config = merge(loaded.result.config, toml.config)
    companions = load_companions(config.settings)
    refusal = _refusal(path, loaded) or ("" if toml_path is None else _unusable(toml))
    withheld = _withheld(toml, companions)
    return Setup(
        config=config,
        toml=toml.config,
        companions=companions,
        messages=(
            *_about_config(path, loaded),
            *_about_rights(path, beside),
            *_about_toml(kind_problems, toml),
            *_about_strays(loaded.result.config, config, toml.config),
            *_about_companions(companions),
        ),
        refusal=refusal,
        doubt=refusal or _emptiness(path, loaded) or _unusable(toml) or withheld,
        withheld=withheld,
        sources=Sources(
            config=path,
            toml=beside,
            toml_required=toml_required or beside.exists(),
            companions=companion_paths(config),
        ),
    )


@contextmanager
def _reading_packages() -> Iterator[None]:
    """While it may be looked which kinds of cards are installed.

    Raises:
        ConfigFileError: the system does not let us look.
    """
    try:
        yield
    except OSError as error:
        why = f"cannot be read: {error.strerror}"
        raise ConfigFileError(str(error.filename or "packages"), why, passing=True) from error


def _refusal(path: Path, loaded: LoadedConfig) -> str:
    """Why no server may start with a CCcam.cfg: what is wrong with the file as a whole."""
    found = loaded.result.diagnostics
    whole = (each for each in found if each.place.line is None)
    errors = [_describe(each) for each in whole if each.severity is Severity.ERROR]
    return f"{path}: {errors[0]}" if errors else ""


TORN: Final = (
    "it has zero bytes in it, as after a power cut while it was written; write it anew, or take it"
    " from a backup"
)


def _emptiness(path: Path, loaded: LoadedConfig) -> str:
    """A file that is empty or gone while we run is one that somebody is about to write.

    One with zero bytes was torn: file systems leave them where the power went before the text came.
    """
    if loaded.missing:
        return f"{path}: there is no such file any more"
    if loaded.torn:
        return f"{path}: {TORN}"
    return f"{path}: it is empty" if loaded.empty else ""


def _unusable(toml: ParsedToml) -> str:
    return "" if toml.usable else f"{toml.problems[0].place}: {toml.problems[0].text}"


def _withheld(toml: ParsedToml, companions: Companions) -> str:
    if toml.passing:
        return _unusable(toml)
    return next((str(error) for error in companions.unread.values() if error.passing), "")


def companion_paths(config: Config) -> tuple[Path, ...]:
    """The files that a CCcam.cfg names, by its keys or by their defaults; there or not."""
    settings = config.settings
    names = (settings.caid_prio_file, settings.channelinfo_file, settings.providerinfo_file)
    return tuple(Path(name) for name in names if name)


def _load_example(toml_path: Path | None) -> Setup:
    """Make the example, with what cccamd.toml says if it is named."""
    password = secrets.token_urlsafe(9)
    config = parse(f"F: {EXAMPLE_USER} {password}\n".encode(), file=EXAMPLE_FILE).config
    toml = ParsedToml()
    with _reading_packages():
        kinds = find_kinds()
        if toml_path is not None:
            toml = load(toml_path, kinds=kinds, required=True)
            toml.config.settle()
        card = parse_toml(EXAMPLE_TOML, kinds=kinds, folder=Path()).config.cards
    return Setup(
        config=config,
        toml=replace(toml.config, cards=toml.config.cards or card),
        messages=(
            Message(level=logging.INFO, text="no CCcam.cfg was found: the built-in example runs"),
            *_about_toml(kinds.problems, toml),
        ),
        refusal=_unusable(toml),
        doubt=_unusable(toml),
        sources=Sources(toml=toml_path, toml_required=toml_path is not None),
        example=Example(config.server_listen_port, EXAMPLE_USER, password),
    )


# What there is to say.


def _about_config(path: Path, loaded: LoadedConfig) -> Iterator[Message]:
    place = Place(str(path))
    if loaded.missing:
        text = "there is no such file; a server without it has no accounts"
        kind = ConfigProblemKind.LEFT_OUT
        yield Message(level=logging.ERROR, text=text, place=place, kind=kind)
    else:
        yield Message(level=logging.INFO, text=f"configuration read from {path}")
        if loaded.empty:
            text = "it is empty: by it there are no accounts; a running server keeps what it has"
            kind = ConfigProblemKind.DOUBTFUL
            yield Message(level=logging.WARNING, text=text, place=place, kind=kind)
        if loaded.torn:
            kind = ConfigProblemKind.LEFT_OUT
            yield Message(level=logging.ERROR, text=TORN, place=place, kind=kind)
    for found in loaded.result.diagnostics:
        yield Message(
            level=_LEVELS[found.severity],
            text=_describe(found),
            place=found.place,
            kind=_kind(found),
        )
    for severity, untold in loaded.result.untold.items():
        if untold:
            text = f"and {untold:,} more {severity.name.lower()}s in this file"
            yield Message(
                level=_LEVELS[severity],
                text=text,
                place=place,
                kind=_UNTOLD_KINDS[severity],
                count=untold,
            )


_UNTOLD_KINDS = {
    Severity.ERROR: ConfigProblemKind.LEFT_OUT,
    Severity.WARNING: ConfigProblemKind.DOUBTFUL,
    Severity.NOTE: None,
}


def _describe(found: Diagnostic) -> str:
    return f"{found.code.value}: {found.sentence()}"


def _kind(found: Diagnostic) -> ConfigProblemKind | None:
    if found.severity is Severity.NOTE:
        return None
    leaves_out = found.code.leaves_out
    return ConfigProblemKind.LEFT_OUT if leaves_out else ConfigProblemKind.DOUBTFUL


def _about_rights(*paths: Path) -> Iterator[Message]:
    """Files with secrets that every user of the machine can read; CCcam.cfg is so by tradition."""
    for path in filter(can_be_read_by_all, paths):
        yield Message(level=logging.INFO, text=OPEN_TO_ALL, place=Place(str(path)))


def _about_toml(kind_problems: Iterable[str], toml: ParsedToml) -> Iterator[Message]:
    for text in kind_problems:
        yield Message(level=logging.WARNING, text=text, kind=ConfigProblemKind.LEFT_OUT)
    yield from map(_message, toml.problems)
    if not toml.usable:
        text = (
            "what it restricts is not known: a server that starts with it uses no account and no"
            " server of CCcam.cfg until it is mended; one that runs keeps what it has"
        )
        level, kind = logging.ERROR, ConfigProblemKind.LEFT_OUT
        yield Message(level=level, text=text, place=Place(toml.config.file), kind=kind)


def _message(problem: FileProblem) -> Message:
    return Message(
        level=logging.WARNING if problem.is_warning else logging.ERROR,
        text=problem.text,
        place=problem.place,
        kind=ConfigProblemKind.LEFT_OUT if problem.is_left_out else ConfigProblemKind.DOUBTFUL,
    )


def _about_strays(lines: Config, config: Config, toml: TomlConfig) -> Iterator[Message]:
    """Tables that name an F-line or C-line which does not exist are typing errors.

    `lines` is CCcam.cfg alone, `config` with the accounts of cccamd.toml.
    """
    users = {line.user for line in config.f_lines}
    links = {line.key for line in config.upstream_lines}
    strays = [(each.heading, "names no F-line") for each in toml.accounts if each.user not in users]
    strays += [
        (each.heading, "names no C-line or N-line")
        for each in toml.upstreams
        if each.key not in links
    ]
    newcamd = {line.key for line in config.n_lines}
    strays += [
        (
            each.heading,
            "is paired, but newcamd goes without TLS: its N-line is not used; take paired out of"
            " the table, or name the server in a C-line",
        )
        for each in toml.upstreams
        if each.paired and each.key in newcamd
    ]
    strays += [
        (each.heading, f"names no F-line with {user} in accounts")
        for each in toml.newcamd
        for user in each.accounts
        if user not in users
    ]
    if toml.dvbapi.enabled and toml.dvbapi.account not in users:
        strays.append(("[dvbapi]", "names no F-line"))
    strays += _strays_of_grants(lines, config, toml)
    taken = _ports_of(config, toml)
    strays += [
        (each.heading, f"is not opened: {taken[each.port]} has that port")
        for each in toml.newcamd
        if each.port in taken
    ]
    for heading, trouble in strays[:STRAYS_LIMIT]:
        yield Message(
            level=logging.WARNING,
            text=f"{heading} {trouble}",
            place=toml.place(heading),
            kind=ConfigProblemKind.LEFT_OUT,
        )
    if more := len(strays[STRAYS_LIMIT:]):
        yield Message(
            level=logging.WARNING,
            text=f"and {more:,} more such tables",
            place=Place(toml.file),
            kind=ConfigProblemKind.LEFT_OUT,
            count=more,
        )


def _strays_of_grants(lines: Config, config: Config, toml: TomlConfig) -> Iterator[tuple[str, str]]:
    users, sources = {line.user for line in lines.f_lines}, {each.name for each in toml.upstreams}
    sources |= {entry.config.name for entry in toml.cards}
    for table in toml.accounts:
        if table.password is not None and table.user in users:
            yield table.heading, "has a password that is not used: that of the F-line counts"
        for name in table.emm_to:
            if name not in sources:
                yield table.heading, f'names no source "{name}" in emm_to'
    wishes = [(each.heading, each.services) for each in toml.accounts]
    wishes += [(each.heading, each.services) for each in toml.upstreams]
    for heading, wished in wishes:
        for wish in wished:
            if wish.removeprefix("!") not in toml.services:
                yield heading, f'names no [services] table in services: "{wish}"'
    known = {line.user: line for line in config.f_lines}
    account = known.get(toml.dvbapi.account or "")
    if toml.dvbapi.enabled and account is not None and not account.speaks("dvbapi"):
        yield "[dvbapi]", "names an account whose protocols leave dvbapi out"


def _ports_of(config: Config, toml: TomlConfig) -> dict[int, str]:
    """The ports of everything but `[[newcamd]]`, and the settings that they are of."""
    ports = {
        config.server_listen_port: "SERVER LISTEN PORT",
        config.webinfo.port if config.webinfo.listens else 0: "WEBINFO LISTEN PORT",
        config.telnetinfo.port if config.telnetinfo.listens else 0: "TELNETINFO LISTEN PORT",
        toml.tls.port: "[tls] port",
        toml.dvbapi.port: "[dvbapi] port",
    }
    return {port: name for port, name in ports.items() if port}


def _about_companions(companions: Companions) -> Iterator[Message]:
    for key, error in companions.unread.items():
        what = "priorities" if key == "CAID PRIO FILE" else "names"
        # They are seldom there, although many a CCcam.cfg names them; nobody misses them.
        missed = not isinstance(error, ConfigFileMissingError)
        yield Message(
            level=logging.WARNING if missed else logging.INFO,
            text=f"{error.reason}; no {what} are read",
            place=Place(error.name),
            kind=ConfigProblemKind.LEFT_OUT if missed else None,
        )
    yield from map(_message, companions.prio.problems)
    for problems in (companions.channels.problems, companions.providers.problems):
        if problems:  # thousands of lines, and all that is lost is a name
            first, rest = _message(problems[0]), len(problems)
            yield replace(first, text=f"{first.text}; cccamd check shows all {rest} of this file")
