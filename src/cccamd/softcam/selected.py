"""One service that a client has selected: its streams, its filters, its keys.

Source: docs/dvbapi-protocol.md sections 6 to 9.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from cccamd.ids import Sid
from cccamd.softcam.choice import Choice, Prospects
from cccamd.softcam.descrambling import Descrambling
from cccamd.softcam.emms import EmmSearch
from cccamd.softcam.filters import Filters
from cccamd.softcam.memory import UNKNOWN_PERIOD, Memory, Remembered
from cccamd.softcam.numbers import Descrambled, Numbers, Resting
from cccamd.softcam.orders import (
    AnsweredBy,
    Ask,
    Forget,
    Order,
    RemovePid,
    ServiceNumber,
    SetPid,
)
from cccamd.softcam.programme import EcmStream, Programme, Streams
from cccamd.values import ControlWords, Refusal, Request
from cccamd.wire.dvbapi import Channel


@dataclass(slots=True, kw_only=True)
class Hands:
    """What the services of one connection share."""

    connection: object
    """Which connection it is: no other is equal."""
    order: Callable[[Order], None]
    prospects: Prospects
    memory: Memory
    numbers: Numbers
    resting: Resting
    descrambled: Descrambled
    filter_limit: int
    switches_parity: bool
    may_ask: Callable[[float], bool]
    """Whether one more ECM may be asked now."""
    new_token: Callable[["Selected", Descrambling], int]
    end_token: Callable[[int], None]


class Selected:
    """A service from its listing to its end."""

    def __init__(
        self, hands: Hands, number: ServiceNumber, programme: Programme, demux: int
    ) -> None:
        self.number = number
        self.programme = programme
        self.demux = demux
        self.emms: EmmSearch | None = None
        """The look for EMMs that cards want, if any do."""
        self._hands = hands
        self._sets: list[Descrambling] = []
        self.filters = Filters(
            demux,
            order=hands.order,
            resting=hands.resting,
            limit=hands.filter_limit,
            switches=hands.switches_parity,
        )

    @property
    def channel(self) -> Channel:
        """How the client is told of it."""
        return self.programme.channel

    @property
    def sid(self) -> Sid:
        """Which service it is."""
        return self.programme.identity.service

    @property
    def sets(self) -> tuple[Descrambling, ...]:
        """Its streams, by the ECMs that open them."""
        return tuple(self._sets)

    @property
    def lit_at(self) -> float | None:
        """When there was a CW first."""
        return min((each.lit_at for each in self._sets if each.lit_at is not None), default=None)

    @property
    def next_at(self) -> float | None:
        """When `wake` wants to be called."""
        times = [each.next_at for each in self._sets]
        times += [self.filters.next_at, self.emms.next_at if self.emms else None]
        return min((at for at in times if at is not None), default=None)

    # Its life.

    def begin(self, now: float) -> None:
        """Have its ECMs sent, and push the keys that are remembered of it."""
        self._begin_sets(self.programme.sets, now)

    def update(self, programme: Programme, now: float) -> None:
        """Go by a new list of its streams and ECMs; what stays in it is not touched."""
        before, self.programme = self.programme, programme
        if programme.contents == before.contents:
            return
        kept, new = self._match(programme.sets)
        for each in [each for each in self._sets if each not in kept]:
            self._remove(each, now)
        for each, streams in kept.items():
            each.leave([pid for pid in each.pids if pid not in streams.pids])
            each.choice.offer(streams.ecms)
        for each, streams in kept.items():
            each.relist(streams.pids, now)
        self._begin_sets(new, now)

    def end(self, now: float) -> None:
        """Nobody wants it any more."""
        for each in tuple(self._sets):
            self._remove(each, now)
        if self.emms is not None:
            self.emms.end()
        self.filters.end(self.channel, now)
        self._hands.numbers.free(self.demux)

    # What comes.

    def heard(self, number: int, section: bytes, now: float) -> None:
        """A section came through one of its filters."""
        pid = self.filters.ecm_pid(number)
        if pid is None:
            if self.emms is not None:
                self.emms.heard(number, section, now)
            return
        for each in self._sets:
            if each.heard(pid, section, now):
                period = each.period or UNKNOWN_PERIOD
                self.filters.came(self.channel, pid, section[0], period, now)

    def answered(
        self,
        streams: Descrambling,
        token: int,
        cw: ControlWords,
        by: AnsweredBy,
        *,
        seconds: float,
        now: float,
    ) -> None:
        """There is a CW for one of its ECMs."""
        streams.answered(token, cw, by, seconds, now)
        if self.emms is not None:
            self.emms.lit(now)

    def refused(self, streams: Descrambling, token: int, refusal: Refusal, now: float) -> None:
        """There is none."""
        before = streams.chosen
        if streams.refused(token, refusal, now):
            self._follow(now)
        elif before is not None:
            self.filters.want_any(self.channel, before.pid)

    def cards_changed(self, now: float) -> None:
        """Cards came or went."""
        changed = [each.cards_changed(now) for each in self._sets]
        if any(changed):
            self._follow(now)
        if self.emms is not None:
            self.emms.look(now)

    def wake(self, now: float) -> None:
        """Do what is due."""
        for each in self._sets:
            each.wake(now)
        self.filters.wake(self.channel, now)
        if self.emms is not None:
            self.emms.wake(now)

    # What its streams need.

    def order(self, order: Order) -> None:
        """Have something done."""
        self._hands.order(order)

    def ask(
        self, streams: Descrambling, ecm: EcmStream, request: Request, now: float
    ) -> int | None:
        """Have an ECM asked; its token, or None: this connection asks too much already."""
        if not self._hands.may_ask(now):
            return None
        token = self._hands.new_token(self, streams)
        self.order(Ask(token, self.number, ecm, request))
        return token

    def forget(self, token: int) -> None:
        """Nobody waits for that answer any more."""
        self._hands.end_token(token)
        self.order(Forget(token))

    def descramble(self, pids: Sequence[int], index: int) -> None:
        """Let streams be descrambled with the keys of an index."""
        adapter = self.programme.identity.adapter
        for pid in self._hands.descrambled.add(adapter, pids, index):
            self.order(SetPid(self.channel, pid, index))

    def leave_be(self, pid: int, index: int) -> None:
        """Descramble a stream with these keys no more."""
        adapter = self.programme.identity.adapter
        other = self._hands.descrambled.remove(adapter, pid, index)
        if other is None:
            self.order(RemovePid(self.channel, pid))
        elif other != index:
            self.order(SetPid(self.channel, pid, other))

    def remember(self, last: Remembered) -> None:
        """Keep the last of it for its return."""
        identity = self.programme.identity
        self._hands.memory.keep(identity, self._owner, last)

    def worked(self, ecm: EcmStream) -> None:
        """ECMs of this stream can be answered."""
        self._hands.memory.worked(self.programme.identity, ecm)

    # Inside.

    @property
    def _owner(self) -> tuple[object, int]:
        return self._hands.connection, self.programme.identity.adapter

    def _begin_sets(self, wanted: Iterable[Streams], now: float) -> None:
        added = [(self._add(streams), streams) for streams in wanted]
        self._follow(now)
        for found, streams in added:
            if found is not None:
                last, is_own = self._remembered(streams, now)
                found.resume(last, now, is_own=is_own)

    def _remembered(self, streams: Streams, now: float) -> tuple[Remembered | None, bool]:
        memory, identity = self._hands.memory, self.programme.identity
        return memory.last_of(identity, streams, self._owner, now)

    def _add(self, streams: Streams) -> Descrambling | None:
        """Give streams an index: the first the number of the demux, for VDR's sake."""
        index: int | None = self.demux
        if any(each.index == self.demux for each in self._sets):
            index = self._hands.numbers.take(self.programme.identity.adapter)
        if index is None:
            return None
        choice = Choice(self.sid, self._hands.prospects)
        choice.offer(streams.ecms, self._hands.memory.last_worked(self.programme.identity))
        choice.settle()
        found = Descrambling(self, index, choice, streams.pids)
        self._sets.append(found)
        return found

    def _remove(self, each: Descrambling, now: float) -> None:
        each.end(now)
        self._sets.remove(each)
        if each.index != self.demux:
            self._hands.numbers.free(each.index)

    def _follow(self, now: float) -> None:
        """Have the ECMs sent that are chosen now, and no others."""
        chosen = [each.chosen for each in self._sets]
        pids = dict.fromkeys(ecm.pid for ecm in chosen if ecm is not None)
        self.filters.want_ecms(self.channel, pids, now)

    def _match(
        self, wanted: tuple[Streams, ...]
    ) -> tuple[dict[Descrambling, Streams], list[Streams]]:
        """Which of the sets that there are go on as which; and those that are new.

        The same ECMs are the same set; then the one whose chosen ECMs stay; then the one with
        most of the streams; then any: its keys and its index bridge the change.
        """
        kept: dict[Descrambling, Streams] = {}
        left = list(wanted)
        for score in _SCORES:
            for each in self._sets:
                scores = [] if each in kept else [score(each, streams) for streams in left]
                if any(scores):
                    kept[each] = left.pop(scores.index(max(scores)))
        return kept, left


def _same_ecms(each: Descrambling, streams: Streams) -> int:
    known = {candidate.ecm._replace(chain=None) for candidate in each.choice.candidates}
    return known == set(streams.ecms)


def _same_choice(each: Descrambling, streams: Streams) -> int:
    return each.chosen is not None and each.chosen._replace(chain=None) in streams.ecms


def _common_streams(each: Descrambling, streams: Streams) -> int:
    return len({*each.pids} & {*streams.pids})


def _any(each: Descrambling, streams: Streams) -> int:
    return 1


_SCORES: Final = (_same_ecms, _same_choice, _common_streams, _any)
