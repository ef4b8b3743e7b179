"""What the server tells of its configuration: taken, refused, left out, waiting."""

from dataclasses import replace
from pathlib import Path

import pytest

from cccamd.facts import ConfigProblemKind
from cccamd.server.configbook import PROBLEMS_LIMIT, ConfigBook
from cccamd.setup.changes import changes_between, other_sources
from cccamd.setup.setup import Setup, load_setup


def load(folder: Path, cfg: str, toml: str = "") -> Setup:
    (folder / "CCcam.cfg").write_text(cfg)
    (folder / "cccamd.toml").write_text(toml)
    return load_setup(folder / "CCcam.cfg", None)


def test_a_refusal_stands_until_files_are_taken(tmp_path: Path) -> None:
    good = load(tmp_path, "F: anna secret\n")
    book = ConfigBook(good, 100.0)
    bad = load(tmp_path, "F: anna secret\n", "[limits")
    assert book.refused(bad.doubt, 200.0)
    assert not book.refused(bad.doubt, 260.0)  # no news
    state = book.state()
    assert (state.taken, state.read_at, state.tried_at) == (False, 100.0, 260.0)
    assert state.refused_since == 200.0
    assert state.refusal.startswith(f"{tmp_path / 'cccamd.toml'}:1:")
    book.took(good, (), 300.0)
    state = book.state()
    assert (state.taken, state.refusal, state.refused_since) == (True, "", None)
    assert state.read_at == 300.0


def test_what_is_left_out_is_told_with_its_place_and_without_secrets(tmp_path: Path) -> None:
    prio, names = tmp_path / "a.prio", tmp_path / "names"
    prio.write_text("I: 0500\nnonsense\n1802:000000,004801\nP: 1802:000000,004801\n")
    names.write_text("nonsense\n" * 3)
    cfg = (
        "F: anna\n"
        "F: bob hunter2 x\n"
        "C: host.example 99999 me hunter2\n"
        "N: 192.0.2.1 15000 u hunter2 0102030405060708091011121314\n"
        f"CAID PRIO FILE : {prio}\nCHANNELINFO FILE : {names}\n"
        f"PROVIDERINFO FILE : {tmp_path}\n"
    )
    toml = '[[card]]\nkind = "tset"\ncaid = "0500"\n'
    state = ConfigBook(load(tmp_path, cfg, toml), 0.0).state()
    left_out = {
        (Path(problem.file).name, problem.line)
        for problem in state.problems
        if problem.kind is ConfigProblemKind.LEFT_OUT
    }
    assert left_out == {
        ("CCcam.cfg", 1),
        ("CCcam.cfg", 2),
        ("CCcam.cfg", 3),
        ("cccamd.toml", 2),
        ("a.prio", 2),
        ("a.prio", 3),
        ("names", 1),
        (tmp_path.name, None),
    }
    assert state.left_out == len(left_out)
    doubtful = [found for found in state.problems if found.kind is ConfigProblemKind.DOUBTFUL]
    assert [(Path(found.file).name, found.line) for found in doubtful] == [("a.prio", 4)]
    assert "hunter2" not in str(state)


def test_thousands_of_bad_lines_are_counted_and_some_are_told(tmp_path: Path) -> None:
    state = ConfigBook(load(tmp_path, "F: x\n" * 5000 + "F: a b\n"), 0.0).state()
    assert len(state.problems) == PROBLEMS_LIMIT
    assert state.left_out == 5000


def test_what_the_system_refuses_stands_until_it_is_carried_out(tmp_path: Path) -> None:
    book = ConfigBook(load(tmp_path, "F: a b\nLOG FILE : /x/y\n"), 0.0)
    book.carried_out("LOG FILE", "cannot write the log to /x/y: there is no such folder")
    (problem,) = book.state().problems
    assert (problem.kind, problem.line) == (ConfigProblemKind.NOT_DONE, 2)
    book.carried_out("LOG FILE")
    assert not book.state().problems


def test_a_setting_that_waits_for_a_restart_waits_until_it_is_set_back(tmp_path: Path) -> None:
    start = load(tmp_path, "F: a b\n")
    book = ConfigBook(start, 0.0)
    book.took(load(tmp_path, "F: a b\n", "[journal]\ndays = 7\n"), (), 1.0)
    book.took(load(tmp_path, "F: a c\n", "[journal]\ndays = 7\n"), (), 2.0)
    (problem,) = book.state().problems
    assert problem.kind is ConfigProblemKind.WAITS
    assert "[journal] days" in problem.text
    book.took(start, (), 3.0)
    assert not book.state().waiting


def test_what_changed_is_told_by_names_alone(tmp_path: Path) -> None:
    before = load(
        tmp_path,
        "F: anna secret1\nF: bob secret2\nF: carl secret3\nC: one.example 12000 me secret4\n"
        "WEBINFO PASSWORD : secret5\n",
        '[[card]]\nkind = "test"\nname = "attic"\ncaid = "0500"\n',
    )
    after = load(
        tmp_path,
        "# a line more\nF: anna secret1\nF: carl secret6\nF: dora secret7\n"
        "C: two.example 12000 me secret4\nWEBINFO PASSWORD : secret8\n",
        '[cache]\nseconds = 9\n[[card]]\nkind = "test"\nname = "attic"\ncaid = "0600"\n',
    )
    changes = changes_between(before, after)
    assert changes == (
        "accounts: added dora; removed bob; changed carl",
        "C-lines: added two.example:12000; removed one.example:12000",
        "local cards: changed attic",
        "settings: changed WEBINFO PASSWORD, [cache] seconds",
    )
    book = ConfigBook(before, 0.0)
    book.took(after, changes, 1.0)
    assert book.state().changes == changes
    assert "secret" not in str(book.state())
    assert changes_between(after, replace(after)) == ()


@pytest.mark.parametrize(
    ("cfg", "toml", "others"),
    [
        ("# a line more\nF: a b\nC: h.example 1 me x\n", "", False),
        ("F: a c\nF: d e\nC: h.example 1 me x\n", "[cache]\nseconds = 9\n", False),
        ("F: a b\nC: h.example 1 me y\n", "", True),
        ("F: a b\n", "", True),
        ("F: a b\nC: h.example 1 me x\n", '[server]\ncccversion = "2.1.1"\n', True),
        ("F: a b\nC: h.example 1 me x\n", '[[card]]\nkind = "test"\ncaid = "0500"\n', True),
    ],
)
def test_a_change_of_sources_is_told_from_others(
    tmp_path: Path, cfg: str, toml: str, others: bool
) -> None:
    """Only after such a one links and cards are on their way up."""
    before = load(tmp_path, "F: a b\nC: h.example 1 me x\n")
    assert other_sources(before, load(tmp_path, cfg, toml)) is others


def test_thousands_of_changes_are_a_sentence(tmp_path: Path) -> None:
    few = load(tmp_path, "F: a b\n")
    many = load(tmp_path, "F: a b\n" + "".join(f"F: u{n} p\n" for n in range(3000)))
    (told,) = changes_between(few, many)
    assert told.endswith("u9 and 2,990 more")
