"""Keeps account of the configuration: what is in use, what was refused, what waits. Sans-IO.

States: the files that were read last are in use (*taken*), or they are not, and those read
before are (*refused*). `took` leads to the first from anywhere, `refused` to the second. What
could not be carried out is noted by the setting it is about, until it can, or is not wanted any
more.
"""

from collections import Counter
from collections.abc import Iterator
from typing import Final

from cccamd.facts import ConfigProblem, ConfigProblemKind, ConfigState
from cccamd.setup.effects import EFFECTS, Effect, place_of, settings_of
from cccamd.setup.setup import Setup
from cccamd.watch import followed

PROBLEMS_LIMIT: Final = 100
_GRAVITY: Final = tuple(ConfigProblemKind)


class ConfigBook:
    """What is known of the configuration of one running server."""

    def __init__(self, setup: Setup, now: float) -> None:
        """`now` is seconds since the epoch, here and below."""
        self._setup = setup
        self._at_start = settings_of(setup)
        self._read_at = self._tried_at = now
        self._refusal = ""
        self._refused_since: float | None = None
        self._changes: tuple[str, ...] = ()
        self._not_done: dict[str, str] = {}
        self._state: ConfigState | None = None

    def took(self, setup: Setup, changes: tuple[str, ...], now: float) -> None:
        """Note that files were taken, and what that changes."""
        self._changes = changes
        self._setup = setup
        self._read_at = self._tried_at = now
        self._refusal, self._refused_since = "", None
        self._state = None

    def refused(self, why: str, now: float) -> bool:
        """Note that files were not taken; say whether that is news."""
        is_news = why != self._refusal
        self._tried_at = now
        self._refusal = why
        if self._refused_since is None:
            self._refused_since = now
        self._state = None
        return is_news

    def clock_was_set(self, step: float, now: float) -> None:
        """The wall clock was set by so many seconds."""
        self._read_at = followed(self._read_at, step, now)
        self._tried_at = followed(self._tried_at, step, now)
        if self._refused_since is not None:
            self._refused_since = followed(self._refused_since, step, now)
        self._state = None

    def carried_out(self, setting: str, trouble: str = "") -> None:
        """Note that a setting was carried out, or what the system had against it."""
        if trouble:
            self._not_done[setting] = trouble
        else:
            self._not_done.pop(setting, None)
        self._state = None

    def state(self) -> ConfigState:
        """All of it. Made once after each change: it is asked for every second."""
        if self._state is None:
            self._state = self._make()
        return self._state

    def _make(self) -> ConfigState:
        problems = [*self._about_files(), *self._about_system(), *self._about_restart()]
        problems.sort(key=lambda problem: _GRAVITY.index(problem.kind))
        counts = Counter(problem.kind for problem in problems)
        for message in self._setup.messages:
            if message.kind is not None:  # some stand for many
                counts[message.kind] += message.count - 1
        return ConfigState(
            read_at=self._read_at,
            tried_at=self._tried_at,
            taken=not self._refusal,
            refusal=self._refusal,
            refused_since=self._refused_since,
            changes=self._changes,
            problems=tuple(problems[:PROBLEMS_LIMIT]),
            left_out=counts[ConfigProblemKind.LEFT_OUT],
            not_done=counts[ConfigProblemKind.NOT_DONE],
            waiting=counts[ConfigProblemKind.WAITS],
            doubtful=counts[ConfigProblemKind.DOUBTFUL],
        )

    def _about_files(self) -> Iterator[ConfigProblem]:
        for message in self._setup.messages:
            place = message.place
            if message.kind is not None:
                yield ConfigProblem(
                    kind=message.kind,
                    file=place.file if place else "",
                    line=place.line if place else None,
                    text=message.text,
                )

    def _about_system(self) -> Iterator[ConfigProblem]:
        for setting, trouble in self._not_done.items():
            yield self._about_setting(ConfigProblemKind.NOT_DONE, setting, trouble)

    def _about_restart(self) -> Iterator[ConfigProblem]:
        now = settings_of(self._setup)
        for setting, effect in EFFECTS.items():
            if effect is Effect.RESTART and now[setting] != self._at_start[setting]:
                text = f"{setting} was changed, which counts {effect.value}"
                yield self._about_setting(ConfigProblemKind.WAITS, setting, text)

    def _about_setting(self, kind: ConfigProblemKind, setting: str, text: str) -> ConfigProblem:
        place = place_of(setting, self._setup)
        return ConfigProblem(kind=kind, file=place.file, line=place.line, text=text)
