"""What a module must keep to be compiled (docs/compiled.md), as far as its source shows it."""

import ast
import tomllib
from pathlib import Path

import pytest

TOP = Path(__file__).parent.parent
PROJECT = tomllib.loads((TOP / "pyproject.toml").read_text())
MODULES = PROJECT["tool"]["hatch"]["build"]["targets"]["wheel"]["hooks"]["custom"]["modules"]


def names_of_errors(tree: ast.AST) -> list[str]:
    """Functions in which one name stands for errors of different types."""
    found = []
    for function in ast.walk(tree):
        if not isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef):
            continue
        types: dict[str, set[str]] = {}
        for one in ast.walk(function):
            if isinstance(one, ast.ExceptHandler) and one.name and one.type:
                types.setdefault(one.name, set()).add(ast.unparse(one.type))
        found += [function.name for kinds in types.values() if len(kinds) > 1]
    return found


@pytest.mark.parametrize("module", MODULES)
def test_a_name_of_an_error_has_one_type_in_a_function(module: str) -> None:
    """mypyc gives it the first one, and the other error becomes a TypeError."""
    source = TOP / "src" / Path(*module.split(".")).with_suffix(".py")
    assert names_of_errors(ast.parse(source.read_text())) == []


def test_two_types_for_a_name_are_found() -> None:
    two = "def f():\n try: a()\n except A as e: b(e)\n except B as e: c(e)"
    assert names_of_errors(ast.parse(two)) == ["f"]
    assert names_of_errors(ast.parse(two.replace("B as e: c(e)", "B as d: c(d)"))) == []
