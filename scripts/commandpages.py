"""The manual pages of the commands, out of what `--help` says of them."""

import re
from collections.abc import Iterator
from typing import Any, Final

import typer
from roff import bold, escape, filled, italic, section, subsection, tagged, verbatim

from cccamd.acting.places import FILE_NAME as SOCKET_NAME
from cccamd.acting.places import SYSTEM_FOLDER
from cccamd.cli import command_line
from cccamd.cli.main import COMMANDS, TRACEBACK_VARIABLE
from cccamd.server import BANS_FILE_NAME
from cccamd.service.plan import LOGS, STATE
from cccamd.setup.cccamcfg import SEARCHED_PATHS
from cccamd.setup.nodeid import FILE_NAME as NODE_ID_NAME
from cccamd.setup.toml.model import FILE_NAME as TOML_NAME
from cccamd.watch.journal import FILE_NAME as JOURNAL_NAME

STATUS: Final = re.compile(r"Exit status(?:, (?P<how>[^:]+))?: (?P<list>.*)")
EACH: Final = re.compile(r"(?:^|, |; )(\d+) ")
HELP: Final = ["-h", "--help"]
OTHERS: Final = ("CCcam.cfg(5)", "cccamd.toml(5)")

ENVIRONMENT: Final = (
    (TRACEBACK_VARIABLE, "Set to 1: an error of cccamd's own shows where in the program it came."),
    ("STATE_DIRECTORY", f"The folder of the node id, keys and journal, instead of {STATE}."),
    ("XDG_STATE_HOME", "The same for users other than root: they are in its folder cccamd."),
    ("RUNTIME_DIRECTORY", "The folder of the socket that commands reach the server by."),
    ("XDG_RUNTIME_DIR", "The same for users other than root: it is in its folder cccamd."),
    (
        "NOTIFY_SOCKET",
        "Where the service manager is told that the server serves, see sd_notify.",
    ),
    (
        "WATCHDOG_USEC",
        "How often it wants to hear that the server lives.",
    ),
    ("WATCHDOG_PID", "Of which process."),
)
FILES: Final = (
    (", ".join(map(str, SEARCHED_PATHS)), "Accounts and servers; the first that exists is read."),
    (TOML_NAME, "Beside it: what CCcam.cfg cannot say."),
    (f"{STATE}/{NODE_ID_NAME}", "The number of this server, for root and for the service."),
    (f"{STATE}/link-key.pem", "The key of this server for paired links: a secret."),
    (f"{STATE}/{JOURNAL_NAME}", "Who watched what."),
    (f"{STATE}/{BANS_FILE_NAME}", "Which addresses are banned, and until when."),
    (str(LOGS), "A folder that the service may write a log file to."),
    (f"{SYSTEM_FOLDER}/{SOCKET_NAME}", "Where commands reach the running service."),
)


def pages() -> Iterator[tuple[str, list[str]]]:
    """Names, and bodies from NAME on."""
    yield "cccamd", list(_whole())
    for name, summary in COMMANDS.items():
        root = typer.main.get_command(command_line([name]))
        yield f"cccamd-{name}", list(_command(name, summary, root.commands[name]))  # type: ignore[attr-defined]


def _whole() -> Iterator[str]:
    root = typer.main.get_command(command_line([]))
    summary = "server, client and workbench for the CCcam protocol"
    yield from (section("Name"), rf"cccamd \- {summary}")
    yield section("Synopsis")
    yield from filled(f"{bold('cccamd')} {italic('COMMAND')} [{italic('OPTIONS')}] ...")
    yield section("Description")
    yield from filled(
        "A household has one card and several receivers, a laboratory or a hotel a head-end of its"
        " own and a rack of them. cccamd hands out control words: receivers send ECMs, it asks the"
        " card that can decode them, and answers in time. It reads a CCcam.cfg unchanged, and says"
        " in plain words what goes on and what is wrong."
    )
    yield section("Commands")
    for name, said in COMMANDS.items():
        yield from tagged(f"{bold(f'cccamd-{name}')}(1)", escape(said))
    yield section("Options")
    yield from _parameters(root, "cccamd")
    yield section("Exit status")
    yield from tagged("0", "It was done.")
    yield from tagged("1", "It was not, or something is wrong: the page of the command says what.")
    yield from tagged("2", "The command line or a file cannot be used, or cccamd has failed.")
    yield section("Environment")
    for name, said in ENVIRONMENT:
        yield from tagged(bold(name), escape(said))
    yield section("Files")
    for name, said in FILES:
        yield from tagged(italic(name), escape(said))
    yield from _see_also(*(f"cccamd-{name}(1)" for name in COMMANDS), "CCcam(1)", *OTHERS)


