"""A JSON schema of cccamd.toml, out of the tables themselves, for editors."""

from collections.abc import Mapping
from dataclasses import is_dataclass
from typing import Any, Final, get_type_hints

from cccamd.setup.toml.cardtable import LocalCardTable
from cccamd.setup.toml.fields import SWITCH, Key, Listed, Table, Value, keys_of, required_of
from cccamd.setup.toml.grants import ServicesTable
from cccamd.setup.toml.linetables import AccountTable, UpstreamTable
from cccamd.setup.toml.model import TomlConfig
from cccamd.setup.toml.newcamdtable import NewcamdTable

DIALECT: Final = "https://json-schema.org/draft/2020-12/schema"
_LISTS: Final[Mapping[str, type[Table]]] = {
    "account": AccountTable,
    "upstream": UpstreamTable,
    "newcamd": NewcamdTable,
}


def json_schema() -> dict[str, Any]:
    """Describe the file; the words are those that `cccamd check` has for what was expected."""
    hints = get_type_hints(TomlConfig)
    tables = {
        name: _table(kind)
        for name, kind in hints.items()
        if is_dataclass(kind) and isinstance(kind, type) and issubclass(kind, Table)
    }
    lists = {name: {"type": "array", "items": _table(kind)} for name, kind in _LISTS.items()}
    # Each kind of card has keys of its own, and may come from a plug-in.
    card = {**_table(LocalCardTable), "additionalProperties": True}
    services = {"type": "object", "additionalProperties": _table(ServicesTable)}
    return {
        "$schema": DIALECT,
        "title": "cccamd.toml",
        "type": "object",
        "additionalProperties": False,
        "properties": {
            **tables,
            **lists,
            "card": {"type": "array", "items": card},
            "services": services,
        },
    }


def _table(kind: type[Table]) -> dict[str, Any]:
    return {
        "type": "object",
        "additionalProperties": False,
        "required": list(required_of(kind)),
        "properties": {name: _key(key) for name, key in keys_of(kind).items()},
    }


def _key(key: Key) -> dict[str, Any]:
    if isinstance(key, Listed):
        items, sizes = _value(key.items), {"minItems": key.least, "maxItems": key.most}
        return {"description": key.expected, "type": "array", **sizes, "items": items}
    return {"description": key.expected, **_value(key)}


def _value(value: Value) -> dict[str, Any]:
    """Its type, where it has one: who reads it is asked."""
    if value is SWITCH:
        return {"type": "boolean"}
    if value.low is not None and value.high is not None:
        kind = "number" if _takes(value, value.low + 0.5) else "integer"
        return {"type": kind, "minimum": value.low, "maximum": value.high}
    others: tuple[object, ...] = (True, 1, 1.5, [], {})
    return {} if any(_takes(value, each) for each in others) else {"type": "string"}


def _takes(value: Value, found: object) -> bool:
    try:
        value.read(found)
    except ValueError:
        return False
    return True
