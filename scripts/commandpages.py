"""The manual pages of the commands, out of what `--help` says of them."""

import re
from collections.abc import Iterator
from typing import Final

from commandtree import Command, Parameter, Statuses, whole
from roff import bold, escape, filled, italic, section, subsection, tagged, verbatim

from cccamd.acting.places import FILE_NAME as SOCKET_NAME
from cccamd.acting.places import SYSTEM_FOLDER
from cccamd.cli.main import TRACEBACK_VARIABLE
from cccamd.server import BANS_FILE_NAME
from cccamd.service.plan import LOGS, STATE
from cccamd.setup.cccamcfg import SEARCHED_PATHS
from cccamd.setup.nodeid import FILE_NAME as NODE_ID_NAME
from cccamd.setup.toml.model import FILE_NAME as TOML_NAME
from cccamd.watch.journal import FILE_NAME as JOURNAL_NAME

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
    program = whole()
    yield program.path, list(_whole(program))
    for command in program.parts:
        yield command.path.replace(" ", "-"), list(_command(command))


def _whole(program: Command) -> Iterator[str]:
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
    names = [f"cccamd-{command.name}" for command in program.parts]
    yield section("Commands")
    for name, command in zip(names, program.parts, strict=True):
        yield from tagged(f"{bold(name)}(1)", escape(command.summary))
    yield section("Options")
    yield from _parameters(program.parameters)
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
    yield from _see_also(*(f"{name}(1)" for name in names), "CCcam(1)", *OTHERS)


def _command(command: Command) -> Iterator[str]:
    name = escape(command.path.replace(" ", "-"))
    yield from (section("Name"), rf"{name} \- {_as_part(command.summary)}")
    yield section("Synopsis")
    for at, part in enumerate(command.parts or (command,)):
        yield from [".br"] * (at > 0)
        yield from filled(" ".join((bold(part.path), *map(_word, part.usage))))
    yield section("Description")
    yield from _described(command)
    if command.parts:
        yield section("Commands")
        for part in command.parts:
            yield from _part(part)
    else:
        yield section("Options")
        yield from _parameters(command.parameters)
        yield section("Exit status")
        yield from _statuses(command.statuses)
    yield from _see_also("cccamd(1)", *OTHERS)


def _part(command: Command) -> Iterator[str]:
    yield subsection(command.path)
    yield from _described(command)
    yield from _parameters(command.parameters)
    yield ".PP"
    yield "Exit status:"
    yield ".RS"
    yield from _statuses(command.statuses)
    yield ".RE"


def _word(piece: str) -> str:
    return re.sub(r"[A-Za-z][\w-]*", lambda match: italic(match[0]), piece)


def _parameters(parameters: tuple[Parameter, ...]) -> Iterator[str]:
    for parameter in parameters:
        words = [
            word if word in ",/" else bold(word) if word[0] == "-" else italic(word)
            for word in re.findall(r"[^\s,/]+|[,/]", parameter.words)
        ]
        tag = re.sub(r" (?=[,/])", "", " ".join(words))
        yield from tagged(tag, escape(parameter.meaning))


def _described(command: Command) -> Iterator[str]:
    for paragraph in command.text:
        if paragraph.startswith("    "):
            yield from verbatim(paragraph)
        else:
            yield from (".PP", *filled(_quoted(paragraph)))


def _quoted(words: str) -> str:
    """`code` becomes bold; the rest is escaped."""
    parts = words.split("`")
    return "".join(bold(part) if at % 2 else escape(part) for at, part in enumerate(parts))


def _statuses(statuses: tuple[Statuses, ...]) -> Iterator[str]:
    for each in statuses:
        if each.how:
            yield from filled(escape(f"{each.how[0].upper()}{each.how[1:]}:"))
        for number, said in each.meanings:
            yield from tagged(str(number), _quoted(f"{said[:1].upper()}{said[1:]}."))


def _as_part(summary: str) -> str:
    """A summary as the second half of NAME: no stop, and it begins small."""
    words = summary.rstrip(".")
    return escape(words[0].lower() + words[1:])


def _see_also(*names: str) -> list[str]:
    named = (f"{bold(name[:-3])}{name[-3:]}" for name in names)
    return [section("See also"), *filled(", ".join(named))]
