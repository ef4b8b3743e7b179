"""Files as large as they may be: what costs too much is not done for each of a million mistakes."""

import tomllib
from dataclasses import replace
from itertools import product
from pathlib import Path
from random import Random

import pytest

from cccamd.localcards import find_kinds
from cccamd.setup.cccamcfg import Severity, as_json, diagnostics, parse
from cccamd.setup.cccamcfg.classify import LINE_LIMIT
from cccamd.setup.cccamcfg.diagnostics import TOLD_LIMIT
from cccamd.setup.cccamcfg.endings import Endings
from cccamd.setup.cccamcfg.reader import FileReader
from cccamd.setup.toml import ParsedToml, language, parser, reader
from cccamd.setup.toml.fields import LIST_LIMIT
from cccamd.setup.toml.parser import SIZE_LIMIT
from cccamd.setup.toml.parser import parse as parse_toml
from cccamd.setup.toml.positions import PARTS_LIMIT
from cccamd.setup.toml.reader import FINDINGS_LIMIT, PROBLEMS_LIMIT


def test_a_line_of_megabytes_is_ignored_and_the_others_are_read() -> None:
    text = "F: u p 2 0 0 { " + "0:0:2, " * (LINE_LIMIT // 7) + "}\nF: anna secret\n"
    found = parse(text.encode())
    assert [line.user for line in found.config.f_lines] == ["anna"]
    assert [each.text for each in found.diagnostics] == [
        "a line of more than 262,144 characters; it is ignored"
    ]


def test_of_a_cccam_cfg_full_of_mistakes_some_are_told_and_the_rest_counted() -> None:
    wrong = "F: user secret 300\n" * (TOLD_LIMIT + 5)
    doubtful = "what is this\n" * (TOLD_LIMIT + 7)
    found = parse((wrong + doubtful + "f: anna secret\n").encode())
    assert (found.count(Severity.ERROR), found.count(Severity.WARNING)) == (
        TOLD_LIMIT + 5,
        TOLD_LIMIT + 8,
    )
    assert len(found.diagnostics) == 2 * TOLD_LIMIT
    assert len(found.config.refused_lines) == TOLD_LIMIT
    assert as_json(found, show_secrets=False)["untold"] == {"E": 5, "W": 8}
    assert "untold" not in as_json(parse(b"F: anna secret 300\n"), show_secrets=False)


def test_each_repetition_names_the_line_that_counts() -> None:
    found = parse(b"F: anna one\nF: anna two\nF: anna two\nF: anna one\nF: ben one\n")
    assert [line.user for line in found.config.f_lines] == ["anna", "ben"]
    assert [(each.place.line, each.text) for each in found.diagnostics] == [
        (line, "the user is defined in line 1, which counts") for line in (2, 3, 4)
    ]


def test_of_a_table_full_of_mistakes_some_are_told_and_the_rest_counted() -> None:
    text = "[network]\nallow = [" + '"nothing", ' * 5_000 + "]\n"
    found = parse_toml(text, kinds=find_kinds(), folder=Path())
    assert len(found.problems) == FINDINGS_LIMIT + 1
    assert any("4,800 more such places" in each.text for each in found.problems)


def test_of_a_file_full_of_mistakes_some_are_told_and_the_rest_counted() -> None:
    unknown = "".join(f"[nothing{number}]\n" for number in range(PROBLEMS_LIMIT + 3))
    accounts = "[[account]]\na = 1\nb = 2\n" * 2
    found = parse_toml(unknown + accounts, kinds=find_kinds(), folder=Path())
    assert len(found.problems) == PROBLEMS_LIMIT + 1
    last = found.problems[-1]
    assert last.text == f"and {3 + 2 * 3:,} more problems in this file"
    assert not last.is_warning


def test_a_wrong_list_that_nobody_is_told_of_counts_once() -> None:
    unknown = "".join(f"[nothing{number}]\n" for number in range(PROBLEMS_LIMIT))
    account = '[[account]]\nuser = "anna"\ngroups = [0, 1, 0]\n'
    found = parse_toml(unknown + account, kinds=find_kinds(), folder=Path())
    assert found.problems[-1].text == "and 1 more problems in this file"


def test_of_unknown_tables_the_first_are_told() -> None:
    unknown = "".join(f"[nothing{number}]\n" for number in range(PROBLEMS_LIMIT + 1))
    found = parse_toml(unknown, kinds=find_kinds(), folder=Path())
    lines = [each.place.line for each in found.problems[:-1]]
    assert lines == list(range(1, PROBLEMS_LIMIT + 1))


@pytest.mark.parametrize(
    ("line", "name"),
    [
        ('[[account]]\nuser = "u{}"\nlogins = 2\n', "accounts"),
        ('[[upstream]]\nhost = "h{}"\nport = 1\nuser = "u"\ngroup = "g"\n', "upstreams"),
        ('[[card]]\nkind = "test"\nname = "{}"\ncaid = "0B00"\n', "cards"),
        ("[[newcamd]]\nport = {}\n", "newcamd"),
        ("[services.list{}]\nsids = [1]\n", "services"),
    ],
)
def test_more_tables_than_any_server_has_are_left_out(
    line: str, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Few of them: twenty thousand of each kind take seconds."""
    assert reader.TABLES_LIMIT == 20_000
    for module in (parser, reader):
        monkeypatch.setattr(module, "TABLES_LIMIT", 1_005)
    tables = [line.format(number + 1) for number in range(1_005 + 2)]
    assert not parse_toml("".join(tables[:-2]), kinds=find_kinds(), folder=Path()).problems
    found = parse_toml("".join(tables), kinds=find_kinds(), folder=Path())
    assert len(getattr(found.config, name)) == 1_005
    (problem,) = found.problems
    assert problem.place.line == 1_005 * line.count("\n") + 1
    assert problem.text.startswith("only the first 1,005 ")
    assert problem.text.endswith(" count (2 more are left out)")
    assert not problem.is_warning


def test_a_list_longer_than_any_is_refused() -> None:
    def read(length: int) -> ParsedToml:
        allow = ", ".join(['"192.0.2.7"'] * length)
        return parse_toml(f"[network]\nallow = [{allow}]\n", kinds=find_kinds(), folder=Path())

    assert len(read(LIST_LIMIT).config.network.allow) == LIST_LIMIT
    (problem,) = read(LIST_LIMIT + 1).problems
    assert ", at most 10,000 of them (" in problem.text


@pytest.mark.parametrize(
    ("lines", "commas", "usable"),
    [(SIZE_LIMIT, 0, True), (SIZE_LIMIT - 9, 10, False), (0, SIZE_LIMIT + 1, False)],
)
def test_more_values_than_any_configuration_has_are_not_parsed(
    lines: int, commas: int, usable: bool
) -> None:
    found = parse_toml("\n" * lines + "#" + "," * commas, kinds=find_kinds(), folder=Path())
    assert found.usable is usable
    assert [str(each) for each in found.problems] == [
        "cccamd.toml: error: more than 500,000 lines and commas, so it is no configuration"
    ] * (not usable)


def test_decimals_are_not_looked_for_where_nobody_is_told_of_them() -> None:
    card = '[[card]]\nkind = "test"\nname = "{}"\ncaid = 1702\n'
    text = "".join(card.format(number) for number in range(PROBLEMS_LIMIT + 5))
    found = parse_toml(text, kinds=find_kinds(), folder=Path())
    assert len(found.config.cards) == PROBLEMS_LIMIT + 5
    last = found.problems[-1]
    assert (last.text, last.is_warning) == ("and perhaps more warnings in this file", True)
    found = parse_toml(text + "[nothing]\n[[card]]\n", kinds=find_kinds(), folder=Path())
    assert found.problems[-1].text == "and at least 2 more problems in this file"


@pytest.mark.parametrize(
    "line",
    [
        "a" + ".a" * PARTS_LIMIT + " = 1",
        "[" + "a . " * PARTS_LIMIT + "a]",
        "x = {'a'" + '."b.c"' * PARTS_LIMIT + " = 1}",
        ".".join("a" * 100_000) + " = 1",  # takes tomllib hours
    ],
)
def test_a_key_of_too_many_parts_is_refused_before_it_is_parsed(line: str) -> None:
    found = parse_toml(f"# a remark\n{line}\n", kinds=find_kinds(), folder=Path())
    assert not found.usable
    assert [str(each) for each in found.problems] == [
        "cccamd.toml:2: error: a key has more than 16 parts with dots between them"
    ]


@pytest.mark.parametrize(
    "text",
    [
        "x = 1 # " + "a." * 40,
        'x = "' + "a." * 40 + '"',
        'x = """\n' + "a." * 40 + '"""',
        "x = '''" + "a." * 40 + "'''",
        "a" + ".a" * (PARTS_LIMIT - 1) + " = 1 # " + "." * 40,
    ],
)
def test_dots_in_text_and_remarks_are_no_parts_of_keys(text: str) -> None:
    assert parse_toml(text, kinds=find_kinds(), folder=Path()).usable


def test_text_without_an_end_is_not_looked_through_again_and_again() -> None:
    text = 'x = """' + '\n\\"""' * 200_000 + "." * 40
    assert not parse_toml(text, kinds=find_kinds(), folder=Path()).usable


@pytest.mark.parametrize(
    "ending",
    [
        "",
        "no { 0100:000080:2 }",
        "2 1 0 { 0100:000080:2, 0B00:0:1 } { 0100:000080:15E0 } { 09:00-17:00 }",
        "2 1 0 { 0100:000080:2 } { } { } client.example",
        "5 1 1 client.example",
        "2 1 0 { 0100:0:2 , } surplus",
        "300",
        "2 7 { 0100 }",
        "{ 0:0:2 }",
        "{ 0:0:2",
        "no <hops>",
        "2 0 { 0 0 0 0 0 0 0 0 }",
    ],
)
@pytest.mark.parametrize("letter", ["F", "C"])
def test_lines_that_end_alike_are_read_as_if_each_stood_alone(letter: str, ending: str) -> None:
    def line(user: str) -> str:
        return f"{letter}: {'' if letter == 'F' else 'far.example 12000 '}{user} secret {ending}\n"

    def read(text: str) -> tuple[list[object], list[object]]:
        found = parse(text.encode())
        lines = [*found.config.f_lines, *found.config.c_lines]
        return (
            [replace(each, line=1) for each in lines],
            [(each.code, each.place.column, each.text) for each in found.diagnostics],
        )

    users = ("anna", "bert", "<user>", "näme", "x" * 30, "carl")
    alone = [read(line(user)) for user in users]
    together = read("".join(map(line, users)))
    assert together == (
        [each for lines, _ in alone for each in lines],
        [each for _, said in alone for each in said],
    )


@pytest.mark.parametrize(
    "text",
    [
        *("a", "a = ", "[a", "[a]\n[a]", "a = 1\na = 2", 'a = "x', 'a = "\\q"', "a = [1, 2"),
        *("a = {b = 1,}", "a = {b = 1\n}", "a = 01", 'a = "\\e"', "a = 07:32", "a = " + "9" * 5000),
        *("a = [1]\n[[a]]", "\0", "a = " + "[" * 3000),
    ],
)
def test_both_parsers_of_toml_say_the_same(text: str) -> None:
    said = []
    for loads in (language.loads, tomllib.loads):
        with pytest.raises((ValueError, RecursionError)) as caught:
            loads(text)
        kind = caught.type if caught.type is RecursionError else str(caught.value)
        said.append(kind)
    assert said[0] == said[1]


_LETTERS = ("F: ", "C: h.example 12000 ", "C: h.example 70000 ", "N: h 1 ")
_LOGINS = ("anna a", "ben  c", "<user> d", "dörte e", "u" * 21 + " f", "g", "anna b")
_KEY = "01 " * 13
_ENDINGS = (
    *("", " ", " 3", "  3", " 300", " no { 0:0:2 }", " { 0:0:2 }", " { 0:0:2", " yes # x", " a#b"),
    *(f" {_KEY}14", f" {_KEY}xx", f" {_KEY}14 1", " 1 0 1 {}{}{} <h>"),
)


@pytest.mark.parametrize("limit", [2, 100_000])
@pytest.mark.parametrize("step", [1, -1])
def test_a_line_that_ends_like_one_before_is_read_as_if_it_were_the_first(
    limit: int, step: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Few mistakes are told, or all: of those that are only counted less is read."""
    parts = product(_LETTERS, _ENDINGS, _LOGINS)
    lines = [letter + login + ending for letter, ending, login in parts][::step]
    data = "\n".join(lines + lines).encode()
    monkeypatch.setattr(diagnostics, "TOLD_LIMIT", limit)
    quick = parse(data)
    monkeypatch.setattr(FileReader, "read_plain", lambda self, number, text, odd_blank=None: False)
    monkeypatch.setattr(Endings, "get", lambda self, ending: None)
    assert parse(data) == quick


_FORMS = (
    *("F: u{n} p 2 0 0 {{ 0:0:{n} }}", "SERVER LISTEN PORT = {n}", "L:# x", "L: a#b", "P:\u00a01"),
    *("what\u00a0is {n}", "F\u00a0u{n} p", "what #is", "what# is : x"),
    *(
        "F: anna{n} secret",
        "F: user{n} secret 3 1 0 {{ 0:0:{n} }}",
        "f:\tu{n} p # x",
        "F: a{n} p  3\t",
    ),
    *(
        "F: u{n} p 2 1 1 {{ 0100:{n}:1 , 0B00:0:1 }} {{ 0100:{n}:{n} }}",
        "F: ü{n}\u00a0s",
        "F: é{n} s",
    ),
    *("F: u{n} p 2 1 1 {{}}{{}}", "F: u{n} p 11 1 1 {{0:0:10}}", "F: u{n} p 10 0 1 {{0:0:11}}"),
    *("F: u{n} p 2 2 1 {{ 0:0:1, }}", "F : u{n} p {{ 0:0:{n} }}", "F: " + "é" * 15 + "{n} s"),
    *("C: h{n}.example 12000 u p no {{ 0:0:2 }}", "C : h{n} 12 u p yes {{ 0:0:{n}, 1:2:3 }}"),
    *(
        "C: h 12000 u{n} p 1 {{ 0:0:{n} }}",
        "c: h 65536 u p yes {{ 0:0:1 }}",
        "N: h 1 u p " + _KEY + "{n}",
    ),
    *(
        "SERVER LISTEN PORT : {n}",
        "server  listen port={n}",
        "HTML INFO LISTEN PORT: 1\t",
        "DEBUG: on",
    ),
    *(
        "DEBUG : maybe",
        "SERVER LISTEN PORT {n}",
        "GLOBAL LIMITS : {{ x }}",
        "GLOBAL LIMITS {{ 0:0:1 }}",
    ),
    *(
        "OSD PORT : 80",
        "OSD PORT : {n}",
        "CAID IGNORE FILE : x",
        "IGNORE NODE : {n:016x}",
        "POSTINIT x",
    ),
    *("WEBINFO PASSWORD : a b  c", "WEBINFO PASSWORD : a#b", "WEBINFO PASSWORD : a #b", "DEBUG :"),
    *(
        "L: a b",
        "l: a",
        "L:",
        "P: 0100",
        "Z: 1",
        "z : 1",
        "1: 2",
        "F:",
        "F:  # x",
        "B: a b",
        "B:",
        "F u{n} p",
    ),
    *(
        "what is {n}",
        "KEY {n} : v",
        "ü{n} : 2",
        "some-key : 1",
        "x=DEBUG",
        "DEBUGGING : 1",
        "debug-x: 1",
    ),
    *(
        "  DEBUG : yes",
        "\u200bDEBUG : yes",
        " F: a{n} p",
        "[section]",
        "//",
        "x" * 300,
        "F u",
        "postinit",
    ),
)


@pytest.mark.parametrize("limit", [0, 3, 100_000])
@pytest.mark.parametrize("seed", range(4))
def test_short_ways_say_what_the_long_way_says(
    limit: int, seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    random = Random(seed)
    lines = [random.choice(_FORMS).format(n=random.randrange(12)) for _ in range(500)]
    files = ["\n".join(lines[at : at + 50]).encode() for at in range(0, len(lines), 50)]
    files += ["\r\n".join(lines).encode()]
    monkeypatch.setattr(diagnostics, "TOLD_LIMIT", limit)
    quick = list(map(parse, files))
    monkeypatch.setattr(FileReader, "read_plain", lambda self, number, text, odd_blank=None: False)
    monkeypatch.setattr(Endings, "get", lambda self, ending: None)
    assert list(map(parse, files)) == quick


@pytest.mark.parametrize("form", _FORMS)
def test_a_form_alone_is_read_the_same_by_both_ways(
    form: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = f"{form.format(n=7)}\n".encode() * 2
    limits = (0, 1, 9)
    said = []
    for _ in range(2):
        for limit in limits:
            monkeypatch.setattr(diagnostics, "TOLD_LIMIT", limit)
            said.append(parse(data))
        monkeypatch.setattr(
            FileReader, "read_plain", lambda self, number, text, odd_blank=None: False
        )
    assert said[: len(limits)] == said[len(limits) :]


@pytest.mark.parametrize("groups", ["[1, 65]", "[0, 1]", "[1, true]", '[1, "2"]', "[1, 1.0]"])
def test_each_number_of_a_list_is_checked(groups: str) -> None:
    text = f'[[account]]\nuser = "anna"\ngroups = {groups}\n'
    (problem,) = parse_toml(text, kinds=find_kinds(), folder=Path()).problems
    assert "expected a list of numbers from 1 to 64" in problem.text
