"""From the bytes of a CCcam.cfg to a configuration and messages. Any bytes will do."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from cccamd.setup.cccamcfg.classify import classify
from cccamd.setup.cccamcfg.cross_checks import Listeners, cross_check, find_hints, find_listeners
from cccamd.setup.cccamcfg.diagnostics import Code, Diagnostic, Hint, Severity
from cccamd.setup.cccamcfg.lexer import cut_line, read_source
from cccamd.setup.cccamcfg.model import Codec, Config
from cccamd.setup.cccamcfg.reader import FileReader
from cccamd.setup.files import ConfigFileMissingError, Place, read_file

_FILE_TEXTS = {
    Code.BYTE_ORDER_MARK: ("the file began with a byte order mark, which was skipped", None),
    Code.CRLF: ("lines end in CR LF, as on Windows; that does no harm here", None),
    # No advice to save it as UTF-8: that changes the bytes of user names and passwords.
    Code.NOT_UTF8: ("not UTF-8, so the file was read as ISO-8859-1", None),
    Code.UTF16: (
        "the file is UTF-16 text, of which nothing was read",
        "save it as plain text in UTF-8",
    ),
    Code.NOT_A_CONFIG: (
        "no line of this file belongs into a CCcam.cfg",
        "check that it is the right file",
    ),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class ParseResult:
    """What a file says, and what there is to say about it."""

    config: Config
    diagnostics: tuple[Diagnostic, ...] = ()
    """For the file first, then in the order of lines and columns."""
    untold: Mapping[Severity, int] = field(default_factory=dict)
    """How many more there are; of each severity the first 2,000 of a file are told."""
    hints: tuple[Hint, ...] = ()
    encoding: Codec | None = None
    """None: the file is UTF-16 and was not read."""
    bom: bool = False

    def count(self, severity: Severity) -> int:
        """How many messages there are of this severity, told or not."""
        told = sum(message.severity is severity for message in self.diagnostics)
        return told + self.untold.get(severity, 0)

    @property
    def refused(self) -> bool:
        """Whether the server must not start with this file."""
        return any(
            message.place.line is None and message.severity is Severity.ERROR
            for message in self.diagnostics
        )


def parse(data: bytes, *, file: str = "CCcam.cfg") -> ParseResult:
    """Read a whole file of this name. Never raises: what is wrong is in the diagnostics."""
    source = read_source(data)
    notes = [_file_diagnostic(code, file) for code in source.notes]
    if source.codec is None:
        return ParseResult(config=Config(file=file), diagnostics=tuple(notes))
    reader = FileReader(file, source.codec)
    for number, text in enumerate(source.physical_lines, start=1):
        if not text or text[0] == "#" or reader.read_plain(number, text):
            continue  # most lines of long files
        line = cut_line(number, text)
        cut = line.text
        if cut and (cut == text or not reader.read_plain(number, cut, line.odd_blank)):
            reader.read(classify(line))
    if reader.is_something_else:
        notes.append(_file_diagnostic(Code.NOT_A_CONFIG, file))
    listeners = find_listeners(reader.assignments)
    config = _build_config(file, reader, listeners)
    messages = [
        *reader.notes.told,
        *listeners.diagnostics,
        *cross_check(reader.assignments),
    ]
    return ParseResult(
        config=config,
        diagnostics=(*notes, *_in_order(_without_overruled(messages))),
        untold=reader.notes.untold,
        hints=tuple(find_hints(config, reader.assignments)),
        encoding=source.codec,
        bom=source.bom,
    )


def _file_diagnostic(code: Code, file: str) -> Diagnostic:
    text, instead = _FILE_TEXTS[code]
    return Diagnostic(code=code, text=text, place=Place(file), instead=instead)


def _build_config(file: str, reader: FileReader, listeners: Listeners) -> Config:
    assignments, letter_lines = reader.assignments, reader.letter_lines
    settings = assignments.settings()
    return Config(
        file=file,
        server_listen_port=listeners.server_port,
        server_listen_port_line=listeners.server_line,
        telnetinfo=listeners.telnetinfo,
        webinfo=listeners.webinfo,
        emm_allowed=settings.allow_emm and not settings.disable_emm,
        settings=settings,
        settings_set=assignments.names_of_settings(),
        f_lines=letter_lines.f_lines,
        c_lines=letter_lines.c_lines,
        n_lines=letter_lines.n_lines,
        unsupported_lines=letter_lines.unsupported_lines,
        refused_lines=tuple(reader.refused_lines),
        places=assignments.places(),
    )


def _without_overruled(messages: list[Diagnostic]) -> list[Diagnostic]:
    """Drop the warnings of lines that have an error."""
    refused = {message.place.line for message in messages if message.severity is Severity.ERROR}
    return [
        message
        for message in messages
        if message.severity is Severity.ERROR or message.place.line not in refused
    ]


def _in_order(messages: Iterable[Diagnostic]) -> list[Diagnostic]:
    return sorted(messages, key=lambda found: (*found.place.order, found.code))


SEARCHED_PATHS = (
    Path("/var/etc/CCcam.cfg"),
    Path("/etc/CCcam.cfg"),
    Path("/etc/cccam/CCcam.cfg"),
)
"""Where to look if no file is named, in this order."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadedConfig:
    """What was read, and from where."""

    path: Path | None
    """None: no file was named and none of the usual ones exists."""
    missing: bool
    """There was no file, which is legal: all defaults apply. Worth a line in the log."""
    empty: bool = False
    """There was a file, without a single byte."""
    torn: bool = False
    """It is text with zero bytes: what stood there never reached the disk."""
    result: ParseResult


def load_config(
    path: Path | None = None, *, searched: Sequence[Path] = SEARCHED_PATHS
) -> LoadedConfig:
    """Read the named file, or else the first of the usual ones that exists.

    Raises:
        ConfigFileError: the file is there but cannot be read.
    """
    for candidate in searched if path is None else (path,):
        try:
            data = read_file(candidate)
        except ConfigFileMissingError:
            continue
        result = parse(data, file=str(candidate))
        return LoadedConfig(
            path=candidate,
            missing=False,
            empty=not data,
            torn=b"\0" in data and result.encoding is not None,
            result=result,
        )
    result = parse(b"") if path is None else parse(b"", file=str(path))
    return LoadedConfig(path=path, missing=True, result=result)
