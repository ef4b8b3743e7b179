"""The last lines of the log, and those to come, for who looks at them from elsewhere."""

import asyncio
import logging
from collections import deque
from collections.abc import AsyncGenerator
from typing import Final

from cccamd.server.logs import FORMAT, PIPE_LINE_LIMIT, AccountFocus, LastLines, TextFormatter
from cccamd.web import NumberedLine

KEPT: Final = 400
"""Lines: a screen or several; files hold all."""
QUEUE_LIMIT: Final = 1000
"""Lines that wait for one reader."""
MISSING: Final = "some lines are missing here: they came faster than they were read"


class LogTail(LastLines):
    """Gets lines from any thread; is read in the loop's."""

    def __init__(self, focus: AccountFocus) -> None:
        super().__init__()
        self.setFormatter(TextFormatter(FORMAT))
        self.addFilter(focus)
        self._count = 0
        self._kept: deque[NumberedLine] = deque(maxlen=KEPT)
        self._readers: set[asyncio.Queue[NumberedLine]] = set()
        self._loop = asyncio.get_running_loop()

    def emit(self, record: logging.LogRecord) -> None:
        """Take a line. One thread after the other, as `logging` calls handlers."""
        account = str(getattr(record, "account", ""))
        self._count += 1
        line = NumberedLine(self._count, account, self.format(record)[:PIPE_LINE_LIMIT])
        self._kept.append(line)
        if self._readers and not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._pass_on, line)

    def last(self, account: str) -> list[NumberedLine]:
        """Those that are kept, of one account or (empty) all of them; the oldest first."""
        return [line for line in list(self._kept) if account in ("", line.account)]

    async def follow(
        self, account: str, *, since: int, pulse: float | None = None
    ) -> AsyncGenerator[NumberedLine | None, None]:
        """Those behind a line, and those that come, for ever; a reader who is too slow misses
        some, and is told so by a line of number 0.

        None comes when there was nothing for `pulse` seconds, or something about others.
        """
        queue: asyncio.Queue[NumberedLine] = asyncio.Queue(QUEUE_LIMIT)
        self._readers.add(queue)
        if since > self._count:
            since = 0  # a line of before a restart
        try:
            for line in self.last(account):
                if line.number > since:
                    yield line
                    since = line.number
            while True:
                if queue.full():
                    yield NumberedLine(0, account, MISSING)
                came = await _next(queue, pulse)
                is_new = came is not None and came.number > since
                if came is not None and is_new and account in ("", came.account):
                    yield came
                elif pulse is not None:
                    yield None
        finally:
            self._readers.discard(queue)

    def _pass_on(self, line: NumberedLine) -> None:
        for queue in self._readers:
            if not queue.full():
                queue.put_nowait(line)


async def _next(queue: asyncio.Queue[NumberedLine], pulse: float | None) -> NumberedLine | None:
    try:
        async with asyncio.timeout(pulse):
            return await queue.get()
    except TimeoutError:
        return None