def _command(name: str, summary: str, command: Any) -> Iterator[str]:
    yield from (section("Name"), rf"cccamd\-{name} \- {_as_part(summary)}")
    parts = getattr(command, "commands", None)
    described, statuses = _split(command.help or "")
    yield section("Synopsis")
    if parts is None:
        yield from _usage(command, f"cccamd {name}")
    else:
        for at, part in enumerate(parts):
            yield from [".br"] * (at > 0)
            yield from _usage(parts[part], f"cccamd {name} {part}")
    yield section("Description")
    yield from described
    if parts is None:
        yield section("Options")
        yield from _parameters(command, f"cccamd {name}")
        yield section("Exit status")
        yield from statuses
    else:
        yield section("Commands")
        for part, below in parts.items():
            yield from _part(f"cccamd {name} {part}", below)
    yield from _see_also("cccamd(1)", *OTHERS)


def _part(name: str, command: Any) -> Iterator[str]:
    described, statuses = _split(command.help or "")
    yield subsection(name)
    yield from described
    yield from _parameters(command, name)
    yield ".PP"
    yield "Exit status:"
    yield ".RS"
    yield from statuses
    yield ".RE"


def _usage(command: Any, name: str) -> list[str]:
    with typer.Context(command, info_name=name, help_option_names=HELP) as context:
        pieces = command.collect_usage_pieces(context)
    return filled(" ".join((bold(name), *(_word(piece) for piece in pieces))))


def _word(piece: str) -> str:
    return re.sub(r"[A-Za-z][\w-]*", lambda match: italic(match[0]), piece)


def _parameters(command: Any, name: str) -> Iterator[str]:
    with typer.Context(command, info_name=name, help_option_names=HELP) as context:
        records = [each.get_help_record(context) for each in command.get_params(context)]
    for record in records:
        if record is None:
            continue
        words = [
            word if word in ",/" else bold(word) if word[0] == "-" else italic(word)
            for word in re.findall(r"[^\s,/]+|[,/]", record[0])
        ]
        tag = re.sub(r" (?=[,/])", "", " ".join(words))
        yield from tagged(tag, escape(record[1]))


def _split(text: str) -> tuple[list[str], list[str]]:
    """What a command says of itself, and of its exit statuses."""
    described: list[str] = []
    statuses: list[str] = []
    for paragraph in text.strip().split("\n\n"):
        words = " ".join(paragraph.split())
        if found := STATUS.fullmatch(words):
            statuses = _statuses(found["how"], found["list"])
        elif paragraph.startswith("    "):
            described += verbatim(paragraph)
        else:
            described += [".PP", *filled(_quoted(words))]
    return described, statuses


def _quoted(words: str) -> str:
    """`code` becomes bold; the rest is escaped."""
    parts = words.split("`")
    return "".join(bold(part) if at % 2 else escape(part) for at, part in enumerate(parts))


def _statuses(how: str | None, text: str) -> list[str]:
    lines = filled(escape(f"{how[0].upper()}{how[1:]}:")) if how else []
    _, *rest = EACH.split(text)
    for number, said in zip(rest[::2], rest[1::2], strict=True):
        said = said.strip().rstrip(".")
        lines += tagged(number, _quoted(f"{said[:1].upper()}{said[1:]}."))
    return lines


def _as_part(summary: str) -> str:
    """A summary as the second half of NAME: no stop, and it begins small."""
    words = summary.rstrip(".")
    return escape(words[0].lower() + words[1:])


def _see_also(*names: str) -> list[str]:
    named = (f"{bold(name[:-3])}{name[-3:]}" for name in names)
    return [section("See also"), *filled(", ".join(named))]
