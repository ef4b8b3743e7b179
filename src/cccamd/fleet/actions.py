"""What a fleet's engine is told to do, and what it tells: the border to whatever carries it out.

Names, channels and values are bytes that the engine cannot read: `fleet/values.py` makes them
under the fleet key. None of the actions is waited for; each answer comes as an event, later.
"""

from collections.abc import Callable, Iterable
from typing import NamedTuple, Protocol

NAME_LENGTH = 16
"""Bytes of an entry's or a channel's name: a keyed hash."""


class Claim(NamedTuple):
    """Take an entry if nobody has it (`SET name value NX GET PX ms`).

    `Claimed` tells who has it.
    """

    name: bytes
    value: bytes
    """Sealed: whose card is to be asked."""
    ms: int


class Fetch(NamedTuple):
    """Read an entry (`GET`): `Fetched` tells what is in it."""

    name: bytes


class Publish(NamedTuple):
    """Keep an entry and tell all who watch the channel, in one go (`SET PX`, `SPUBLISH`).

    What is told on the channel is the name and the value, one after the other. `Unheard` follows if
    it is only told, and nobody listens.
    """

    name: bytes
    channel: bytes
    """Empty: only keep it."""
    value: bytes
    """Sealed."""
    ms: int
    """How long it is kept; 0: it is only told on the channel."""


class Watch(NamedTuple):
    """Listen to a channel (`SSUBSCRIBE`), also after the engine was away, until `Unwatch`."""

    channel: bytes


class Unwatch(NamedTuple):
    """Listen to it no more (`SUNSUBSCRIBE`)."""

    channel: bytes


class Extend(NamedTuple):
    """Keep an entry longer if it still has this very value: `Extended` tells whether."""

    name: bytes
    value: bytes
    ms: int


class Release(NamedTuple):
    """Give an entry up if it still has this very value. No event follows."""

    name: bytes
    value: bytes


class Take(NamedTuple):
    """Take an entry over if it still has what was in it before, or nothing: `Extended` tells
    whether."""

    name: bytes
    before: bytes
    value: bytes
    ms: int


EngineAction = Claim | Fetch | Publish | Watch | Unwatch | Extend | Release | Take


def trials(name: bytes) -> tuple[EngineAction, ...]:
    """All that a node may ever want of an engine, done once with an entry of this name."""
    first, second, ms = b"1", b"2", 1000
    return (
        Publish(name, b"", first, ms),
        Claim(name, first, ms),
        Fetch(name),
        Extend(name, first, ms),
        Take(name, first, second, ms),
        Watch(name),
        Publish(b"", name, first, 0),
        Unwatch(name),
        Release(name, second),
    )


class Claimed(NamedTuple):
    """Whether a claim is ours."""

    name: bytes
    won: bool
    theirs: bytes | None = None
    """What is in the entry that others have."""


class Fetched(NamedTuple):
    """What is in an entry; None: nothing."""

    name: bytes
    value: bytes | None


class Pushed(NamedTuple):
    """Somebody, perhaps we ourselves, has published this on a channel that is watched."""

    channel: bytes
    name: bytes
    value: bytes


class Unheard(NamedTuple):
    """Nobody listened when something was told on this channel."""

    channel: bytes


class Extended(NamedTuple):
    """Whether an entry was ours still, or is now, and is kept longer."""

    name: bytes
    held: bool


class EngineLost(NamedTuple):
    """The engine is away, for `Engine.trouble`. What was asked of it and not answered yet never
    will be."""


class EngineBack(NamedTuple):
    """The engine is there, for the first time or again; what is watched is subscribed again."""


EngineEvent = Claimed | Fetched | Pushed | Unheard | Extended | EngineLost | EngineBack


class Hearers(NamedTuple):
    """Who is told what happens at an engine."""

    on_event: Callable[[EngineEvent], None]
    carried_out: Callable[[str, str], None]
    """Told which setting was not carried out, and why; no words: it was."""
    on_failure: Callable[[str, BaseException], None]
    """Told of errors of ours, and what was being done."""


class Engine(Protocol):
    """An engine as the decisions see it. It tells its events, in order, to whoever made it."""

    @property
    def is_up(self) -> bool:
        """Whether it can be told anything now: between `EngineBack` and `EngineLost`."""

    @property
    def trouble(self) -> str:
        """Why it is away now, as a sentence for people without a secret in it; empty: it is not.

        It changes from one attempt to the next.
        """

    @property
    def dropped(self) -> int:
        """How many actions it was not told while it was there, since it lags behind."""

    def perform(self, actions: Iterable[EngineAction]) -> None:
        """Do these in order, as soon as may be; returns at once and raises nothing.

        While the engine is away all but `Watch` and `Unwatch` are dropped without an event.
        """
