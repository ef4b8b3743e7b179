"""What is wrong with a running server at this moment: each cause once, and who suffers from it.

`find_symptoms` takes a `Scene` and gives what `cccamd.watch.Incidents` makes incidents of. A judge
here says one cause; the words are those of `explain` and the doctor wherever these say it, too.
A trouble that follows from another one is no symptom of its own: it makes its accounts sufferers
of the cause.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Final

from cccamd.facts import (
    Cause,
    ConfigProblem,
    ConfigProblemKind,
    ConfigState,
    Freeze,
    LinkState,
    ReceiverFinding,
    ServiceId,
    SourceStatus,
    Step,
    Verdict,
)
from cccamd.ids import format_node_id, format_service
from cccamd.watch import Pause, Symptom
from cccamd.why.accepting import closed_doors
from cccamd.why.answering import refusals, silence, wrong_cws, wrong_kinds, wrong_share
from cccamd.why.clones import clone_symptom
from cccamd.why.diagnosis import Grade
from cccamd.why.fleetwords import fleet_symptoms
from cccamd.why.host import MachineTrouble
from cccamd.why.links import what_to_do, without_cards
from cccamd.why.logins import MEANINGS
from cccamd.why.network import judge_answers
from cccamd.why.overload import overloads
from cccamd.why.scene import Scene
from cccamd.why.together import Together
from cccamd.wire.link import CloseReason
from cccamd.wording import count, listed, milliseconds, some_of

MOST: Final = 0.5
"""The share of wrong CWs from which on they are what the source does."""
LATELY: Final = 60.0
"""Seconds for which a refused login, or a request that came back, is worth looking at."""
COMES_AGAIN: Final = 180.0
"""Seconds after a refused login for which its trouble lasts: softcams wait minutes in between."""
SLOW_PART: Final = 4
"""A source of whose answers fewer than one in so many are slow is not slow now."""
SETTLING: Final = 10.0
"""Seconds after a login, ours or a receiver's, within which cards are still on their way."""
ACCOUNTS: Final = "accounts"
PICTURES: Final = "pictures"
CONFIGURATION: Final = "the configuration"
"""What one or several with the same trouble are called: the words of an incident may change, its
subject does not."""


def find_symptoms(scene: Scene, together: Together | None = None) -> Iterator[Symptom]:
    """Everything that is wrong now.

    `together` knows of the looks before which sources fail as one; None: there were none.

    A picture that stands still for the sake of a source is that source's trouble, also where
    nothing else is to be seen of it.
    """
    of_sources = {
        source.name: found for source in scene.sources for found in _source(source, scene)
    }
    blamed, others = _frozen(scene, of_sources)
    yield from (together or Together()).gather(scene, of_sources | blamed)
    yield from others
    yield from _accounts_without_cards(scene, of_sources | blamed)
    yield from _double_logins(scene)
    yield from map(clone_symptom, scene.clones)
    yield from _circles(scene)
    if scene.fleet is not None:
        yield from fleet_symptoms(scene.fleet, scene.at)
    yield from _files(scene)
    yield from map(_of_machine, scene.machine)
    yield from closed_doors(scene.doors, scene.at)
    yield from _pauses(scene.pauses)
    yield from overloads(scene.load, scene.at)


# Sources.


def _source(source: SourceStatus, scene: Scene) -> Iterator[Symptom]:
    """The one trouble of a source that explains its others."""
    for judge in _SOURCE_JUDGES:
        found = judge(source, scene)
        if found is not None:
            yield found
            return


def _down(source: SourceStatus, scene: Scene) -> Symptom | None:
    if source.state is LinkState.UP or not source.last_failure:
        return None
    other = source.failed_step is Step.OTHER_KEY
    return _of_source(
        Cause.OTHER_MACHINE if other else Cause.SOURCE_DOWN,
        source,
        scene,
        since=scene.at if source.down_since is None else source.down_since,
        text=f"is down: {source.last_failure}",
        change=what_to_do(source),
    )


def _silent(source: SourceStatus, scene: Scene) -> Symptom | None:
    since, found = source.silent_since, silence(source)
    if since is None or found is None:
        return None
    text, change = found.text, found.change
    return _of_source(Cause.SOURCE_SILENT, source, scene, since=since, text=text, change=change)


