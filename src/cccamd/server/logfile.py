"""A log that is a file: loaded where one is wanted."""

import logging
from logging.handlers import WatchedFileHandler

from cccamd.server.logs import TroubleOnce


class LogFile(TroubleOnce, WatchedFileHandler):
    """Looks before each line whether the file was moved away: rotation-safe."""

    def emit(self, record: logging.LogRecord) -> None:
        before, self.trouble = self.trouble, None
        try:
            super().emit(record)
        except OSError:  # the new file cannot be opened
            self.handleError(record)
        if before is not None and self.trouble is None:
            self._told = False
