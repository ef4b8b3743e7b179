"""Rules L1 to L8 and the comments (docs/config.md sections 1.1 and 1.2)."""

import pytest

from cccamd.setup.cccamcfg import Config, ParseResult, parse
from cccamd.setup.cccamcfg.lexer import Token, cut_line

ACCOUNT = b"F: anna secret 1 0 0\n"


def codes(result: ParseResult) -> list[tuple[int | None, str]]:
    return [(found.place.line, found.code.value) for found in result.diagnostics]


def users(result: ParseResult) -> list[tuple[int, str, str]]:
    return [(found.line, found.user, found.password) for found in result.config.f_lines]


def test_empty_file_is_legal() -> None:
    result = parse(b"")
    assert result.config == Config()
    assert not result.diagnostics
    assert not result.refused
    assert (result.encoding, result.bom) == ("utf-8", False)


@pytest.mark.parametrize("mark", [b"\xff\xfe", b"\xfe\xff"])
def test_utf16_is_refused(mark: bytes) -> None:
    result = parse(mark + ACCOUNT)
    assert codes(result) == [(None, "E001")]
    assert result.refused
    assert result.encoding is None
    assert result.config == Config()


def test_byte_order_mark_is_dropped() -> None:
    result = parse(b"\xef\xbb\xbf" + ACCOUNT)
    assert codes(result) == [(None, "N001")]
    assert result.bom
    assert users(result) == [(1, "anna", "secret")]


def test_second_byte_order_mark_is_an_odd_blank() -> None:
    assert codes(parse(b"\xef\xbb\xbf" * 2 + ACCOUNT)) == [(None, "N001"), (1, "W102")]


def test_latin1_if_any_byte_is_not_utf8() -> None:
    result = parse(b"F: bj\xf6rn gr\xfc\xdfe\n# \xe4\n")
    assert codes(result) == [(None, "N003"), (1, "W112")]
    assert result.encoding == "iso-8859-1"
    account = result.config.f_lines[0]
    assert (account.user, account.password) == ("björn", "grüße")
    assert (account.user_bytes(), account.password_bytes()) == (b"bj\xf6rn", b"gr\xfc\xdfe")


def test_utf8_credentials_keep_their_bytes() -> None:
    account = parse("F: björn grüße\n".encode()).config.f_lines[0]
    assert account.user_bytes() == "björn".encode()
    assert account.password_bytes() == "grüße".encode()


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (b"#\r\nF: a b\r\n", [(2, "a", "b")]),
        (b"#\rF: a b\rF: c d", [(2, "a", "b"), (3, "c", "d")]),
        (b"#\n\n\nF: a b", [(4, "a", "b")]),
        # One CR inside: a blank. At the end of a line it is gone.
        (b"F: a\rb\n", [(1, "a", "b")]),
        (b"F: a b\r\r\n", [(1, "a", "b")]),
        # None of these ends a line.
        ("#\x0b\x1c\x1d\x1e\x85\u2028\u2029\nF: a b".encode(), [(2, "a", "b")]),
        (b"# \x85\nF: a b", [(2, "a", "b")]),
    ],
)
def test_lines(data: bytes, expected: list[tuple[int, str, str]]) -> None:
    assert users(parse(data)) == expected


def test_crlf_is_noted() -> None:
    assert codes(parse(ACCOUNT.replace(b"\n", b"\r\n"))) == [(None, "N002")]
    assert not parse(ACCOUNT.replace(b"\n", b"\r")).diagnostics


@pytest.mark.parametrize("blank", ["\0", "\v", "\f", "\r", "\u00a0", "\u200b", "\ufeff"])
def test_odd_blanks(blank: str) -> None:
    lines = ["F:{}anna secret", "# {}.", " {} ", "{}# x", "F: b c # {}.", "F: d e{} # x"]
    text = "\n".join(lines).replace("{}", blank)
    result = parse(text.encode())
    assert codes(result) == [(1, "W102"), (6, "W102")]
    assert [found.place.column for found in result.diagnostics] == [3, 7]
    assert [user for _, user, _ in users(result)] == ["anna", "b", "d"]


def test_tabs_and_runs_of_blanks_are_blanks() -> None:
    assert users(parse(b"\t F:\tanna \t secret\t1  0 0 \t")) == [(1, "anna", "secret")]
    assert not parse(b"\t F:\tanna \t secret\t1  0 0 \t").diagnostics


@pytest.mark.parametrize(
    ("text", "left"),
    [
        ("# all", ""),
        ("  # all", ""),
        ("F: a b # rest", "F: a b"),
        ("F: a b\t#rest", "F: a b"),
        ("F: a b { 0:0:1 }#13-05-2011", "F: a b { 0:0:1 }"),
        ("F:#a b", "F:"),
        ("F: a b#c", "F: a b#c"),
        ("F: a b#c # d", "F: a b#c"),
        ("C: h:#x 1", "C: h:#x 1"),
        ("F: a b ; no comment // either", "F: a b ; no comment // either"),
    ],
)
def test_comment_begins_at_the_start_of_a_token(text: str, left: str) -> None:
    assert cut_line(1, text).text == left


def test_hash_inside_a_token_is_worth_a_warning() -> None:
    result = parse(b"F: anna pass#word\nWEBINFO USERNAME : a b#c\nWEBINFO PASSWORD : p\n")
    assert codes(result) == [(1, "W110"), (2, "W110")]
    assert [found.place.column for found in result.diagnostics] == [13, 23]
    assert users(result) == [(1, "anna", "pass#word")]
    assert result.config.webinfo.username == "a b#c"


def test_columns_of_tokens() -> None:
    value = cut_line(1, "F: a {b,c}").rest(2)
    assert value == Token("a {b,c}", 4)
    assert value.words() == [Token("a", 4), Token("{b,c}", 6)]
    assert value.after(value.words()[0]).symbols() == [
        Token("{", 6),
        Token("b", 7),
        Token(",", 8),
        Token("c", 9),
        Token("}", 10),
    ]
