"""Which configuration is read, who may read it, what is wrong in it; whether our server uses it."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Final, assert_never

from cccamd.facts import ConfigProblemKind, ConfigState, Status
from cccamd.machine import (
    Hindrance,
    SystemUser,
    WayPart,
    WriteTarget,
    first_barrier,
    group_name,
    is_open_to_all,
)
from cccamd.setup.cccamcfg import (
    SEARCHED_PATHS,
    Companions,
    Config,
    Diagnostic,
    ParseResult,
    Severity,
)
from cccamd.setup.files import FileProblem
from cccamd.setup.merging import merge
from cccamd.setup.toml import ParsedToml, TomlConfig
from cccamd.why.diagnosis import Check, Diagnosis, Grade, diagnose
from cccamd.wording import count, listed, some_of

_LINES_SHOWN: Final = 8
"""The rest is for `cccamd check`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Installation:
    """What was read, and why from there."""

    path: Path | None
    """CCcam.cfg; None: none was named, and none is in the usual places."""
    named: bool
    """The operator named it; else it was the first of the usual ones."""
    passed_over: tuple[Path, ...] = ()
    """Others of the usual ones that exist too, and are not read."""
    missing: bool = False
    unreadable: str = ""
    """Why it could not be read; empty when it could."""
    result: ParseResult = field(repr=False)
    toml_path: Path | None = None
    toml_named: bool = False
    toml_is_there: bool = False
    toml: ParsedToml = field(default_factory=ParsedToml, repr=False)
    kind_problems: tuple[str, ...] = ()
    """Plug-ins that cannot be used."""
    companions: Companions = field(default_factory=Companions, repr=False)

    @property
    def config(self) -> Config:
        """What CCcam.cfg says, with the accounts as cccamd.toml has them."""
        return merge(self.result.config, self.settings)

    @property
    def settings(self) -> TomlConfig:
        """What cccamd.toml says."""
        return self.toml.config

    @property
    def is_known(self) -> bool:
        """Whether there is a configuration at all that the other checks can start from."""
        return not (self.unreadable or self.missing or self.result.refused)


@dataclass(frozen=True, slots=True, kw_only=True)
class Access:
    """A file, the way to it, and who has to read it."""

    path: Path
    way: tuple[WayPart, ...]
    user: SystemUser
    why: str
    """How we know that it is this user."""
    is_companion: bool = False
    """It holds no secrets, and the server does without it."""


_source = partial(diagnose, Check.CONFIGURATION)


def judge_source(installation: Installation) -> Diagnosis:
    """Say which file is read and why, or why none is."""
    path = installation.path
    if path is None:
        places = some_of([str(place) for place in SEARCHED_PATHS])
        return _source(
            Grade.ADVICE,
            "no-file",
            f"there is none of {places}: the server would run its built-in example",
            "Put your CCcam.cfg to one of these places, or name it with -C.",
        )
    if installation.unreadable:
        change = "Run doctor as root, or as the user that the service runs as."
        text = f"{path}: {installation.unreadable}"
        return _source(Grade.FAILURE, "file-unreadable", text, change)
    if installation.missing:
        text = f"{path} was named, and there is no such file: nobody can log in"
        return _source(Grade.FAILURE, "file-missing", text, "Name the right file with -C.")
    if installation.passed_over:
        others = listed([str(other) for other in installation.passed_over])
        return _source(
            Grade.ADVICE,
            "file-passed-over",
            f"{path} is read; {others} is there too, and is not read: only the first one counts",
            f"Edit {path} and no other, or delete it if it is the old one.",
        )
    why = "it was named with -C" if installation.named else "the first of the usual places"
    return _source(Grade.OK, "file", f"{path} is read: {why}")


def judge_content(path: Path, result: ParseResult) -> Diagnosis:
    """Sum up what `cccamd check` says."""
    content = partial(_source, subject=str(path))
    errors = _of(result.diagnostics, Severity.ERROR)
    warnings = _of(result.diagnostics, Severity.WARNING)
    config = result.config
    parts = [count(len(config.f_lines), "account"), count(len(config.c_lines), "C-line")]
    parts += [count(len(config.n_lines), "N-line")] if config.n_lines else []
    holds = listed(parts)
    change = f"Run: cccamd check {path}"
    if result.refused:
        text = f"the server does not start: {errors[0].text}"
        return content(Grade.FAILURE, "file-refused", text, change)
    if errors:
        number = result.count(Severity.ERROR)
        text = f"{holds} in use; not used, because of an error: {count(number, 'line')}"
        change = f"{change} - an F-line in error is an account that cannot log in."
        return content(Grade.WARNING, "lines-refused", text, change, more=_lines(errors))
    if warnings:
        number = result.count(Severity.WARNING)
        lines = f"{count(number, 'line')} may do something else than it seems"
        text = f"{holds} in use; {lines}"
        return content(Grade.ADVICE, "lines-doubtful", text, change, more=_lines(warnings))
    return content(Grade.OK, "content", f"{holds}, nothing to complain about")


