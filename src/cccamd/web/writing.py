"""Writes facts as JSON, long lists of them piece by piece.

A list of ten thousand clients written at once holds Python for tens of milliseconds, whatever
thread it is written in; between two pieces the loop of the server has its turn.
"""

from collections.abc import Iterator
from dataclasses import fields
from threading import Lock
from typing import Any, Final, get_type_hints

from pydantic import TypeAdapter

PIECE: Final = 50
"""Items that are written at once."""
_WRITERS: Final[dict[Any, TypeAdapter[Any]]] = {}
_MAKING: Final = Lock()
"""Made when they are needed first."""


def written(kind: type[Any], value: object) -> Iterator[bytes]:
    """Write a value as JSON."""
    names = [field.name for field in fields(kind)]
    values = {name: getattr(value, name) for name in names}
    long = {name for name in names if _is_long(values[name])}
    if not long:
        yield _writer(kind).dump_json(value)
        return
    hints = get_type_hints(kind, include_extras=True)
    for number, name in enumerate(names):
        yield f'{"," if number else "{"}"{name}":'.encode()
        if name in long:
            yield from _pieces(_writer(hints[name]), values[name])
        else:
            yield _writer(hints[name]).dump_json(values[name])
    yield b"}"


def _is_long(value: object) -> bool:
    return isinstance(value, tuple) and len(value) > PIECE


def _pieces(writer: TypeAdapter[Any], items: tuple[object, ...]) -> Iterator[bytes]:
    for start in range(0, len(items), PIECE):
        yield b"," if start else b"["
        yield writer.dump_json(items[start : start + PIECE])[1:-1]
    yield b"]"


def _writer(kind: Any) -> TypeAdapter[Any]:
    with _MAKING:  # Python 3.11 cannot read two sources at once, from which the texts are taken
        return _WRITERS.get(kind) or _WRITERS.setdefault(kind, TypeAdapter(kind))
