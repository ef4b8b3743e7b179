"""Read cccamd.toml from the disk: the only place here that touches it."""

from collections.abc import Mapping
from pathlib import Path

from cccamd.localcards import LocalCard
from cccamd.setup.files import Place, Problem
from cccamd.setup.toml.model import TomlConfig
from cccamd.setup.toml.parser import ParsedToml, parse

_UTF16_MARKS = (b"\xff\xfe", b"\xfe\xff")


def load(path: Path, *, kinds: Mapping[str, type[LocalCard]], required: bool) -> ParsedToml:
    """Read a file. `required`: the operator named it, so that a missing one is a problem."""
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        return (
            _unusable(path, "no such file") if required else ParsedToml(TomlConfig(file=str(path)))
        )
    except IsADirectoryError:
        return _unusable(path, "is a folder; name the file in it")
    except PermissionError:
        return _unusable(path, "may not be read by the user that cccamd runs as")
    except OSError as error:
        return _unusable(path, f"cannot be read: {error.strerror or error}")
    if data.startswith(_UTF16_MARKS):
        return _unusable(path, "is UTF-16 text; save it as UTF-8")
    try:
        text = data.decode("utf-8-sig")  # a byte order mark of some editors is dropped
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        return _unusable(path, "a letter is not UTF-8; save the file as UTF-8", line=line)
    return parse(text, kinds=kinds, folder=path.parent, file=str(path))


def _unusable(path: Path, text: str, *, line: int | None = None) -> ParsedToml:
    problem = Problem(place=Place(str(path), line), text=text)
    return ParsedToml(TomlConfig(file=str(path)), problems=(problem,), usable=False)
