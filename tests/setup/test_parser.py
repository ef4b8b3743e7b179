import inspect
import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import field_validator
from reading import FOLDER, KINDS, read, told

from cccamd.cards import SourcePolicy
from cccamd.localcards import CardOptions
from cccamd.localcards.fixed import FixedCard
from cccamd.localcards.testcard import TestCard
from cccamd.routing import CwCache, RouterSettings
from cccamd.setup.toml import LimitsTable, TomlConfig, parse
from cccamd.setup.toml.fields import Value, keys_of
from cccamd.wire.cccam import Version

DOCUMENT = Path(__file__).parents[2] / "docs" / "cccamd.toml.md"
CW = "00112233aabbcc3100112233aabbcc31"


def test_an_empty_file_is_all_defaults() -> None:
    parsed = read("")
    assert parsed.config == TomlConfig()
    assert parsed.problems == ()
    assert parsed.config.server.cccversion == Version(2, 3, 0)
    assert parsed.config.limits.login_timeout == 10
    assert not parsed.config.network.allowed.admits("8.8.8.8")


def test_the_documented_example() -> None:
    text = re.findall(r"```toml\n(.*?)```", DOCUMENT.read_text(), re.DOTALL)[0]
    parsed = read(text)
    assert parsed.problems == ()
    config = parsed.config
    assert config.network.allowed.admits("203.0.113.200")
    assert config.limits == LimitsTable(max_connections_per_address=20)
    assert [(account.user, str(account.cccversion)) for account in config.accounts] == [
        ("anna", "2.0.11")
    ]
    assert [(upstream.group, upstream.rank) for upstream in config.upstreams] == [
        ("main", 1),
        ("main", 2),
    ]
    feed, lab = config.cards
    assert (feed.kind, feed.config.name, feed.config.caid) == (FixedCard, "studio feed", 0xFF02)
    assert (lab.config.name, lab.config.providers, lab.config.folder) == (
        "open2",
        (0x000102,),
        FOLDER,
    )


def test_the_document_names_every_key_with_default_and_bounds() -> None:
    rows = {line.split("`")[1]: line for line in DOCUMENT.read_text().splitlines() if "| `" in line}
    config = TomlConfig()
    for table in (config.network, config.limits, config.server, config.cache, config.routing):
        for key, value in keys_of(type(table)).items():
            default = getattr(table, key)
            if isinstance(default, int | float):
                assert f"| {str(default).lower().removesuffix('.0')} |" in rows[key]
            if isinstance(value, Value) and value.low is not None:
                bounds = re.findall(r"[\d.]+", value.expected.rpartition(",")[2])
                assert " to ".join(bounds) in rows[key]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (
            '[network]\nallow = ["203.0.113.7/24"]',
            '2:10: error: [network] allow: read "203.0.113.7/24", expected no bits set behind '
            'the prefix: write "203.0.113.0/24" for the network, or "203.0.113.7" for the one '
            "address (so all of [network] stays at its defaults)",
        ),
        ("[network]\nallow = 3", "2:9: error: [network] allow: read 3, expected a list of netw"),
        ("[netwrok]", "1:1: error: unknown [netwrok]; did you mean network?"),
        ("[network]\nalow = []", "2:1: error: [network] unknown key alow; did you mean allow?"),
        (
            "[limits]\nlogin_timeout = 0",
            "2:17: error: [limits] login_timeout: read 0, expected seconds, 1 to 120",
        ),
        ('[limits]\nqueue_limit = "9"', '2:15: error: [limits] queue_limit: read "9", expected'),
        ("[limits]\nmax_clients = true", "2:15: error: [limits] max_clients: read true, expect"),
        ("[limits]\necm_deadline = nan", "2:16: error: [limits] ecm_deadline: read nan, expec"),
        (
            '[server]\ncccversion = "2.9"',
            '2:14: error: [server] cccversion: read "2.9", expected a kn',
        ),
        ('[server]\nbind = ["*"]', '2:9: error: [server] bind: read "*", expected an address'),
        ("[server]\nbind = []", "2:8: error: [server] bind: read [], expected a list of addre"),
        ("[[server]]", "1:1: error: expected [server], with single brackets and once"),
        ("[card]", "1:1: error: expected [[card]], with double brackets"),
        ("account = [1]", "1:1: error: expected [[account]], with double brackets"),
        (
            "[[account]]\nuser='a'",
            "1:1: error: [[account]] expected cccversion, logins or another key: else it",
        ),
        (
            "[[account]]\ncccversion='2.0.11'\nuser='123456789012345678901'",
            "3:6: error: [[account]] user: read '123456789012345678901', expected a user name of",
        ),
        (
            "[[upstream]]\nhost='h'\nport=1\nuser='u'\nrank=2",
            "1:1: error: [[upstream]] expected a group too",
        ),
        (
            "[[upstream]]\nhost='h'\nport=1\nuser='u'",
            "1:1: error: [[upstream]] expected cccversion, group or another",
        ),
        (
            '[[card]]\nkind = "tset"\ncaid = "1"',
            '2:8: error: [[card]] kind: read "tset", expected a known kind: "fixed", "open", '
            '"test" (so this [[card]] is left out)',
        ),
        ('[[card]]\ncaid = "1"', "1:1: error: [[card]] kind is missing; expected the kind"),
        ('[[card]]\nkind = "test"', "1:1: error: [[card]] caid is missing; expected the CAID"),
        (
            '[[card]]\nkind = "test"\ncaid = "0B000"',
            '3:8: error: [[card]] caid: read "0B000", expected 4 hex digits in quotes, "0001" to',
        ),
        (
            '[[card]]\nkind = "test"\ncaid = 1702',
            "3:8: warning: [[card]] caid: 1702 without quotes is decimal, so it means 06A6; "
            'write "06A6", or "1702" if those are hex digits',
        ),
        (
            '[[card]]\nkind = "test"\ncaid = "1"\nproviders = ["1", "000001"]',
            '4:13: error: [[card]] providers: read ["1", "000001"], expected each number once',
        ),
        (
            '[[card]]\nkind = "test"\ncaid = "1"\nprovider = ["1"]',
            "4:1: error: [[card]] unknown key provider; did you mean providers?",
        ),
        (
            '[[card]]\nkind = "fixed"\ncaid = "1"\ncw = "001122"',
            "4:6: error: [[card]] cw: expected 32 hex digits (even CW, then odd CW), found 6",
        ),
        (
            '[[card]]\nkind="fixed"\ncaid="1"\n[card.services]\n1D80="aaaaaa"\n1D8G="bb"',
            "5:6: error: [[card]] services.1D80: expected 32 hex digits (even",
        ),
    ],
)
def test_each_problem_has_its_place_and_words(text: str, expected: str) -> None:
    assert told(text)[0].startswith(f"cccamd.toml:{expected}")


