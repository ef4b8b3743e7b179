"""Where log lines go and what they look like: standard output, LOG FILE, LOG WARNINGS.

One line per event, as text or as JSON. Records about a client have `account` and `peer` as
attributes, so that everything can be told of one account and not of the others.
"""

import contextlib
import errno
import logging
import os
import select
import stat
import sys
import time
from collections import deque
from collections.abc import Iterable
from datetime import datetime
from typing import Any, Final, TextIO

from cccamd.setup.cccamcfg import Settings
from cccamd.setup.toml import LogTable
from cccamd.watch import Throttle
from cccamd.why import json_text

FORMAT: Final = "%(asctime)s %(levelname)-7s %(message)s"
ROOT: Final = "cccamd"
PIPE_LINE_LIMIT: Final = 1000
"""Characters: a line that is always taken whole by a pipe with any room (4 KiB)."""
LAST_LINES: Final = 50
"""Lines of the log that may be looked at from elsewhere."""
SAID_LIMIT: Final = 200
"""Characters of what a library says."""


class AccountFocus(logging.Filter):
    """Lets DEBUG records of chosen accounts through; of the others what `level` allows.

    One object for the whole life of the server, so that the choice outlasts a reload.
    """

    def __init__(self) -> None:
        super().__init__()
        self.level = logging.INFO
        self.accounts: frozenset[str] = frozenset()
        """Of whom everything is told."""
        self._chosen: frozenset[str] = frozenset()
        self._lent: frozenset[str] = frozenset()

    def choose(self, accounts: Iterable[str]) -> None:
        """Tell everything of these accounts from now on, and of no others but those lent to."""
        self._chosen = frozenset(accounts)
        self._adopt()

    def lend(self, account: str, *, on: bool) -> None:
        """Tell everything of one more account, or not any more, whatever the files say."""
        self._lent = self._lent | {account} if on else self._lent - {account}
        self._adopt()

    def _adopt(self) -> None:
        self.accounts = self._chosen | self._lent
        # Records that nobody wants are not even made: they cost time.
        logging.getLogger(ROOT).setLevel(logging.DEBUG if self.accounts else self.level)

    def shows(self, account: str, level: int) -> bool:
        """Whether a record of an account would be seen."""
        return level >= self.level or account in self.accounts

    def filter(self, record: logging.LogRecord) -> bool:
        return self.shows(getattr(record, "account", ""), record.levelno)


def set_up_logging(
    settings: Settings,
    *,
    debug: bool,
    table: LogTable | None = None,
    focus: AccountFocus | None = None,
) -> dict[str, str]:
    """Send log lines where the configuration wants them; return what could not be done, by key.

    To be called again after a reload: all files are opened anew.
    """
    _tell_no_more_than_is_shown()
    table, focus = table or LogTable(), focus or AccountFocus()
    focus.level = logging.DEBUG if debug or settings.debug else logging.INFO
    root, logins = logging.getLogger(ROOT), logging.getLogger(f"{ROOT}.login")
    root.propagate = False
    for logger in (root, logins):
        _remove_handlers(logger)
    handlers: list[tuple[logging.Logger, logging.Handler]] = []
    if sys.stdout is not None:  # there is none where not even /dev/null is
        handlers.append((root, _Stream(sys.stdout)))
    problems = {}
    wanted = (
        ("LOG FILE", root, settings.log_file),
        ("LOG WARNINGS", logins, settings.log_warnings),
    )
    for key, logger, path in wanted:
        if path is not None:
            try:
                handlers.append((logger, _open_log(path)))
            except OSError as error:
                problems[key] = f"cannot write the log to {path}: {error.strerror}"
    formatter = JsonFormatter() if table.format == "json" else TextFormatter(FORMAT)
    for logger, handler in handlers:
        handler.setFormatter(formatter)
        handler.addFilter(focus)
        logger.addHandler(handler)
    focus.choose(table.debug_accounts)
    _listen_to_libraries()
    return problems


