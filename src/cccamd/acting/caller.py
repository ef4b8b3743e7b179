"""The command's side: find the server, give the order, read what it says. Blocks."""

import os
import socket
from collections.abc import Iterator, Sequence
from contextlib import closing, suppress
from pathlib import Path
from typing import Final

from cccamd.acting.orders import Answer, Order, Shown, parse_answer, serialize_order
from cccamd.errors import CccamdError

CONNECT_TIME: Final = 5.0
ANSWER_TIME: Final = 120.0
"""Seconds for a reload with files that somebody still writes, and thousands of accounts."""
ANSWER_LIMIT: Final = 1 << 20
"""Bytes of one line."""


class NoServerError(CccamdError):
    """There is nobody who could be told; the text says why, and what to do."""


class LostServerError(CccamdError):
    """The server ended before it had answered."""


def is_there(places: Sequence[Path]) -> bool:
    """Whether a server listens at one of these places and may be told."""
    try:
        _connect(places).close()
    except NoServerError:
        return False
    return True


def give(
    order: Order, places: Sequence[Path], *, endless: bool = False
) -> Iterator[Shown | Answer]:
    """Give an order; the last that comes is an `Answer`.

    `endless`: no answer is due, and lines come whenever there are some.

    Raises:
        NoServerError: none can be reached at any of these places.
        LostServerError: it ended meanwhile, or does not answer.
        OrderError: what it says is no answer.
    """
    with closing(_connect(places)) as sock:
        sock.settimeout(None if endless else ANSWER_TIME)
        try:
            with suppress(ConnectionError):  # it has said why before it closed
                sock.sendall(serialize_order(order))
            with sock.makefile("rb") as lines:
                while line := lines.readline(ANSWER_LIMIT):
                    answer = parse_answer(line)
                    yield answer
                    if isinstance(answer, Answer):
                        return
        except TimeoutError:
            raise LostServerError(f"the server has not answered for {ANSWER_TIME:.0f} s") from None
        except OSError as error:
            raise LostServerError(f"the server is gone: {error.strerror}") from None
    raise LostServerError("the server ended before it had answered")


def _connect(places: Sequence[Path]) -> socket.socket:
    denied: Path | None = None
    for place in places:
        sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        sock.settimeout(CONNECT_TIME)
        try:
            sock.connect(os.fspath(place))
        except PermissionError:
            denied = denied or place
        except OSError:
            pass
        else:
            return sock
        sock.close()
    if denied is not None:
        raise NoServerError(
            f"the server at {denied} is another user's: call this as that user, or as root"
        )
    looked = " and ".join(map(str, places))
    raise NoServerError(
        f"no server runs that could be told: nobody listens at {looked}; start one with"
        " `cccamd serve`, or say with -n which node id file it has"
    )