def test_all_problems_are_told_at_once() -> None:
    text = '[limits]\nqueue_limit = 0\nmax_clients = 0\n[[card]]\nkind = "test"\ncaid = "x"\nz = 1'
    assert [problem.place.order for problem in read(text).problems] == [
        (2, 15),
        (3, 15),
        (6, 8),
        (7, 1),
    ]


def test_a_bad_card_costs_itself_only() -> None:
    good = '[[card]]\nkind = "test"\ncaid = "FF01"\n'
    parsed = read(f'{good}name = "a"\n{good}caidd = "1"\n{good}name = "a"\n{good}')
    assert [card.config.name for card in parsed.config.cards] == ["a", "test4"]
    texts = [problem.text for problem in parsed.problems]
    assert "unknown key caidd" in texts[0]
    assert '[[card]] name "a" is in line 1 already, which counts' in texts[1]


def test_a_bad_network_table_is_strict() -> None:
    parsed = read('[network]\nallow = ["203.0.113.0/24", "rubbish"]')
    assert not parsed.config.network.allowed.admits("203.0.113.1")


@pytest.mark.parametrize("network", ["0.0.0.0/0", "::/0", "::ffff:0:0/96"])
def test_opening_to_the_world_works_with_a_warning(network: str) -> None:
    parsed = read(f'[network]\nallow = ["{network}"]')
    assert parsed.config.network.allowed.admits("2001:db8::1" if network == "::/0" else "8.8.8.8")
    assert [problem.is_warning for problem in parsed.problems] == [True]
    assert "the whole internet" in parsed.problems[0].text


@pytest.mark.parametrize(("written", "caid"), [('"0B00"', 0xB00), ("0x0B00", 0xB00), ('"b"', 0xB)])
def test_ways_to_write_a_caid(written: str, caid: int) -> None:
    parsed = read(f'[[card]]\nkind = "test"\ncaid = {written}')
    assert parsed.config.cards[0].config.caid == caid
    assert parsed.problems == ()


def test_accounts_and_upstreams_are_unique() -> None:
    account = "[[account]]\nuser = 'a'\ncccversion = '2.0.11'\n"
    upstream = "[[upstream]]\nhost = '{}'\nport = 1\nuser = 'u'\ngroup = 'g'\n"
    parsed = read(account * 2 + upstream.format("h") + upstream.format("H"))
    assert (len(parsed.config.accounts), len(parsed.config.upstreams)) == (1, 1)
    assert [problem.place.line for problem in parsed.problems] == [4, 12]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a = b", "1:5: error: not TOML: Invalid value; text stands in quotes"),
        ("a = 1\na = 2 # x", "2:6: error: not TOML: Cannot overwrite a value; the key stands"),
        ("a b", "1:3: error: not TOML: Expected '=' after a key in a key/value pair; a line is"),
        ('a = "x\n', "1:7: error: not TOML: Illegal character '\\n'; the text's closing quote"),
        ("\na = [1,\n", "2: error: not TOML: Invalid value before the file ends"),
        ("a = " + "[" * 5000, " error: lists or tables are nested too deeply"),
        ("a = " + "1" * 5000, " error: a number has too many digits"),
    ],
)
def test_what_is_no_toml_is_not_used(text: str, expected: str) -> None:
    parsed = read(text)
    assert not parsed.usable
    assert parsed.config == TomlConfig(unread=parsed.config.unread)
    assert parsed.config.unread.whole
    assert [str(problem).startswith(f"cccamd.toml:{expected}") for problem in parsed.problems]
    assert str(parsed.problems[0]).startswith(f"cccamd.toml:{expected}")


