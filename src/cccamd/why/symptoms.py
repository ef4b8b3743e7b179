"""What is wrong with a running server at this moment: each cause once, and who suffers from it.

`find_symptoms` takes a `Scene` and gives what `cccamd.watch.Incidents` makes incidents of. A judge
here says one cause; the words are those of `explain` and the doctor wherever these say it, too.
A trouble that follows from another one is no symptom of its own: it makes its accounts sufferers
of the cause.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Final

from cccamd.facts import Cause, Clone, DoubleLogin, LinkState, SourceStatus
from cccamd.ids import format_node_id
from cccamd.setup.cccamcfg import Config
from cccamd.watch import Symptom
from cccamd.why.clones import CLONE_CHANGE, clone_holders, clone_reason
from cccamd.why.diagnosis import Grade
from cccamd.why.finding import count, some_of
from cccamd.why.links import meaning_of, without_cards
from cccamd.why.logins import double_login_change, double_login_text
from cccamd.why.network import judge_answers

SETTLING: Final = 10.0
"""Seconds after a login within which cards are still on their way."""
STILL_TRIES: Final = 180.0
"""Seconds after its last attempt within which somebody who was refused will come again."""
RECEIVERS: Final = "receivers"
"""What several accounts with one trouble are called."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Receiver:
    """An account that is logged in, as far as it tells whether something is wrong."""

    account: str
    connected_at: float
    cards: int
    """How many it was told of."""
    unserved: bool
    """It asked a moment ago, and got no CW."""
    served_by: str
    """The source that gave it a CW last; empty: none ever did."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Scene:
    """All that symptoms are read from, at one moment."""

    at: float
    """Seconds since the epoch."""
    config: Config
    sources: tuple[SourceStatus, ...]
    receivers: tuple[Receiver, ...]
    """At least those in trouble."""
    double_logins: tuple[DoubleLogin, ...] = ()
    clones: tuple[Clone, ...] = ()

    @property
    def has_cards(self) -> bool:
        """Whether any source brings any card."""
        return any(source.cards for source in self.sources)


def find_symptoms(scene: Scene) -> Iterator[Symptom]:
    """Everything that is wrong now."""
    for source in scene.sources:
        yield from _source(source, scene)
    yield from _accounts_without_cards(scene)
    yield from _double_logins(scene)
    yield from _clones(scene)


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
    return Symptom(
        cause=Cause.SOURCE_DOWN,
        subject=source.name,
        since=scene.at if source.down_since is None else source.down_since,
        text=f"is down: {source.last_failure}",
        change=meaning_of(source.failed_step).of(source.name, source.line).change,
        sufferers=_served_by(source, scene),
    )


def _without_cards(source: SourceStatus, scene: Scene) -> Symptom | None:
    if source.cards or source.up_at is None or scene.at - source.up_at < SETTLING:
        return None
    finding = without_cards("is logged in", source.cards_rejected, source.line, scene.config)
    return Symptom(
        cause=Cause.SOURCE_WITHOUT_CARDS,
        subject=source.name,
        since=source.up_at,
        text=finding.text,
        change=finding.change,
        sufferers=_served_by(source, scene),
    )


def _slow(source: SourceStatus, scene: Scene) -> Symptom | None:
    verdict = judge_answers(source)
    if verdict.grade is not Grade.WARNING or verdict.finding.code == "few-answers":
        return None
    return Symptom(
        cause=Cause.SOURCE_SLOW,
        subject=source.name,
        since=scene.at,
        text=f"is slow: {verdict.finding.text}",
        change=verdict.advice,
        sufferers=_served_by(source, scene),
    )


_SOURCE_JUDGES: Final[tuple[Callable[[SourceStatus, Scene], Symptom | None], ...]] = (
    _down,
    _without_cards,
    _slow,
)
"""The first that finds something is right: what is down is silent as well."""


def _served_by(source: SourceStatus, scene: Scene) -> frozenset[str]:
    """Who gets no CW now, and got the last one from here; or sees no card, as nobody does."""
    nobody_sees_any = not scene.has_cards
    return frozenset(
        receiver.account
        for receiver in scene.receivers
        if (receiver.unserved and receiver.served_by == source.name)
        or (nobody_sees_any and not receiver.cards and receiver.served_by in ("", source.name))
    )


# Accounts.


def _accounts_without_cards(scene: Scene) -> Iterator[Symptom]:
    if not scene.has_cards:
        return  # that is its sources' trouble
    found = [
        receiver
        for receiver in scene.receivers
        if not receiver.cards and scene.at - receiver.connected_at >= SETTLING
    ]
    if found:
        yield of_accounts(
            Cause.ACCOUNT_WITHOUT_CARDS,
            (receiver.account for receiver in found),
            since=min(receiver.connected_at for receiver in found) + SETTLING,
            text="sees no card",
            text_of_many="see no card",
        )


def _double_logins(scene: Scene) -> Iterator[Symptom]:
    latest = {
        double.account: double
        for double in scene.double_logins
        if scene.at - double.last_at < STILL_TRIES
    }
    for account, double in latest.items():
        yield Symptom(
            cause=Cause.DOUBLE_LOGIN,
            subject=account,
            since=double.first_at,
            text=double_login_text(double),
            change=double_login_change(account),
            sufferers=frozenset({account}),
        )


def _clones(scene: Scene) -> Iterator[Symptom]:
    for clone in scene.clones:
        yield Symptom(
            cause=Cause.CLONE,
            subject=format_node_id(clone.node_id),
            since=clone.since,
            text=f"is the node id of {_and_ours(clone)}: {clone_reason(clone)}",
            change=CLONE_CHANGE,
            sufferers=frozenset(clone.accounts),
        )


def _and_ours(clone: Clone) -> str:
    return f"this server and of {clone_holders(clone)}" if clone.own else clone_holders(clone)


def of_accounts(
    cause: Cause, accounts: Iterable[str], *, since: float, text: str, text_of_many: str
) -> Symptom:
    """One symptom for all accounts that have the same trouble."""
    names = sorted(accounts, key=str.casefold)
    one = len(names) == 1
    words = f"{names[0]} {text}" if one else f"{count(len(names), 'account')} {text_of_many}"
    shown = "" if one else f": {some_of(names)}"
    return Symptom(
        cause=cause,
        subject=RECEIVERS,
        since=since,
        text=f"{words}{shown}",
        change=f"run: cccamd explain {names[0]}",
        sufferers=frozenset(names),
    )
