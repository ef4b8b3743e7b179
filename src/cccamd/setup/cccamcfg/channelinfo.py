"""CCcam.channelinfo: names of channels, for display only (section 4.3)."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import product

from cccamd.ids import Caid, Ident, Sid
from cccamd.setup.cccamcfg.companion import (
    content_lines,
    encoding_problems,
    skipped,
    split_name,
)
from cccamd.setup.cccamcfg.numerals import hexadecimal
from cccamd.setup.files import Problem

_DIGITS = (4, 6, 4)
_ENTRIES_PER_LINE_LIMIT = 256
"""Far above any line that a person writes; commas in all three parts multiply."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ChannelNames:
    """A whole file."""

    names: Mapping[tuple[int, int, int], str] = field(default_factory=dict)
    """By CAID, ident and sid."""
    problems: tuple[Problem, ...] = ()

    def name(self, caid: Caid, ident: Ident, sid: Sid) -> str | None:
        """Look a channel up, first with its ident, then with ident 0."""
        return self.names.get((caid, ident, sid)) or self.names.get((caid, 0, sid))


def parse_channelinfo(data: bytes, *, file: str = "CCcam.channelinfo") -> ChannelNames:
    """Read any bytes; the first entry for a channel counts, bad lines are skipped."""
    names: dict[tuple[int, int, int], str] = {}
    problems = encoding_problems(data, file)
    for number, text in content_lines(data):
        found = split_name(text)
        keys = _read_keys(found[0]) if found else []
        if found is None or not keys:
            problems.append(skipped(file, number, 'skipped: write caid:ident:sid and a "name"'))
            continue
        for key in keys:
            names.setdefault(key, found[1])
    return ChannelNames(names=names, problems=tuple(problems))


def _read_keys(text: str) -> list[tuple[int, int, int]]:
    """Read `caid:ident:sid`; commas inside a part make several entries."""
    parts = [part.split(",") for part in text.split(":")]
    count = 1
    for part in parts:
        count *= len(part)
    if len(parts) != len(_DIGITS) or count > _ENTRIES_PER_LINE_LIMIT:
        return []
    numbers = [
        [hexadecimal(one, max_digits=digits) for one in part]
        for part, digits in zip(parts, _DIGITS, strict=True)
    ]
    keys: list[tuple[int, int, int]] = []
    for caid, ident, sid in product(*numbers):
        if caid is None or ident is None or sid is None:
            return []
        keys.append((caid, ident, sid))
    return keys
