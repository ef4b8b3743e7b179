"""Streams of one service that the same ECMs open: their ECMs are asked, their keys kept clear.

Source: docs/dvbapi-protocol.md sections 8, 9 and 12. Theory of operation. The newest ECM is

    NONE      there is none yet for what is chosen
    ASKED     somebody was asked, and the answer is to come
    DONE      its CW was told to the client; the same ECM again is no question any more
    AGAIN     it was refused for now: it is asked again, until its crypto period is over
    FAILED    it cannot be decoded, or its period is over: the next one is waited for

An older ECM may still be pending: its CW is told if no newer one was. A client is never left
alone: keys that stay as they are are repeated, and no filter is stopped that has no successor.
"""

from collections.abc import Collection, Sequence
from enum import Enum
from typing import Final, NamedTuple, Protocol

from cccamd.ids import ShareId, Sid
from cccamd.softcam.choice import Candidate, Chance, Choice
from cccamd.softcam.keys import Half, Keys
from cccamd.softcam.memory import UNKNOWN_PERIOD, Remembered
from cccamd.softcam.orders import (
    AnsweredBy,
    Order,
    SetHalf,
    TellEcm,
)
from cccamd.softcam.programme import EcmStream
from cccamd.values import ECM_TABLE_IDS, EVEN_TABLE_ID, ControlWords, Refusal, Request
from cccamd.watch import CryptoPeriod
from cccamd.wire.dvbapi import NO_PID, Channel

PAUSES: Final = (0.3, 0.7, 1.5, 3.0)
"""Seconds before an ECM is asked again that was refused for now; the last one over and over."""
OVER: Final = 1.5
"""Crypto periods after which an ECM is worth nothing any more: the next one should be there."""
LONGEST_UNKNOWN: Final = 120.0
"""Seconds that an ECM is asked again where the crypto period is not known."""
PENDING_LIMIT: Final = 4
"""ECMs of one set that are asked at once."""
KNOWN_LIMIT: Final = 8
KNOWN_FOR: Final = 10.0
"""Seconds for which what came of an ECM holds: a card may learn."""
TELL_AGAIN: Final = 1.0
"""Seconds between two answers to the same ECM: minisatip sends it again when it has no CW."""


class EcmState(Enum):
    """What became of the newest ECM."""

    NONE = "none yet"
    ASKED = "asked"
    DONE = "answered"
    AGAIN = "asked again"
    FAILED = "not decoded"


class Pending(NamedTuple):
    """An ECM that was asked."""

    number: int
    candidate: Candidate
    section: bytes


class Surroundings(Protocol):
    """What a set needs of its service and its connection."""

    @property
    def channel(self) -> Channel:
        """How the client is told of them."""

    @property
    def sid(self) -> Sid:
        """Whose streams they are."""

    def order(self, order: Order) -> None:
        """Have something done."""

    def ask(
        self, streams: "Descrambling", ecm: EcmStream, request: Request, now: float
    ) -> int | None:
        """Have an ECM asked; its token, or None: this connection asks too much already."""

    def forget(self, token: int) -> None:
        """Nobody waits for that answer any more."""

    def descramble(self, pids: Sequence[int], index: int) -> None:
        """Let streams be descrambled with the keys of an index."""

    def leave_be(self, pid: int, index: int) -> None:
        """Descramble a stream with these keys no more."""

    def remember(self, last: Remembered) -> None:
        """Keep the last of a service for its return."""

    def worked(self, ecm: EcmStream) -> None:
        """ECMs of this stream can be answered."""


