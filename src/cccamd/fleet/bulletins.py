"""Bans, failed logins and what accounts ask over all nodes: plain decisions, as those on claims.

Theory of operation. Each node has all bans at hand, so nobody waits for an engine at the door, and
the engine keeps none of them. Each second a node publishes a *bulletin* of what happened at it; who
hears it counts it as its own. Who joins, comes back or has missed something *asks*: everybody
tells the bans that he gave, and one of them all that he knows, those of nodes that are gone
included.

How old is what is told? No wall clock is believed. A question has a word that was never used, so
its answer is new: it was written after the question was, and says what the writer's clock was
then. From that on times of that run of the node can be told on our clock, too late by no more than
its way took. So a ban that is repeated or held back by the engine ends when it should; a bulletin
that is old, from a run we did not ask, or was there already, counts for nothing. One that is
missing is noticed by its number. What accounts have asked needs no time: it is deducted when it is
heard of.

A node that is wrong cannot ban for ever: a ban is no longer than our own rules make the n-th one. A
pardon wins over all bans and failed logins that were before it, also where it is heard of first.
"""

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from itertools import islice
from typing import Final, NamedTuple, TypeVar

from cccamd.facts import Door
from cccamd.fleet.actions import (
    EngineAction,
    EngineBack,
    EngineEvent,
    EngineLost,
    Publish,
    Pushed,
    Watch,
)
from cccamd.fleet.claims import Seals
from cccamd.fleet.news import (
    Answer,
    Banned,
    Bulletin,
    Failed,
    LoggedIn,
    News,
    Pardoned,
    Question,
    Spent,
    read,
    write,
)

TOLD_EVERY: Final = 1.0
"""Seconds between two bulletins, when there is something to tell."""
BEAT: Final = 5.0
"""Seconds after which there is one all the same: what was missed is noticed by its number."""
FRESH: Final = 10.0
"""Seconds; an older bulletin counts for nothing."""
ANSWER_PATIENCE: Final = 5.0
"""Seconds for which the word of a question counts."""
ASK_AGAIN: Final = 2.0
LEARNS: Final = 10.0
"""Seconds for which a node that has just started looks for one that knows more."""
PARDONED: Final = 86_400.0
"""Seconds for which a pardon is remembered: the longest ban."""
PART: Final = 300
"""Bans, pardons or failures in one letter."""
PART_EVERY: Final = 0.05
"""Seconds between two parts of an answer."""
BANS_LIMIT: Final = 16_384
PARDONS_LIMIT: Final = 4096
WAITING_LIMIT: Final = 5000
"""Failures or logins that wait to be told; what is more is not told."""
TIMES_LIMIT: Final = 32
"""The same for failures from one address with one name at one door."""
PEERS_LIMIT: Final = 500
"""Nodes whose clocks are known; of more the one is forgotten that was heard of longest ago."""
MOST_BANS: Final = 100
"""A number of a ban above that is one that somebody made up."""
EARLY: Final = 0.5
"""Seconds by which a bulletin may seem to be from the future: clocks do not run exactly alike."""
_NEVER: Final = float("-inf")

K = TypeVar("K")


class Counted(NamedTuple):
    """Logins that failed at another node are to be counted."""

    address: str
    user: bytes
    door: Door
    times: int
    pardoned: frozenset[str]
    """Of the source and the network of the address those for which they do not count: somebody
    has forgotten their failures since."""


Happening = Counted | LoggedIn | Banned | Pardoned | Spent
Decision = EngineAction | Happening
"""What happened at other nodes is to be taken as our own. Times are on our clock."""


@dataclass(slots=True)
class _Peer:
    """Another node, in one run of it."""

    name: str
    boot: str = ""
    """Empty: its clock is not known yet."""
    behind: float = 0.0
    """Our clock is that much more than its."""
    number: int = 0
    asked_at: float = _NEVER


@dataclass(slots=True)
class _Known:
    """A ban that is in force."""

    ban: Banned
    is_own: bool
    """Whether it was given here."""


@dataclass(slots=True)
class _Waiting:
    """What is to be told with the next bulletins."""

    failed: dict[tuple[str, bytes, Door], list[float]] = field(default_factory=dict)
    logged_in: dict[LoggedIn, None] = field(default_factory=dict)
    banned: dict[str, None] = field(default_factory=dict)
    pardoned: dict[str, None] = field(default_factory=dict)

    def forget_moments(self) -> None:
        """Forget what is of no use later."""
        self.failed.clear()
        self.logged_in.clear()


