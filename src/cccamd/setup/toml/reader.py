"""Check tables against their models and collect what is wrong, with places."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from cccamd.setup.files import Place, Problem
from cccamd.setup.toml.explain import explain_value
from cccamd.setup.toml.positions import KeyPath, Positions

M = TypeVar("M", bound=BaseModel)


@dataclass(slots=True)
class TableReader:
    """Reads the tables of one file; `problems` grows meanwhile."""

    data: dict[str, Any]
    positions: Positions
    problems: list[Problem] = field(default_factory=list)
    places: dict[str, Place] = field(default_factory=dict)
    """Where each table stands that is used, by its heading in messages."""

    def add(self, at: Place, text: str, *, is_warning: bool = False) -> None:
        """Note a problem."""
        self.problems.append(Problem(place=at, text=text, is_warning=is_warning))

    def read_table(self, name: str, model: type[M]) -> M:
        """Read `[name]`; with a problem, or without the table, its defaults."""
        data = self.data.get(name, {})
        if isinstance(data, dict):
            read = self.validate(model, data, (name,), label=f"[{name}]")
            return model() if read is None else read
        self.add(self.positions.key((name,)), f"expected [{name}], with single brackets and once")
        return model()

    def tables(self, name: str) -> Iterator[tuple[KeyPath, dict[str, Any]]]:
        """List the tables `[[name]]` with their paths."""
        data = self.data.get(name, [])
        if not isinstance(data, list) or not all(isinstance(table, dict) for table in data):
            at = self.positions.key((name,))
            self.add(at, f"expected [[{name}]], with double brackets: there may be several")
            return
        for index, table in enumerate(data):
            yield (name, index), table

    def is_new(self, heading: str, path: KeyPath) -> bool:
        """Say whether no earlier table has this heading; else note a problem."""
        at = self.positions.key(path)
        first = self.places.setdefault(heading, at)
        if first is not at:
            text = f"{heading} is in line {first.line} already, which counts"
            self.add(at, f"{text} {_consequence(path)}")
        return first is at

    def validate(
        self,
        model: type[M],
        data: dict[str, Any],
        path: KeyPath,
        *,
        label: str,
        secret: bool = False,
        more_keys: Iterable[str] = (),
    ) -> M | None:
        """Check a table and note all that is wrong with it; None if anything is.

        `secret`: its values are never shown. `more_keys` are allowed in the table, but the
        business of another model.
        """
        try:
            return model.model_validate(data)
        except ValidationError as error:
            for detail in _innermost(error):
                place = (*path, *detail["loc"])
                written = "" if secret else self.positions.written(place)
                text = explain_value(detail, model=model, written=written, more_keys=more_keys)
                self.add(self._at(detail, place), f"{label} {text} {_consequence(path)}")
        except Exception as fault:  # a plug-in's own check: its text may repeat a secret
            text = f"{label} the kind's own check raised {type(fault).__name__}"
            self.add(self.positions.key(path), f"{text} {_consequence(path)}")
        return None

    def _at(self, detail: ErrorDetails, place: KeyPath) -> Place:
        is_about_key = detail["type"] in ("extra_forbidden", "missing")
        return self.positions.key(place) if is_about_key else self.positions.value(place)


def _innermost(error: ValidationError) -> list[ErrorDetails]:
    """List the findings but those about a list or table that has findings inside.

    Pydantic adds such a one: a list without its bad elements is too short.
    """
    details = error.errors(include_url=False, include_input=False)
    places = [detail["loc"] for detail in details]
    return [
        detail
        for detail, place in zip(details, places, strict=True)
        if not any(other[: len(place)] == place and other != place for other in places)
    ]


def _consequence(path: KeyPath) -> str:
    if len(path) == 1:
        return f"(so all of [{path[0]}] stays at its defaults)"
    return f"(so this [[{path[0]}]] is left out)"