class Descrambling:
    """One key index."""

    def __init__(
        self, around: Surroundings, index: int, choice: Choice, pids: Sequence[int]
    ) -> None:
        self.index = index
        self.pids = tuple(pids)
        self.choice = choice
        self.state = EcmState.NONE
        self.seconds: float | None = None
        """How long the last CW took."""
        self.lit_at: float | None = None
        """When there was a CW first."""
        self._around = around
        self._keys = Keys()
        self._told: dict[int, None] = {}
        """PIDs that the client descrambles with our keys."""
        self._crypto = CryptoPeriod()
        self._section = b""
        self._section_of: EcmStream | None = None
        self._came_at = self._asked_at = 0.0
        self._number = self._done = 0
        self._pending: dict[int, Pending] = {}
        self._known: dict[bytes, tuple[ControlWords | None, float]] = {}
        """What came of the last ECMs, and when."""
        self._again_at: float | None = None
        self._tries = 0

    @property
    def chosen(self) -> EcmStream | None:
        """The stream of ECMs that is asked."""
        return None if self.choice.chosen is None else self.choice.chosen.ecm

    @property
    def period(self) -> float | None:
        """The crypto period in seconds, as far as it is known."""
        return self._crypto.period

    @property
    def next_at(self) -> float | None:
        """When `wake` wants to be called."""
        repeat_at = self._keys.repeat_at(constant=self._is_constant) if self._told else None
        times = [at for at in (self._again_at, repeat_at) if at is not None]
        return min(times, default=None)

    # What comes.

    def resume(self, last: Remembered | None, now: float, *, is_own: bool) -> None:
        """Begin; `last` is how this service went on before it was stopped, or (not `is_own`)
        how it goes elsewhere."""
        if last is not None:
            if last.cw is not None and self.pids:
                self._tell(self._keys.take(last.cw, now))
            chosen = self.chosen
            if is_own and chosen is not None and chosen[:2] == last.ecm[:2]:
                self._section, self._section_of, self._came_at = last.section, chosen, now
                self.state = EcmState.DONE if last.answered else EcmState.AGAIN
                self._again_at = None if last.answered else now
        self._ask_for_constant(now)

    def heard(self, pid: int, section: bytes, now: float) -> bool:
        """An ECM came on a PID. Return whether it is one of what is chosen."""
        if section[0] not in ECM_TABLE_IDS:
            return False
        candidate = self.choice.heard(pid, section[4] if len(section) > 4 else 0)
        if candidate is None:
            return False
        self._crypto.learn(section[0], section, now)
        if section == self._section:
            self._hear_again(now)
            return True
        if self._is_known(section, now):
            return True
        self._section, self._section_of = section, candidate.ecm
        self._came_at, self._tries = now, 0
        self._number += 1
        self._ask(now)
        return True

    def answered(
        self, token: int, cw: ControlWords, by: AnsweredBy, seconds: float, now: float
    ) -> None:
        """A CW for what was asked. Late is better than never, unless a newer one was sooner."""
        number, candidate, section = self._pending.pop(token)
        candidate.succeeded()
        self._around.worked(candidate.ecm)
        if number < self._done:
            return
        self._done, self.seconds = number, seconds
        if number == self._number and section == self._section:
            self.state, self._again_at = EcmState.DONE, None
        if self.lit_at is None:
            self.lit_at = now
        self._note(section, cw, now)
        self._tell(self._keys.take(cw, now))
        around = self._around
        around.order(TellEcm(around.channel, around.sid, candidate.ecm, seconds, by))
        self._remember(candidate.ecm, section, now)

    def refused(self, token: int, refusal: Refusal, now: float) -> bool:
        """No CW. Return whether something else is chosen now."""
        number, candidate, section = self._pending.pop(token)
        if refusal is Refusal.CANNOT_DECODE:
            candidate.failed(section)
        if number != self._number or section != self._section:
            return False
        if refusal is not Refusal.CANNOT_DECODE:
            self._ask_later(now)
        else:
            self.state, self._again_at = EcmState.FAILED, None
            self._note(section, None, now)
        is_over = candidate.is_spent or self.choice.unserved()
        return is_over and candidate is self.choice.chosen and self._move_on(now)

    def cards_changed(self, now: float) -> bool:
        """Cards came or went. Return whether something else is chosen now."""
        self._known = {ecm: known for ecm, known in self._known.items() if known[0] is not None}
        before = self.choice.chosen
        spent = before is not None and before.has_failed
        self.choice.look_again()
        if self.choice.settle() is not before:
            self._begin_anew(now)
            return True
        if before is None or before.prospect.chance is not Chance.SERVED:
            return False
        renewed = spent and not before.has_failed and self.state is EcmState.FAILED
        if self._section and (self.state is EcmState.AGAIN or renewed):
            self.state = EcmState.AGAIN
            self._again_at = max(now, self._asked_at + PAUSES[0])
        return False

    def leave(self, pids: Collection[int]) -> None:
        """The client lists some of the streams no more, or they are another set's now."""
        self.pids = tuple(pid for pid in self.pids if pid not in pids)
        for pid in pids:
            if pid in self._told:
                del self._told[pid]
                self._around.leave_be(pid, self.index)

    def relist(self, pids: Sequence[int], now: float) -> None:
        """Go by what the client lists now, with the keys that there are: the old ones bridge
        the change. The choice has been offered its ECMs."""
        before, was_empty = self.choice.chosen, not self.pids
        is_changed = set(pids) != set(self._told)
        self.pids = tuple(pids)
        if self._keys and is_changed:
            self._tell(self._keys.again(now))
        if self.pids and was_empty and self.state is EcmState.AGAIN:
            self._again_at = now
        if self.choice.settle() is not before or self._is_orphaned():
            self._begin_anew(now)

    def wake(self, now: float) -> None:
        """Do what is due."""
        if self._again_at is not None and self._again_at <= now:
            self._again_at = None
            if now <= self._worth_until():
                self._ask(now)
            else:
                self.state = EcmState.FAILED
        repeat_at = self._keys.repeat_at(constant=self._is_constant) if self._told else None
        if repeat_at is not None and repeat_at <= now:
            self._tell(self._keys.again(now))

    def end(self, now: float) -> None:
        """Nobody wants these streams any more."""
        for token in self._pending:
            self._around.forget(token)
        self._pending.clear()
        chosen = self.chosen
        if chosen is not None and self._section:
            self._remember(chosen, self._section, now)
        for pid in self._told:
            self._around.leave_be(pid, self.index)
        self._told.clear()

    # Inside.

    def _hear_again(self, now: float) -> None:
        """The newest ECM came once more."""
        if self.state is EcmState.DONE and now - self._keys.told_at >= TELL_AGAIN:
            self._tell(self._keys.again(now))
        elif self.state is EcmState.FAILED and now - self._asked_at >= KNOWN_FOR:
            self._ask(now)

    def _note(self, section: bytes, cw: ControlWords | None, now: float) -> None:
        """Keep what came of an ECM for a while; None: it cannot be decoded."""
        self._known.pop(section, None)
        self._known[section] = cw, now
        if len(self._known) > KNOWN_LIMIT:
            del self._known[next(iter(self._known))]

    def _is_known(self, section: bytes, now: float) -> bool:
        """Whether nobody need be asked: several ECMs may take turns on one PID, ten a second."""
        cw, at = self._known.get(section, (None, -KNOWN_FOR))
        if now - at >= KNOWN_FOR:
            return False
        if cw is not None and self._keys.would_change(cw):
            self._section, self.state, self._again_at = section, EcmState.DONE, None
            self._tell(self._keys.take(cw, now))
        return True

    @property
    def _is_constant(self) -> bool:
        chosen = self.chosen
        return chosen is not None and chosen.pid == NO_PID

    def _ask_for_constant(self, now: float) -> None:
        if self._is_constant:
            self._section, self._section_of = no_ecm(self._around.sid), self.chosen
            self._came_at = now
            self._number += 1
            self._ask(now)

    def _ask(self, now: float) -> None:
        candidate = self.choice.chosen
        self._again_at = None
        if candidate is None or not self.pids:
            self.state = EcmState.AGAIN  # when there is a stream to be opened
            return
        while len(self._pending) >= PENDING_LIMIT:
            oldest = next(iter(self._pending))
            del self._pending[oldest]
            self._around.forget(oldest)
        ecm = candidate.ecm
        request = Request(ecm.caid, ecm.ident, ShareId(0), self._around.sid, self._section)
        self.state, self._asked_at = EcmState.ASKED, now
        token = self._around.ask(self, ecm, request, now)
        if token is None:
            self.state, self._again_at = EcmState.AGAIN, now + PAUSES[0]
        else:
            self._pending[token] = Pending(self._number, candidate, self._section)

    def _ask_later(self, now: float) -> None:
        pause = PAUSES[min(self._tries, len(PAUSES) - 1)]
        self._tries += 1
        self.state, self._again_at = EcmState.AGAIN, now + pause

    def _worth_until(self) -> float:
        if self._is_constant:
            return float("inf")
        period = self.period
        return self._came_at + (LONGEST_UNKNOWN if period is None else OVER * period)

    def _move_on(self, now: float) -> bool:
        before = self.choice.chosen
        if self.choice.move_on() is before:
            return False
        self._begin_anew(now)
        return True

    def _begin_anew(self, now: float) -> None:
        """Something else is chosen: wait for its ECM, or ask the one at hand for it."""
        self._tries, self._again_at = 0, None
        if self._section and not self._is_orphaned():
            self._number += 1
            self._ask(now)
            return
        self._section, self._section_of, self.state = b"", None, EcmState.NONE
        self._known.clear()
        self._ask_for_constant(now)

    def _is_orphaned(self) -> bool:
        """Whether the newest ECM is one of a stream that is chosen no more."""
        chosen, section_of = self.chosen, self._section_of
        if chosen is None or section_of is None:
            return section_of is not None
        return (chosen.pid, chosen.chain) != (section_of.pid, section_of.chain)

    def _tell(self, halves: Sequence[Half]) -> None:
        new = [pid for pid in self.pids if pid not in self._told]
        if new:
            self._told.update(dict.fromkeys(new))
            self._around.descramble(new, self.index)
        for parity, cw in halves:
            self._around.order(SetHalf(self._around.channel, self.index, parity, cw))

    def _remember(self, ecm: EcmStream, section: bytes, now: float) -> None:
        is_answered = self.state is EcmState.DONE
        period = self.period or UNKNOWN_PERIOD
        self._around.remember(
            Remembered(
                ecm=ecm,
                section=section,
                cw=self._keys.cw if self._keys else None,
                answered=is_answered,
                pids=self.pids,
                until=(now if is_answered else self._came_at) + period,
            )
        )


def no_ecm(sid: Sid) -> bytes:
    """Stands for the ECM where there is none: a card with constant CWs wants the service only."""
    body = bytes(2) + sid.to_bytes(2)
    return bytes((EVEN_TABLE_ID, 0x70, len(body))) + body
