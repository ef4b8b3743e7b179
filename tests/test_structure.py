"""How the packages are cut: what is public, and that nobody reaches into a sibling."""

import ast
import importlib
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent / "src" / "cccamd"
PACKAGES = {
    ".".join(("cccamd", *path.parent.relative_to(ROOT).parts)): path
    for path in sorted(ROOT.glob("**/*/__init__.py"))
}
"""Every folder of modules below `cccamd`, by its name."""
FILES = sorted(ROOT.rglob("*.py"))


def imports_of(path: Path) -> Iterator[ast.ImportFrom]:
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom) and node.module is not None:
            yield node


def has_facade(name: str) -> bool:
    """Whether a package says itself what of it is for others."""
    return bool(getattr(importlib.import_module(name), "__all__", ()))


@pytest.mark.parametrize("name", PACKAGES)
def test_a_package_exports_what_it_imports_and_nothing_else(name: str) -> None:
    package = importlib.import_module(name)
    imported = {
        alias.asname or alias.name
        for node in imports_of(PACKAGES[name])
        for alias in node.names
        if alias.name != "TYPE_CHECKING"
    }
    assert imported == set(getattr(package, "__all__", ()))


def test_somebody_uses_what_a_package_exports() -> None:
    """In the code, its tests, its benchmarks, or an example of the documents."""
    project = ROOT.parents[1]
    folders = (project / name for name in ("src", "tests", "bench", "docs"))
    texts = "".join(
        path.read_text()
        for folder in folders
        for path in folder.rglob("*")
        if path.suffix in (".py", ".md") and path.name != "__init__.py"
    )
    for name in PACKAGES:
        used = {
            word
            for names in re.findall(rf"from {re.escape(name)} import (\([^)]*\)|.*)", texts)
            for word in re.findall(r"\w+", names)
        }
        exported = set(getattr(importlib.import_module(name), "__all__", ()))
        assert exported <= used, f"nobody takes {exported - used} from {name}"


@pytest.mark.parametrize("path", FILES, ids=[str(path.relative_to(ROOT)) for path in FILES])
def test_nobody_imports_an_inner_module_of_another_package(path: Path) -> None:
    """Packages without a facade, as `wire`, may be passed through."""
    for node in imports_of(path):
        module = node.module or ""
        package = module.rpartition(".")[0]
        if module in PACKAGES or package not in PACKAGES or not has_facade(package):
            continue
        inside = path.is_relative_to(PACKAGES[package].parent)
        assert inside, f"line {node.lineno} imports {module}"


def test_test_modules_have_names_of_their_own() -> None:
    """pytest puts their folders side by side on the import path."""
    names = [
        path.name for path in Path(__file__).parent.rglob("*.py") if path.name != "conftest.py"
    ]
    assert sorted({name for name in names if names.count(name) > 1}) == []


DOCS = ROOT.parents[1] / "docs"
_NUMBER = r"[0-9]+(?:\.[0-9]+)*\b"
_CITED = re.compile(
    rf"docs/(?P<file>[\w/.-]+\.(?:md|json))"
    rf"(?:,? sections? (?P<sections>{_NUMBER}(?:(?:, | and | to ){_NUMBER})*))?"
)
_SOURCE = re.compile(r"\b(?:src/cccamd|tests|bench|scripts)/[\w/.-]+\.\w+")
_HEADING = re.compile(r"^(?:#+ (?P<number>[0-9][0-9.]*)|(?P<item>[0-9]+)\.) ", re.MULTILINE)


def sections_of(document: Path) -> set[str]:
    """The numbers of its headings; numbered points count as parts of their section."""
    found: set[str] = set()
    section = ""
    for line in _HEADING.finditer(document.read_text()):
        if line["number"]:
            section = line["number"].rstrip(".")
        found.add(section if line["number"] else f"{section}.{line['item']}")
    return found


def test_every_file_and_section_that_is_cited_exists() -> None:
    project = DOCS.parent
    texts = [
        *FILES,
        *Path(__file__).parent.rglob("*.py"),
        *DOCS.rglob("*.md"),
        project / "README.md",
    ]
    cited = 0
    for path in texts:
        for source in _SOURCE.findall(path.read_text()):
            assert (project / source).exists(), f"{path} cites {source}"
        for citation in _CITED.finditer(" ".join(path.read_text().split())):
            document = DOCS / citation["file"]
            assert document.exists(), f"{path} cites {document.name}"
            numbers = set(re.findall(_NUMBER, citation["sections"] or ""))
            missing = numbers - sections_of(document) if numbers else set()
            assert not missing, f"{path} cites {document.name}, sections {missing}"
            cited += len(numbers)
    assert cited > 40, "the pattern finds nothing any more"