def logs_that_fail() -> dict[str, str]:
    """Which log files take no lines any more, and why, by their keys; they are tried all the time.

    A disk that is full or read-only is left out: that is told of the disk.
    """
    found: dict[str, str] = {}
    for key, name in (("LOG FILE", ROOT), ("LOG WARNINGS", f"{ROOT}.login")):
        for handler in logging.getLogger(name).handlers:
            error = handler.trouble if isinstance(handler, TroubleOnce) else None
            if error is not None and error.errno not in (errno.ENOSPC, errno.EROFS):
                path = getattr(handler, "baseFilename", "")
                found |= {key: f"cannot write the log to {path}: {error.strerror}"} if path else {}
    return found


def _tell_no_more_than_is_shown() -> None:
    """No line of ours names threads, processes and places in the program: to find them out for
    each would take a third of its price."""
    logging.logThreads = logging.logProcesses = logging.logMultiprocessing = False
    logging._srcfile = None  # as the library's own documentation says


def _listen_to_libraries() -> None:
    """Have what others log, and Python's warnings, pass through our own logs: nothing is printed
    that is no line of ours."""
    everything = logging.getLogger()
    if not any(isinstance(handler, _Libraries) for handler in everything.handlers):
        everything.addHandler(_Libraries())
    logging.captureWarnings(True)