def _of(diagnostics: Sequence[Diagnostic], severity: Severity) -> list[Diagnostic]:
    return [found for found in diagnostics if found.severity is severity]


def _lines(diagnostics: Sequence[Diagnostic]) -> tuple[str, ...]:
    lines = [
        f"{_place(found)}: {found.code.value}: {found.sentence()}"
        for found in diagnostics[:_LINES_SHOWN]
    ]
    rest = len(diagnostics) - _LINES_SHOWN
    return (*lines, f"and {rest} more") if rest > 0 else tuple(lines)


def _place(found: Diagnostic) -> str:
    return "the file" if found.place.line is None else f"line {found.place.line}"


def judge_toml(path: Path, parsed: ParsedToml, *, named: bool) -> Diagnosis:
    """Say what is wrong with cccamd.toml."""
    content = partial(_source, subject=str(path))
    texts = tuple(str(problem) for problem in parsed.problems)
    errors = [problem for problem in parsed.problems if not problem.is_warning]
    if not parsed.usable:
        effect = "the server does not start" if named else "nothing of it is used"
        text = f"{effect}: {texts[0]}"
        return content(Grade.FAILURE, "file-refused", text, "Mend the place named.")
    if errors:
        text = f"not used, because of an error: {count(len(errors), 'setting')}"
        change = "Mend the places named."
        return content(Grade.WARNING, "settings-refused", text, change, more=texts)
    if texts:
        change = "Think twice about it."
        return content(Grade.ADVICE, "settings-doubtful", texts[0], change, more=texts[1:])
    cards = count(len(parsed.config.cards), "local card")
    return content(Grade.OK, "content", f"{cards}, nothing to complain about")


def judge_companions(companions: Companions) -> list[Diagnosis]:
    """Say what of CCcam.prio and the files of names is not used; nothing when all is."""
    by_file: dict[str, list[FileProblem]] = {}
    for problem in companions.problems:
        by_file.setdefault(problem.place.file, []).append(problem)
    return [_judge_companion(file, problems) for file, problems in by_file.items()]


def _judge_companion(file: str, problems: Sequence[FileProblem]) -> Diagnosis:
    content = partial(_source, subject=file)
    first = problems[0]
    if first.place.line is None:
        change = "Name the right file in CCcam.cfg, or take the line out."
        return content(Grade.WARNING, "companion-unreadable", first.text, change)
    text = f"{count(len(problems), 'line')} skipped, or read with a guess"
    lines = [f"line {found.place.line}: {found.text}" for found in problems[:_LINES_SHOWN]]
    if len(problems) > _LINES_SHOWN:
        lines.append(f"and {len(problems) - _LINES_SHOWN} more")
    change = "Run cccamd check on the CCcam.cfg: it names them all."
    return content(Grade.ADVICE, "companion-lines", text, change, more=tuple(lines))


def judge_kinds(problems: Sequence[str]) -> list[Diagnosis]:
    """Name the plug-ins that cannot be used."""
    change = "Install it again, or remove it."
    return [_source(Grade.WARNING, "plug-in", text, change, subject="plug-in") for text in problems]


def judge_access(access: Access) -> Diagnosis:
    """Say whether the service's user may read a file, and whether everybody may."""
    path, user = access.path, access.user
    content = partial(_source, subject=str(path))
    barrier = first_barrier(access.way, user)
    if barrier is not None:
        group = group_name(barrier.gid)
        return content(
            Grade.WARNING if access.is_companion else Grade.FAILURE,
            "no-access",
            f"the service runs as {user.name} ({access.why}), whom {barrier.name} does not let in"
            f" (mode {barrier.mode & 0o7777:04o}, group {group})",
            f"Run: chgrp {user.name} {path} && chmod 640 {path}"
            if barrier.name == str(access.way[-1].name)
            else f"Let {user.name} enter the folder {barrier.name}: chmod o+x {barrier.name}",
        )
    if is_open_to_all(access.way) and not access.is_companion:
        change = f"Run: chmod o-r {path}"
        change += f" (and see that {user.name} still can)" if user.uid else ""
        text = "it holds secrets (passwords, keys), and every user of this machine can read it"
        return content(Grade.ADVICE, "open-to-all", text, change)
    return content(Grade.OK, "access", f"{user.name}, who runs the service, may read it")


