"""constant.cw: control words of feeds with fixed keys. None of them is ever shown."""

from dataclasses import dataclass, field
from typing import Final

from cccamd.ids import CAID_DIGITS, IDENT_DIGITS, Caid, Ident, Sid, bare_hex
from cccamd.setup.oscam.lexer import Entry, lines_of
from cccamd.setup.oscam.report import IGNORED_TOO, SectionReport
from cccamd.setup.oscam.values import read_sid
from cccamd.values import CW_LENGTH, with_checksums

_FIELDS: Final = 6
"""CAID, provider, service, PMT pid, ECM pid, and perhaps the video pid."""
_PIDS: Final = slice(3, -1)
"""What stands between the service and the control words."""


@dataclass(slots=True)
class Constants:
    """What a file says of one CAID."""

    idents: dict[Ident, None] = field(default_factory=dict)
    words: dict[Sid, str] = field(default_factory=dict, repr=False)

    @property
    def providers(self) -> tuple[Ident, ...]:
        """Provider 0 is any."""
        return (Ident(0),) if Ident(0) in self.idents else tuple(self.idents)


def read_constants(data: bytes, about: SectionReport) -> dict[Caid, Constants]:
    """Read a file; the first line of a service counts."""
    found: dict[Caid, Constants] = {}
    for number, text in lines_of(data):
        if text.startswith("#"):
            continue
        fields = [each.strip() for each in text.split(":")]
        line = _Line(number, about, fields)
        read = line.read()
        if read is None:
            continue
        caid, ident, sid, words = read
        of_caid = found.setdefault(caid, Constants())
        if sid in of_caid.words:
            if of_caid.words[sid] != words:
                line.lost("the service has a line above, which counts")
            continue
        of_caid.idents[ident] = None
        of_caid.words[sid] = words
    return found


@dataclass(frozen=True, slots=True)
class _Line:
    number: int
    about: SectionReport
    fields: list[str]

    def lost(self, why: str) -> None:
        self.about.lost(Entry("", "", self.number), why)

    def read(self) -> tuple[Caid, Ident, Sid, str] | None:
        if len(self.fields) < _FIELDS:
            self.lost(f"no line of control words; {IGNORED_TOO}")
            return None
        caid, ident = bare_hex(self.fields[0], CAID_DIGITS), bare_hex(self.fields[1], IDENT_DIGITS)
        sid = read_sid(self.fields[2])
        if not caid or ident is None or sid is None:
            self.lost(f"CAID, provider or service is no hex number; {IGNORED_TOO}")
            return None
        if not sid:
            self.lost("a line for all services is left out: cw of [[card]] is for that")
            return None
        words = self._words()
        if words is None:
            return None
        if any(each.strip("0") for each in self.fields[_PIDS]):
            self.lost("pids are not looked at: the control words are for the whole service")
        return Caid(caid), Ident(ident), sid, words

    def _words(self) -> str | None:
        digits = "".join(self.fields[-1].split())
        try:
            raw = bytes.fromhex(digits)
        except ValueError:
            raw = b""
        if len(raw) != CW_LENGTH:
            self.lost(f"the control words are not 16 bytes; {IGNORED_TOO}")
            return None
        halves = raw[:8], raw[8:]
        if b"".join(map(with_checksums, halves)) != raw or not any(raw):
            self.lost("every fourth byte of control words has to be the sum of the three before")
            return None
        return raw.hex()
