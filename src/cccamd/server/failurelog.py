"""The log of our own errors: one line each, and a sum for those that come again and again."""

import asyncio
import logging
import traceback
from typing import Any, Final

from cccamd.watch import Throttle

log = logging.getLogger("cccamd.server")

_OTHERS: Final = "errors in many other places"


class FailureLog:
    """Tells what failed, why, and where in the program; no traceback reaches a person.

    Everything that calls into sessions, cards, links and pages reports here what they raise:
    an error of ours may cost whoever it happened to, and nobody else.
    """

    def __init__(self) -> None:
        self._throttle = Throttle(others=_OTHERS)
        self._loop = asyncio.get_running_loop()

    def report(self, name: str, error: BaseException) -> None:
        """`name` says what was being done, or for whom."""
        place = _place(error)
        what = f"{type(error).__name__}{place}"
        if self._throttle.admits(what, self._loop.time()):
            log.error("internal error in %s: %s: %s", name, what, error)
            log.debug("it happened here:", exc_info=error)

    def report_from_loop(self, loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        """What the event loop itself has to report."""
        message = str(context.get("message", "the event loop"))
        self.report("the event loop", context.get("exception") or RuntimeError(message))

    def sum_up(self) -> None:
        """Tell how many more there were."""
        for what, count in self._throttle.ended(self._loop.time()):
            log.error("internal error: %d more within a minute: %s", count, what)


def _place(error: BaseException) -> str:
    """` in session.py:120`; empty for an error that was never raised."""
    frames = traceback.extract_tb(error.__traceback__)
    if not frames:
        return ""
    last = frames[-1]
    return f" in {last.filename.rpartition('/')[2]}:{last.lineno}"
