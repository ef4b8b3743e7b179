"""Change the source one spot at a time and see which changes no test notices.

Usage: python scripts/mutants.py [room or file ...] [--sample N] [--seed S]
           [--budget SECONDS] [--report FILE] [--again FILE]

A mutant inside a function costs a fork of this process, in which everything is imported and
the tests are collected: its code is put in the function's place, and the tests that ran
through its line in a first, unchanged run are run again, the fastest first, until one fails.
A mutant of a module or a class itself (constants, fields) costs a fork that imports anew and
runs all tests near to it.
"""

import argparse
import ast
import copy
import functools
import gc
import importlib.machinery
import os
import random
import signal
import sys
import threading
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from types import CodeType, FrameType, FunctionType
from typing import Any

import hypothesis
import pytest

ROOT = Path(__file__).resolve().parent.parent
SOURCE = ROOT / "src" / "cccamd"
ROOMS = {
    "wire": ["wire", "cards/test_announcing.py", "net", "server"],
    "cards": ["cards", "routing", "why", "server"],
    "routing": ["routing", "server"],
    "net": ["net", "server"],
    "lab/cas": [f"lab/test_{name}.py" for name in ("ecm", "emm", "keys", "open_card")]
    + [f"lab/test_{name}.py" for name in ("sections", "smartcard", "storage", "worked_example")],
}
"""Each room with the tests that are to guard it."""
FAR_TESTS = {"server", "why"}
"""Whole servers: they take too long to be run for every mutant that needs an import of its own."""
PATIENCE = 3.0
"""Seconds a test may take besides five times what it took unchanged."""
COLD_PATIENCE = 120
KILLED, SURVIVED = 1, 0
UNREACHED = " (no test comes here)"

COMPARISONS: dict[type[ast.cmpop], type[ast.cmpop]] = {
    ast.Lt: ast.LtE, ast.LtE: ast.Lt, ast.Gt: ast.GtE, ast.GtE: ast.Gt,
    ast.Eq: ast.NotEq, ast.NotEq: ast.Eq, ast.Is: ast.IsNot, ast.IsNot: ast.Is,
    ast.In: ast.NotIn, ast.NotIn: ast.In,
}  # fmt: skip
OPERATORS: dict[type[ast.operator], type[ast.operator]] = {
    ast.Add: ast.Sub, ast.Sub: ast.Add, ast.Mult: ast.Add, ast.Div: ast.Mult,
    ast.FloorDiv: ast.Mult, ast.Mod: ast.FloorDiv, ast.LShift: ast.RShift,
    ast.RShift: ast.LShift, ast.BitAnd: ast.BitOr, ast.BitOr: ast.BitAnd, ast.BitXor: ast.BitOr,
}  # fmt: skip
NEGATIONS = (ast.Eq, ast.NotEq, ast.Is, ast.IsNot, ast.In, ast.NotIn)
"""Comparisons that are negated by being replaced."""


@dataclass(slots=True)
class Mutant:
    """One change: `node` is to stand at a place of the tree."""

    path: Path
    tree: ast.Module
    place: tuple[ast.AST, str, int | None]
    """A node, one of its fields, and which of a list there."""
    node: ast.AST
    what: str
    lines: range
    function: tuple[str, int] | None
    """Qualified name and first line of the outermost function around it, if there is one."""

    def __str__(self) -> str:
        text = self.path.read_text().splitlines()[self.lines.start - 1].strip()
        return f"{self.path.relative_to(ROOT)}:{self.lines.start}: {self.what}:  {text}"

    def compile(self) -> CodeType:
        """The changed module's code; the tree is as before afterwards."""
        parent, field, index = self.place
        before = getattr(parent, field)
        if index is None:
            setattr(parent, field, self.node)
        else:
            setattr(parent, field, [*before[:index], self.node, *before[index + 1 :]])
        try:
            return compile(ast.fix_missing_locations(self.tree), str(self.path), "exec")
        finally:
            setattr(parent, field, before)

    def function_code(self) -> CodeType:
        """The changed code of the function."""
        return next(code for code in _codes(self.compile()) if _name(code) == self.function)


