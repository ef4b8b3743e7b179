"""Where the settings stand: files and lines, so that every reason can name its own."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from cccamd.ids import NodeId, format_node_id
from cccamd.setup.cccamcfg import Config, FLine, MaskedLine, ParseResult, Severity, masked_lines
from cccamd.why.answer import Setting


@dataclass(frozen=True, slots=True, kw_only=True)
class BrokenLine:
    """A letter line that is not used because something is wrong with it."""

    line: int
    letter: str
    name: str
    """The user of an F-line, the host of a C-line."""
    text: str
    """What is wrong, without secrets."""
    instead: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Places:
    """The files of one server, and the lines that matter in them."""

    config: str = "CCcam.cfg"
    toml: str = "cccamd.toml"
    prio: str = "CCcam.prio"
    lines: Mapping[str, int] = field(default_factory=dict)
    """Of the keys that were set, by their names; IGNORE NODE with its node id."""
    broken: tuple[BrokenLine, ...] = ()

    def key(self, name: str) -> Setting:
        """A key line of CCcam.cfg; without a line when it is not set there."""
        return Setting(name=name, file=self.config, line=self.lines.get(name))

    def ignore_node(self, node_id: NodeId) -> Setting:
        """The line that ignores a node."""
        line = self.lines.get(f"IGNORE NODE {format_node_id(node_id)}")
        return Setting(name="IGNORE NODE", file=self.config, line=line)

    def f_line(self, line: FLine) -> Setting:
        """An account."""
        return Setting(name="the F-line", file=self.config, line=line.line)

    def c_line(self, line: int) -> Setting:
        """An upstream."""
        return Setting(name="the C-line", file=self.config, line=line)

    def table(self, name: str) -> Setting:
        """Something in cccamd.toml."""
        return Setting(name=name, file=self.toml)

    def i_line(self) -> Setting:
        """An I-line of CCcam.prio."""
        return Setting(name="an I-line", file=self.prio)


def read_places(data: bytes, result: ParseResult, *, config: str, toml: str) -> Places:
    """Find the lines of a CCcam.cfg that was parsed."""
    shown = masked_lines(data, range(1, data.count(b"\n") + data.count(b"\r") + 2))
    errors = {
        found.line: found
        for found in reversed(result.diagnostics)
        if found.severity is Severity.ERROR and found.line is not None
    }
    broken = []
    for number, found in sorted(errors.items()):
        letter, name = _letter_and_name(shown.get(number))
        if letter:
            broken.append(
                BrokenLine(
                    line=number,
                    letter=letter,
                    name=name,
                    text=f"{found.code.value}: {found.text}",
                    instead=found.instead or "",
                )
            )
    sound = {number: line for number, line in shown.items() if number not in errors}
    return Places(
        config=config,
        toml=toml,
        prio=result.config.settings.caid_prio_file or "CCcam.prio",
        lines=_lines_of_keys(sound, result.config),
        broken=tuple(broken),
    )


def _letter_and_name(line: MaskedLine | None) -> tuple[str, str]:
    letter, _, value = (line.text if line else "").partition(":")
    letter = letter.strip().upper()
    words = value.split()
    return (letter, words[0]) if letter in ("F", "C") and words else ("", "")


def _lines_of_keys(lines: Mapping[int, MaskedLine], config: Config) -> dict[str, int]:
    """The last line of a key counts, as it does for its value."""
    names = set(config.settings_set)
    found: dict[str, int] = {}
    for number, line in lines.items():
        separator = ":" if ":" in line.text else "="
        key, _, value = line.text.partition(separator)
        name = " ".join(key.split()).upper()
        if name in names:
            found[name] = number
        if name == "IGNORE NODE":
            found[f"{name} {value.strip().lower()}"] = number
    return found
