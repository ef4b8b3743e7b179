"""The last lines of the log, and those to come, for who looks at them from elsewhere."""

import asyncio
import logging
from collections import deque
from collections.abc import AsyncIterator
from typing import Final, NamedTuple

from cccamd.server.logs import FORMAT, PIPE_LINE_LIMIT, AccountFocus, LastLines, TextFormatter

KEPT: Final = 400
"""Lines: a screen or several; files hold all."""
QUEUE_LIMIT: Final = 1000
"""Lines that wait for one reader."""


class LogLine(NamedTuple):
    """One line, and whom it is about; empty: nobody in particular."""

    account: str
    text: str


class LogTail(LastLines):
    """Gets lines from any thread; is read in the loop's."""

    def __init__(self, focus: AccountFocus) -> None:
        super().__init__()
        self.setFormatter(TextFormatter(FORMAT))
        self.addFilter(focus)
        self._kept: deque[LogLine] = deque(maxlen=KEPT)
        self._readers: set[asyncio.Queue[LogLine]] = set()
        self._loop = asyncio.get_running_loop()

    def emit(self, record: logging.LogRecord) -> None:
        """Take a line."""
        account = str(getattr(record, "account", ""))
        line = LogLine(account, self.format(record)[:PIPE_LINE_LIMIT])
        self._kept.append(line)
        if self._readers and not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._pass_on, line)

    def last(self, account: str) -> list[str]:
        """Those that are kept, of one account or (empty) all of them; the oldest first."""
        return [line.text for line in list(self._kept) if account in ("", line.account)]

    async def follow(self, account: str) -> AsyncIterator[str]:
        """Those that come; a reader who is too slow misses some, and is told so."""
        queue: asyncio.Queue[LogLine] = asyncio.Queue(QUEUE_LIMIT)
        self._readers.add(queue)
        try:
            while True:
                if queue.full():
                    yield "some lines are missing here: they came faster than they were read"
                line = await queue.get()
                if account in ("", line.account):
                    yield line.text
        finally:
            self._readers.discard(queue)

    def _pass_on(self, line: LogLine) -> None:
        for queue in self._readers:
            if not queue.full():
                queue.put_nowait(line)
