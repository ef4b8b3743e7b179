"""The texts below the fields of facts, for the description of the API.

Pydantic can find them itself, but reads and parses a whole file anew for each class and each use of
it: 1.2 s of the 3.2 s that loading the server took. Here each file is parsed once.
"""

import ast
import inspect
import sys
from collections.abc import Mapping
from contextlib import suppress
from itertools import pairwise
from typing import Any


def describe_fields(schemas: Mapping[str, Any], *kinds: type) -> None:
    """Add to JSON schemas, by the names of their classes, what is said of each field there where
    these `kinds` are declared.

    Where there is no source, nothing is added.
    """
    for module in {kind.__module__ for kind in kinds}:
        with suppress(OSError):
            for name, texts in _texts(inspect.getsource(sys.modules[module])).items():
                fields = schemas.get(name, {}).get("properties", {})
                for field, text in texts.items():
                    if field in fields:
                        fields[field].setdefault("description", text)


def _texts(source: str) -> Mapping[str, Mapping[str, str]]:
    """The text below each field of each class."""
    return {
        node.name: dict(_below_fields(node.body))
        for node in ast.parse(source).body
        if isinstance(node, ast.ClassDef)
    }


def _below_fields(body: list[ast.stmt]) -> list[tuple[str, str]]:
    found = []
    for field, below in pairwise(body):
        match field, below:
            case (
                ast.AnnAssign(target=ast.Name(id=name)),
                ast.Expr(value=ast.Constant(value=str(text))),
            ):
                found.append((name, inspect.cleandoc(text)))
    return found
