"""A wall around one local card: whatever its code does, it costs the server that card only.

Foreign code is awaited in a task of its own: whatever it raises, `KeyboardInterrupt` too, comes
out of that task as a value and never reaches the event loop, and one that swallows its cancellation
is left behind. What it does in threads (`asyncio.to_thread`) it does in a few of its own, for the
loop's pool (`threads_of_card`): a reader that hangs takes no thread of anybody else. What no wall
inside one process can stop is code that blocks the event loop: that is measured and reported. While
the machine is busy with others everything takes long, and no card is blamed for that.
"""

import asyncio
from collections.abc import Awaitable, Callable, Generator
from concurrent.futures import ThreadPoolExecutor
from contextvars import ContextVar
from dataclasses import dataclass
from pathlib import Path
from time import monotonic
from traceback import walk_tb
from typing import Any, Generic, TypeVar

from cccamd.errors import CccamdError
from cccamd.ids import Ident, Sid, format_sid
from cccamd.localcards.card import (
    EMM_MATCH_LENGTH,
    CannotDecode,
    CardConfig,
    CardUnavailable,
    EmmMatch,
    EmmRefused,
    ImmediateCard,
    LocalCard,
)
from cccamd.machine import HoldTimer
from cccamd.values import SA_LENGTH, UA_LENGTH, ControlWords

T = TypeVar("T")

THREADS = 8
"""Of one card."""
SENTENCE = 1000
"""Characters of what a card says to the operator."""
_threads: ContextVar[ThreadPoolExecutor | None] = ContextVar("threads of a card", default=None)

Tell = Callable[[str], None]
"""Takes one sentence for the operator, with the card's name in front."""


@dataclass(frozen=True, slots=True, kw_only=True)
class GuardLimits:
    """How long and how much one card may do. Times are seconds."""

    start_timeout: float = 10.0
    decode_timeout: float = 3.0
    """Below the 3 to 5 s after which clients give up (docs/protocol.md section 12)."""
    emm_timeout: float = 10.0
    close_timeout: float = 5.0
    cancel_timeout: float = 0.5
    """For ending after it was cancelled; what then goes on is left to itself."""
    decode_limit: int = 64
    """Decodes waiting at once; a card with more of them is too slow for its clients anyway."""
    slow: float = 0.1
    """Holding the event loop for longer is reported: every client feels it."""
    report_interval: float = 60.0
    """The same trouble is reported this often at most: ECMs come every second."""


@dataclass(frozen=True, slots=True)
class _Duty:
    """One method of a card: its name, its time, what it may raise, what its faults become."""

    name: str
    timeout: float
    spoken: tuple[type[CccamdError], ...] = ()
    trouble: type[CardUnavailable] | type[EmmRefused] = CardUnavailable


def threads_of_card() -> ThreadPoolExecutor | None:
    """Where the card whose code runs now may block; None: it is no card's."""
    return _threads.get()


