"""Writes manual pages: the macros of man(7), filled with texts, and with what Markdown says."""

import re
import textwrap
from collections.abc import Iterable, Iterator, Sequence
from typing import Final

from markdown_it import MarkdownIt
from markdown_it.token import Token

WIDTH: Final = 78
MANUAL: Final = "cccamd manual"
BOLD, ITALIC, ROMAN = r"\fB", r"\fI", r"\fR"
MAIN_COLUMN: Final = "meaning"
NOTHING: Final = ("", r"\-", "\N{EN DASH}")
"""What cells have that say nothing."""


def title(name: str, section: int, date: str, version: str) -> str:
    """The first line of a page."""
    return f'.TH "{name.upper()}" {section} "{date}" "cccamd {version}" "{MANUAL}"'


def escape(text: str) -> str:
    """Text as it is, with the signs that could be taken for orders made harmless."""
    return text.replace("\\", r"\e").replace("-", r"\-").replace("~", r"\(ti").replace("^", r"\(ha")


def bold(text: str) -> str:
    """Text that is typed as it stands."""
    return f"{BOLD}{escape(text)}{ROMAN}"


def italic(text: str) -> str:
    """Text that stands for something else."""
    return f"{ITALIC}{escape(text)}{ROMAN}"


def filled(text: str) -> list[str]:
    """Lines of a paragraph; `text` is escaped already."""
    lines = textwrap.wrap(
        " ".join(text.split()), WIDTH, break_long_words=False, break_on_hyphens=False
    )
    return [guarded(line) for line in lines]


def guarded(line: str) -> str:
    """A line that begins as an order would."""
    return rf"\&{line}" if line[:1] in (".", "'") else line


def section(name: str) -> str:
    """The head of a section; the names are large by custom."""
    return f'.SH "{escape(name.upper())}"'


def subsection(name: str) -> str:
    """The head of a part of a section."""
    return f'.SS "{escape(name)}"'


def tagged(tag: str, body: str) -> list[str]:
    """A word, and what it means, both escaped already."""
    return [".TP", guarded(tag), *(filled(body) or [r"\&"])]


def verbatim(text: str) -> list[str]:
    """Lines as they are."""
    lines = (guarded(escape(line)) for line in text.rstrip("\n").split("\n"))
    return [".PP", ".in +4n", ".EX", *(line or r"\&" for line in lines), ".EE", ".in"]


def from_markdown(text: str) -> list[str]:
    """The body of a page out of a document, without its title."""
    return list(_Document(MarkdownIt("commonmark").enable("table").parse(text)).lines())


def inline(token: Token) -> str:
    """Text with its emphasis; of links the words stay."""
    parts: list[str] = []
    for child in token.children or ():
        match child.type:
            case "text":
                parts.append(escape(child.content))
            case "code_inline":
                parts.append(bold(child.content))
            case "softbreak" | "hardbreak":
                parts.append(" ")
            case "strong_open":
                parts.append(BOLD)
            case "em_open":
                parts.append(ITALIC)
            case "strong_close" | "em_close":
                parts.append(ROMAN)
    return "".join(parts)


class _Document:
    """Walks once over the tokens of a document."""

    def __init__(self, tokens: Sequence[Token]) -> None:
        self._tokens = iter(tokens)
        self._lists: list[int | None] = []
        """Of each list that is open: the number of its next item; None: it has none."""
        self._first_of_item = False

    def lines(self) -> Iterator[str]:
        """The whole page."""
        for token in self._tokens:
            match token.type:
                case "heading_open":
                    yield from self._heading(token.tag)
                case "paragraph_open":
                    yield from self._paragraph()
                case "fence" | "code_block":
                    yield from verbatim(token.content)
                case "table_open":
                    yield from self._table()
                case "bullet_list_open" | "ordered_list_open":
                    yield from self._open(token)
                case "bullet_list_close" | "ordered_list_close":
                    self._lists.pop()
                    yield ".RE" if self._lists else ".PP"
                case "list_item_open":
                    yield self._item()

    def _heading(self, tag: str) -> Iterator[str]:
        text = re.sub(r"\\f[BIR]", "", inline(next(self._tokens)))
        if tag == "h2":
            yield f'.SH "{text.upper() if not text.startswith("[") else text}"'
        elif tag != "h1":
            yield f'.SS "{text}"'

    def _paragraph(self) -> Iterator[str]:
        if not self._first_of_item:
            yield ".IP" if self._lists else ".PP"
        self._first_of_item = False
        yield from filled(inline(next(self._tokens)))

    def _open(self, token: Token) -> Iterator[str]:
        if self._lists:
            yield ".RS"
        self._lists.append(int(token.attrs.get("start", 1)) if token.type[0] == "o" else None)

    def _item(self) -> str:
        self._first_of_item = True
        number = self._lists[-1]
        if number is None:
            return r".IP \(bu 2"
        self._lists[-1] = number + 1
        return f".IP {number}. 4"

    def _table(self) -> Iterator[str]:
        rows: list[list[str]] = []
        for token in self._tokens:
            if token.type == "table_close":
                break
            if token.type == "tr_open":
                rows.append([])
            elif token.type == "inline":
                rows[-1].append(inline(token))
        head, *body = rows
        for row in body:
            yield from _row(head, row)
        yield ".PP"


def _row(head: Sequence[str], row: Sequence[str]) -> list[str]:
    """A row as a word and its meaning, with what else is known of it behind."""
    main = head.index(MAIN_COLUMN) if MAIN_COLUMN in head else 1
    known = [
        f"{name}: {cell}" if name else cell
        for index, (name, cell) in enumerate(zip(head, row, strict=True))
        if index not in (0, main) and cell not in NOTHING
    ]
    body = ". ".join(part for part in (row[main].rstrip("."), "; ".join(known)) if part)
    tag = row[0] if "\\f" in row[0] else f"{BOLD}{row[0]}{ROMAN}"
    return tagged(tag, f"{body}.")


def page(lines: Iterable[str]) -> str:
    """A whole page; orders for room that nothing follows are left out."""
    kept: list[str] = []
    for line in lines:
        if line.startswith((".SH", ".SS", ".PP", ".TP", ".IP")) and kept and kept[-1] == ".PP":
            kept.pop()
        if line == ".PP" and kept and kept[-1].startswith((".SH", ".SS")):
            continue
        kept.append(line)
    while kept[-1] == ".PP":
        kept.pop()
    return "\n".join(kept) + "\n"
