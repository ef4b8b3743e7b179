"""Keys and sections of OSCam's files as text; a letter is a byte, as in `lexer`."""

from collections.abc import Iterable, Mapping

from cccamd.ids import Caid, Ident, format_caid, format_ident, format_sid

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
        if caid and (plain := " ".join(name.replace("|", "/").split())):
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
