import tomllib
from random import Random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cccamd.setup.files import Place
from cccamd.setup.toml.positions import Places, locate
from cccamd.setup.toml.scanning import DEPTH_LIMIT, Body, Cursor, Headers, KeyPath

FILE = "cccamd.toml"
TEXT = '''\
# a remark [with] = things
top = 1
[network] # remark
allow = [ "a", # one ]
  'b # no remark',
  """c
"quoted" \\""", d"""", 2020-01-01 10:00:00, ]
[a."b.c".'d"e']
x.y = { p = "}", q = [1, 2] }
[[card]]
kind = "test"

  [card.services]
  1D80 = "x"
[[card]]\r
  "caid" = 0x0B00
[card.services]
1D81 = \'\'\'it\'s
]\'\'\'
last = true
'''

PLACES = {
    ("top",): (2, 1, 7),
    ("network", "allow"): (4, 1, 9),
    ("network", "allow", 0): (4, None, 11),
    ("network", "allow", 1): (5, None, 3),
    ("network", "allow", 2): (6, None, 3),
    ("network", "allow", 3): (7, None, 23),
    ("a", "b.c", 'd"e', "x", "y", "p"): (9, 9, 13),
    ("a", "b.c", 'd"e', "x", "y", "q", 1): (9, None, 26),
    ("card", 0, "kind"): (11, 1, 8),
    ("card", 0, "services", "1D80"): (14, 3, 10),
    ("card", 1, "caid"): (16, 3, 12),
    ("card", 1, "services", "1D81"): (18, 1, 8),
    ("card", 1, "services", "last"): (20, 1, 8),
}


@pytest.mark.parametrize("path", PLACES, ids=str)
def test_finds_keys_and_values(path: KeyPath) -> None:
    line, key_column, value_column = PLACES[path]
    positions = locate(TEXT, FILE)
    assert positions.value(path) == Place(FILE, line, value_column)
    if key_column:
        assert positions.key(path) == Place(FILE, line, key_column)


def test_finds_headers() -> None:
    positions = locate(TEXT, FILE)
    assert positions.key(("card", 0)) == Place(FILE, 10, 1)
    assert positions.key(("card", 1)) == Place(FILE, 15, 1)
    assert positions.key(("card", 1, "services")) == Place(FILE, 17, 1)
    assert positions.value(("network",)) == Place(FILE, 3, 1)


def test_unknown_paths_give_the_nearest_known_part() -> None:
    positions = locate(TEXT, FILE)
    assert positions.key(("card", 1, "absent", "deeper")) == Place(FILE, 15, 1)
    assert positions.key(("absent",)) == Place(FILE, 1, 1)


def test_values_as_they_were_written() -> None:
    positions = locate(TEXT, FILE)
    assert positions.written(("card", 1, "caid")) == "0x0B00"
    assert positions.written(("network", "allow", 1)) == "'b # no remark'"
    assert positions.written(("card", 1)) == ""


bare = st.from_regex(r"[a-z0-9_-]{1,4}", fullmatch=True)
keys = bare | bare.map(lambda name: f'"{name} ]#="') | bare.map(lambda name: f"'{name}.x'")
scalars = st.sampled_from(
    [
        "1",
        "-1_0",
        "1e3",
        "true",
        "inf",
        "2020-01-01",
        "2020-01-01 10:00:00.5",
        '"\\"#]"',
        "'a#,}'",
        '""',
        "''",
        '"""\n#"" ]"""',
        '"""x\\""""""',
        "'''\n'' '''",
        "10:00:00",
    ]
)
LIST_COMMA = " , # ]\n"
values = st.recursive(
    scalars,
    lambda inner: (
        st.lists(inner, max_size=3).map(lambda all: f"[ {LIST_COMMA.join(all)} ]")
        | st.dictionaries(keys, inner, max_size=3).map(
            lambda table: "{" + ", ".join(f"{key} = {value}" for key, value in table.items()) + "}"
        )
    ),
    max_leaves=6,
)
lines = st.one_of(
    st.tuples(keys, values).map(" = ".join),
    st.lists(keys, min_size=1, max_size=2).map(lambda names: f"[{' . '.join(names)}]"),
    st.lists(keys, min_size=1, max_size=2).map(lambda names: f"[[{'.'.join(names)}]] # x"),
    st.just("# remark = [1"),
)


