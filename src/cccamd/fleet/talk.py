"""What is said to an engine and what it answers, as bytes: no socket, no clock.

Theory of operation. One connection speaks RESP3, which Redis has from 6 and Valkey from the start
(7.0 and 8 are what is tried): answers come in the order of the commands, and what is published on
a channel comes between them. `_pending` knows which answer is whose. An error that says that
nothing more can be kept or asked ends the talk: a node without an engine serves as before, one with
half an engine would wait for nothing. A list, say, that somebody put under a name of ours is taken
for a value that nobody can read, which is what it is: else one such thing would end each talk.

The login is one breath: HELLO, each command that a node ever gives, tried on an entry of no
meaning, what is watched, and a PING. Its answer says that all before it was taken: an engine at
which one of them is forbidden is none, from the start, and not half an hour later.
"""

import re
from collections import deque
from collections.abc import Collection, Iterable
from enum import Enum, auto
from typing import Any, Final, NamedTuple

from hiredis import HiredisError, PushNotification, Reader, ReplyError, pack_command

from cccamd.fleet.actions import (
    NAME_LENGTH,
    Claim,
    Claimed,
    EngineAction,
    EngineBack,
    EngineEvent,
    Extend,
    Extended,
    Fetch,
    Fetched,
    Publish,
    Pushed,
    Release,
    Take,
    Unheard,
    Unwatch,
    Watch,
)
from cccamd.fleet.troubles import EngineError, explain

PREFIX: Final = b"cccamd:"
"""How all names begin at the engine, for its rules (ACL) and for people who look into it."""
LONGEST_ANSWER: Final = 1 << 20
"""Bytes: nothing of ours is nearly as long."""
_LONG_LIST: Final = re.compile(rb"\r\n[*%~>|][1-9][0-9]{5,19}\r")
"""The head of a list of 100,000 elements or more. The reader must not see it: it takes the memory
for all of them at once, 8 GB for a milliard. A value of ours, which looks like random bytes, begins
so once in 10^12; then the connection is made anew."""
_HEAD_LENGTH: Final = 23
_ENDLESS: Final = "it answers without an end: is it an engine?"
_MORE: Final = object()
"""There is no whole answer yet."""

_EXTEND: Final = (
    b"if redis.call('GET',KEYS[1])==ARGV[1] then "
    b"redis.call('PEXPIRE',KEYS[1],ARGV[2]) return 1 else return 0 end"
)
_RELEASE: Final = (
    b"if redis.call('GET',KEYS[1])==ARGV[1] then redis.call('DEL',KEYS[1]) return 1 "
    b"else return 0 end"
)
_TAKE: Final = (
    b"local kept=redis.pcall('GET',KEYS[1]) "
    b"if not kept or kept==ARGV[1] or type(kept)=='table' then "
    b"redis.call('SET',KEYS[1],ARGV[2],'PX',ARGV[3]) return 1 else return 0 end"
)
"""A table is an error: what is there is no value at all, and nobody's."""
_OTHER_THING: Final = "WRONGTYPE"


class _Kind(Enum):
    TAKEN = auto()
    """An answer that only counts when it is an error."""
    CLAIM = auto()
    FETCH = auto()
    EXTEND = auto()
    TELL = auto()
    """Answered by how many have heard it."""
    WATCH = auto()
    """Answered by what looks like something published."""
    BACK = auto()
    """The last of the login."""


class _Pending(NamedTuple):
    kind: _Kind
    name: bytes
    at: float


