"""Sources that fail together: the way to them is what is wrong, and not each of them.

Theory of operation. When the router is off, or the name server, each source says so in its own
words: one is silent first, another cannot be found by its name, a third does not answer. `Together`
looks at them all, again and again, and finds whether they fail as one:

    sure      two or more say themselves that it is our side: no name server, no router, no network
    all       or nothing comes from any of two or more whose troubles began at about one time, and
              no other source shows that the way is there. One in a local network shows nothing of
              the way out.
    kept      who failed with the others goes on with them, whatever it says in between, until it
              is back; when the first is, the others have `BACK_WITHIN` to be tried, too

Then there is one symptom, which names them. It keeps the sources of one look for the next; it has
no clock.
"""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Final

from cccamd.facts import Cause, LinkState, SourceKind, SourceStatus, Step
from cccamd.ids import parse_endpoint
from cccamd.setup.toml import is_local
from cccamd.watch import Symptom
from cccamd.why.links import what_to_do
from cccamd.why.meanings import OUR_SIDE, SHARED
from cccamd.why.scene import Scene
from cccamd.wording import listed

SEVERAL: Final = "several sources"
AT_ONE_TIME: Final = 90.0
"""Seconds within which troubles begin that have one cause: a link that nobody uses is lost a
minute after one that is asked."""
BACK_WITHIN: Final = 75.0
"""Seconds after the first is back until the others are: a link's longest pause, and a login."""
SILENT: Final = "no answer comes, though the links stand"
FEWEST: Final = 2
NAMED: Final = 10
_SURE: Final = OUR_SIDE - {Step.ROUTE}  # which may be missing to an IPv6 address only
_NOTHING_COMES: Final = _SURE | {
    *(Step.ROUTE, Step.ABSENT, Step.UNREACHABLE, Step.CONNECT_TIMEOUT),
    *(Step.SEED, Step.NO_GREETING),  # a tunnel's near end takes connections all the same
    *(Step.GONE, Step.NO_SIGN, Step.UNANSWERED),
}


class Together:
    """What sources that failed at one time have in common; tell it of every look."""

    def __init__(self) -> None:
        self._members: frozenset[str] = frozenset()
        """Who fails as one."""
        self._hit_by_it: frozenset[str] = frozenset()
        """Who did since it began; some may be back."""
        self._back_at: float | None = None
        """Since when nobody fails as one any more, while some are not back."""
        self.advice: Mapping[str, str] = {}
        """What to do about those that fail as one now, by their names; replaced with each look."""
        self._last: dict[str, Symptom] = {}
        """Of the sources that were down at the look before."""

    def gather(self, scene: Scene, found: Mapping[str, Symptom]) -> Iterator[Symptom]:
        """Put those that fail as one in the place of their own symptoms, given by their names."""
        found = self._made_anew(scene.sources) | dict(found)
        away = {source.name: source for source in scene.sources if _is_away(source, found)}
        self._last = {
            name: found[name] for name, each in away.items() if each.state is not LinkState.UP
        }
        self._members = self._joined(scene, away)
        together = [source for source in away.values() if source.name in self._members]
        parts = {
            name: each
            for name, each in found.items()
            if name in self._members or (name in self._hit_by_it and _follows(each))
        }
        self.advice = {}
        if parts:
            is_whole = self._members == self._hit_by_it
            symptoms = tuple(parts.values())
            one = _one(together, symptoms) if is_whole else _rest(together, symptoms)
            self.advice = dict.fromkeys(self._members, one.change)
            yield one
        yield from (each for name, each in found.items() if name not in parts)

    def _made_anew(self, sources: Sequence[SourceStatus]) -> dict[str, Symptom]:
        """A link whose line has changed is still down, until it says itself how it is."""
        return {
            source.name: self._last[source.name]
            for source in sources
            if source.name in self._last and source.state is not LinkState.UP
        }

    def _joined(self, scene: Scene, away: Mapping[str, SourceStatus]) -> frozenset[str]:
        hit = self.hit(scene.sources, away)
        left = self._members & away.keys()
        if hit:
            self._back_at = None
            self._hit_by_it = self._hit_by_it | hit if self._members else hit
            return hit | left
        if self._back_at is None:
            self._back_at = scene.at
        if 0 <= scene.at - self._back_at < BACK_WITHIN:
            return left
        self._hit_by_it = frozenset()
        return frozenset()

    def hit(
        self, sources: Sequence[SourceStatus], away: Mapping[str, SourceStatus]
    ) -> frozenset[str]:
        """Who fails as one at this moment."""
        nothing_comes = [each for each in away.values() if _is_dark(each)]
        sure = frozenset(each.name for each in nothing_comes if each.failed_step in _SURE)
        together = self._at_one_time(nothing_comes)
        shown = [each for each in sources if self._shows_the_way(each, away, together)]
        if shown and all(map(_is_near, shown)):
            together = [each for each in together if not _is_near(each)]
        elif shown:
            together = []
        hit = frozenset(each.name for each in together)
        if len(hit) < FEWEST:
            hit = frozenset()
        is_back = self._hit_by_it - away.keys() or self._back_at is not None
        if len(sure) >= FEWEST or (sure & self._members and not is_back):
            hit |= sure
        return hit

    def _at_one_time(self, dark: Sequence[SourceStatus]) -> list[SourceStatus]:
        newest = max(map(_since, dark), default=0.0)
        return [
            each
            for each in dark
            if each.name in self._members or newest - _since(each) <= AT_ONE_TIME
        ]

    def _shows_the_way(
        self,
        source: SourceStatus,
        away: Mapping[str, SourceStatus],
        together: Sequence[SourceStatus],
    ) -> bool:
        """Whether something has come from it: it is well, or said itself why it is not."""
        if source.kind in (SourceKind.LOCAL, SourceKind.FLEET):
            return False
        if source.name not in away:
            return source.state is LinkState.UP
        if _is_dark(source) or source.name in self._members or source.failed_step is Step.PAUSED:
            return False
        began = min(map(_since, together), default=0.0)
        return _since(source) >= began  # what it said before is no news of the way