# What it writes.


@dataclass(frozen=True, slots=True, kw_only=True)
class Written:
    """A file that the server writes, and who it runs as."""

    what: str
    """What it is for people: LOG FILE in line 3."""
    target: WriteTarget
    user: SystemUser
    why: str
    """How we know that it is this user."""
    makes_folders: bool = False
    """The server makes the folder for it."""


def judge_written(written: Written) -> Diagnosis:
    """Say whether the service's user can write a file."""
    path, user = written.target.path, written.user
    content = partial(_source, subject=str(path))
    found = written.target.hindrance(user, makes_folders=written.makes_folders)
    if found is None:
        return content(Grade.OK, "writable", f"{written.what}: {user.name} can write it")
    hindrance, where = found
    bad = partial(content, Grade.WARNING, "not-writable")
    begin = f"{written.what} cannot be written"
    match hindrance:
        case Hindrance.NO_FOLDER:
            return bad(f"{begin}: there is no folder {where}", f"Run: mkdir -p {path.parent}")
        case Hindrance.NOT_A_FILE:
            return bad(f"{begin}: this is {where}, not a file", "Name a file.")
        case Hindrance.READ_ONLY:
            text = f"{begin}: {where} is on a file system that is mounted read-only"
            return bad(text, "Write it elsewhere, such as to /var/log or /tmp.")
        case Hindrance.FULL:
            change = "Delete what is not needed there, or write it elsewhere."
            return bad(f"{begin}: there is no room left where {where} is", change)
        case Hindrance.FORBIDDEN:
            text = (
                f"{begin}: the service runs as {user.name} ({written.why}), who may not write"
                f" {where}"
            )
            return bad(text, f"Run: chown {user.name} {where}")
        case _:
            assert_never(hindrance)


# The running server.

_server = partial(diagnose, Check.SERVER)


def judge_server(
    installation: Installation,
    running: Status | None,
    *,
    runs: bool,
    why_not: str,
    other_file: bool = False,
) -> Diagnosis:
    """Say whether our server runs, and whether it runs with the file that was read.

    `why_not`: why it could not be asked, when it runs. `other_file`: what it reads is another
    file than that, by whatever names.
    """
    if not runs:
        text = "not running: everything was tried from scratch"
        return _server(Grade.OK, "not-running", text)
    if running is None:
        text = f"it runs, but its status could not be read: {why_not}"
        change = "See that ALLOW WEBINFO is yes: its page tells how links and clients do."
        return _server(Grade.ADVICE, "no-status", text, change)
    reads = running.server.config_path
    if installation.path is not None and reads and other_file:
        text = f"it runs with {reads}, not with {installation.path} that was checked here"
        change = f"Edit {reads}, or start the server with -C {installation.path}."
        return _server(Grade.WARNING, "other-file", text, change)
    text = (
        f"{running.server.program} runs; clients logged in: {len(running.clients)},"
        f" sources: {len(running.sources)}"
    )
    return _server(Grade.OK, "running", text)


def judge_config_state(state: ConfigState) -> list[Diagnosis]:
    """Say what of its files the running server does not run with.

    What it leaves out is said of the files themselves.
    """
    found = []
    if not state.taken:
        text = (
            f"it does not run with what its files say now, but with what they said: {state.refusal}"
        )
        change = "Mend that; it reads them again by itself."
        found.append(_server(Grade.FAILURE, "files-refused", text, change))
    for problem in state.problems:
        if problem.kind is ConfigProblemKind.NOT_DONE:
            change = (
                "Mend that. It is tried again by itself, but for ports and sockets, which want a"
                " reload: systemctl reload cccamd, or kill -HUP."
            )
            found.append(_server(Grade.WARNING, "not-done", problem.text, change))
        elif problem.kind is ConfigProblemKind.WAITS:
            change = "Restart it when nobody watches."
            found.append(_server(Grade.ADVICE, "waits", problem.text, change))
    return found
