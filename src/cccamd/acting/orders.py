"""What a running server can be told to do, and what it says: values, and their lines of JSON.

An order is one line, an object with `verb` and the fields below; the answer is any number of
lines `{"show": TEXT}` and one with `status`, `text` and whatever else the order brought.
"""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from enum import Enum, IntEnum
from typing import Any, ClassVar, Final

from cccamd.errors import CccamdError

LINE_LIMIT: Final = 4096
"""Bytes of an order."""
WORD_LIMIT: Final = 255
"""Characters of a name or an address."""
LONGEST_DEBUG: Final = 86_400.0
"""Seconds: somebody who forgets it finds a full disk."""


class OrderError(CccamdError):
    """A line is no order; the text says why."""


class Status(IntEnum):
    """How it went: the exit status of the command."""

    DONE = 0
    NOT_DONE = 1
    """There is no such account, client, link or ban; or files are in use, but not all of them."""
    UNUSABLE = 2
    """The files, or the order, cannot be used: nothing has changed."""
    UNREACHABLE = 3
    """No server runs, or it is another user's."""


class LinkAct(Enum):
    """What can be done with a link."""

    RESTART = "restart"
    PAUSE = "pause"
    RESUME = "resume"


@dataclass(frozen=True, slots=True)
class Reload:
    """Read the files again."""

    verb: ClassVar = "reload"
    because: str = ""
    """What was changed, for log and journal."""
    account: str = ""
    """Whose account it is about, if it is about one."""


@dataclass(frozen=True, slots=True)
class Kick:
    """End connections."""

    verb: ClassVar = "kick"
    whom: str
    """An account, or the address of a client, with or without its port."""


@dataclass(frozen=True, slots=True)
class ChangeLink:
    """Do something with a link to another server."""

    verb: ClassVar = "link"
    act: LinkAct
    name: str
    """Host and port as in the C- or N-line, or the host alone."""


@dataclass(frozen=True, slots=True)
class Unban:
    """Forget the failed logins from an address or network."""

    verb: ClassVar = "unban"
    who: str


@dataclass(frozen=True, slots=True)
class ShowLog:
    """Show the last lines of the log."""

    verb: ClassVar = "log"
    account: str = ""
    """Empty: all of them."""
    follow: bool = False
    """And those to come, until the connection ends."""


@dataclass(frozen=True, slots=True)
class Debug:
    """Log everything of one account for a while."""

    verb: ClassVar = "debug"
    account: str
    seconds: float
    """0: not any more."""


Order = Reload | Kick | ChangeLink | Unban | ShowLog | Debug
_ORDERS: Final[Mapping[str, type[Order]]] = {
    kind.verb: kind for kind in (Reload, Kick, ChangeLink, Unban, ShowLog, Debug)
}


def serialize_order(order: Order) -> bytes:
    """Make the line."""
    words = {"verb": order.verb, **asdict(order)}
    return json.dumps(words, default=lambda value: value.value).encode() + b"\n"


def parse_order(line: bytes) -> Order:
    """Read a line.

    Raises:
        OrderError: it is no order.
    """
    try:
        found = json.loads(line)
    except (ValueError, RecursionError):
        raise OrderError("this is no line of JSON") from None
    if not isinstance(found, dict):
        raise OrderError("this is no JSON object")
    verb = found.pop("verb", None)
    kind = _ORDERS.get(verb) if isinstance(verb, str) else None
    if kind is None:
        raise OrderError(f"the verb is none of {', '.join(_ORDERS)}")
    known = {each.name: each.type for each in fields(kind)}
    if surplus := found.keys() - known.keys():
        raise OrderError(f"{verb} does not know {', '.join(sorted(surplus))[:WORD_LIMIT]}")
    words = {name: _READ[known[name]](name, value) for name, value in found.items()}
    try:
        return kind(**words)
    except TypeError:
        missing = [name for name in known if name not in words]
        raise OrderError(f"{verb} needs {' and '.join(missing)}") from None


def _word(name: str, value: object) -> str:
    if isinstance(value, str) and len(value) <= WORD_LIMIT and value.isprintable():
        return value
    raise OrderError(f"{name} is no text of up to {WORD_LIMIT} printable characters")


def _switch(name: str, value: object) -> bool:
    if isinstance(value, bool):
        return value
    raise OrderError(f"{name} is neither true nor false")


def _seconds(name: str, value: object) -> float:
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    if is_number and 0 <= value <= LONGEST_DEBUG:  # type: ignore[operator]  # looked at just now
        return float(value)  # type: ignore[arg-type]
    raise OrderError(f"{name} is no number from 0 to {LONGEST_DEBUG:.0f}")


def _act(name: str, value: object) -> LinkAct:
    try:
        return LinkAct(value)
    except ValueError:
        acts = ", ".join(act.value for act in LinkAct)
        raise OrderError(f"{name} is none of {acts}") from None


_READ: Final[Mapping[Any, Any]] = {str: _word, bool: _switch, float: _seconds, LinkAct: _act}


@dataclass(frozen=True, slots=True)
class Shown:
    """A line for whoever reads along."""

    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What came of an order."""

    status: Status = Status.DONE
    text: str = ""
    """For a person; may have several lines. No secret."""
    data: Mapping[str, object] = field(default_factory=dict)
    """For programs."""

    def record(self) -> dict[str, object]:
        """The whole of it as `--json` prints it."""
        return {"status": int(self.status), "text": self.text, **self.data}


def serialize_answer(answer: Shown | Answer) -> bytes:
    """Make the line."""
    record = {"show": answer.text} if isinstance(answer, Shown) else answer.record()
    return json.dumps(record).encode() + b"\n"


def parse_answer(line: bytes) -> Shown | Answer:
    """Read a line of the server.

    Raises:
        OrderError: it is no answer.
    """
    try:
        found = json.loads(line)
        if "show" in found:
            return Shown(str(found["show"]))
        status, text = Status(found.pop("status")), str(found.pop("text"))
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        raise OrderError("the server answers with something that is no answer") from None
    return Answer(status=status, text=text, data=found)
