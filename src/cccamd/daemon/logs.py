"""Where log lines go: the standard output, LOG FILE, LOG WARNINGS."""

import logging
import sys
from logging.handlers import WatchedFileHandler

from cccamd.config import Settings

FORMAT = "%(asctime)s %(levelname)-7s %(message)s"


def set_up_logging(settings: Settings, *, debug: bool) -> list[str]:
    """Send log lines where the configuration wants them; return what could not be done."""
    root = logging.getLogger("cccamd")
    for handler in list(root.handlers):
        root.removeHandler(handler)
    root.setLevel(logging.DEBUG if debug or settings.debug else logging.INFO)
    root.propagate = False
    _add(root, logging.StreamHandler(sys.stdout))
    problems = []
    for logger, path in ((root, settings.log_file), (_logins(), settings.log_warnings)):
        if path is not None:
            problems += _add_file(logger, path)
    return problems


def _logins() -> logging.Logger:
    logger = logging.getLogger("cccamd.login")
    for handler in list(logger.handlers):
        logger.removeHandler(handler)
    return logger


def _add_file(logger: logging.Logger, path: str) -> list[str]:
    try:
        # It looks before each line whether the file was moved away: rotation-safe.
        _add(logger, WatchedFileHandler(path, encoding="utf-8"))
    except OSError as error:
        return [f"cannot write the log to {path}: {error.strerror}"]
    return []


def _add(logger: logging.Logger, handler: logging.Handler) -> None:
    handler.setFormatter(logging.Formatter(FORMAT))
    logger.addHandler(handler)
