"""A JSON schema of cccamd.toml, out of the tables themselves, for editors."""

from collections.abc import Mapping
from dataclasses import is_dataclass
from typing import Any, Final, get_type_hints

from cccamd.setup.toml.cardtable import LocalCardTable
from cccamd.setup.toml.fields import SWITCH, Key, Listed, Table, keys_of, required_of
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
    found: dict[str, Any] = {"description": key.expected}
    if isinstance(key, Listed):
        found["type"] = "array"
        found["maxItems"] = key.most
    elif key is SWITCH:
        found["type"] = "boolean"
    elif key.low is not None and key.high is not None:
        found |= {"type": "number", "minimum": key.low, "maximum": key.high}
    return found
