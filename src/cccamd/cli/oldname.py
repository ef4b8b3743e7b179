"""The name and the start options of the original, so that old start scripts go on.

As `CCcam` the program goes into the background, as the original does, unless an option says that
somebody looks at it.
"""

import os
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from cccamd.errors import CccamdError

_FOREGROUND: Final = "dfv"
_DEBUG: Final = "dv"
_WITHOUT_MEANING: Final = {"t": "the log has answer times with -d"}
_USE: Final = "use: CCcam [-C FILE] [-d] [-f] [-v]; under its own name, cccamd has more to offer"
_REFUSED: Final = {
    "s": "-s: cccamd always is a server; [server] bind in cccamd.toml says for whom",
    "h": _USE,
}


class StartOptionError(CccamdError):
    """Something that the original understands, or nobody, and that cannot be done here."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Start:
    """What a command line of the original asks for."""

    arguments: tuple[str, ...]
    """Those of cccamd."""
    in_background: bool
    notes: tuple[str, ...] = ()
    """What is not done, for people."""


def translate(arguments: Sequence[str]) -> Start:
    """Read the original's options: `-C FILE`, and letters that may stand together (`-dvC FILE`).

    Raises:
        StartOptionError: one that cannot be done.
    """
    config: tuple[str, ...] = ()
    letters, notes = "", []
    words = iter(arguments)
    for word in words:
        if not word.startswith("-") or word.startswith("--") or len(word) == 1:
            raise StartOptionError(f"what is {word!r}? {_USE}")
        before, names_file, name = word[1:].partition("C")
        letters += before
        if names_file:
            name = name or next(words, "")
            if not name:
                raise StartOptionError("-C needs the name of a file")
            config = ("-C", name)
    for letter in letters:
        if letter in _REFUSED:
            raise StartOptionError(_REFUSED[letter])
        if letter not in _FOREGROUND:
            notes.append(f"-{letter} is passed over: {_WITHOUT_MEANING.get(letter, 'not known')}")
    return Start(
        arguments=("serve", *config, *(["-d"] if set(letters) & set(_DEBUG) else [])),
        in_background=not set(letters) & set(_FOREGROUND),
        notes=tuple(notes),
    )


def prepare() -> list[str]:
    """Read how we were started, go into the background if it says so; return our own arguments."""
    try:
        start = translate(sys.argv[1:])
    except StartOptionError as error:
        print(f"CCcam: {error}", file=sys.stderr)
        sys.exit(2)
    for note in start.notes:
        print(f"CCcam: {note}", file=sys.stderr)
    if start.in_background:
        for name in start.arguments[2:3]:
            if not os.path.exists(name):
                print(f"CCcam: {name} is not there yet: no accounts until it is", file=sys.stderr)
        _detach()
    return list(start.arguments)


def _detach() -> None:
    """Leave the terminal and the process that started us, which is told that all is well."""
    sys.stdout.flush()
    sys.stderr.flush()
    if os.fork():
        os._exit(0)
    os.setsid()
    if os.fork():
        os._exit(0)
    nothing = os.open(os.devnull, os.O_RDWR)
    for standard in (0, 1, 2):
        os.dup2(nothing, standard)
    os.close(nothing)
