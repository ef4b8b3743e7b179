"""Each fact is declared once: the JSON, its description and the metrics follow from that."""

import ast
import inspect
import json
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import fields, is_dataclass
from itertools import pairwise
from typing import Any, get_args, get_origin, get_type_hints

import pytest
from browsing import ask
from contexts import full_context
from prometheus_client.parser import text_string_to_metric_families

from cccamd import facts
from cccamd.facts import Fact, FreezeReport, Metric
from cccamd.watch.metrics.counting import Metrics
from cccamd.watch.metrics.exposition import collect, metrics_text
from cccamd.web.api import Cards, IncidentList
from cccamd.web.app import create_app
from fact_factory import a_household

SHOWN = {
    "/api/status": facts.Status,
    "/api/cards": Cards,
    "/api/freezes": facts.FreezeReport,
    "/api/incidents": IncidentList,
    "/api/history": facts.HistoryReport,
}


def inside(kind: object) -> Iterator[type[Fact]]:
    """All facts that a type is made of, itself among them."""
    if is_dataclass(kind) and isinstance(kind, type):
        yield kind
        for hint in get_type_hints(kind).values():
            yield from inside(hint)
    for part in get_args(kind):
        yield from inside(part)


def kinds() -> set[type[Fact]]:
    return {kind for top in SHOWN.values() for kind in inside(top)}


def texts_of(kind: type[Fact]) -> dict[str, str]:
    """What is written below the fields of a class."""
    (body,) = ast.parse(inspect.getsource(kind)).body
    assert isinstance(body, ast.ClassDef)
    found = {}
    for field, text in pairwise(body.body):
        if isinstance(field, ast.AnnAssign) and isinstance(text, ast.Expr):
            assert isinstance(field.target, ast.Name)
            assert isinstance(text.value, ast.Constant)
            found[field.target.id] = inspect.cleandoc(text.value.value)
    return found


async def answer(path: str) -> Any:
    return json.loads((await ask(create_app(full_context()), path)).body)


async def test_every_fact_is_described_under_its_name_with_its_text() -> None:
    schemas = (await answer("/api"))["components"]["schemas"]
    for kind in kinds():
        described = schemas[kind.__name__]["properties"]
        assert list(described) == [field.name for field in fields(kind)]
        for declaring in set(kind.__mro__) - {Fact, object}:
            for name, text in texts_of(declaring).items():
                assert described[name]["description"] == text


@pytest.mark.parametrize("path", SHOWN)
async def test_every_fact_is_in_the_answer_under_its_name(path: str) -> None:
    compare(await answer(path), SHOWN[path])


def compare(value: Any, kind: Any) -> None:
    """Look for the fields of a dataclass in what JSON has of it, all the way down."""
    if is_dataclass(kind):
        assert list(value) == [field.name for field in fields(kind)]
        for name, one in value.items():
            compare(one, get_type_hints(kind)[name])
    elif isinstance(value, list):
        for one in value:
            compare(one, get_args(kind)[0])
    elif isinstance(value, dict) and get_origin(kind) is not Mapping:
        compare(value, next(part for part in get_args(kind) if is_dataclass(part)))


def test_every_fact_with_a_metric_is_one() -> None:
    text, _ = metrics_text(collect(Metrics(), a_household(), FreezeReport()))
    found = {one.name: one.documentation for one in text_string_to_metric_families(text.decode())}
    declared = [note for kind in kinds() for note in notes_of(kind)]
    assert len(declared) > 5
    for note in declared:
        assert found[note.name] == note.text


def notes_of(kind: type[Fact]) -> Iterator[Metric]:
    for hint in get_type_hints(kind, include_extras=True).values():
        yield from (one for one in getattr(hint, "__metadata__", ()) if isinstance(one, Metric))


def test_facts_alone_load_no_library() -> None:
    """Whoever knows the facts of a server need not write JSON."""
    code = "import cccamd.facts, sys; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True, text=True)
    assert not {"pydantic", "fastapi", "starlette", "asyncio"} & set(done.stdout.split())