def _codes(code: CodeType) -> Iterator[CodeType]:
    yield code
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield from _codes(constant)


def _name(code: CodeType) -> tuple[str, int]:
    return code.co_qualname, code.co_firstlineno


class Finder:
    """Finds every change in a file that the rules of this file allow."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.tree = ast.parse(path.read_text())
        self.mutants: list[Mutant] = []
        self._classes: list[str] = []
        self._function: tuple[str, int] | None = None
        self._lines = range(0)
        self._visit_fields(self.tree)

    def _visit_fields(self, node: ast.AST, skip: Iterable[str] = ()) -> None:
        for field, value in ast.iter_fields(node):
            if field in {"annotation", "returns", "decorator_list", "bases", *skip}:
                continue
            for index, each in enumerate(value if isinstance(value, list) else [value]):
                if isinstance(each, ast.AST):
                    self._visit(each, node, field, index if isinstance(value, list) else None)

    def _visit(self, node: ast.AST, parent: ast.AST, field: str, index: int | None) -> None:
        if isinstance(node, (ast.stmt, ast.excepthandler, ast.match_case)):
            self._lines = _header(node)
        for what, changed in _changes(node, inside=self._function is not None):
            place = parent, field, index
            mutant = Mutant(self.path, self.tree, place, changed, what, self._lines, self._function)
            self.mutants.append(mutant)
        if isinstance(node, ast.ClassDef):
            self._classes.append(node.name)
            self._visit_fields(node)
            self._classes.pop()
        elif isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            self._visit_function(node)
        elif not isinstance(node, (ast.Import, ast.ImportFrom, ast.JoinedStr)):
            self._visit_fields(node)

    def _visit_function(self, node: ast.FunctionDef | ast.AsyncFunctionDef) -> None:
        if node.name == "__repr__":
            return  # for programmers only
        self._visit(node.args, node, "args", None)
        outer = self._function
        if outer is None:
            first = min([node.lineno, *(each.lineno for each in node.decorator_list)])
            self._function = (".".join([*self._classes, node.name]), first)
        self._visit_fields(node, skip=["args"])
        self._function = outer


def _header(node: ast.AST) -> range:
    """The lines of a statement without those of the statements in it."""
    first, last = getattr(node, "lineno", 0), getattr(node, "end_lineno", 0)
    if isinstance(node, ast.match_case):
        first, last = node.pattern.lineno, node.pattern.end_lineno
    elif body := getattr(node, "body", None):
        last = max(first, body[0].lineno - 1)
    return range(first, last + 1)


def _changes(node: ast.AST, *, inside: bool) -> Iterator[tuple[str, ast.AST]]:
    yield from _removals(node)
    match node:
        case ast.Compare(ops=[ast.cmpop() as op]) if type(op) in COMPARISONS:
            other = COMPARISONS[type(op)]
            yield f"{_sign(op)} -> {_sign(other())}", _with(node, ops=[other()])
        case ast.BoolOp(op=ast.And()):
            yield "and -> or", _with(node, op=ast.Or())
        case ast.BoolOp():
            yield "or -> and", _with(node, op=ast.And())
        case ast.UnaryOp(op=ast.Not()):
            yield "not dropped", node.operand
        case ast.UnaryOp(op=ast.USub()):
            yield "minus dropped", node.operand
        case ast.BinOp() | ast.AugAssign() if type(node.op) in OPERATORS:
            if inside and not isinstance(getattr(node, "left", None), (ast.JoinedStr, ast.List)):
                other_op = OPERATORS[type(node.op)]
                yield f"{_sign(node.op)} -> {_sign(other_op())}", _with(node, op=other_op())
        case ast.Constant(value=bool() as value):
            yield f"{value} -> {not value}", _with(node, value=not value)
        case ast.Constant(value=int() | float() as number):
            yield f"{number} -> {number + 1}", _with(node, value=number + 1)
        case ast.Constant(value=bytes() as text) if text:
            yield "other first byte", _with(node, value=bytes([text[0] ^ 1]) + text[1:])
        case ast.If() | ast.While() | ast.IfExp() if _negatable(node.test):
            yield "condition negated", _with(node, test=_not(node.test))
        case ast.comprehension(ifs=[test]) if _negatable(test):
            yield "filter negated", _with(node, ifs=[_not(test)])
        case ast.match_case(guard=ast.expr() as guard) if _negatable(guard):
            yield "guard negated", _with(node, guard=_not(guard))


def _removals(node: ast.AST) -> Iterator[tuple[str, ast.AST]]:
    gone = ast.Pass()
    if isinstance(node, ast.stmt):
        ast.copy_location(gone, node)
    match node:
        case ast.Expr(value=ast.Call() | ast.Await() | ast.Yield() | ast.YieldFrom()):
            yield "call removed", gone
        case ast.Assign(targets=[ast.Attribute() | ast.Subscript(), *_]):
            yield "assignment removed", gone
        case ast.AnnAssign(target=ast.Attribute(), value=ast.expr()):
            yield "assignment removed", gone
        case ast.AugAssign() | ast.Delete() | ast.Raise() | ast.Continue() | ast.Break():
            yield f"{type(node).__name__.lower()} removed", gone
        case ast.Return(value=ast.expr() as value):
            if not (isinstance(value, ast.Constant) and value.value is None):
                yield "returns None", _with(node, value=ast.Constant(None))


def _with(node: ast.AST, **fields: object) -> ast.AST:
    changed = copy.copy(node)
    for name, value in fields.items():
        setattr(changed, name, value)
    return changed


def _not(test: ast.expr) -> ast.expr:
    return ast.copy_location(ast.UnaryOp(ast.Not(), test), test)


def _negatable(test: ast.expr) -> bool:
    """Whether negating it is none of the other changes."""
    if isinstance(test, ast.Compare):
        return not isinstance(test.ops[0], NEGATIONS)
    return not (isinstance(test, ast.UnaryOp) and isinstance(test.op, ast.Not))


def _sign(op: ast.AST) -> str:
    one, two = ast.Name("a", ast.Load()), ast.Name("b", ast.Load())
    if isinstance(op, ast.cmpop):
        return ast.unparse(ast.Compare(one, [op], [two]))[1:-1].strip()
    assert isinstance(op, ast.operator)
    return ast.unparse(ast.BinOp(one, op, two))[1:-1].strip()


class Runner:
    """A pytest plugin: runs the tests once unchanged, then some of them for each mutant."""

    def __init__(self, mutants: list[Mutant], note: "Ledger", *, budget: float) -> None:
        self.mutants = mutants
        self._budget = budget
        self._note = note
        self._paths = {str(mutant.path) for mutant in mutants}
        self._reached: dict[tuple[str, int], set[int]] = defaultdict(set)
        self._seconds: list[float] = []
        self._functions: dict[tuple[str, tuple[str, int]], list[FunctionType]] = defaultdict(list)
        self._caches: list[functools._lru_cache_wrapper[object]] = []
        self._failed = False
        self._present = 0

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Take note of a failure."""
        self._failed = self._failed or report.failed

    def pytest_runtestloop(self, session: pytest.Session) -> bool:
        """All of it."""
        for self._present, item in enumerate(session.items):
            self._run_unchanged(session, item)
            if self._failed:
                raise session.Failed("the tests fail before anything was changed")
        for thing in gc.get_objects():
            if isinstance(thing, FunctionType) and thing.__code__.co_filename in self._paths:
                name = thing.__code__.co_filename, _name(thing.__code__)
                self._functions[name].append(thing)
            elif isinstance(thing, functools._lru_cache_wrapper):
                self._caches.append(thing)
        gc.freeze()
        for mutant in self.mutants:
            reached = set[int]().union(
                *(self._reached[str(mutant.path), line] for line in mutant.lines)
            )
            chosen = self._within_budget(reached)
            if not chosen:
                self._note.unreached(mutant)
                continue
            self._note.ended(mutant, _forked(partial(self._try, session, mutant, chosen)))
        return True

    def _within_budget(self, reached: Iterable[int]) -> list[int]:
        chosen: list[int] = []
        left = self._budget
        for number in sorted(reached, key=lambda number: self._seconds[number]):
            left -= self._seconds[number]
            if chosen and left < 0:
                break
            chosen.append(number)
        return chosen

    def _run_unchanged(self, session: pytest.Session, item: pytest.Item) -> None:
        following = session.items[self._present + 1 : self._present + 2]
        began = time.monotonic()
        sys.settrace(self._trace)
        threading.settrace(self._trace)
        item.config.hook.pytest_runtest_protocol(
            item=item, nextitem=following[0] if following else None
        )
        sys.settrace(None)
        threading.settrace(None)
        self._seconds.append(time.monotonic() - began)

    def _trace(self, frame: FrameType, what: str, _: object) -> Any:
        path = frame.f_code.co_filename
        if path not in self._paths:
            return None
        self._reached[path, frame.f_lineno].add(self._present)
        return self._trace

    def _try(self, session: pytest.Session, mutant: Mutant, chosen: list[int]) -> int:
        code = mutant.function_code()
        assert mutant.function is not None
        for function in self._functions[str(mutant.path), mutant.function]:
            function.__code__ = code
        for cache in self._caches:
            cache.cache_clear()
        for place, number in enumerate(chosen):
            signal.setitimer(signal.ITIMER_REAL, PATIENCE + 5 * self._seconds[number])
            following = session.items[chosen[place + 1]] if place + 1 < len(chosen) else None
            item = session.items[number]
            item.config.hook.pytest_runtest_protocol(item=item, nextitem=following)
            if self._failed:
                return KILLED
        return SURVIVED


