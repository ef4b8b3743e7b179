"""Check tables against their models; what is wrong is collected, with places and in words."""

import re
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from difflib import get_close_matches
from itertools import chain, islice
from typing import Any, NamedTuple, TypeVar

from cccamd.setup.files import FileProblem, Place
from cccamd.setup.toml.fields import Table, Wrong, keys_of, required_of
from cccamd.setup.toml.language import SyntaxFault
from cccamd.setup.toml.positions import Positions
from cccamd.setup.toml.scanning import KeyPath

_POSITION = re.compile(r" \(at (?:line (\d+), column (\d+)|end of document)\)$")
_READ_LIMIT = 60
FINDINGS_LIMIT = 200
"""In one table; nobody reads more."""

_SYNTAX_HINTS = (
    ("Invalid value", "text stands in quotes; numbers, true and false stand without"),
    ("Expected '='", 'a line is key = value; a key is letters, digits, "_" and "-"'),
    ("Invalid statement", "a line is [table], [[table]], key = value, or a # remark"),
    ("Expected newline", "one key = value on a line, and text in quotes"),
    ("Illegal character '\\n'", "the text's closing quote is missing on this line"),
    ("Unterminated string", "the closing quote is missing"),
    ('Expected "', "the closing quote or bracket is missing"),
    ("Expected ']", "the closing bracket is missing"),
    ("Unescaped '\\'", "write \\\\ for a backslash, or use 'single quotes'"),
    ("Unclosed array", 'the closing "]" is missing, or a comma between two values'),
    ("Cannot overwrite a value", "the key stands twice; keep one of the two lines"),
    ("Cannot declare", "the table stands twice; those that may, have two brackets: [[card]]"),
)

PROBLEMS_LIMIT = 2000
"""In one file."""
TABLES_LIMIT = 20_000
"""Of one kind: twice as many as the clients that one server is made for."""


def explain_syntax(error: Exception, text: str) -> tuple[int | None, int | None, str]:
    """Return line, column and words for what `tomllib` raised; it stops at the first fault."""
    if isinstance(error, RecursionError):
        return None, None, "lists or tables are nested too deeply"
    if not isinstance(error, SyntaxFault):
        return None, None, "a number has too many digits"
    said = str(error)
    line = column = None
    if match := _POSITION.search(said):
        said = said[: match.start()]
        if match[1]:
            line, column = int(match[1]), int(match[2])
        else:
            line = text.rstrip().count("\n") + 1
            said += " before the file ends"
    hint = next((f"; {hint}" for start, hint in _SYNTAX_HINTS if said.startswith(start)), "")
    return line, column, f"not TOML: {said}{hint}"


def suggest(word: str, known: Iterable[str]) -> str:
    """Name the nearest known word, or all of them if none is near."""
    words = sorted(known)
    near = get_close_matches(word, words, n=1)
    if near:
        return f"did you mean {near[0]}?"
    return f"known: {', '.join(words)}"


def unknown_key(key: str, known: Iterable[str]) -> str:
    """Say that there is no such key in a table that has these; of none there is nothing to say."""
    advice = f"; {suggest(key, known)}" if known else ""
    return f"unknown key {_show(key)}{advice}"