class Bulletins:
    """Decides for one node. Times are seconds, monotonic; what is returned is to be done in order.

    What happens here is told to `failed`, `logged_in`, `banned` and `pardoned`.
    """

    def __init__(
        self,
        node: str,
        boot: str,
        seals: Seals,
        *,
        longest: Callable[[int], float],
        trusts: Callable[[str, float], bool],
        names_of: Callable[[str], Iterable[str]],
        spending: Callable[[int], Iterable[Spent]],
        forget_spending: Callable[[], None],
    ) -> None:
        """`boot`: random, of this run. `longest`: seconds of an n-th ban by our own rules, 0: none.

        `trusts`: whether a node is believed at a time. `names_of`: the source and the network of an
        address. `spending`: takes what is to be told of so many accounts; `forget_spending`: nobody
        was there to be told.
        """
        self.node = node
        self.is_up = False
        self._boot = boot
        self._seals = seals
        self._longest = longest
        self._trusts = trusts
        self._names_of = names_of
        self._spending = spending
        self._forget_spending = forget_spending
        self._all = seals.name("bulletins")
        self._own = self._channel_of(node)
        self._peers: dict[str, _Peer] = {}
        self._bans: dict[str, _Known] = {}
        self._pardons: dict[str, float] = {}
        self._waiting = _Waiting()
        self._words: dict[str, float] = {}
        """Of our questions, and when they were asked."""
        self._questions = 0
        self._number = 0
        self._told_at = _NEVER
        self._tick_at: float | None = None
        self._parts: deque[tuple[bytes, Answer]] = deque()
        self._part_at = 0.0
        self._learns_until: float | None = None
        """Until when we look for somebody who knows all; None: we do."""
        self._was_up = False
        self._is_whole = False

    # What happens here.

    def failed(self, address: str, user: bytes, door: Door, now: float) -> None:
        """A login failed."""
        failed, key = self._waiting.failed, (address, user, door)
        if self.is_up and (key in failed or len(failed) < WAITING_LIMIT):
            ats = failed.setdefault(key, [])
            if len(ats) < TIMES_LIMIT:
                ats.append(now)

    def logged_in(self, address: str, user: bytes, door: Door) -> None:
        """A name logged in."""
        if self.is_up and len(self._waiting.logged_in) < WAITING_LIMIT:
            self._waiting.logged_in[LoggedIn(address, user, door)] = None

    def banned(self, ban: Banned) -> None:
        """A ban was given here, or kept over a restart."""
        self._keep(_Known(ban, is_own=True))
        self._waiting.banned[ban.who] = None

    def pardoned(self, names: Iterable[str], now: float) -> None:
        """Somebody has forgotten the failures of these sources and networks."""
        for who in names:
            self._bans.pop(who, None)
            self._pardon(who, now)
            self._waiting.pardoned[who] = None

    @property
    def known(self) -> int:
        """How many bans of all nodes are known."""
        return len(self._bans)

    # The engine.

    def next_deadline(self) -> float | None:
        """When `handle_deadline` has something to do."""
        if not self._parts or not self.is_up:
            return self._tick_at
        return self._part_at if self._tick_at is None else min(self._part_at, self._tick_at)

    def handle_deadline(self, now: float) -> list[Decision]:
        """Tell what happened, and go on with answers."""
        decisions: list[Decision] = []
        if self._parts and self.is_up and now >= self._part_at:
            channel, answer = self._parts.popleft()
            self._part_at = now + PART_EVERY
            decisions.append(self._publish(channel, answer))
        if self._tick_at is not None and now >= self._tick_at:
            self._tick_at = now + TOLD_EVERY
            decisions += self._tick(now)
        return decisions

    def handle(self, event: EngineEvent, now: float) -> list[Decision]:
        """Go on with what the engine tells."""
        match event:
            case EngineBack():
                self.is_up = True
                self._forget_spending()
                self._tick_at = now + TOLD_EVERY
                self._learns_until = now + LEARNS
                self._is_whole, self._was_up = self._was_up, True
                question = self._question(now)
                return [Watch(self._all), Watch(self._own), question]
            case EngineLost():
                self.is_up = False
                self._tick_at = None
                self._waiting.forget_moments()
                self._parts.clear()
            case Pushed(channel, _, value) if channel in (self._all, self._own):
                plain = self._seals.unseal(channel, value)
                news = read(plain) if plain is not None else None
                if news is not None and news.node != self.node:
                    return self._heard(news, channel, now)
        return []

    def _tick(self, now: float) -> list[Decision]:
        self._forget_the_ended(now)
        decisions = self._learn(now)
        waiting, spent = self._waiting, tuple(self._spending(PART))
        is_quiet = not any((waiting.failed, waiting.logged_in, waiting.banned, spent))
        if is_quiet and not waiting.pardoned and now < self._told_at + BEAT:
            return decisions
        self._told_at = now
        self._number += 1
        bulletin = Bulletin(
            node=self.node,
            boot=self._boot,
            number=self._number,
            at=now,
            failed=tuple(
                Failed(*key, tuple(waiting.failed.pop(key))) for key in _first(waiting.failed)
            ),
            logged_in=tuple(_taken(waiting.logged_in)),
            banned=tuple(
                self._bans[who].ban for who in _taken(waiting.banned) if who in self._bans
            ),
            pardoned=tuple(
                Pardoned(who, self._pardons[who])
                for who in _taken(waiting.pardoned)
                if who in self._pardons
            ),
            spent=spent,
        )
        return [*decisions, self._publish(self._all, bulletin)]

    def _learn(self, now: float) -> list[Decision]:
        """Ask the one who was not asked for longest for all that he knows."""
        until = self._learns_until
        if until is None:
            return []
        if now >= until:
            self._learns_until = None
            self._is_whole = True  # nobody knows more
            return []
        heard = {name: peer for name, peer in self._peers.items() if peer.boot}
        if not heard:
            return []
        name = min(heard, key=lambda each: heard[each].asked_at)
        heard[name].asked_at = now
        return [self._question(now, name, is_whole=True)]

    def _forget_the_ended(self, now: float) -> None:
        for who in [who for who, known in self._bans.items() if known.ban.until <= now]:
            del self._bans[who]
        for who in [who for who, at in self._pardons.items() if at + PARDONED <= now]:
            del self._pardons[who]
        for word in [word for word, at in self._words.items() if at + ANSWER_PATIENCE <= now]:
            del self._words[word]

    # What others say.

    def _heard(self, news: News, channel: bytes, now: float) -> list[Decision]:
        match news:
            case Question():
                self._answer(news, now)
                return []
            case Bulletin() if channel == self._all and self._trusts(news.node, now):
                return self._bulletin(news, now)
            case Answer() if channel == self._own and self._trusts(news.node, now):
                return self._answered(news, now)
        return []

    def _bulletin(self, news: Bulletin, now: float) -> list[Decision]:
        peer = self._peer(news.node)
        age = now - news.at - peer.behind
        if peer.boot != news.boot or not -EARLY <= age <= FRESH:
            return self._ask(peer, now)
        if news.number <= peer.number:
            return []
        decisions: list[Decision] = []
        if news.number != peer.number + 1:
            decisions += self._ask(peer, now)
        peer.number = news.number
        # Bans before the failures that they were given for.
        decisions += self._in_force(news, peer, now)
        decisions += news.logged_in
        for failed in news.failed:
            decisions += self._counted(failed, peer)
        decisions += news.spent
        return decisions

    def _counted(self, failed: Failed, peer: _Peer) -> Iterator[Counted]:
        """Failures by whether a pardon came after them: by the time of the node that saw each."""
        pardons = {who: self._pardons.get(who, _NEVER) for who in self._names_of(failed.address)}
        times: dict[frozenset[str], int] = {}
        for at in failed.ats:
            ours = at + peer.behind
            pardoned = frozenset(who for who, pardon in pardons.items() if ours <= pardon)
            times[pardoned] = times.get(pardoned, 0) + 1
        for pardoned, count in times.items():
            yield Counted(failed.address, failed.user, failed.door, count, pardoned)

    def _answered(self, news: Answer, now: float) -> list[Decision]:
        asked_at = self._words.get(news.word)
        if asked_at is None or now >= asked_at + ANSWER_PATIENCE:
            return []
        peer = self._peer(news.node)
        if peer.boot != news.boot:
            peer.boot, peer.number = news.boot, 0
        peer.behind = asked_at - news.at  # it was written later: what it tells is younger
        peer.number = max(peer.number, news.number)
        if news.is_whole and news.is_last:
            self._learns_until = None
            self._is_whole = True
        return self._in_force(news, peer, now)

    def _peer(self, name: str) -> _Peer:
        """Who says something now."""
        peer = self._peers.pop(name, None) or _Peer(name)
        self._peers[name] = peer
        if len(self._peers) > PEERS_LIMIT:
            del self._peers[next(iter(self._peers))]
        return peer

    def _in_force(self, news: Bulletin | Answer, peer: _Peer, now: float) -> list[Decision]:
        """Take over bans and pardons."""
        decisions: list[Decision] = []
        for who, at in news.pardoned:
            pardon = Pardoned(who, min(at + peer.behind, now))
            if pardon.at > self._pardons.get(who, _NEVER):
                self._pardon(who, pardon.at)
                known = self._bans.get(who)
                if known is None or known.ban.since <= pardon.at:
                    self._bans.pop(who, None)
                    decisions.append(pardon)
        for told in news.banned:
            ban = self._our_measure(told, peer, now)
            known = self._bans.get(ban.who)
            if known is not None and known.ban.until >= ban.until - TOLD_EVERY:
                self._waiting.banned.pop(ban.who, None)  # all know it by now
            elif ban.until > now and ban.since > self._pardons.get(ban.who, _NEVER):
                self._keep(_Known(ban, is_own=False))
                decisions.append(ban)
        return decisions

    def _our_measure(self, told: Banned, peer: _Peer, now: float) -> Banned:
        """On our clock, and no longer than ours would be."""
        bans = min(max(1, told.bans), MOST_BANS)
        since = min(told.since + peer.behind, now)
        until = min(told.until + peer.behind, since + self._longest(bans))
        return told._replace(since=since, until=until, bans=bans)

    def _keep(self, known: _Known) -> None:
        self._bans.pop(known.ban.who, None)
        self._bans[known.ban.who] = known
        if len(self._bans) > BANS_LIMIT:
            del self._bans[next(iter(self._bans))]

    def _pardon(self, who: str, at: float) -> None:
        self._pardons.pop(who, None)
        self._pardons[who] = at
        if len(self._pardons) > PARDONS_LIMIT:
            del self._pardons[next(iter(self._pardons))]

    # Questions and answers.

    def _ask(self, peer: _Peer, now: float) -> list[Decision]:
        """Ask a node anew: it was started, or we have missed something."""
        if now < peer.asked_at + ASK_AGAIN:
            return []
        peer.asked_at = now
        return [self._question(now, peer.name)]

    def _question(self, now: float, to: str = "", *, is_whole: bool = False) -> EngineAction:
        self._questions += 1
        word = f"{self._boot}.{self._questions}"
        self._words[word] = now
        question = Question(node=self.node, word=word, to=to, is_whole=is_whole)
        return self._publish(self._all, question)

    def _answer(self, question: Question, now: float) -> None:
        if question.to not in ("", self.node) or len(self._parts) >= WAITING_LIMIT:
            return
        is_whole = question.is_whole
        bans = [known.ban for known in self._bans.values() if known.is_own or is_whole]
        pardons = [Pardoned(*each) for each in self._pardons.items()]
        channel = self._channel_of(question.node)
        parts = max(1, -(-len(bans) // PART), -(-len(pardons) // PART))
        if not self._parts:
            self._part_at = now
        for part in range(parts):
            here = slice(part * PART, (part + 1) * PART)
            answer = Answer(
                node=self.node,
                boot=self._boot,
                word=question.word,
                at=now,
                number=self._number,
                is_last=part == parts - 1,
                is_whole=is_whole and self._is_whole,
                banned=tuple(bans[here]),
                pardoned=tuple(pardons[here]),
            )
            self._parts.append((channel, answer))

    def _publish(self, channel: bytes, news: News) -> EngineAction:
        return Publish(channel, channel, self._seals.seal(channel, write(news)), 0)

    def _channel_of(self, node: str) -> bytes:
        return self._seals.name("bulletins", node.encode())


def _first(waiting: Iterable[K]) -> list[K]:
    return list(islice(waiting, PART))


def _taken(waiting: dict[K, None]) -> Iterator[K]:
    for key in _first(waiting):
        del waiting[key]
        yield key
