"""What an import or export could not carry over: one entry for each line, never a value."""

from dataclasses import dataclass, field, replace
from typing import Final

from cccamd.setup.oscam.lexer import Entry, utf8

IGNORED_TOO: Final = "OSCam ignores it, too"
"""The end of the sentence about whatever OSCam itself does not take."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Lost:
    """One line that is not, or not wholly, in the result."""

    file: str
    """Without its folder."""
    section: str = ""
    """Empty: the file has none."""
    key: str = ""
    """Empty: the section, or the file, as a whole."""
    line: int
    why: str

    def as_json(self) -> dict[str, str | int]:
        """The object that `--json` prints."""
        return {
            "file": self.file,
            "section": self.section,
            "key": self.key,
            "line": self.line,
            "why": self.why,
        }

    def __str__(self) -> str:
        about = [f"[{self.section}]"] if self.section else []
        about += [self.key] if self.key else []
        subject = " ".join(about)
        return f"{self.file}:{self.line}: {subject + ': ' if subject else ''}{self.why}"


@dataclass(slots=True)
class Report:
    """Collects; one line and key is told once, with all that is to be said of it."""

    _lost: dict[tuple[str, int, str], Lost] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    """What is carried over and worth a word all the same."""

    @property
    def lost(self) -> tuple[Lost, ...]:
        """All there is to say, by file and line."""
        return tuple(sorted(self._lost.values(), key=lambda each: (each.file, each.line)))

    def add(self, lost: Lost) -> None:
        """Note one; what was said of the same line before stands before it."""
        place = lost.file, lost.line, lost.key
        before = self._lost.get(place)
        if before is not None and lost.why in before.why:
            return
        if before is not None:
            lost = replace(before, why=f"{before.why}; {lost.why}")
        self._lost[place] = lost

    def about(self, file: str, section: str = "") -> "SectionReport":
        """Report about one section."""
        return SectionReport(self, file, section)

    def note(self, text: str) -> None:
        """Say something that is no loss."""
        self.notes.append(text)


@dataclass(frozen=True, slots=True)
class SectionReport:
    """Reports about one section of one file."""

    report: Report
    file: str
    section: str

    def lost(self, entry: Entry, why: str) -> None:
        """An entry is not carried over."""
        self.whole(entry.line, why, key=shown_key(entry.key))

    def ignored(self, entry: Entry, what: str) -> None:
        """An entry means nothing to OSCam either."""
        self.lost(entry, f"{what}; {IGNORED_TOO}")

    def whole(self, line: int, why: str, *, key: str = "") -> None:
        """The section is not carried over."""
        section = utf8(self.section)
        self.report.add(Lost(file=self.file, section=section, key=key, line=line, why=why))


KEY_LENGTH: Final = 40


def shown_key(key: str) -> str:
    """A key for people; what is long is no key, and may be a secret in the wrong place."""
    shown = "".join(each if each.isprintable() else "?" for each in utf8(key))
    return shown if len(shown) <= KEY_LENGTH else f"{shown[:KEY_LENGTH]}…"