def leaves(value: Any, path: KeyPath = ()) -> list[tuple[KeyPath, Any]]:
    if isinstance(value, dict):
        return [leaf for key, part in value.items() for leaf in leaves(part, (*path, key))]
    if isinstance(value, list):
        return [leaf for at, part in enumerate(value) for leaf in leaves(part, (*path, at))]
    return [(path, value)]


@given(st.lists(lines, max_size=6).map("\n".join))
def test_every_value_is_found_where_it_stands(text: str) -> None:
    """What is written at the place that is found reads as the value that tomllib read."""
    try:
        data = tomllib.loads(text)
    except tomllib.TOMLDecodeError:
        return
    positions = locate(text, FILE)
    for path, value in leaves(data):
        assert tomllib.loads(f"x = {positions.written(path)}")["x"] == value


@given(st.lists(lines, max_size=6).map("\n".join), st.randoms())
def test_the_order_of_questions_changes_no_answer(text: str, random: Random) -> None:
    """Each is read only as far as somebody asks."""
    try:
        paths = [path for path, _ in leaves(tomllib.loads(text))]
    except tomllib.TOMLDecodeError:
        return
    paths += [(*path[:length], "absent") for path in paths for length in range(len(path))]
    alone = [(locate(text, FILE).key(path), locate(text, FILE).value(path)) for path in paths]
    together = locate(text, FILE)
    for at in random.sample(range(len(paths)), len(paths)):
        assert (together.key(paths[at]), together.value(paths[at])) == alone[at]


def test_nothing_is_read_that_nobody_asks_for() -> None:
    text = "".join(f"[[card]]\na = [{number}]\nb = 1\n" for number in range(1000))
    headers = Headers(Cursor(text))
    assert headers.read_on() == ("card", 0)
    assert headers.cursor.at < 20
    body = Body(("card", 0), Cursor(text, 0), {}, {})
    assert body.find(("card", 0, "a"))
    assert body.cursor.at < 20
    assert not body.find(("card", 0, "c"))
    assert body.cursor.at < 40
    assert list(body.values) == [("card", 0, "a"), ("card", 0, "a", 0), ("card", 0, "b")]


def test_lists_in_lists_without_end_are_seen_as_a_whole() -> None:
    deep = "[" * 200 + "]" * 200
    positions = locate(f"[network]\nallow = [{deep}, {deep}\n,{deep}]\nhosts = 1\n", FILE)
    inner: KeyPath = ("network", "allow", 1)
    for _ in range(DEPTH_LIMIT):
        inner = (*inner, 0)
    assert positions.written(inner) == ""
    assert positions.written(inner[:DEPTH_LIMIT]).count("[") == 200 - DEPTH_LIMIT + 3
    assert positions.written(("network", "allow", 2)) == deep
    assert positions.value(("network", "hosts")) == Place(FILE, 4, 9)


@pytest.mark.parametrize("width", [1, 7, 4096, 8191, 8192, 8193])
def test_lines_are_counted_right_in_long_texts(width: int) -> None:
    lines = [f"k{number} = '{'x' * width}'" for number in range(40_000 // width + 3)]
    positions = locate("\n".join(lines), FILE)
    for number in (len(lines) - 1, 0, len(lines) // 2):
        path: KeyPath = (f"k{number}",)
        column = len(f"k{number} = ") + 1
        assert positions.value(path) == Place(FILE, number + 1, column)
        assert positions.key(path) == Place(FILE, number + 1, 1)


def test_places_are_the_same_once_they_are_settled() -> None:
    paths: dict[str, KeyPath] = {"first": ("card", 0), "second": ("card", 1), "top": ("top",)}
    places = Places(FILE, paths, locate(TEXT, FILE))
    before = {heading: places.find(heading) for heading in (*paths, "absent")}
    assert before["second"] == Place(FILE, 15, 1)
    assert before["absent"] == Place(FILE)
    places.settle()
    assert {heading: places.find(heading) for heading in before} == before
