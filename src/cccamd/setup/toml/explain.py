"""Words for what is wrong: TOML's syntax, and values that a table does not take."""

import re
from collections.abc import Iterable
from difflib import get_close_matches
from tomllib import TOMLDecodeError

from pydantic import BaseModel
from pydantic_core import ErrorDetails

_POSITION = re.compile(r" \(at (?:line (\d+), column (\d+)|end of document)\)$")
_READ_LIMIT = 60

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