class Talk:
    """One connection to an engine, from its first byte on. Times are seconds, monotonic."""

    def __init__(self) -> None:
        self._reader = Reader(notEnoughData=_MORE)
        self._unfinished = 0
        """Bytes since the last whole answer; `reader.len()` leaves out what it has read of one."""
        self._recent = b"\r\n"
        """The end of what was read before."""
        self._pending: deque[_Pending] = deque()

    @property
    def waits_since(self) -> float | None:
        """Since when the oldest answer is missing; None: none is."""
        return self._pending[0].at if self._pending else None

    @property
    def waiting(self) -> int:
        """How many answers are missing."""
        return len(self._pending)

    def login(
        self,
        user: str | None,
        password: str | None,
        watched: Collection[bytes],
        trials: Iterable[EngineAction],
        now: float,
    ) -> bytes:
        """What is said first. `EngineBack` follows when it is all taken."""
        words: list[bytes] = [b"HELLO", b"3"]
        if user is not None:
            words += [b"AUTH", user.encode(), (password or "").encode()]
        said = [self._say(_Kind.TAKEN, b"", now, *words)]
        for each in trials:
            said.append(self._action(each, now))
            if self._pending[-1].kind is not _Kind.WATCH:
                self._pending[-1] = self._pending[-1]._replace(kind=_Kind.TAKEN)
        said += [self._action(Watch(channel), now) for channel in watched]
        said.append(self._say(_Kind.BACK, b"", now, b"PING"))
        return b"".join(said)

    def write(self, actions: Iterable[EngineAction], now: float) -> bytes:
        """The bytes that carry out these actions, in order."""
        return b"".join([self._action(action, now) for action in actions])

    def ping(self, now: float) -> bytes:
        """Ask whether it is there."""
        return self._say(_Kind.TAKEN, b"", now, b"PING")

    def read(self, data: bytes) -> list[EngineEvent]:
        """Take in what the engine said.

        Raises:
            EngineError: this cannot go on.
        """
        events: list[EngineEvent] = []
        recent = self._recent + data
        if _LONG_LIST.search(recent):
            raise EngineError(_ENDLESS)
        self._recent = recent[-_HEAD_LENGTH:]
        reader = self._reader
        reader.feed(data)
        self._unfinished += len(data)
        while True:
            try:
                answer = reader.gets()
            except HiredisError:
                raise EngineError("it does not speak RESP: is it an engine?") from None
            if answer is _MORE:
                if self._unfinished > LONGEST_ANSWER:
                    raise EngineError(_ENDLESS)
                return events
            self._unfinished = reader.len()
            if isinstance(answer, PushNotification):
                events += self._pushed(answer)
            elif not self._pending and isinstance(answer, ReplyError):
                raise EngineError(explain(str(answer)))  # before we have said a word: it is full
            elif not self._pending:
                raise EngineError("it answers what nobody asked: is it an engine?")
            else:
                event = self._answered(self._pending.popleft(), answer)
                if event is not None:
                    events.append(event)

    def _say(self, kind: _Kind, name: bytes, now: float, *words: bytes) -> bytes:
        self._pending.append(_Pending(kind, name, now))
        packed: bytes = pack_command(words)  # type: ignore[arg-type]  # its stub wants one word
        return packed

    def _action(self, action: EngineAction, now: float) -> bytes:
        match action:
            case Claim(name, value, ms):
                claim = (b"SET", PREFIX + name, value, b"NX", b"GET", b"PX", b"%d" % ms)
                return self._say(_Kind.CLAIM, name, now, *claim)
            case Fetch(name):
                return self._say(_Kind.FETCH, name, now, b"GET", PREFIX + name)
            case Publish():
                return self._publish(action, now)
            case Extend(name, value, ms):
                extend = (b"EVAL", _EXTEND, b"1", PREFIX + name, value, b"%d" % ms)
                return self._say(_Kind.EXTEND, name, now, *extend)
            case Release(name, value):
                release = (b"EVAL", _RELEASE, b"1", PREFIX + name, value)
                return self._say(_Kind.TAKEN, name, now, *release)
            case Take(name, before, value, ms):
                take = (b"EVAL", _TAKE, b"1", PREFIX + name, before, value, b"%d" % ms)
                return self._say(_Kind.EXTEND, name, now, *take)
            case Watch(channel):
                return self._say(_Kind.WATCH, channel, now, b"SSUBSCRIBE", PREFIX + channel)
            case Unwatch(channel):
                return self._say(_Kind.WATCH, channel, now, b"SUNSUBSCRIBE", PREFIX + channel)

    def _publish(self, action: Publish, now: float) -> bytes:
        said = b""
        name, channel, value, ms = action
        if ms:
            kept = (b"SET", PREFIX + name, value, b"PX", b"%d" % ms)
            said = self._say(_Kind.TAKEN, name, now, *kept)
        if channel:
            told = (b"SPUBLISH", PREFIX + channel, name + value)
            said += self._say(_Kind.TAKEN if ms else _Kind.TELL, channel, now, *told)
        return said

    def _answered(self, asked: _Pending, answer: Any) -> EngineEvent | None:
        if isinstance(answer, ReplyError):
            if not str(answer).startswith(_OTHER_THING):
                raise EngineError(explain(str(answer)))
            answer = b""
        match asked.kind:
            case _Kind.CLAIM:
                theirs = answer if isinstance(answer, bytes) else None
                return Claimed(asked.name, answer is None, theirs)
            case _Kind.FETCH:
                return Fetched(asked.name, answer if isinstance(answer, bytes) else None)
            case _Kind.EXTEND:
                return Extended(asked.name, answer == 1)
            case _Kind.TELL:
                return Unheard(asked.name) if answer == 0 else None
            case _Kind.BACK:
                return EngineBack()
            case _Kind.WATCH:
                raise EngineError("it answers out of turn: is it an engine?")
        return None

    def _pushed(self, told: list[Any]) -> list[EngineEvent]:
        match told:
            case [b"smessage", bytes(channel), bytes(text)] if len(text) >= NAME_LENGTH:
                name, value = text[:NAME_LENGTH], text[NAME_LENGTH:]
                return [Pushed(channel.removeprefix(PREFIX), name, value)]
            case [b"ssubscribe" | b"sunsubscribe", *_]:
                if not self._pending or self._pending.popleft().kind is not _Kind.WATCH:
                    raise EngineError("it answers out of turn: is it an engine?")
        return []
