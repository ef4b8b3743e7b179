import tomllib
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cccamd.setup.files import Place
from cccamd.setup.toml.positions import KeyPath, locate

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
