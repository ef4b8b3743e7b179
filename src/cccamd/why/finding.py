"""One reason in words, as every answer to "why?" gives it; and how such words are put."""

import json
from dataclasses import dataclass
from enum import Enum

from cccamd.cards import Limit
from cccamd.ids import format_caid, format_ident
from cccamd.setup.cccamcfg import Config


class Weight(Enum):
    """Whether a finding is good news, neither, or what keeps something from working."""

    GOOD = "good"
    NOTE = "note"
    BAD = "bad"


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """What somebody wrote that is responsible, and where it stands."""

    name: str
    """`the F-line`, `GLOBAL LIMITS`, ..."""
    file: str
    line: int | None = None

    @property
    def words(self) -> str:
        """Name and place in words."""
        if self.line is None:
            return f"{self.name} in {self.file}"
        place = f"{self.name} in line {self.line}"
        return f"{place} of {self.file}" if self.file else place


def upstream_line(config: Config, line: int) -> Setting:
    """The C-line or N-line that stands there."""
    is_newcamd = any(found.line == line for found in config.n_lines)
    name = "the N-line" if is_newcamd else "the C-line"
    return Setting(name=name, file=config.file, line=line)


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One reason: a sentence, what to change, and the setting responsible. It holds no secret."""

    code: str
    """A fixed name for programs."""
    weight: Weight
    text: str
    change: str = ""
    """What to do; empty when there is nothing to do."""
    setting: Setting | None = None


# How things are put into sentences (numbers, times and lists: `cccamd.wording`).


def json_text(value: object, *, indent: int | None = None) -> str:
    """Show a value as JSON that people may read in a terminal, whatever strangers called
    themselves: what steers (control characters, marks that turn the direction of writing,
    half characters) is escaped."""
    text = json.dumps(value, indent=indent, ensure_ascii=False)
    if text.replace("\n", "").isprintable():
        return text
    # Outside of strings there is nothing but blanks and the line breaks of the indentation.
    return "".join(
        char if char.isprintable() or char == "\n" else json.dumps(char)[1:-1] for char in text
    )


def limit_entry(limit: Limit) -> str:
    """Show an entry of a brace group as people write it: `0B00:030B00:0`."""
    caid = format_caid(limit.caid) if limit.caid else "0"
    ident = format_ident(limit.ident) if limit.ident else "0"
    return f"{caid}:{ident}:{limit.number}"