def _without_cards(source: SourceStatus, scene: Scene) -> Symptom | None:
    if source.cards or source.up_at is None or scene.at - source.up_at < SETTLING:
        return None
    finding = without_cards("is logged in", source.cards_rejected, source.line, scene.config)
    return _of_source(
        Cause.SOURCE_WITHOUT_CARDS,
        source,
        scene,
        since=_since(source.up_at + SETTLING, scene),
        text=finding.text,
        change=finding.change,
    )


def _wrong(source: SourceStatus, scene: Scene) -> Symptom | None:
    """Some servers answer so what they cannot decode: that is no trouble while others can."""
    found = wrong_cws(source)
    if found is None:
        return None
    if wrong_share(source.last_minute) < MOST and not scene.sufferers_of(source):
        return None
    return _of_source(
        Cause.WRONG_CWS,
        source,
        scene,
        since=scene.at,
        text=found.text,
        change=found.change,
        evidence=tuple(wrong_kinds(source.last_minute)),
    )


def _refuses(source: SourceStatus, scene: Scene) -> Symptom | None:
    found = refusals(source)
    if found is None:
        return None
    text, change = found.text, found.change
    return _of_source(Cause.SOURCE_REFUSES, source, scene, since=scene.at, text=text, change=change)


def _slow(source: SourceStatus, scene: Scene) -> Symptom | None:
    verdict = judge_answers(source)
    if verdict.grade is not Grade.WARNING or verdict.finding.code == "few-answers":
        return None
    minute = source.last_minute
    if not minute.answered:
        return None  # it may be silent: that is found out in some seconds
    slow = minute.slow + minute.no_answer
    if slow * SLOW_PART < max(1, minute.answered):
        return None  # it was, and what is usual takes a while to say so
    text, change = f"is slow: {verdict.finding.text}", verdict.finding.change
    return _of_source(Cause.SOURCE_SLOW, source, scene, since=scene.at, text=text, change=change)


def _of_source(
    cause: Cause,
    source: SourceStatus,
    scene: Scene,
    *,
    since: float,
    text: str,
    change: str,
    evidence: tuple[str, ...] = (),
) -> Symptom:
    return Symptom(
        cause=cause,
        subject=source.name,
        since=since,
        text=text,
        change=change,
        sufferers=scene.sufferers_of(source),
        evidence=evidence,
    )


_SOURCE_JUDGES: Final[tuple[Callable[[SourceStatus, Scene], Symptom | None], ...]] = (
    _down,
    _without_cards,
    _silent,
    _wrong,
    _refuses,
    _slow,
)
"""The first that finds something is right: what is down is silent as well."""


# Pictures.

_OF_SOURCES: Final = {
    Verdict.SOURCE_LATE: Cause.SOURCE_SLOW,
    Verdict.SOURCE_SILENT: Cause.SOURCE_SILENT,
    Verdict.SOURCE_AWAY: Cause.SOURCE_DOWN,
    Verdict.SOURCE_REFUSED: Cause.SOURCE_REFUSES,
    Verdict.NOT_DECODED: Cause.SOURCE_REFUSES,
    Verdict.WRONG_CW: Cause.WRONG_CWS,
}
"""Verdicts on a picture that are verdicts on a source, when one is named."""


def _frozen(
    scene: Scene, of_sources: Mapping[str, Symptom]
) -> tuple[dict[str, Symptom], list[Symptom]]:
    """What pictures that stand still add: to sources, by their names; and what nobody else has."""
    blamed: dict[str, Symptom] = {}
    by_verdict: dict[Verdict, list[Freeze]] = {}
    known = frozenset[str]().union(*(symptom.sufferers for symptom in of_sources.values()))
    known |= {receiver.account for receiver in scene.receivers if not receiver.cards}
    for freeze in scene.frozen:
        symptom = blamed.get(freeze.source) or of_sources.get(freeze.source)
        if symptom is None and freeze.source and freeze.verdict in _OF_SOURCES:
            symptom = _blame(freeze)
        if symptom is not None:
            sufferers = symptom.sufferers | {freeze.account}
            since = min(symptom.since, freeze.at)
            blamed[freeze.source] = replace(symptom, sufferers=sufferers, since=since)
        elif freeze.account not in known:
            by_verdict.setdefault(freeze.verdict, []).append(freeze)
    others = [_stand_still(*item) for item in by_verdict.items()]
    frozen = {freeze.account for freeze in scene.frozen}
    others += [_receiver(found) for found in scene.findings if found.account not in frozen]
    return blamed, others