class GuardedCard:
    """A card as the server uses it; `start_card` makes one that is ready."""

    def __init__(
        self,
        card: LocalCard,
        config: CardConfig,
        *,
        report: Tell,
        limits: GuardLimits = GuardLimits(),
    ) -> None:
        self.config = config
        self.ua = bytes(UA_LENGTH)
        self.providers: tuple[tuple[Ident, bytes], ...] = ()
        """Each provider with its shared address, known after the start."""
        self.emm_matches: tuple[EmmMatch, ...] = ()
        self.immediate = isinstance(card, ImmediateCard)
        """Whether `decode_now` always answers."""
        self._card = card
        self._report = report
        self._limits = limits
        self._sids = frozenset(config.sids)
        self._decoding = 0
        self._strays: set[asyncio.Task[object]] = set()
        """Calls that were cancelled and have not ended."""
        self._reported_at: dict[str, float] = {}
        self._timer = HoldTimer(limits.slow)
        name = f"card {config.name}"
        self._threads = ThreadPoolExecutor(THREADS, thread_name_prefix=name)

    async def start(self) -> None:
        """Start the card and read its addresses.

        Raises:
            CardUnavailable: it can't be served; why was reported.
        """
        await self._run(_Duty("start", self._limits.start_timeout), self._start)

    async def _start(self) -> None:
        await self._card.start()
        for warning in self._card.warnings:
            self._report(f"card {self.config.name}: {str(warning)[:SENTENCE]}")
        self.ua = _checked(self._card.ua, UA_LENGTH, "ua")
        self.providers = tuple(
            (ident, _checked(self._card.sa(ident), SA_LENGTH, "sa"))
            for ident in self.config.providers
        )
        self.emm_matches = self._checked_matches(tuple(self._card.emm_matches))

    @staticmethod
    def _checked_matches(matches: tuple[EmmMatch, ...]) -> tuple[EmmMatch, ...]:
        if all(0 < len(each.value) == len(each.mask) <= EMM_MATCH_LENGTH for each in matches):
            return matches
        raise CardUnavailable(f"emm_matches are not of one length, 1 to {EMM_MATCH_LENGTH} bytes")

    def decode_now(self, ecm: bytes, *, ident: Ident, sid: Sid) -> ControlWords | None:
        """Decode if that takes no waiting; None: await `decode`. Raises as that does."""
        if self._sids and sid and sid not in self._sids:
            raise CannotDecode(f"the card does not serve service {format_sid(sid)}")
        began = self._timer.begin()
        try:
            answer = self._card.decode_now(ecm, ident=ident, sid=sid)
        except (CannotDecode, CardUnavailable):
            raise
        except BaseException as fault:  # nothing is awaited: nobody but the card raises here
            raise CardUnavailable(self._tell("decode_now", self._describe(fault))) from fault
        finally:
            if (seconds := self._timer.held(began)) > self._limits.slow:
                self._check_speed("decode_now", seconds)
        return answer if answer is None else self._checked_answer("decode_now", answer)

    async def decode(self, ecm: bytes, *, ident: Ident, sid: Sid) -> ControlWords:
        """Decode within the time-out.

        Raises:
            CannotDecode: the card said so, or the service is not among its `sids`.
            CardUnavailable: the card said so, took too long, is too busy or broken.
        """
        answer = self.decode_now(ecm, ident=ident, sid=sid)
        return answer or await self._decode_later(ecm, ident, sid)

    async def _decode_later(self, ecm: bytes, ident: Ident, sid: Sid) -> ControlWords:
        busy = self._decoding + len(self._strays)
        if busy >= self._limits.decode_limit:
            raise CardUnavailable(self._tell("decode", f"is busy with {busy} others"))
        duty = _Duty("decode", self._limits.decode_timeout, (CannotDecode, CardUnavailable))
        self._decoding += 1
        try:
            answer = await self._run(duty, lambda: self._card.decode(ecm, ident=ident, sid=sid))
        finally:
            self._decoding -= 1
        return self._checked_answer("decode", answer)

    async def handle_emm(self, emm: bytes) -> None:
        """Have the card learn from an EMM section.

        Raises:
            EmmRefused: it changed nothing, or the card is broken.
        """
        duty = _Duty("handle_emm", self._limits.emm_timeout, (EmmRefused,), EmmRefused)
        await self._run(duty, lambda: self._card.handle_emm(emm))

    async def close(self) -> None:
        """Close the card. Its troubles are reported, not raised."""
        try:
            await self._run(_Duty("close", self._limits.close_timeout), self._card.close)
        except CardUnavailable:
            return
        finally:
            self._threads.shutdown(wait=False, cancel_futures=True)

    async def _run(self, duty: _Duty, call: Callable[[], Awaitable[T]]) -> T:
        """Await foreign code in a task of its own, for a while."""
        timer = _StepTimer(call, self._timer)
        name = f"card {self.config.name} {duty.name}"
        outcome_of = _outcome(timer, self._threads)
        work = asyncio.get_running_loop().create_task(outcome_of, name=name)
        try:
            await asyncio.wait((work,), timeout=duty.timeout)
            if not work.done():
                await self._stop(duty, work)
                raise self._trouble(duty, f"did not finish within {duty.timeout:g} s")
        finally:
            if not work.done():  # its caller was cancelled, or it goes on
                work.cancel()
                self._strays.add(work)
                work.add_done_callback(self._strays.discard)
            self._check_speed(duty.name, timer.longest)
        outcome = work.result()
        if not isinstance(outcome, _Raised):
            return outcome
        fault = outcome.fault
        if isinstance(fault, duty.spoken):
            raise fault
        itself = isinstance(fault, asyncio.CancelledError)
        raise self._trouble(
            duty, "cancelled itself" if itself else self._describe(fault)
        ) from fault

    async def _stop(self, duty: _Duty, work: asyncio.Task[Any]) -> None:
        work.cancel()
        await asyncio.wait((work,), timeout=self._limits.cancel_timeout)
        if not work.done():
            self._tell(duty.name, "goes on though it was cancelled: let CancelledError pass")

    def _trouble(self, duty: _Duty, what: str) -> CccamdError:
        return duty.trouble(self._tell(duty.name, what))

    def _checked_answer(self, method: str, answer: object) -> ControlWords:
        """Return what the type promises; a plug-in may not have been type-checked."""
        if isinstance(answer, ControlWords):
            return answer
        what = f"returned {type(answer).__name__} instead of ControlWords"
        raise CardUnavailable(self._tell(method, what))

    def _check_speed(self, method: str, seconds: float) -> None:
        if seconds > self._limits.slow:
            what = (
                f"held the whole server up for {1000 * seconds:.0f} ms: "
                "blocking work belongs in a thread"
            )
            self._tell(method, what, topic=f"slow {method}")

    def _tell(self, method: str, what: str, *, topic: str | None = None) -> str:
        """Report a sentence, unless its topic was reported a moment ago; return it."""
        text = f"{method} {what}"
        topic = topic or text
        now = monotonic()
        last = self._reported_at.get(topic)
        if last is None or now - last >= self._limits.report_interval:
            self._reported_at[topic] = now
            self._report(f"card {self.config.name}: {text}")
        return text

    def _describe(self, fault: BaseException) -> str:
        """Name the fault and its place in the card's module.

        Its text is left out: foreign errors repeat the values they choke on. Ours are written
        for people.
        """
        if isinstance(fault, CccamdError):
            return f"failed: {fault}"
        place = ""
        for frame, line in walk_tb(fault.__traceback__):
            if frame.f_globals.get("__name__") == type(self._card).__module__:
                place = f" in {Path(frame.f_code.co_filename).name} line {line}"
        return f"raised {type(fault).__name__}{place}"