class _Libraries(logging.Handler):
    """Passes on what asyncio, uvicorn and others log: one line each, no traceback, throttled."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.addFilter(lambda record: record.name.partition(".")[0] != ROOT)
        self._throttle = Throttle(others=("other libraries", "anything"), burst=1)
        self._told = logging.getLogger(f"{ROOT}.library")

    def emit(self, record: logging.LogRecord) -> None:
        now = time.monotonic()
        for (name, text), count in self._throttle.ended(now):
            self._told.warning("%s: %d more: %s", name, count, text)
        # Texts that differ by numbers or names are made from one.
        if self._throttle.admits((record.name, str(record.msg)[:SAID_LIMIT]), now):
            self._told.log(record.levelno, "%s: %s", record.name, _in_one_line(record))


def _in_one_line(record: logging.LogRecord) -> str:
    lines = record.getMessage().splitlines() or [""]
    error = record.exc_info[1] if record.exc_info else None
    said = lines[0].rstrip()[:SAID_LIMIT]
    return said if error is None else f"{said} ({type(error).__name__}: {error})"[: 2 * SAID_LIMIT]


def _open_log(path: str) -> logging.Handler:
    """Open a log file; a pipe would make us wait for its reader.

    Raises:
        OSError: it cannot be written.
    """
    with contextlib.suppress(FileNotFoundError):
        if stat.S_ISFIFO(os.stat(path).st_mode):
            raise OSError(errno.EINVAL, "this is a pipe, not a file")
    from cccamd.server.logfile import LogFile  # 0.6 MiB with `logging.handlers`

    return LogFile(path, encoding="utf-8")


def _remove_handlers(logger: logging.Logger) -> None:
    for handler in list(logger.handlers):
        if isinstance(handler, LastLines):
            continue  # it belongs to who reads it
        logger.removeHandler(handler)
        with contextlib.suppress(OSError):  # what a full or broken disk did not take is lost
            handler.close()


class LastLines(logging.Handler):
    """Keeps the last lines for who looks at the log from elsewhere."""

    def __init__(self) -> None:
        super().__init__()
        self._lines: deque[str] = deque(maxlen=LAST_LINES)
        self.setFormatter(TextFormatter(FORMAT))

    def emit(self, record: logging.LogRecord) -> None:
        self._lines.append(self.format(record)[:PIPE_LINE_LIMIT])

    def lines(self) -> tuple[str, ...]:
        """All that are kept, the oldest first."""
        return tuple(self._lines)


_LINE: Final = "cccamd_line"
"""The attribute of a record that keeps its line."""


class TextFormatter(logging.Formatter):
    """Lines for people. What peers say cannot begin a new line or move the cursor.

    A login has a line that several handlers take: it is made once (worth 12 us of a login, as much
    as the ciphers' keys), and so is the time of day within a second.
    """

    _second = (0, "")
    """The second that was told last, and its words: one object, since threads log, too."""

    def format(self, record: logging.LogRecord) -> str:
        line = record.__dict__.get(_LINE)
        if line is None:
            line = record.__dict__[_LINE] = super().format(record)
        return str(line)

    def formatTime(  # logging's names
        self, record: logging.LogRecord, datefmt: str | None = None
    ) -> str:
        second = int(record.created)
        known, words = self._second
        if known != second:
            words = time.strftime(self.default_time_format, time.localtime(second))
            self._second = second, words
        return f"{words},{int(record.msecs):03}"

    def formatMessage(self, record: logging.LogRecord) -> str:  # logging's name
        return _printable(super().formatMessage(record))


class JsonFormatter(logging.Formatter):
    """One JSON object a line: time, level, logger, message; account and peer where known."""

    def format(self, record: logging.LogRecord) -> str:
        fields = {
            "time": datetime.fromtimestamp(record.created).astimezone().isoformat(),
            "level": record.levelname.lower(),
            "logger": record.name.removeprefix(f"{ROOT}."),
            "message": record.getMessage(),
        }
        for name in ("account", "peer"):
            if value := getattr(record, name, ""):
                fields[name] = value
        if record.exc_info:
            fields["exception"] = self.formatException(record.exc_info)
        return json_text(fields)


def _printable(text: str) -> str:
    if text.isprintable():
        return text
    return "".join(char if char.isprintable() else repr(char)[1:-1] for char in text)


class TroubleOnce:
    """A disk that is full, a folder that is gone, no memory: told once, and stops nobody."""

    trouble: OSError | None = None
    """Why the last line was not written; None: it was."""
    _told = False

    def handleError(self, record: logging.LogRecord) -> None:  # logging's name
        error = sys.exc_info()[1]
        if not isinstance(error, OSError | MemoryError):
            super().handleError(record)  # type: ignore[misc]  # a bug of ours: show it
            return
        if isinstance(error, OSError):
            self.trouble = error
        if not self._told and sys.stderr is not None:
            self._told = True
            why = "no memory is left" if isinstance(error, MemoryError) else error
            with contextlib.suppress(MemoryError, OSError, ValueError):  # may be the same file
                print(f"{ROOT}: cannot write the log: {why}", file=sys.stderr)


class _Stream(TroubleOnce, logging.StreamHandler[Any]):
    """Waits for nobody: a pipe that is full because its reader sleeps would stop the whole server.

    What does not fit is counted, and that is told when there is room again.
    """

    def __init__(self, stream: TextIO) -> None:
        super().__init__(stream)
        self._left_out = 0
        self._room: select.poll | None = None
        with contextlib.suppress(OSError, ValueError):  # what is caught by a test has no number
            number = stream.fileno()
            if not stat.S_ISREG(os.fstat(number).st_mode):
                self._room = select.poll()
                self._room.register(number, select.POLLOUT)

    def emit(self, record: logging.LogRecord) -> None:
        if not self._has_room():
            self._left_out += 1
            return
        if self._left_out:
            count, self._left_out = self._left_out, 0
            text = "lines that are missing here, because nobody read them: %d"
            self.emit(logging.LogRecord(ROOT, logging.WARNING, "", 0, text, (count,), None))
            self.emit(record)
            return
        super().emit(record)

    def format(self, record: logging.LogRecord) -> str:
        text = super().format(record)
        if self._room is None or len(text) <= PIPE_LINE_LIMIT:
            return text
        return f"{text[:PIPE_LINE_LIMIT]}..."

    def _has_room(self) -> bool:
        return self._room is None or bool(self._room.poll(0))
