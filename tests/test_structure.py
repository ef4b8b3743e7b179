"""How the packages are cut: what is public, and that nobody reaches into a sibling."""

import ast
import importlib
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent / "src" / "cccamd"
PACKAGES = sorted(path.parent.name for path in ROOT.glob("*/__init__.py"))
FILES = sorted(ROOT.rglob("*.py"))


def imports_of(path: Path) -> Iterator[ast.ImportFrom]:
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom) and node.module is not None:
            yield node


@pytest.mark.parametrize("name", PACKAGES)
def test_a_package_exports_what_it_imports_and_nothing_else(name: str) -> None:
    package = importlib.import_module(f"cccamd.{name}")
    imported = {
        alias.asname or alias.name
        for node in imports_of(ROOT / name / "__init__.py")
        for alias in node.names
    }
    assert imported == set(getattr(package, "__all__", ()))


@pytest.mark.parametrize("path", FILES, ids=[str(path.relative_to(ROOT)) for path in FILES])
def test_nobody_imports_an_inner_module_of_a_sibling(path: Path) -> None:
    own = path.relative_to(ROOT).parts[0]
    for node in imports_of(path):
        parts = (node.module or "").split(".")
        if parts[0] == "cccamd" and len(parts) > 2:
            assert parts[1] == own, f"line {node.lineno} imports {node.module}"


def test_test_modules_have_names_of_their_own() -> None:
    """pytest puts their folders side by side on the import path."""
    names = [
        path.name for path in Path(__file__).parent.rglob("*.py") if path.name != "conftest.py"
    ]
    assert sorted({name for name in names if names.count(name) > 1}) == []
