"""Which flavour the tests run on (docs/compiled.md), and what of it no test can replace.

Compiled code calls its functions and methods directly and knows its constants by heart: a test
that replaces one of them would show nothing. `conftest.py` lets such a test fail.
"""

import ast
import functools
import sys
from pathlib import Path
from typing import Any

import pytest

import cccamd.values

replace_for_python = pytest.MonkeyPatch.setattr
"""Replace a method of a compiled class where only code that is not compiled calls it."""


def is_compiled(module: str) -> bool:
    """Whether a module of ours is machine code."""
    file = getattr(sys.modules.get(module), "__file__", None)
    return module.startswith("cccamd.") and file is not None and Path(file).suffix == ".so"


COMPILED = is_compiled(cccamd.values.__name__)


def is_native(owner: Any) -> bool:
    """Whether a class is compiled."""
    return hasattr(owner, "__mypyc_attrs__")


def is_fixed(owner: Any, name: str) -> bool:
    """Whether replacing this attribute changes nothing for compiled code."""
    if isinstance(owner, type):
        return is_native(owner)
    module = getattr(owner, "__name__", "")
    if is_compiled(module):
        value = getattr(owner, name, None)
        if callable(value):
            return is_compiled(getattr(value, "__module__", ""))
        return _is_final(module, name)
    return is_native(type(owner)) and callable(getattr(owner, name, None))


def _is_final(module: str, name: str) -> bool:
    """Whether a module, or the one that it has the name from, declares a constant `Final`."""
    for node in _tree(module).body:
        match node:
            case ast.AnnAssign(target=ast.Name(id=id), annotation=kind) if id == name:
                return "Final" in ast.unparse(kind)
            case ast.Assign() if name in {
                each.id for each in ast.walk(node) if isinstance(each, ast.Name)
            }:
                return False
            case ast.ImportFrom(module=str(origin), names=names):
                for each in names:
                    if name == (each.asname or each.name):
                        return _is_final(origin, each.name)
            case _:
                pass
    return False


@functools.cache
def _tree(module: str) -> ast.Module:
    """The source of a module; that of compiled ones is beside them."""
    file = Path(str(sys.modules[module].__file__))
    return ast.parse(file.with_name(file.name.split(".")[0] + ".py").read_text())
