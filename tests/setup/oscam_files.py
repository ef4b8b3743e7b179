"""How OSCam reads the lines of its files; for `oscam_meaning`."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

Folder = Mapping[str, bytes]
Place = tuple[str, int]
"""File and line."""


@dataclass
class Entry:
    """A section: its keys in small letters, the last of each, with their lines."""

    file: str
    name: str
    line: int
    values: dict[str, tuple[str, int]] = field(default_factory=dict)
    rests: list[int] = field(default_factory=list)
    """Lines that say nothing: OSCam drops them without a word."""

    def text(self, key: str) -> str:
        """Its value; empty: it is not there, or says nothing."""
        return self.values.get(key, ("", 0))[0]

    def number(self, key: str, default: int) -> int:
        """As strtol reads it."""
        text = self.text(key)
        if not text:
            return default
        found = re.match(r"[ \t]*([+-]?\d+)", text)
        return int(found[1]) if found else 0

    def place(self, key: str) -> Place:
        """Where a key stands."""
        return self.file, self.values.get(key, ("", self.line))[1]

    @property
    def places(self) -> set[Place]:
        """All its lines that say something."""
        lines = (self.line, *self.rests, *(at for _, at in self.values.values()))
        return {(self.file, line) for line in lines}


def _trim(text: str) -> str:
    text = text.rstrip(" \t\r\n")
    return text.lstrip(" \t") if text.startswith(" ") else text


def sections(folder: Folder, file: str) -> list[Entry]:
    """The sections of a file as they come; keys before the first of oscam.conf are [global]'s."""
    text = folder.get(file, b"").removeprefix(b"\xef\xbb\xbf").decode("latin-1")
    found = [Entry(file, "global", 0)] if file == "oscam.conf" else []
    for number, raw in enumerate(text.split("\n"), start=1):
        line = _trim(raw)
        if len(line) < 3 or line.startswith("#"):
            continue
        if line.startswith("[") and line.endswith("]"):
            name = line[1:-1] if file == "oscam.conf" else line[1:-1].lower()
            found.append(Entry(file, name, number))
        elif not found:
            continue
        elif "=" not in line:
            found[-1].rests.append(number)
        else:
            key, _, value = line.partition("=")
            found[-1].values[_trim(key).lower()] = (_trim(value), number)
    return found