class _StepTimer(Generic[T]):
    """Call something, await it, and remember the longest time that it kept the event loop.

    It hands through every value and exception unchanged, so that cancelling and
    `asyncio.timeout` work as if it weren't there.
    """

    def __init__(self, call: Callable[[], Awaitable[T]], timer: HoldTimer) -> None:
        self._call = call
        self._timer = timer
        self.longest = 0.0

    def __await__(self) -> Generator[Any, Any, T]:
        steps = _checked_awaitable(self._call()).__await__()
        value: Any = None
        error: BaseException | None = None
        while True:
            began = self._timer.begin()
            try:
                waited_for = steps.send(value) if error is None else steps.throw(error)
            except StopIteration as done:
                return done.value  # type: ignore[no-any-return]  # StopIteration has no type
            finally:
                self.longest = max(self.longest, self._timer.held(began))
            value, error = None, None
            try:
                value = yield waited_for
            except BaseException as thrown:
                error = thrown


@dataclass(frozen=True, slots=True)
class _Raised:
    """What foreign code raised."""

    fault: BaseException


async def _outcome(timer: _StepTimer[T], threads: ThreadPoolExecutor) -> T | _Raised:
    """A task that raised `SystemExit` or `KeyboardInterrupt` would end the event loop."""
    _threads.set(threads)  # of this task, and of those that it starts
    try:
        return await timer
    except BaseException as fault:
        return _Raised(fault)


class _NotAsyncError(CccamdError):
    """A plug-in's method that should be a coroutine function is a plain one."""


def _checked_awaitable(returned: Awaitable[T]) -> Awaitable[T]:
    if not isinstance(returned, Awaitable):
        raise _NotAsyncError("it is not an async function")
    return returned


def _checked(value: bytes, length: int, what: str) -> bytes:
    if not isinstance(value, bytes) or len(value) != length:
        raise CardUnavailable(f"{what} is not {length} bytes")
    return value


async def start_card(
    kind: type[LocalCard],
    config: CardConfig,
    options: object,
    *,
    report: Tell,
    limits: GuardLimits = GuardLimits(),
) -> GuardedCard | None:
    """Build and start one card. None: it can't be served, and `report` was told why."""
    try:
        card = kind(config, options)
    except BaseException as fault:
        report(f"card {config.name}: building it raised {type(fault).__name__}")
        return None
    guarded = GuardedCard(card, config, report=report, limits=limits)
    started = False
    try:
        await guarded.start()
        started = True
    except CardUnavailable:
        return None
    finally:
        if not started:
            await guarded.close()
    return guarded
