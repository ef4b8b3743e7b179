"""Lets the pulse of our loop beat, and looks at what holds it when a beat is overdue.

The looking is done by a thread of its own: the loop's is busy then. It reads the stack of that
thread and keeps the names of functions; a work in C, such as a look for garbage, is seen when it
is over, in the function that began it. What it saw most often is told: the last look may have come
after the work was done, while the loop waited for the processor.
"""

import asyncio
import gc
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Mapping
from types import FrameType
from typing import Final

from cccamd.watch import Pause, Pulse

SLOW: Final = (0.25, 0.5)
"""Seconds between two beats, and that a pause lasts to be noticed: enough to know what a picture
may feel."""
QUICK: Final = (0.02, 0.05)
"""The pace of `run`: for what an answer may feel."""
LOOK: Final = 0.05
"""Seconds between two looks of the thread."""
COLLECTED: Final = 0.02
"""Seconds of looking for garbage within one beat that are worth telling."""
FUNCTIONS_SHOWN: Final = 3
_OURS: Final = "cccamd."


class Heartbeat:
    """The pulse of the loop: slow, fed by whoever calls `look`, until it is let `run`."""

    def __init__(self, on_pause: Callable[[Pause], None]) -> None:
        self.pulse = Pulse(*SLOW)
        self._on_pause = on_pause
        self._seen: Counter[tuple[str, ...]] = Counter()
        """The stacks of this beat, and how often each was seen."""
        self._collecting = 0.0
        """Seconds of this beat in which garbage was looked for."""
        self._collects_since = 0.0
        self._ended = threading.Event()
        self._timer: asyncio.TimerHandle | None = None

    async def run(self) -> None:
        """Beat until cancelled."""
        failed: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        watched = threading.get_ident()
        thread = threading.Thread(target=self._watch, args=(watched,), name="pulse", daemon=True)
        gc.callbacks.append(self._collected)
        self.pulse.go(*QUICK)
        try:
            thread.start()
            self._beat(failed)
            await failed
        finally:
            if self._timer is not None:
                self._timer.cancel()
            self._ended.set()
            self.pulse.go(*SLOW)
            gc.callbacks.remove(self._collected)

    def _beat(self, failed: asyncio.Future[None]) -> None:
        """Beat, and again and again: by a bare timer, which costs less than a task that sleeps."""
        if failed.done():
            return  # it was cancelled a moment ago
        every, _ = QUICK
        try:
            self.look()
            self._timer = asyncio.get_running_loop().call_later(every, self._beat, failed)
        except Exception as error:
            failed.set_exception(error)

    def look(self) -> None:
        """Beat."""
        seen, self._seen = self._seen, Counter()
        # The thread may be about to add its look to `seen`; `max` and its key are one step for it.
        doing = max(seen, key=seen.__getitem__, default=())
        if self._collecting >= COLLECTED:
            doing = (f"a look for garbage ({self._collecting:.2f} s)", *doing)
        self._collecting = 0.0
        pause = self.pulse.beat(
            time.monotonic(),
            wall=time.time(),
            used=time.thread_time(),
            asleep=_asleep(),
            doing=doing,
        )
        if pause is not None:
            self._on_pause(pause)

    def look_if_late(self) -> None:
        """Beat if that is overdue: what is taken in next came late, and that is to be known."""
        if self.pulse.is_late(time.monotonic()):
            self.look()

    def _watch(self, watched: int) -> None:
        while not self._ended.wait(LOOK):
            if self.pulse.is_late(time.monotonic()):
                self._seen[_doing(watched)] += 1

    def _collected(self, phase: str, info: Mapping[str, int]) -> None:
        if phase == "start":
            self._collects_since = time.monotonic()
        else:
            self._collecting += time.monotonic() - self._collects_since


def _doing(watched: int) -> tuple[str, ...]:
    """What a thread is seen at; nothing if its stack unwound while it was read, since it goes on
    meanwhile: a frame that has ended has no globals."""
    try:
        return describe(sys._current_frames().get(watched))
    except Exception:  # whatever it is, the next look is to come
        return ()


def describe(frame: FrameType | None) -> tuple[str, ...]:
    """The innermost functions of ours on a stack, after that which runs if it is not ours."""
    found: list[str] = []
    while frame is not None and len(found) < FUNCTIONS_SHOWN:
        module = str(frame.f_globals.get("__name__", "?"))
        if module.startswith(_OURS) or not found:
            found.append(f"{module.removeprefix(_OURS)}: {frame.f_code.co_qualname}")
        frame = frame.f_back
    return tuple(found)


def _asleep() -> float:
    """Seconds that this machine was suspended since it was started; 0 where nobody tells."""
    if not hasattr(time, "CLOCK_BOOTTIME"):
        return 0.0
    return time.clock_gettime(time.CLOCK_BOOTTIME) - time.clock_gettime(time.CLOCK_MONOTONIC)
