"""Whether nodes have the same accounts."""

from collections.abc import Iterator
from hashlib import sha256
from itertools import count
from pathlib import Path

import pytest

from cccamd.server.fleetconfig import accounts_text, odd_ones
from cccamd.setup.cccamcfg import parse
from cccamd.setup.logins import accounts_of
from cccamd.setup.merging import merge
from cccamd.setup.toml import parse as parse_toml


def text_of(lines: str, toml: str = "") -> str:
    found = parse_toml(toml, kinds={}, folder=Path()).config
    config = merge(parse(lines.encode()).config, found)
    return accounts_text(accounts_of(config, found), lambda data: sha256(data).digest())


def alike() -> Iterator[str]:
    yield "F: anna secret\nF: ben other"
    yield "# north\n\nF: ben other\nC: upstream.example 12000 user pass\nF: anna secret"


def test_where_lines_stand_makes_no_difference() -> None:
    assert len({text_of(lines) for lines in alike()}) == 1


@pytest.mark.parametrize(
    ("lines", "toml"),
    [
        ("F: anna secreT\nF: ben other", ""),
        ("F: anna secret", ""),
        ("F: anna secret 3\nF: ben other", ""),
        ("F: anna secret\nF: ben other", '[[account]]\nuser = "ben"\ngroups = [2, 1]'),
    ],
)
def test_what_an_account_is_makes_one(lines: str, toml: str) -> None:
    assert text_of(lines, toml) != text_of(next(alike()))


def test_the_odd_one_is_named() -> None:
    numbers = count()
    nodes = {f"node {next(numbers)}": text for text in "aaba"}
    assert odd_ones(nodes) == {"node 2"}
    assert odd_ones(dict.fromkeys("xyz", "a")) == set()
    assert odd_ones({"x": "a", "y": "b"}) == {"x", "y"}, "nobody knows which of two"
