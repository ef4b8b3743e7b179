"""Which configuration is read, whether the service may read it, and what is wrong in it."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from cccamd.doctor.finding import Check, Finding, Verdict
from cccamd.doctor.installation import Installation
from cccamd.doctor.wording import count, listed, some_of
from cccamd.machine import SystemUser, WayPart, first_barrier, group_name, is_open_to_all
from cccamd.setup.cccamcfg import SEARCHED_PATHS, Diagnostic, ParseResult, Severity
from cccamd.setup.toml import ParsedToml


@dataclass(frozen=True, slots=True, kw_only=True)
class Access:
    """A file, the way to it, and who has to read it."""

    path: Path
    way: tuple[WayPart, ...]
    user: SystemUser
    why: str
    """How we know that it is this user."""


def judge_source(installation: Installation) -> Finding:
    """Say which file is read and why, or why none is."""
    path = installation.path
    if path is None:
        return _nothing_found()
    if installation.unreadable:
        return _source(Verdict.FAILURE, f"{path}: {installation.unreadable}", _unreadable_advice())
    if installation.missing:
        return _source(
            Verdict.FAILURE,
            f"{path} was named, and there is no such file: nobody can log in",
            "Name the right file with -C.",
        )
    if installation.passed_over:
        others = listed([str(other) for other in installation.passed_over])
        return _source(
            Verdict.ADVICE,
            f"{path} is read; {others} is there too, and is not read: only the first one counts",
            f"Edit {path} and no other, or delete it if it is the old one.",
        )
    why = "it was named with -C" if installation.named else "the first of the usual places"
    return _source(Verdict.OK, f"{path} is read: {why}")


def judge_content(path: Path, result: ParseResult) -> Finding:
    """Sum up what `cccamd check` says."""
    errors = _of(result.diagnostics, Severity.ERROR)
    warnings = _of(result.diagnostics, Severity.WARNING)
    config = result.config
    holds = f"{count(len(config.f_lines), 'account')} and {count(len(config.c_lines), 'C-line')}"
    advice = f"Run: cccamd check {path}"
    if result.refused:
        return _content(
            path, Verdict.FAILURE, f"the server does not start: {errors[0].text}", advice
        )
    if errors:
        what = f"{holds} in use; not used, because of an error: {count(len(errors), 'line')}"
        advice = f"{advice} - an F-line in error is an account that cannot log in."
        return _content(path, Verdict.WARNING, what, advice, _lines(errors))
    if warnings:
        lines = f"{count(len(warnings), 'line')} may do something else than it seems"
        what = f"{holds} in use; {lines}"
        return _content(path, Verdict.ADVICE, what, advice, _lines(warnings))
    return _content(path, Verdict.OK, f"{holds}, nothing to complain about")


def judge_toml(path: Path, parsed: ParsedToml, *, named: bool) -> Finding:
    """Say what is wrong with cccamd.toml."""
    texts = tuple(str(problem) for problem in parsed.problems)
    errors = [problem for problem in parsed.problems if not problem.is_warning]
    if not parsed.usable:
        effect = "the server does not start" if named else "nothing of it is used"
        advice = "Mend the place named."
        return _content(path, Verdict.FAILURE, f"{effect}: {texts[0]}", advice)
    if errors:
        what = f"not used, because of an error: {count(len(errors), 'setting')}"
        return _content(path, Verdict.WARNING, what, "Mend the places named.", texts)
    if texts:
        return _content(path, Verdict.ADVICE, texts[0], "Think twice about it.", texts[1:])
    cards = count(len(parsed.config.cards), "local card")
    return _content(path, Verdict.OK, f"{cards}, nothing to complain about")


def judge_kinds(problems: Sequence[str]) -> list[Finding]:
    """Name the plug-ins that cannot be used."""
    return [
        Finding(
            check=Check.CONFIGURATION,
            subject="plug-in",
            verdict=Verdict.WARNING,
            evidence=text,
            advice="Install it again, or remove it.",
        )
        for text in problems
    ]


def judge_access(access: Access) -> Finding:
    """Say whether the service's user may read a file, and whether everybody may."""
    path, user = access.path, access.user
    barrier = first_barrier(access.way, user)
    if barrier is not None:
        group = group_name(barrier.gid)
        return _content(
            path,
            Verdict.FAILURE,
            f"the service runs as {user.name} ({access.why}), whom {barrier.name} does not let in"
            f" (mode {barrier.mode & 0o7777:04o}, group {group})",
            f"Run: chgrp {user.name} {path} && chmod 640 {path}"
            if barrier.name == str(access.way[-1].name)
            else f"Let {user.name} enter the folder {barrier.name}: chmod o+x {barrier.name}",
        )
    if is_open_to_all(access.way):
        return _content(
            path,
            Verdict.ADVICE,
            "it holds secrets (passwords, keys), and every user of this machine can read it",
            f"Run: chmod o-r {path}"
            + (f" (and see that {user.name} still can)" if user.uid else ""),
        )
    return _content(path, Verdict.OK, f"{user.name}, who runs the service, may read it")


def _nothing_found() -> Finding:
    places = some_of([str(place) for place in SEARCHED_PATHS])
    return _source(
        Verdict.ADVICE,
        f"there is none of {places}: the server would run its built-in example",
        "Put your CCcam.cfg to one of these places, or name it with -C.",
    )


def _unreadable_advice() -> str:
    return "Run doctor as root, or as the user that the service runs as."


def _source(verdict: Verdict, evidence: str, advice: str = "") -> Finding:
    return Finding(check=Check.CONFIGURATION, verdict=verdict, evidence=evidence, advice=advice)


def _content(
    path: Path, verdict: Verdict, evidence: str, advice: str = "", more: tuple[str, ...] = ()
) -> Finding:
    return Finding(
        check=Check.CONFIGURATION,
        subject=str(path),
        verdict=verdict,
        evidence=evidence,
        advice=advice,
        more=more,
    )


def _of(diagnostics: Sequence[Diagnostic], severity: Severity) -> list[Diagnostic]:
    return [found for found in diagnostics if found.severity is severity]


_LINES_SHOWN = 8
"""The rest is for `cccamd check`."""


def _lines(diagnostics: Sequence[Diagnostic]) -> tuple[str, ...]:
    return tuple(_some_lines(diagnostics))


def _some_lines(diagnostics: Sequence[Diagnostic]) -> Iterator[str]:
    for found in diagnostics[:_LINES_SHOWN]:
        place = "the file" if found.place.line is None else f"line {found.place.line}"
        yield f"{place}: {found.code.value}: {found.sentence()}"
    if len(diagnostics) > _LINES_SHOWN:
        yield f"and {len(diagnostics) - _LINES_SHOWN} more"
