"""What the broker should have, what it has, and what it is to be given next."""

from collections.abc import Callable, Mapping
from typing import Final

REFRESH: Final = 300.0
"""Seconds after which a value is published again though it is the same: what listens may let
values expire that nobody repeats."""
FOREIGN_LIMIT: Final = 20_000
"""Topics of before that are remembered, to be cleared."""

Publication = tuple[str, bytes]
"""A topic and its payload, to be retained; an empty one clears the topic."""


class Board:
    """All retained topics of one server. Times are seconds of any monotonic clock."""

    def __init__(self, *, repeats: Callable[[str], bool]) -> None:
        """`repeats`: whether a topic is one whose value is published again now and then."""
        self._repeats = repeats
        self._wanted: Mapping[str, bytes] | None = None
        self._given: dict[str, tuple[bytes | None, float]] = {}
        """What the broker has as far as is known, and since when; None: something."""

    @property
    def is_true(self) -> bool:
        """Whether the broker was given everything, and nothing else is left there."""
        wanted, given = self._wanted or {}, self._given
        return given.keys() == wanted.keys() and all(
            given[topic][0] == payload for topic, payload in wanted.items()
        )

    def want(self, wanted: Mapping[str, bytes]) -> None:
        """From now on the broker should have this; it is given in this order."""
        self._wanted = wanted

    def want_nothing_more(self) -> None:
        """Whatever the broker has may stay as it is."""
        self._wanted = None

    def forget(self) -> None:
        """Nothing is certain any more of what the broker has: all is given again."""
        self._given = dict.fromkeys(self._given, (None, 0.0))

    def doubt(self, topic: str) -> None:
        """The broker may have something else there than it was given."""
        if topic in self._given:
            self._given[topic] = (None, 0.0)

    def found(self, topic: str) -> None:
        """The broker has something there: of before, or what it was given."""
        if topic not in self._given and len(self._given) < FOREIGN_LIMIT:
            self._given[topic] = (None, 0.0)

    def take(self, most: int, now: float) -> list[Publication]:
        """Up to so many publications that are due; they count as given."""
        if self._wanted is None or most <= 0:
            return []
        due: list[Publication] = []
        for topic in [each for each in self._given if each not in self._wanted][:most]:
            del self._given[topic]
            due.append((topic, b""))
        for topic, payload in self._wanted.items():
            if len(due) >= most:
                break
            has, since = self._given.get(topic, (None, 0.0))
            if has != payload or (now - since >= REFRESH and self._repeats(topic)):
                self._given[topic] = (payload, now)
                due.append((topic, payload))
        return due
