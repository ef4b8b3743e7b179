"""What the readers of CCcam.prio, CCcam.providers and CCcam.channelinfo share (section 4)."""

from collections.abc import Iterator

from cccamd.setup.cccamcfg.lexer import read_source, replace_odd_blanks
from cccamd.setup.files import Place, Problem

COMMENT_SIGNS = ("#", ";", "//")


def content_lines(data: bytes) -> Iterator[tuple[int, str]]:
    """Go through the lines that are neither empty nor comments, without blanks at the ends.

    A UTF-16 file has none.
    """
    for number, physical in enumerate(read_source(data).physical_lines, start=1):
        text = replace_odd_blanks(physical).strip(" \t")
        if text and not text.startswith(COMMENT_SIGNS):
            yield number, text


def encoding_problems(data: bytes, file: str) -> list[Problem]:
    """Say why a UTF-16 file has no lines."""
    if read_source(data).codec is not None:
        return []
    return [skipped(file, 1, "the file is UTF-16 text and was not read; save it as UTF-8")]


def skipped(file: str, line: int, text: str) -> Problem:
    """Say that a line was skipped, or read with a guess."""
    return Problem(place=Place(file, line), text=text, is_warning=True)


def split_name(text: str) -> tuple[str, str] | None:
    """Split `key "name" remark` into key and name, or None if there is no quoted name."""
    key, opening, others = text.partition('"')
    name, closing, _ = others.rpartition('"')
    name = name.strip('" \t')
    return (key.strip(" \t"), name) if opening and closing and name else None
