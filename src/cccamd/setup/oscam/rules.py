"""What is done with each key of OSCam: carried over by code, without effect here, or lost and why.

docs/moving-from-oscam.md shows the same to people.
"""

import re
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Final

from cccamd.setup.oscam.lexer import Entry, Section, is_remark
from cccamd.setup.oscam.report import IGNORED_TOO, SectionReport, shown_key
from cccamd.setup.oscam.values import number

# Why something lies over the project's line.
EMULATION: Final = "emulation of commercial systems is not part of cccamd"
DISGUISE: Final = "cccamd says what it is"
REWRITING: Final = "requests are not rewritten for another system"
EXCHANGE: Final = "control words are not exchanged between servers without a request"
WRONG_WORDS: Final = "cccamd never sends wrong control words on purpose"
OWNERS_LIMIT: Final = "the reshare limit of a card's owner is kept"
CARD_SECRETS: Final = "keys of local card readers stay with the program that drives the card"

LOCAL_READER: Final = (
    "a local card reader: leave OSCam in front of the card and connect by a C-line or N-line"
)
NOT_SPOKEN: Final = "this protocol is not spoken"
ANTI_CASCADING: Final = "receivers behind an account are not counted"


@dataclass(frozen=True, slots=True)
class Lost:
    """A key that is reported, unless its value is a default."""

    why: str
    defaults: tuple[str, ...] = ("0",)
    only: tuple[str, ...] = ()
    """When set: only these values are reported, others say nothing."""

    def concerns(self, value: str) -> bool:
        """Whether a value asks for something that gets lost."""
        if not value:
            return False
        if self.only:
            return any(_same(value, each) for each in self.only)
        return not any(_same(value, each) for each in self.defaults)


def _same(value: str, known: str) -> bool:
    if re.fullmatch("-?[0-9]+", known):
        # Entries of lists begin with digits, too: "0B00:000102" is not the number 0.
        read = re.match(r"[ \t]*[+-]?[0-9]+(?![0-9A-Za-z:,;.@])", value)
        return read is not None and number(value) == int(known)
    return value == known


@dataclass(frozen=True, slots=True, kw_only=True)
class Rules:
    """The keys of one section."""

    used: Collection[str] = frozenset()
    """Read by code of their own."""
    silent: Collection[str] = frozenset()
    """Without any effect in cccamd."""
    lost: Mapping[str, Lost]
    patterns: tuple[tuple[re.Pattern[str], Lost | None], ...] = ()
    """For keys of a family; None: without effect."""

    def rule_of(self, key: str) -> Lost | str | None:
        """The rule of a lost key; None: nothing to say; a text: OSCam does not know it."""
        if key in self.used or key in self.silent:
            return None
        if key in self.lost:
            return self.lost[key]
        for pattern, rule in self.patterns:
            if pattern.fullmatch(key):
                return rule
        return "unknown key"

    def knows(self, key: str) -> bool:
        """Whether it is a key at all."""
        return not isinstance(self.rule_of(key), str)


def counting(entries: Iterable[Entry]) -> dict[str, Entry]:
    """The entries that count: of each key the last."""
    return {entry.key: entry for entry in entries}


def tell_of_rest(section: Section, rules: Rules, about: SectionReport) -> None:
    """Report all that no code reads, and note what stands there again."""
    counts = counting(section.entries)
    for entry in section.entries:
        last = counts[entry.key]
        if entry.value != last.value and not is_remark(entry.key):
            again = f"{shown_key(entry.key)} stands again in line {last.line}, which counts"
            about.report.note(f"{about.file}:{entry.line}: {again}, as in OSCam")
    for entry in counts.values():
        rule = rules.rule_of(entry.key)
        if isinstance(rule, Lost):
            if rule.concerns(entry.value):
                about.lost(entry, rule.why)
        elif rule is not None and not is_remark(entry.key):
            about.ignored(entry, rule)
    for stray in section.stray:
        # What it says may be a password: no more of it is shown than a key that is known.
        word = re.split(r"[ \t:]", stray.key.strip(), maxsplit=1)[0].lower()
        if rules.knows(word):
            text = f"there is no = behind the key; {IGNORED_TOO}"
            about.whole(stray.line, text, key=shown_key(word))
        elif any(each.isalnum() for each in stray.key) and not stray.is_header:
            about.whole(stray.line, f"a line without = sets nothing; {IGNORED_TOO}")


def keys(text: str) -> frozenset[str]:
    """A set of words."""
    return frozenset(text.split())


def family(
    pattern: str, why: str | None, *, defaults: tuple[str, ...] = ("0",)
) -> tuple[re.Pattern[str], Lost | None]:
    """A rule for all keys that match."""
    return re.compile(pattern), None if why is None else Lost(why, defaults)