def _blame(freeze: Freeze) -> Symptom:
    return Symptom(
        cause=_OF_SOURCES[freeze.verdict],
        subject=freeze.source,
        since=freeze.at,
        text=f"lets a picture stand still: {freeze.cause}",
        change=freeze.change,
        evidence=freeze.evidence,
        only_lingers=True,
    )


def _stand_still(verdict: Verdict, freezes: Sequence[Freeze]) -> Symptom:
    names = [f"{freeze.account} on {channel_words(freeze)}" for freeze in freezes]
    worst = min(freezes, key=lambda freeze: freeze.at)
    return Symptom(
        cause=Cause.FROZEN,
        key=verdict.name,
        subject=PICTURES,
        since=worst.at,
        text=f"that stand still ({verdict.value}): {some_of(names)}; {worst.cause}",
        change=worst.change,
        sufferers=frozenset(freeze.account for freeze in freezes),
        evidence=worst.evidence,
    )


def _receiver(found: ReceiverFinding) -> Symptom:
    return Symptom(
        cause=Cause.RECEIVER,
        subject=found.account,
        since=found.at,
        text=f"{found.trouble.value} on {channel_words(found)}: {found.cause}",
        change=found.change,
        sufferers=frozenset({found.account}),
        evidence=found.evidence,
    )


def channel_words(channel: ServiceId) -> str:
    """A channel by its name, if it has one."""
    return channel.name or format_service(channel.caid, channel.ident, channel.sid)


# Accounts.


def _accounts_without_cards(scene: Scene, of_sources: Mapping[str, Symptom]) -> Iterator[Symptom]:
    """Those who could see some: who suffers from a source without any has that trouble."""
    cards_since = scene.cards_since
    if cards_since is None:
        return  # that is its sources' trouble
    empty = [source.name for source in scene.sources if not source.cards]
    known = frozenset[str]().union(
        *(of_sources[name].sufferers for name in empty if name in of_sources)
    )
    found = [
        receiver
        for receiver in scene.receivers
        if not receiver.cards
        and receiver.account not in known
        and scene.at - max(receiver.connected_at, cards_since) >= SETTLING
    ]
    if found:
        names = sorted({receiver.account for receiver in found}, key=str.casefold)
        settled = max(min(each.connected_at for each in found), cards_since) + SETTLING
        yield Symptom(
            cause=Cause.ACCOUNT_WITHOUT_CARDS,
            subject=ACCOUNTS,
            since=_since(settled, scene),
            text=f"that see no card: {some_of(names)}",
            change=f"run: cccamd explain {names[0]}",
            sufferers=frozenset(names),
        )


def _since(settled: float, scene: Scene) -> float:
    """Since when cards are missing, whose loss nobody wrote down: since they should have come, or
    else, when that is long ago, since now, when it is seen first."""
    return settled if scene.at - settled < SETTLING else scene.at


def _double_logins(scene: Scene) -> Iterator[Symptom]:
    for login in scene.double_logins:
        if scene.at - login.last_at > COMES_AGAIN:
            continue
        change = MEANINGS[CloseReason.ALREADY_CONNECTED].change.format(user=login.account)
        yield Symptom(
            cause=Cause.DOUBLE_LOGIN,
            subject=login.account,
            since=login.first_at,
            text=(
                f"is used twice: {login.address} was not let in ({count(login.times, 'time')}),"
                f" because {listed(login.holders)} is logged in"
            ),
            change=change,
            sufferers=frozenset({login.account}),
        )


def _circles(scene: Scene) -> Iterator[Symptom]:
    for loop in scene.loops:
        if scene.at - loop.at <= LATELY:
            yield Symptom(
                cause=Cause.CARD_CIRCLE,
                subject=loop.source or "a source that is gone",
                since=loop.at,
                text=(
                    "asks us for what it was asked by us: cards travel in a circle through node"
                    f" {format_node_id(loop.node_id)}"
                ),
                change=(
                    "take one of the C-lines of the circle out, or limit how far cards go (uphops"
                    " of the F-line)"
                ),
            )


# Files.

PLACES_SHOWN: Final = 10


def _in_places(words: str) -> Callable[[Sequence[ConfigProblem], int], str]:
    return lambda found, number: f"has {count(number, 'place')} {words}"


def _not_done(found: Sequence[ConfigProblem], number: int) -> str:
    """Names the first, which says what it is about: a broker, a port, a log."""
    more = f"; and {number - 1} more" if number > 1 else ""
    return f"cannot be carried out in full: {found[0].text}{more}"


