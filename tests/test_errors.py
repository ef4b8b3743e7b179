"""The tree drawn at the top of errors.py is that of the classes, and holds all of them."""

import importlib
import pkgutil
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

import cccamd
from cccamd import errors

_DRAWN = re.compile(
    r"^(?P<indent>(?:\| {3}| {4})*)(?P<branch>[|']-- )?(?P<name>[A-Z]\w+) {2,}"
    r"(?P<words>\S.*?)(?: +\((?P<home>cccamd[\w.]+)\))?$",
    re.MULTILINE,
)
FOR_PEOPLE, _, CAUGHT = (errors.__doc__ or "").partition("Where no room is named")
SOURCE = Path(cccamd.__file__).parent


def drawn(text: str) -> dict[str, tuple[str | None, str]]:
    """By name: the parent, and the module that has it."""
    found: dict[str, tuple[str | None, str]] = {}
    path: list[str] = []
    for line in _DRAWN.finditer(text):
        depth = len(line["indent"]) // 4 + bool(line["branch"])
        path[depth:] = [line["name"]]
        found[line["name"]] = (path[depth - 1] if depth else None, line["home"] or errors.__name__)
    return found


def declared() -> Iterator[type[Exception]]:
    """All exceptions that are declared in the package, but for private ones."""
    for module in pkgutil.walk_packages([str(SOURCE)], "cccamd."):
        if module.name == "cccamd.__main__":
            continue
        for name, value in vars(importlib.import_module(module.name)).items():
            is_error = isinstance(value, type) and issubclass(value, Exception)
            if is_error and value.__module__ == module.name and not name.startswith("_"):
                yield value


@pytest.mark.parametrize("text", [FOR_PEOPLE, CAUGHT], ids=["for people", "caught"])
def test_what_is_drawn_is_true(text: str) -> None:
    tree = drawn(text)
    assert len(tree) > 4
    for name, (parent, home) in tree.items():
        kind = getattr(importlib.import_module(home), name)
        assert kind.__module__.startswith(home), f"{name} is declared in {kind.__module__}"
        assert kind.__bases__[0].__name__ == (parent or "Exception"), name
        assert issubclass(kind, errors.CccamdError) == (text is FOR_PEOPLE), name


def test_every_error_of_ours_is_drawn() -> None:
    known = drawn(FOR_PEOPLE) | drawn(CAUGHT)
    strangers = [
        f"{kind.__module__}.{kind.__name__}" for kind in declared() if kind.__name__ not in known
    ]
    assert not strangers, "draw them in errors.py: for people, or caught in their own room"


def test_what_is_caught_in_its_own_room_is_named_in_no_other() -> None:
    for name, (_, home) in drawn(CAUGHT).items():
        room = home.split(".")[1]
        users = {
            path.relative_to(SOURCE).parts[0]
            for path in SOURCE.rglob("*.py")
            if re.search(rf"\b{name}\b", path.read_text())
        }
        assert users <= {room, "errors.py"}, f"{name} is no private matter of {room}"
