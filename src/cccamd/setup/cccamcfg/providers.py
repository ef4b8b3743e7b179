"""CCcam.providers: names of providers (section 4.2)."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from cccamd.ids import Caid, Ident
from cccamd.setup.cccamcfg.companion import (
    content_lines,
    encoding_problems,
    skipped,
    split_name,
)
from cccamd.setup.cccamcfg.numerals import hexadecimal
from cccamd.setup.files import Problem

_KEY_DIGITS = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class ProviderNames:
    """A whole file."""

    names: Mapping[int, str] = field(default_factory=dict)
    """By the file's 32-bit key, which cannot be split into CAID and ident."""
    problems: tuple[Problem, ...] = ()

    def name(self, caid: Caid, ident: Ident) -> str | None:
        """Look a provider up. The ident's upper byte overlaps the CAID's lower byte."""
        return self.names.get(caid << 16 | ident)


def parse_providers(data: bytes, *, file: str = "CCcam.providers") -> ProviderNames:
    """Read any bytes; the first entry for a key counts, bad lines are skipped with a warning."""
    names: dict[int, str] = {}
    problems = encoding_problems(data, file)
    for number, text in content_lines(data):
        entry = _read_line(text)
        if entry is None:
            problems.append(skipped(file, number, 'skipped: write eight hex digits and a "name"'))
        else:
            names.setdefault(*entry)
    return ProviderNames(names=names, problems=tuple(problems))


def _read_line(text: str) -> tuple[int, str] | None:
    found = split_name(text)
    if found is None or len(found[0]) != _KEY_DIGITS:
        return None
    key = hexadecimal(found[0], max_digits=_KEY_DIGITS)
    return None if key is None else (key, found[1])