def _forked(work: Callable[[], int]) -> int:
    """What `work` returns in a process of its own; negative: the signal that ended it."""
    child = os.fork()
    if child == 0:
        os.setpgid(0, 0)
        nothing = os.open(os.devnull, os.O_RDWR)
        for stream in (0, 1, 2):
            os.dup2(nothing, stream)
        status = KILLED
        try:
            status = work()
        finally:
            os._exit(status)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def _try_cold(mutant: Mutant, *, changed: bool = True) -> int:
    """Import everything anew with one module changed, and run the tests near to it."""
    code = mutant.compile()
    usual = importlib.machinery.SourceFileLoader.get_code

    def get_code(loader: Any, name: str) -> CodeType | None:
        here = changed and loader.path == str(mutant.path)
        return code if here else usual(loader, name)

    setattr(importlib.machinery.SourceFileLoader, "get_code", get_code)  # noqa: B010  for mypy
    signal.alarm(COLD_PATIENCE)
    near = [test for test in _tests(mutant) if test not in FAR_TESTS]
    status = pytest.main([*OPTIONS, "-x", *_paths(near)])
    return SURVIVED if status == pytest.ExitCode.OK else KILLED


def _room(path: Path) -> str:
    return next(room for room in ROOMS if path.is_relative_to(SOURCE / room))


