"""Check tables against their models; what is wrong is collected, with places and in words."""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from difflib import get_close_matches
from tomllib import TOMLDecodeError
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from cccamd.setup.files import FileProblem, Place
from cccamd.setup.toml.positions import KeyPath, Positions

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


def explain_syntax(error: Exception, text: str) -> tuple[int | None, int | None, str]:
    """Return line, column and words for what `tomllib` raised; it stops at the first fault."""
    if isinstance(error, RecursionError):
        return None, None, "lists or tables are nested too deeply"
    if not isinstance(error, TOMLDecodeError):
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


def explain_value(
    detail: ErrorDetails,
    *,
    model: type[BaseModel],
    written: str = "",
    more_keys: Iterable[str] = (),
) -> str:
    """Put one of pydantic's findings into words.

    `written` is what stands in the file; empty if that must not be shown. `more_keys` are
    allowed in the table beside the model's own.
    """
    keys = [part for part in detail["loc"] if isinstance(part, str) and part != "[key]"]
    key = ".".join(keys)
    if detail["type"] == "extra_forbidden":
        advice = f"; {suggest(key, {*model.model_fields, *more_keys})}" if len(keys) == 1 else ""
        return f"unknown key {_show(key)}{advice}"
    expected = _expected(detail, model)
    if detail["type"] == "missing":
        return f"{key} is missing; {expected}"
    read = f"read {_show(written)}, " if written else ""
    return f"{key}: {read}{expected}" if key else expected


def _expected(detail: ErrorDetails, model: type[BaseModel]) -> str:
    if detail["type"] == "value_error":
        return str(detail["ctx"]["error"])
    field = model.model_fields.get(str(detail["loc"][0])) if detail["loc"] else None
    if field is not None and field.description:
        return f"expected {field.description}"
    return str(detail["msg"])


def _show(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= _READ_LIMIT else f"{line[:_READ_LIMIT]}…"


M = TypeVar("M", bound=BaseModel)


@dataclass(slots=True)
class TableReader:
    """Reads the tables of one file; `problems` grows meanwhile."""

    data: dict[str, Any]
    positions: Positions
    problems: list[FileProblem] = field(default_factory=list)
    places: dict[str, Place] = field(default_factory=dict)
    """Where each table stands that is used, by its heading in messages."""
    _untold: int = 0
    _untold_are_warnings: bool = True

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

    def told(self) -> tuple[FileProblem, ...]:
        """List what there is to say, in the order of the file, and how much is left unsaid."""
        found = sorted(self.problems, key=lambda problem: problem.place.order)
        if self._untold:
            text = f"and {self._untold:,} more problems in this file"
            place = Place(self.positions.file)
            only_warnings = self._untold_are_warnings
            found.append(FileProblem(place=place, text=text, is_warning=only_warnings))
        return tuple(found)

    def read_table(self, name: str, model: type[M]) -> M:
        """Read `[name]`; with a problem, or without the table, its defaults."""
        data = self.data.get(name, {})
        if isinstance(data, dict):
            read = self.validate(model, data, (name,), label=f"[{name}]")
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
        for index, table in enumerate(data):
            yield (name, index), table

    def is_new(self, heading: str, path: KeyPath) -> bool:
        """Say whether no earlier table has this heading; else note a problem."""
        at = self.positions.key(path)
        first = self.places.setdefault(heading, at)
        if first is not at:
            text = f"{heading} is in line {first.line} already, which counts"
            self.add(at, f"{text} {_consequence(path)}")
        return first is at

    def validate(
        self,
        model: type[M],
        data: dict[str, Any],
        path: KeyPath,
        *,
        label: str,
        secret: bool = False,
        more_keys: Iterable[str] = (),
    ) -> M | None:
        """Check a table and note all that is wrong with it; None if anything is.

        `secret`: its values are never shown. `more_keys` are allowed in the table, but the
        business of another model.
        """
        try:
            return model.model_validate(data)
        except ValidationError as error:
            if self.is_full:  # as many words as problems would take long
                self.count(error.error_count())
                return None
            details = _innermost(error)
            for detail in details[:FINDINGS_LIMIT]:
                place = (*path, *detail["loc"])
                written = "" if secret else self.positions.written(place)
                text = explain_value(detail, model=model, written=written, more_keys=more_keys)
                self.add(self._at(detail, place), f"{label} {text} {_consequence(path)}")
            if more := len(details[FINDINGS_LIMIT:]):
                self.add(self.positions.key(path), f"{label} has {more:,} more such places")
        except Exception as fault:  # a plug-in's own check: its text may repeat a secret
            text = f"{label} the kind's own check raised {type(fault).__name__}"
            self.add(self.positions.key(path), f"{text} {_consequence(path)}")
        return None

    def _at(self, detail: ErrorDetails, place: KeyPath) -> Place:
        is_about_key = detail["type"] in ("extra_forbidden", "missing")
        return self.positions.key(place) if is_about_key else self.positions.value(place)


def _innermost(error: ValidationError) -> list[ErrorDetails]:
    """List the findings but those about a list or table that has findings inside.

    Pydantic adds such a one: a list without its bad elements is too short.
    """
    details = error.errors(include_url=False, include_input=False)
    outer = {detail["loc"][:depth] for detail in details for depth in range(len(detail["loc"]))}
    return [detail for detail in details if detail["loc"] not in outer]


def _consequence(path: KeyPath) -> str:
    if len(path) == 1:
        return f"(so all of [{path[0]}] stays at its defaults)"
    if isinstance(path[1], str):
        return "(so this list names no service)"
    return f"(so this [[{path[0]}]] is left out)"
