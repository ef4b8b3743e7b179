"""The record of one client: what it did is counted, logged and reported here.

What an ECM came to is counted and reported when its answer is written (`Observers.later`).
"""

import logging
from collections.abc import Callable
from dataclasses import dataclass
from itertools import count
from typing import Final

from cccamd.cards import Card
from cccamd.facts import SLOW_SECONDS, EcmResult
from cccamd.net import PairedPeer
from cccamd.routing import EmmVerdict, Result, Told, Trace
from cccamd.server.exchange import result_of
from cccamd.server.loglines import (
    DoorLog,
    describe_peer,
    describe_program,
    describe_request,
    describe_way,
    shorten,
)
from cccamd.server.observers import Observers
from cccamd.server.usage import ClientUsage, Totals
from cccamd.setup.cccamcfg import FLine
from cccamd.values import ECM_TABLE_IDS, ControlWords, Emm, Fingerprint, Outcome, Refusal, Request
from cccamd.watch import (
    ClientLoggedIn,
    ClientLoggedOut,
    ConnectionRefused,
    EcmFinished,
    EmmFinished,
    LoginFailed,
)
from cccamd.wire.link import Closed, Peer, Remark

log = logging.getLogger("cccamd.client")

_NUMBERS = count()
"""Clients in the order they came: what the sampling under great load goes by."""
_NOBODY = ("", None)
_CW: Final = EcmResult.CW
_CACHED: Final = Result.CACHED
TEXTS_LIMIT = 5
"""How many texts of one client are told; a log is not its blackboard."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordContext:
    """What the records of all clients share."""

    observers: Observers
    totals: Totals
    door_log: DoorLog
    source_of: Callable[[Card], tuple[str, bool] | None]
    """Name of a card's source, and whether it is a card of ours; None when it is gone."""
    show_timing: Callable[[], bool]
    note_trace: Callable[[str, float, Trace], None]
    """Remembers how a request of an account went."""