def _tests(mutant: Mutant) -> list[str]:
    return ROOMS[_room(mutant.path)]


def _paths(tests: Iterable[str]) -> list[str]:
    return [str(ROOT / "tests" / test) for test in tests]


OPTIONS = ["-o", "addopts=--strict-markers", "-p", "no:terminal", "--capture=sys"]
OPTIONS += ["-p", "no:cacheprovider", "-p", "no:xdist", "--hypothesis-profile=mutants"]
OPTIONS += ["-W", "ignore::pytest.PytestAssertRewriteWarning"]  # hypothesis is imported here


class Ledger:
    """Counts, and writes each survivor down as soon as it is known."""

    def __init__(self, report: Path | None) -> None:
        self.counts: dict[Path, Counter[str]] = defaultdict(Counter)
        self._report = report.open("w") if report else None

    def ended(self, mutant: Mutant, status: int) -> None:
        """Count one."""
        kind = {KILLED: "killed", SURVIVED: "survived", -signal.SIGALRM: "timed out"}
        self._count(mutant, kind.get(status, "killed"))

    def unreached(self, mutant: Mutant) -> None:
        """Count one that no test comes by."""
        self._count(mutant, "survived", UNREACHED)

    def _count(self, mutant: Mutant, kind: str, note: str = "") -> None:
        self.counts[mutant.path][kind] += 1
        if kind == "survived":
            self.say(f"{mutant}{note}")

    def say(self, text: str) -> None:
        """Print, and keep."""
        print(text, file=sys.__stdout__, flush=True)
        if self._report:
            print(text, file=self._report, flush=True)

    def table(self) -> Iterator[str]:
        """One line per file and room."""
        yield f"{'':40}{'mutants':>9}{'killed':>9}{'survived':>9}{'timed out':>10}"
        rooms: dict[str, Counter[str]] = defaultdict(Counter)
        for path, counts in sorted(self.counts.items()):
            rooms[_room(path)].update(counts)
            yield _row(str(path.relative_to(SOURCE)), counts)
        for room, counts in rooms.items():
            yield _row(f"all of {room}", counts)


