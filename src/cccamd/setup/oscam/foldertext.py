"""Keys and sections of OSCam's files as text; a letter is a byte, as in `lexer`."""

from collections.abc import Iterable, Mapping

from cccamd.ids import Caid, Ident, format_caid, format_ident, format_sid
from cccamd.values import Service

Lines = list[tuple[str, str]]
"""Keys and values of a section."""
Channels = Mapping[tuple[int, int, int], str]
"""Names of channels by CAID, ident (0: any) and SID."""


def filters(caids: Iterable[Caid], pairs: Iterable[tuple[Caid, Ident]]) -> Lines:
    """Filters of what may pass."""
    lines: Lines = []
    whole = ",".join(map(format_caid, dict.fromkeys(caids)))
    lines += [("caid", whole)] if whole else []
    by_caid: dict[Caid, list[Ident]] = {}
    for caid, ident in pairs:
        by_caid.setdefault(caid, []).append(ident)
    text = ";".join(
        f"{format_caid(caid)}:{','.join(map(format_ident, idents))}"
        for caid, idents in by_caid.items()
    )
    return [*lines, ("ident", text)] if text else lines


def lists(**found: Iterable[str]) -> Lines:
    """Keys whose lists are not empty."""
    texts = {key: ",".join(each) for key, each in found.items()}
    return [(key, text) for key, text in texts.items() if text]


def sections(found: Iterable[tuple[str, Lines]]) -> str:
    """Write sections: no remarks, no tabs at the start, LF."""
    blocks = []
    for name, lines in found:
        head = utf8_letters(name)
        blocks.append(f"[{head}]\n" + "".join(f"{key} = {value}\n" for key, value in lines))
    return "\n".join(blocks)


def channel_lines(channels: Channels) -> str:
    """Write oscam.srvid2: one line for each name of a SID, with all CAIDs that have it."""
    systems: dict[tuple[int, str], dict[int, list[int]]] = {}
    for (caid, ident, sid), name in channels.items():
        if caid and (plain := _plain(name)):
            systems.setdefault((sid, plain), {}).setdefault(caid, []).append(ident)
    return "".join(
        f"{format_sid(sid)}:{','.join(_system(*each) for each in found.items())}"
        f"|{utf8_letters(name)}|||\n"
        for (sid, name), found in systems.items()
    )


def _system(caid: int, idents: list[int]) -> str:
    """A CAID with its providers, which stands for any where one of them is 0."""
    shown = [] if 0 in idents else [f"@{format_ident(each)}" for each in idents]
    return format_caid(caid) + "".join(shown)


def provider_lines(names: Mapping[int, str]) -> str:
    """Write oscam.provid, by the keys of CCcam.providers.

    In these one byte is of the CAID, of the ident or of both: a name is written for both readings,
    and the file comes back with the same keys.
    """
    return "".join(
        f"{format_caid(key >> 16 & caid_bits)}:{format_ident(key & ident_bits)}"
        f"|{utf8_letters(plain)}|||\n"
        for key, name in names.items()
        for caid_bits, ident_bits in _READINGS[: 2 if key >> 16 & 0xFF else 1]
        if key >> 16 & caid_bits and (plain := _plain(name))
    )


_READINGS = ((0xFFFF, 0xFFFF), (0xFF00, 0xFFFFFF))


def priority_lines(ignored: Iterable[Service], orders: Iterable[Iterable[Service]]) -> str:
    """Write oscam.dvbapi: a rule for each system, in the order of CCcam.prio."""
    rules = [f"I: {_system_of(each)}" for each in sorted(ignored)]
    for first, *others in orders:
        rules += [f"P: {_system_of(each._replace(sid=first.sid))}" for each in (first, *others)]
    return "".join(f"{rule}\n" for rule in dict.fromkeys(rules))


def _system_of(service: Service) -> str:
    """`CAID[:ident[:sid]]`, no longer than it needs to be."""
    caid, ident, sid = service
    fields = [format_caid(caid)]
    fields += [format_ident(ident)] if ident or sid else []
    return ":".join([*fields, format_sid(sid)] if sid else fields)


def _plain(name: str) -> str:
    """A name without what divides fields."""
    return " ".join(name.replace("|", "/").split())


def letters(data: bytes) -> str:
    """Bytes of the wire, a letter each."""
    return data.decode("iso-8859-1")


def utf8_letters(text: str) -> str:
    """A text as the bytes of UTF-8, a letter each."""
    return letters(text.encode())


def label_of(name: str) -> str:
    """A reader's label, which has no blanks."""
    return utf8_letters(name.replace(" ", "_"))


def holds(text: str) -> bool:
    """Whether OSCam reads a value back as it is."""
    return 0 < len(text) <= 63 and text == text.strip(" \t\r\n") and "\0" not in text
