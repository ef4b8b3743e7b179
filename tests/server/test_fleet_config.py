"""Whether nodes have the same accounts."""

from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path

import pytest

from cccamd.server.fleetconfig import accounts_text, usual_one
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


def test_what_most_have_is_the_usual() -> None:
    assert usual_one("aaba") == usual_one("a") == usual_one("aabca") == "a"
    assert usual_one("ab") == usual_one("aabb") == usual_one("") == "", "nobody knows which of two"