def advice_at_once(sources: Sequence[SourceStatus]) -> Mapping[str, str]:
    """What to do about those that fail as one, by their names, as one look at them shows."""
    away = {source.name: source for source in sources if _brings_nothing(source)}
    hit = Together().hit(sources, away)
    together = [source for name, source in away.items() if name in hit]
    return dict.fromkeys(hit, _speaker(together)[1]) if together else {}


def _is_away(source: SourceStatus, found: Mapping[str, Symptom]) -> bool:
    return source.name in found and _brings_nothing(source)


def _brings_nothing(source: SourceStatus) -> bool:
    if source.kind in (SourceKind.LOCAL, SourceKind.FLEET):
        return False
    return source.state is not LinkState.UP or source.silent_since is not None


def _follows(symptom: Symptom) -> bool:
    """It may be what is left of an outage: the usual time of a source still knows of it."""
    return symptom.only_lingers or symptom.cause is Cause.SOURCE_SLOW


def _is_dark(source: SourceStatus) -> bool:
    """Nothing comes from it."""
    return source.state is LinkState.UP or source.failed_step in _NOTHING_COMES


def _since(source: SourceStatus) -> float:
    return source.down_since or source.silent_since or 0.0


def _is_near(source: SourceStatus) -> bool:
    """Whether it is in a local network, as far as its address is known."""
    host, _ = parse_endpoint(source.name, default_port=0)
    return is_local(source.address or host)


def _one(together: Sequence[SourceStatus], symptoms: Sequence[Symptom]) -> Symptom:
    """The symptom of all of them."""
    speaker, change = _speaker(together)
    lines = [f"{each.name}: {each.last_failure or SILENT}" for each in together]
    return replace(
        _rest(together, symptoms),
        text=f"fail together: {_named(together)}; {_said_of(speaker, together)}",
        change=change,
        evidence=tuple(lines[:NAMED]),
        only_lingers=False,
    )


def _speaker(together: Sequence[SourceStatus]) -> tuple[SourceStatus, str]:
    """The one whose words say most of what is wrong, and what to do about it."""
    steps = Counter(
        source.failed_step for source in together if source.failed_step in _NOTHING_COMES
    )
    step = max(steps, key=lambda step: (step in _SURE, steps[step]), default=None)
    speaker = next((each for each in together if each.failed_step is step), together[0])
    return speaker, what_to_do(speaker) if step in OUR_SIDE else SHARED.change


def _said_of(speaker: SourceStatus, together: Sequence[SourceStatus]) -> str:
    """What is wrong with one of them, by name where that is not clear."""
    text = speaker.last_failure or SILENT
    host, _ = parse_endpoint(speaker.name, default_port=0)
    if host in text or all((each.last_failure or SILENT) == text for each in together):
        return text
    return f"{speaker.name}: {text}"


def _rest(together: Sequence[SourceStatus], symptoms: Sequence[Symptom]) -> Symptom:
    """What is left of it when some are back."""
    still = f"not yet: {_named(together)}" if together else "the rest follows"
    return Symptom(
        cause=Cause.SOURCES_AWAY,
        subject=SEVERAL,
        since=min(symptom.since for symptom in symptoms),
        text=f"failed together, and come back; {still}",
        change="wait a minute: each is called again by then",
        sufferers=frozenset[str]().union(*(symptom.sufferers for symptom in symptoms)),
        covers=frozenset(symptom.subject for symptom in symptoms),
        only_lingers=True,
    )


def _named(sources: Sequence[SourceStatus]) -> str:
    names = [source.name for source in sources[:NAMED]]
    if len(sources) > NAMED:
        names.append(f"{len(sources) - NAMED} more")
    return listed(names)