def _show(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= _READ_LIMIT else f"{line[:_READ_LIMIT]}…"


M = TypeVar("M", bound=Table)


class Finding(NamedTuple):
    """Something that is wrong in a table."""

    at: KeyPath
    """Below the table."""
    text: str
    about_key: bool = False
    """It is about a key, not about what stands behind it."""


@dataclass(slots=True)
class TableReader:
    """Reads the tables of one file; `problems` grows meanwhile."""

    data: dict[str, Any]
    positions: Positions
    problems: list[FileProblem] = field(default_factory=list)
    headings: dict[str, KeyPath] = field(default_factory=dict)
    """The tables that are used, by how messages name them."""
    _untold: int = 0
    _untold_are_warnings: bool = True
    _is_more_or_less: bool = False
    """There may be more problems than those: not all places were looked at."""

    @property
    def is_full(self) -> bool:
        """Whether further problems are only counted."""
        return len(self.problems) >= PROBLEMS_LIMIT

    def add(self, at: Place, text: str, *, is_warning: bool = False) -> None:
        """Note a problem."""
        if self.is_full:
            self.count(is_warning=is_warning)
        else:
            self.problems.append(FileProblem(place=at, text=text, is_warning=is_warning))

    def count(self, number: int = 1, *, is_warning: bool = False) -> None:
        """Count problems that nobody is told one by one."""
        self._untold += number
        self._untold_are_warnings &= is_warning

    def leave_out(self) -> None:
        """Note that a place was not looked at where there may be a warning."""
        self._is_more_or_less = True

    def told(self) -> tuple[FileProblem, ...]:
        """List what there is to say, in the order of the file, and how much is left unsaid."""
        found = sorted(self.problems, key=lambda problem: problem.place.order)
        if self._untold or self._is_more_or_less:
            more = f"{self._untold:,} more problems" if self._untold else "more warnings"
            least = ""
            if self._is_more_or_less:
                least = "at least " if self._untold else "perhaps "
            text = f"and {least}{more} in this file"
            place = Place(self.positions.file)
            only_warnings = self._untold_are_warnings
            found.append(FileProblem(place=place, text=text, is_warning=only_warnings))
        return tuple(found)

    def read_table(self, name: str, model: type[M]) -> M:
        """Read `[name]`; with a problem, or without the table, its defaults."""
        data = self.data.get(name, {})
        if isinstance(data, dict):
            read = self.read(model, data, (name,), label=f"[{name}]")
            return model() if read is None else read
        self.add(self.positions.key((name,)), f"expected [{name}], with single brackets and once")
        return model()

    def tables(self, name: str) -> Iterator[tuple[KeyPath, dict[str, Any]]]:
        """List the tables `[[name]]` with their paths."""
        data = self.data.get(name, [])
        if not isinstance(data, list) or not all(isinstance(table, dict) for table in data):
            at = self.positions.key((name,))
            self.add(at, f"expected [[{name}]], with double brackets: there may be several")
            return
        for index, table in enumerate(data[:TABLES_LIMIT]):
            yield (name, index), table
        if len(data) > TABLES_LIMIT:
            self.refuse_more((name, TABLES_LIMIT), len(data) - TABLES_LIMIT, f"[[{name}]]")

    def passed_over(self, name: str) -> Iterator[dict[str, Any]]:
        """List the tables `[[name]]` that `tables` does not."""
        data = self.data.get(name, [])
        listed = data if isinstance(data, list) else [data]
        if all(isinstance(table, dict) for table in listed) and listed is data:
            listed = listed[TABLES_LIMIT:]
        return (table for table in listed if isinstance(table, dict))

    def refuse_more(self, first: KeyPath, number: int, what: str) -> None:
        """Note that there are more tables of one kind than are read, from this one on."""
        text = f"only the first {TABLES_LIMIT:,} {what} count ({number:,} more are left out)"
        self.add(self.positions.key(first), text)

    def is_new(self, heading: str, path: KeyPath) -> bool:
        """Say whether no earlier table has this heading; else note a problem."""
        first = self.headings.setdefault(heading, path)
        if first is path:
            return True
        if self.is_full:
            self.count()
        else:
            line = self.positions.key(first).line
            text = f"{heading} is in line {line} already, which counts"
            self.add(self.positions.key(path), f"{text} (so this [[{path[0]}]] is left out)")
        return False

    def read(
        self,
        table: type[M],
        data: Mapping[str, Any],
        path: KeyPath,
        *,
        label: str,
        more_keys: Collection[str] = (),
    ) -> M | None:
        """Read a table and note all that is wrong with it; None if anything is.

        `more_keys` are allowed in it, but the business of others.
        """
        wrong: list[Wrong] = []
        keys = keys_of(table)
        values = {
            name: keys[name].take(found, (name,), wrong, briefly=self.is_full)
            for name, found in data.items()
            if name in keys
        }
        missing = [name for name in required_of(table) if name not in data]
        unknown = [] if len(values) == len(data) else [name for name in data if name not in values]
        if not (wrong or missing or unknown):
            read = table(**values)
            try:
                read.check(values.keys())
            except ValueError as error:
                wrong.append(((), str(error)))
            else:
                return read
        if self.is_full:  # as many words as problems would take long
            self.count(len(wrong) + len(missing) + len(unknown))
        else:
            findings = chain(
                (_missing(table, name) for name in missing),
                (self._finding(each, path) for each in wrong),
                (
                    Finding((name,), unknown_key(name, {*keys, *more_keys}), True)
                    for name in unknown
                ),
            )
            number = len(wrong) + len(missing) + len(unknown)
            self.tell(findings, path, label=label, number=number)
        return None

    def tell(self, findings: Iterable[Finding], path: KeyPath, *, label: str, number: int) -> None:
        """Note what is wrong in one table: the first of so many places, which are put into words
        only then."""
        for finding in islice(findings, FINDINGS_LIMIT):
            place = (*path, *finding.at)
            at = self.positions.key(place) if finding.about_key else self.positions.value(place)
            self.add(at, f"{label} {finding.text} {_consequence(path)}")
        if number > FINDINGS_LIMIT:
            text = f"{label} has {number - FINDINGS_LIMIT:,} more such places"
            self.add(self.positions.key(path), text)

    def _finding(self, wrong: Wrong, path: KeyPath) -> Finding:
        at, text = wrong
        if not at:
            return Finding(at, text)
        written = self.positions.written((*path, *at))
        read = f"read {_show(written)}, " if written else ""
        return Finding(at, f"{at[0]}: {read}{text}")


def _missing(table: type[Table], name: str) -> Finding:
    return Finding((), f"{name} is missing; expected {keys_of(table)[name].expected}", True)


def _consequence(path: KeyPath) -> str:
    if len(path) == 1:
        return f"(so all of [{path[0]}] stays at its defaults)"
    if isinstance(path[1], str):
        return "(so this list names no service)"
    lines = _LINES.get(str(path[0]))
    if lines is not None:
        return f"(so the {lines} that this [[{path[0]}]] is about is not used)"
    return f"(so this [[{path[0]}]] is left out)"


_LINES = {"account": "account", "upstream": "C-line or N-line"}
