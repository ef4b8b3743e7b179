"""What nodes tell each other of failed logins, bans and what accounts ask, as JSON.

    Bulletin  on the channel of all nodes, each second in which there is something to tell
    Question  on the same channel: what is in force, and what is your clock?
    Answer    on the channel of the node that asked

Times are those of the clock of whoever writes: one that nobody can set. What comes from a node of
another version, or is none, is `None`, and left alone.
"""

from collections.abc import Callable
from dataclasses import dataclass
from math import floor, isfinite
from typing import Any, NamedTuple

from cccamd.facts import Door
from cccamd.fleet.words import TEXT_LIMIT, packed, read_name, read_number, read_text, unpacked


class Failed(NamedTuple):
    """Logins failed."""

    address: str
    user: bytes
    door: Door
    ats: tuple[float, ...]
    """When each of them did."""


class LoggedIn(NamedTuple):
    """A name logged in from there."""

    address: str
    user: bytes
    door: Door


class Banned(NamedTuple):
    """Nobody is let in from there for a while."""

    who: str
    """A source or a network, as `net/origins.py` names them."""
    since: float
    until: float
    bans: int
    """How many there were, with this one."""
    tries: int
    doors: tuple[Door, ...]
    user: str
    """The name that was tried last."""


class Spent(NamedTuple):
    """An account has asked that much since it was told of last."""

    user: bytes
    messages: int
    ecms: int
    size: int
    """Bytes."""


class Pardoned(NamedTuple):
    """Somebody has forgotten the failures from there, and the ban."""

    who: str
    at: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Bulletin:
    """What has happened at a node."""

    node: str
    boot: str
    """Made at its start: another one is another run, and another clock."""
    number: int
    """One more each time."""
    at: float
    failed: tuple[Failed, ...] = ()
    logged_in: tuple[LoggedIn, ...] = ()
    banned: tuple[Banned, ...] = ()
    pardoned: tuple[Pardoned, ...] = ()
    spent: tuple[Spent, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """A node wants to know what is in force."""

    node: str
    word: str
    """Nobody has asked with it before: an answer with it is new."""
    to: str = ""
    """Whom it asks; empty: everybody."""
    is_whole: bool = False
    """Whether it wants all that he knows; else the bans that he gave."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """A part of what is in force."""

    node: str
    boot: str
    word: str
    at: float
    """When it was asked."""
    number: int
    """Of its last bulletin."""
    is_last: bool
    """Whether no other part follows."""
    is_whole: bool
    """Whether with all its parts it is all that there is."""
    banned: tuple[Banned, ...] = ()
    pardoned: tuple[Pardoned, ...] = ()


News = Bulletin | Question | Answer


def write(news: News) -> bytes:
    """Make bytes of it."""
    told: dict[str, Any]
    match news:
        case Bulletin():
            told = {
                "kind": "bulletin",
                "boot": news.boot,
                "number": news.number,
                "at": news.at,
                "failed": [
                    [address, _latin(user), door.name, [_earlier(at) for at in ats]]
                    for address, user, door, ats in news.failed
                ],
                "in": [
                    [address, _latin(user), door.name] for address, user, door in news.logged_in
                ],
                "banned": [_ban(each) for each in news.banned],
                "pardoned": news.pardoned,
                "spent": [[_latin(user), *amounts] for user, *amounts in news.spent],
            }
        case Question():
            told = {
                "kind": "question",
                "word": news.word,
                "to": news.to,
                "whole": news.is_whole,
            }
        case Answer():
            told = {
                "kind": "answer",
                "boot": news.boot,
                "word": news.word,
                "at": news.at,
                "number": news.number,
                "last": news.is_last,
                "whole": news.is_whole,
                "banned": [_ban(each) for each in news.banned],
                "pardoned": news.pardoned,
            }
    return packed({"node": news.node, **told})


def read(data: bytes) -> News | None:
    """Read it."""
    return unpacked(data, lambda told: _READERS[told["kind"]](told))


def _bulletin(told: dict[str, Any]) -> Bulletin:
    return Bulletin(
        node=read_name(told["node"]),
        boot=read_text(told["boot"]),
        number=_count(told["number"]),
        at=_time(told["at"]),
        failed=tuple(
            Failed(read_text(address), _user(user), Door[door], tuple(map(_time, ats)))
            for address, user, door, ats in told["failed"]
        ),
        logged_in=tuple(
            LoggedIn(read_text(address), _user(user), Door[door])
            for address, user, door in told["in"]
        ),
        banned=tuple(map(_banned, told["banned"])),
        pardoned=tuple(map(_pardoned, told["pardoned"])),
        spent=tuple(map(_spent, told["spent"])),
    )


def _question(told: dict[str, Any]) -> Question:
    return Question(
        node=read_name(told["node"]),
        word=read_text(told["word"]),
        to=read_text(told["to"]),
        is_whole=bool(told["whole"]),
    )


def _answer(told: dict[str, Any]) -> Answer:
    return Answer(
        node=read_name(told["node"]),
        boot=read_text(told["boot"]),
        word=read_text(told["word"]),
        at=_time(told["at"]),
        number=_count(told["number"]),
        is_last=bool(told["last"]),
        is_whole=bool(told["whole"]),
        banned=tuple(map(_banned, told["banned"])),
        pardoned=tuple(map(_pardoned, told["pardoned"])),
    )


_READERS: dict[str, Callable[[dict[str, Any]], News]] = {
    "bulletin": _bulletin,
    "question": _question,
    "answer": _answer,
}


def _earlier(at: float) -> float:
    """In milliseconds, which are enough; no failure may seem to be after a pardon that it was
    before."""
    return floor(at * 1000) / 1000


def _ban(ban: Banned) -> list[object]:
    who, since, until, bans, tries, doors, user = ban
    return [who, since, until, bans, tries, [door.name for door in doors], user]


def _banned(told: Any) -> Banned:
    who, since, until, bans, tries, doors, user = told
    return Banned(
        who=read_text(who),
        since=_time(since),
        until=_time(until),
        bans=_count(bans),
        tries=_count(tries),
        doors=tuple(Door[door] for door in doors),
        user=str(user)[:TEXT_LIMIT],
    )


def _pardoned(told: Any) -> Pardoned:
    who, at = told
    return Pardoned(read_text(who), _time(at))


def _spent(told: Any) -> Spent:
    user, messages, ecms, size = told
    return Spent(_user(user), _count(messages), _count(ecms), _count(size))


def _latin(user: bytes) -> str:
    return user.decode("latin-1")


def _user(told: Any) -> bytes:
    user: bytes = told.encode("latin-1")
    return user


def _count(told: Any) -> int:
    return read_number(told, 53)


def _time(told: Any) -> float:
    found = float(told)
    if not isfinite(found):
        raise ValueError
    return found