_FILE_TROUBLES: Final = (
    (
        ConfigProblemKind.LEFT_OUT,
        Cause.LINES_LEFT_OUT,
        _in_places("left out: not in use"),
        "run: cccamd check",
    ),
    (
        ConfigProblemKind.NOT_DONE,
        Cause.NOT_DONE,
        _not_done,
        "run: cccamd doctor",
    ),
    (
        ConfigProblemKind.WAITS,
        Cause.RESTART_NEEDED,
        _in_places("changed, and not in use before a restart"),
        "restart the server when nobody watches",
    ),
)


def _files(scene: Scene) -> Iterator[Symptom]:
    files = scene.files
    if not files.taken:
        yield Symptom(
            cause=Cause.CONFIG_REFUSED,
            subject=CONFIGURATION,
            since=files.tried_at if files.refused_since is None else files.refused_since,
            text=f"was refused, and what was read before is in use: {files.refusal}",
            change="mend the place; it is read again by itself",
        )
    for kind, cause, text, change in _FILE_TROUBLES:
        found = [problem for problem in files.problems if problem.kind is kind]
        if found:
            yield Symptom(
                cause=cause,
                subject=CONFIGURATION,
                # What the system does not let us do may begin and end long after they were read.
                since=scene.at if kind is ConfigProblemKind.NOT_DONE else files.read_at,
                text=text(found, max(len(found), _number(files, kind))),
                change=change,
                evidence=tuple(map(_place, found[:PLACES_SHOWN])),
            )


_MACHINE_CAUSES: Final = {
    "clock-unset": Cause.CLOCK_OFF,
    "clock-jumped": Cause.CLOCK_OFF,
    "disk-full": Cause.DISK_FULL,
    "disk-read-only": Cause.DISK_FULL,
    "journal-stopped": Cause.JOURNAL_STOPPED,
    "few-files-left": Cause.FEW_FILES,
    "little-memory-left": Cause.LITTLE_MEMORY,
    "no-such-address": Cause.DOOR_SHUT,
}
"""By the codes of `judge_resources`."""


def _of_machine(trouble: MachineTrouble) -> Symptom:
    diagnosis = trouble.diagnosis
    return Symptom(
        cause=_MACHINE_CAUSES[diagnosis.finding.code],
        subject=diagnosis.subject,
        since=trouble.since,
        text=diagnosis.finding.text,
        change=diagnosis.advice,
    )


OURSELVES: Final = "the server"
PAUSES_SHOWN: Final = 5
_OWN_WORK: Final = (
    "answers waited for work of its own: tell the project what stands in the evidence"
)
_NOT_RUN: Final = "answers waited for the machine: look what else uses its processor and its disk"


def _pauses(pauses: Sequence[Pause]) -> Iterator[Symptom]:
    """One symptom for all of them: the longest says what to do."""
    if not pauses:
        return
    worst = max(pauses, key=lambda pause: pause.seconds)
    others = [pause for pause in pauses if pause is not worst]
    times = "" if len(pauses) == 1 else f", {len(pauses)} times within a minute"
    yield Symptom(
        cause=Cause.SERVER_PAUSED,
        subject=OURSELVES,
        since=pauses[0].at,
        text=f"stood still for {milliseconds(worst.seconds)}{times}",
        change=_OWN_WORK if worst.is_work else _NOT_RUN,
        size=worst.seconds,
        evidence=tuple(map(_pause, [worst, *others[1 - PAUSES_SHOWN :]])),
    )


def _pause(pause: Pause) -> str:
    seen = " in " + ", called by ".join(pause.doing) if pause.doing else ""
    worked = milliseconds(pause.used)
    return f"{milliseconds(pause.seconds)}, of which it worked for {worked}{seen}"


def _number(files: ConfigState, kind: ConfigProblemKind) -> int:
    """All of them; `problems` has the first ones only."""
    counts = {
        ConfigProblemKind.LEFT_OUT: files.left_out,
        ConfigProblemKind.NOT_DONE: files.not_done,
        ConfigProblemKind.WAITS: files.waiting,
        ConfigProblemKind.DOUBTFUL: files.doubtful,
    }
    return counts[kind]


def _place(problem: ConfigProblem) -> str:
    line = "" if problem.line is None else f":{problem.line}"
    return f"{problem.file}{line}: {problem.text}"