class ClientRecord:
    """Knows the client's name; everything else comes with each call."""

    __slots__ = (
        "_context",
        "_is_told",
        "_number",
        "_texts_told",
        "address",
        "line",
        "peer",
        "program",
        "usage",
        "user_said",
    )

    def __init__(self, context: RecordContext) -> None:
        now = context.observers.now()
        self.usage = ClientUsage(connected_at=now, heard_at=now)
        self.program = ""
        """What the client calls itself; empty without a partner text."""
        self.line: FLine | None = None
        """Its F-line, as soon as it has named its user."""
        self.user_said = ""
        """The user name that it gave, whether there is such an account or not."""
        self.address = ""
        self.peer = ""
        """Address and port."""
        self._context = context
        self._texts_told = 0
        self._is_told = True
        """Whether the log has lines about it: its account does not log in all the time."""
        self._number = next(_NUMBERS)

    @property
    def number(self) -> int:
        """Which client it is: no other has this number."""
        return self._number

    @property
    def user(self) -> str:
        """The account, as text; empty before it is known."""
        return self.line.user if self.line is not None else ""

    @property
    def name(self) -> str:
        """How logs name the client: account, once it is known, and address."""
        return f"{self.user}@{self.peer}" if self.line is not None else self.peer

    def logged_in(self, peer: Peer, paired: PairedPeer | None = None) -> None:
        """The client has said who it is; `paired`: and proved it before, by TLS."""
        self._is_told = self._context.door_log.admits_login(self.user)
        self.info("logged in; %s%s", describe_peer(peer), describe_way(paired))
        self._context.observers.tell(
            ClientLoggedIn(
                at=self._context.observers.now(),
                account=self.user,
                client=self._number,
                address=self.address,
                version=peer.version,
                build=peer.build,
                revision=peer.revision,
                node_id=peer.node_id,
            )
        )

    def logged_out(self, closed: Closed) -> None:
        """The client has left, or was sent away."""
        self.info("logged out: %s", closed)
        observers = self._context.observers
        observers.tell(
            ClientLoggedOut(
                at=observers.now(),
                account=self.user,
                client=self._number,
                address=self.address,
                reason=str(closed),
                why=closed.reason,
            )
        )

    def looked(self) -> None:
        """Somebody connected, and left without a word: that is no login, and cannot be one.

        So do those who look whether the server is there: `cccamd doctor`, monitors, line testers.
        """
        self.debug("looked at the port, and left without a word")

    def pushed_out(self, closed: Closed) -> None:
        """It had said nothing yet when it had to make room, as most of a flood: that is no login,
        either. Those who watch are told as often as the log is."""
        context = self._context
        if context.door_log.failed(self.name, self.address, closed):
            now = context.observers.now()
            refused = ConnectionRefused(at=now, address=self.address, reason=closed.reason.value)
            context.observers.tell(refused)

    def login_failed(self, closed: Closed) -> None:
        """The connection ended before its login did."""
        context = self._context
        context.totals.logins_failed += 1
        context.door_log.failed(self.name, self.address, closed)
        context.observers.tell(
            LoginFailed(
                at=context.observers.now(),
                account=self.user,
                user=self.user_said,
                address=self.address,
                reason=str(closed),
                why=closed.reason,
            )
        )

    def asked(self, request: Request, *, pending: int) -> None:
        """A request came in; so many are open now."""
        totals = self._context.totals
        totals.ecms += 1
        if pending > totals.peak_pending:
            totals.peak_pending = pending
        self.usage.asked(request, now=self._context.observers.now())
        if log.isEnabledFor(logging.DEBUG):
            self._log(logging.DEBUG, "asks %s", describe_request(request))

    def answered(
        self, request: Request, answer: ControlWords | Refusal, trace: Trace, *, seconds: float
    ) -> None:
        """A request was answered, so many seconds after it came."""
        observers = self._context.observers
        observers.later(self._book_answer, request, answer, trace, seconds, observers.now())
        if self._logs_answers():
            observers.catch_up()  # the lines of the log are in order

    def _book_answer(
        self,
        request: Request,
        answer: ControlWords | Refusal,
        trace: Trace,
        seconds: float,
        at: float,
    ) -> None:
        result = result_of(answer)
        source, local = self._winner(trace.winner)
        self.usage.finished(request, result=result, source=source, local=local, seconds=seconds)
        if self._logs_answers():
            self._tell_answer(request, result, trace, source=source, seconds=seconds)
        weight = self._weight(result)
        if weight is not None:
            self._report(request, result, trace, at=at, seconds=seconds, weight=weight)

    def told(self, told: Told, now: float) -> None:
        """A request was answered at once, at `now` of the loop's clock."""
        observers = self._context.observers
        observers.later(self._book_told, told, now, observers.now())
        if self._logs_answers():
            observers.catch_up()

    def _book_told(self, told: Told, now: float, at: float) -> None:
        wanted, _, card, _, _, asked_at = told
        request = wanted[0]
        source, local = self._context.source_of(card) or _NOBODY
        seconds = now - asked_at
        self.usage.finished(request, result=_CW, source=source, local=local, seconds=seconds)
        if self._logs_answers():
            trace = told.trace(now)
            self._tell_answer(request, _CW, trace, source=source, seconds=seconds)
        weight = self._weight(_CW)
        if weight is not None:
            self._report(request, _CW, told.trace(now), at=at, seconds=seconds, weight=weight)

    def _weight(self, result: EcmResult) -> int | None:
        """How many ECMs this one stands for, if those who watch are to be told of it; else None."""
        observers = self._context.observers
        weight = observers.weight(self._number)
        if weight:
            return weight
        refused = result is not _CW
        return 0 if observers.attends(self.user, self._number, refused=refused) else None

    def out_of_hours(self, request: Request, fingerprint: Fingerprint, why: Result) -> None:
        """A request was refused because of the moment it came at; nobody was asked."""
        observers = self._context.observers
        observers.catch_up()
        self.debug("%s: NOK1, %s", describe_request(request), why.value)
        self.usage.finished(request, result=EcmResult.NOK1, source="", local=None, seconds=0.0)
        now = observers.now()
        trace = Trace(request, fingerprint, now, now, why, None, [])
        if weight := observers.weight(self._number):
            self._report(request, EcmResult.NOK1, trace, at=now, seconds=0.0, weight=weight)

    def emm_decided(self, emm: Emm, verdict: EmmVerdict) -> None:
        """An EMM was passed on, or was not."""
        passed = verdict is EmmVerdict.PASSED
        self._context.totals.emms += 1
        self.usage.emms_sent += 1
        self.usage.emms_passed += passed
        self.debug("EMM of %d bytes: %s", len(emm.section), verdict.value)
        observers = self._context.observers
        observers.tell(
            EmmFinished(
                at=observers.now(),
                account=self.user,
                caid=emm.caid,
                passed=passed,
                verdict=verdict.value,
            )
        )

    def said_more(self, peer: Peer) -> None:
        """The client named its program."""
        if not self.program and peer.program:
            self.info("%s", describe_program(peer))
        self.program = self.program or peer.program

    def text(self, text: str) -> None:
        """The client sent a text for the log."""
        if text and self._texts_told < TEXTS_LIMIT:
            self._texts_told += 1
            self.info("says: %s", shorten(text))

    def remark(self, remark: Remark) -> None:
        """Write a line about something that nothing follows from."""
        if not remark.is_routine and self._logs(logging.DEBUG):
            self.debug("%s", remark)

    def info(self, text: str, *values: object) -> None:
        """Write a line for everybody who reads the log."""
        if self._is_told or self._logs(logging.DEBUG):
            self._log(logging.INFO, text, *values)

    def debug(self, text: str, *values: object) -> None:
        """Write a line for those who look closely."""
        if log.isEnabledFor(logging.DEBUG):
            self._log(logging.DEBUG, text, *values)

    def _logs(self, level: int) -> bool:
        return log.isEnabledFor(level)

    def _log(self, level: int, text: str, *values: object) -> None:
        extra = {"account": self.user, "peer": self.peer}
        log.log(level, "%s: " + text, self.name, *values, extra=extra)

    def _logs_answers(self) -> bool:
        return log.isEnabledFor(logging.DEBUG) or self._context.show_timing()

    def _tell_answer(
        self, request: Request, result: EcmResult, trace: Trace, *, source: str, seconds: float
    ) -> None:
        level = logging.INFO if self._context.show_timing() else logging.DEBUG
        words = describe_request(request)
        how = _describe_answer(trace, source) if source else self._describe_refusal(trace)
        self._log(level, "%s: %s in %.1f ms, %s", words, result.value, 1000 * seconds, how)

    def _winner(self, card: Card | None) -> tuple[str, bool | None]:
        """Whose card gave the CW, and whether it was one of ours; a refusal (None) is nobody's."""
        found = self._context.source_of(card) if card is not None else None
        return found or _NOBODY

    def _tried(self, trace: Trace) -> tuple[tuple[str, Outcome], ...]:
        found = ((self._context.source_of(card), end) for card, end in trace.outcomes())
        return tuple((source[0], end) for source, end in found if source is not None)

    def _describe_refusal(self, trace: Trace) -> str:
        ends = "; ".join(f"{source} {outcome.value}" for source, outcome in self._tried(trace))
        return f"{trace.result.value}: {ends}" if ends else trace.result.value

    def _report(
        self,
        request: Request,
        result: EcmResult,
        trace: Trace,
        *,
        at: float,
        seconds: float,
        weight: int,
    ) -> None:
        table_id = request.section[0]
        worth_telling = trace.winner is None or seconds >= SLOW_SECONDS
        observers = self._context.observers
        self._context.note_trace(self.user, at, trace)
        observers.pass_on(
            EcmFinished(
                at=at,
                account=self.user,
                client=self._number,
                caid=request.caid,
                ident=request.ident,
                sid=request.sid,
                parity=table_id if table_id in ECM_TABLE_IDS else 0,
                fingerprint=trace.fingerprint,
                result=result,
                seconds=seconds,
                source=self.usage.last_source,
                cached=trace.result is _CACHED,
                outcome=trace.outcome,
                tried=self._tried(trace) if worth_telling else (),
                weight=weight,
            )
        )


def _describe_answer(trace: Trace, source: str) -> str:
    return f"from {source}, known already" if trace.result is Result.CACHED else f"from {source}"