def _row(name: str, counts: Counter[str]) -> str:
    killed, survived, late = counts["killed"], counts["survived"], counts["timed out"]
    return f"{name:40}{counts.total():>9}{killed:>9}{survived:>9}{late:>10}"


def _needs_import(mutant: Mutant) -> bool:
    """Whether it cannot be put in place of a function that exists already."""
    if mutant.function is None:
        return True
    usual = compile(mutant.tree, str(mutant.path), "exec")
    before = next(code for code in _codes(usual) if _name(code) == mutant.function)
    changed = mutant.function_code()
    return changed.co_freevars != before.co_freevars


def main() -> None:
    """Run what the command line asks for."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("places", nargs="*", default=list(ROOMS))
    parser.add_argument("--sample", type=int, metavar="N", help="try N mutants taken by chance")
    parser.add_argument("--seed", type=int, default=1, help="for --sample")
    parser.add_argument("--again", type=Path, metavar="REPORT", help="try its survivors only")
    text = "seconds of tests per mutant, as long as they took unchanged (and watched)"
    parser.add_argument("--budget", type=float, default=3.0, help=text)
    parser.add_argument("--report", type=Path, help="write survivors and the table there, too")
    wanted = parser.parse_args()
    paths = [
        path
        for place in (SOURCE / each for each in wanted.places)
        for path in (sorted(place.rglob("*.py")) if place.is_dir() else [place])
    ]
    mutants = [mutant for path in paths for mutant in Finder(path).mutants]
    if wanted.again is not None:
        lines = {line.removesuffix(UNREACHED) for line in wanted.again.read_text().splitlines()}
        mutants = [mutant for mutant in mutants if str(mutant) in lines]
    if wanted.sample is not None and wanted.sample < len(mutants):
        mutants = random.Random(wanted.seed).sample(mutants, wanted.sample)
        mutants.sort(key=lambda mutant: (str(mutant.path), mutant.lines.start))
    hypothesis.settings.register_profile(
        "mutants",
        database=None,
        deadline=None,
        derandomize=True,
        max_examples=60,
        phases=[hypothesis.Phase.explicit, hypothesis.Phase.generate],
    )
    ledger = Ledger(wanted.report)
    cold = [mutant for mutant in mutants if _needs_import(mutant)]
    warm = [mutant for mutant in mutants if not any(mutant is each for each in cold)]
    ledger.say(f"{len(mutants)} mutants, {len(cold)} of them with an import of their own")
    for mutant in {_room(mutant.path): mutant for mutant in cold}.values():
        if _forked(partial(_try_cold, mutant, changed=False)) != SURVIVED:
            sys.exit(f"tests of {_room(mutant.path)} fail before anything was changed")
    for mutant in cold:
        ledger.ended(mutant, _forked(partial(_try_cold, mutant)))
    tests = dict.fromkeys(test for mutant in warm for test in _tests(mutant))
    if warm:
        runner = Runner(warm, ledger, budget=wanted.budget)
        status = pytest.main([*OPTIONS, *_paths(tests)], [runner])
        if runner._failed:
            sys.exit(int(status))
    for line in ledger.table():
        ledger.say(line)


if __name__ == "__main__":
    main()