def test_no_problem_shows_a_card_secret() -> None:
    card = f'[[card]]\nkind = "fixed"\ncaid = "1"\ncw = "{CW[:-2]}99"\nother = "{CW}"\n'
    for text in (card, card + "z", card + "services = { 1 = 'abcdef' }"):
        assert told(text)
        assert not any(CW[:8] in line or "abcdef" in line for line in told(text))


class StubbornOptions(CardOptions):
    number: int = 0

    @field_validator("number", mode="before")
    @classmethod
    def _fail(cls, value: object) -> int:
        raise KeyError(value)


class StubbornCard(TestCard):
    Options = StubbornOptions


def test_a_plug_in_whose_own_check_fails() -> None:
    text = '[[card]]\nkind = "odd"\ncaid = "1"\nnumber = 4711'
    parsed = parse(text, kinds={"odd": StubbornCard}, folder=FOLDER)
    assert "the kind's own check raised KeyError" in parsed.problems[0].text
    assert "4711" not in parsed.problems[0].text


words = st.sampled_from(
    [
        "[",
        "]",
        "[[",
        "]]",
        "=",
        "\n",
        ",",
        '"',
        "'",
        "{",
        "}",
        ".",
        "#",
        "1",
        "0x1F",
        "-1",
        "true",
        "network",
        "allow",
        "limits",
        "queue_limit",
        "card",
        "kind",
        "caid",
        "sids",
        "services",
        '"fixed"',
        '"test"',
        '"0B00"',
        '"10.0.0.0/8"',
        "cw",
        "upstream",
        "user",
        "1e999",
        "nan",
        "9" * 400,
        "2020-01-01",
        '"""',
        "'''",
        "\\",
        " ",
    ]
)


@given(st.text(max_size=60) | st.lists(words, max_size=25).map("".join))
def test_any_text_gives_a_config_and_problems(text: str) -> None:
    parsed = read(text)
    assert parsed.usable or parsed.problems
    assert all(str(problem) for problem in parsed.problems)


tables = st.sampled_from(
    [
        "[network]",
        "[limits]",
        "[server]",
        "[cache]",
        "[routing]",
        "[[account]]",
        "[[upstream]]",
        '[[card]]\nkind="test"',
        '[[card]]\nkind="fixed"',
    ]
)
keys = st.sampled_from(
    [
        "allow",
        "login_timeout",
        "queue_limit",
        "cccversion",
        "bind",
        "seconds",
        "hedge",
        "user",
        "host",
        "port",
        "rank",
        "group",
        "name",
        "caid",
        "providers",
        "sids",
        "reshare",
        "cw",
        "services",
        "kind",
    ]
)
scalars = st.sampled_from(
    [
        "1",
        "0x" + "F" * 5000,
        "-1",
        "1e400",
        "nan",
        "true",
        "2020-01-01",
        '"x"',
        '"0B00"',
        '""',
        '"\\u0000"',
        '"::/0"',
        '"fe80::1%0/64"',
        '"2.0.11"',
        "10:00:00",
        "{ }",
        "{a.b=1}",
    ]
)
values = scalars | st.lists(scalars, max_size=3).map(lambda all: f"[{', '.join(all)}]")
entries = st.dictionaries(keys, values, max_size=4).map(
    lambda table: "\n".join(f"{key} = {value}" for key, value in table.items())
)


@given(st.lists(st.tuples(tables, entries).map("\n".join), max_size=4).map("\n".join))
def test_any_value_of_any_key_gives_a_config_or_problems(text: str) -> None:
    for problem in read(text).problems:
        line = problem.place.line
        assert line is None or 1 <= line <= text.count("\n") + 1


def test_kinds_come_as_an_argument() -> None:
    assert read('[[card]]\nkind = "test"\ncaid = "1"').config.cards[0].kind is KINDS["test"]
    nothing = parse('[[card]]\nkind = "test"\ncaid = "1"', kinds={}, folder=FOLDER)
    assert "none installed" in nothing.problems[0].text


def test_defaults_that_rooms_have_for_themselves_are_those_of_the_file() -> None:
    """`cards` and `routing` cannot ask the file: what they do without one is the same."""
    limits, cache = TomlConfig().limits, TomlConfig().cache
    cached = inspect.signature(CwCache).parameters
    assert RouterSettings().deadline == limits.ecm_deadline
    assert RouterSettings().check_checksums == cache.check_cw_checksums
    assert SourcePolicy().cards_limit == limits.upstream_cards_limit
    assert (cached["limit"].default, cached["lifetime"].default) == (cache.entries, cache.seconds)
