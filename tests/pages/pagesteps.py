"""What a page of the guide or the cookbook tells its reader to do, in order.

Three things of a page are done (docs/writing.md):

- a fence with a path as its title, ``title="attic: /etc/CCcam.cfg"``, is a file of a machine, which
  is left out where there is only one;
- a ``console`` fence holds commands behind ``me@attic$`` or ``$``, and what they print; ``...``
  stands for what the page leaves out;
- a remark ``<!-- play: start attic -->`` is what happens without a command.
"""

import re
from collections.abc import Iterator
from dataclasses import asdict, dataclass

_PARTS = re.compile(
    r'^(?P<indent> *)```(?P<language>\w+)(?: title="(?P<title>[^"]+)")?\n'
    r"(?P<body>.*?)^(?P=indent)```$|^ *<!-- play: (?P<remark>.*?) -->$",
    re.MULTILINE | re.DOTALL,
)
_TITLE = re.compile(r"(?:(?P<machine>[a-z-]+): )?(?P<path>/\S+)")
_PROMPT = re.compile(r"^(?:me@)?(?P<machine>[a-z-]*)\$ (?P<command>.*)$")


@dataclass(frozen=True)
class Step:
    """One thing that is done; an empty machine is the only one of the page."""

    what: str
    """`write`, `run`, or the first word of a remark."""
    machine: str
    text: str
    """A file's path, a command, or the rest of a remark."""
    more: str = ""
    """A file's content, or what a command prints."""


def steps_of(page: str) -> list[Step]:
    """All of them."""
    return [step for part in _PARTS.finditer(page) for step in _steps(part)]


def as_dicts(steps: list[Step]) -> list[dict[str, str]]:
    """For JSON."""
    return [asdict(step) for step in steps]


def _steps(part: re.Match[str]) -> Iterator[Step]:
    if part["remark"]:
        what, _, rest = part["remark"].partition(" ")
        machine, _, text = rest.partition(" ")
        yield Step(what, machine, text)
        return
    indent = len(part["indent"])
    body = "\n".join(line[indent:] for line in part["body"].splitlines()) + "\n"
    title = _TITLE.fullmatch(part["title"] or "")
    if title:
        yield Step("write", title["machine"] or "", title["path"], body)
    elif part["language"] == "console":
        yield from _commands(body)


def _commands(body: str) -> Iterator[Step]:
    machine, command, printed = "", "", list[str]()
    for line in body.splitlines():
        if prompt := _PROMPT.match(line):
            if command:
                yield Step("run", machine, command, "\n".join(printed))
            machine, command, printed = prompt["machine"], prompt["command"], []
        elif command.endswith("\\"):
            command = f"{command[:-1].rstrip()} {line.strip()}"
        else:
            printed.append(line)
    if command:
        yield Step("run", machine, command, "\n".join(printed))


_CHANGING = (
    (re.compile(r"\x1b\[[0-9;]*m"), ""),
    (re.compile(r"\d{4}-\d\d-\d\d"), "DAY"),
    (re.compile(r"\d\d:\d\d:\d\d([.,]\d+)?"), "TIME"),
    (re.compile(r"[+-]?\b\d+(\.\d+)? (ms|s|min)\b"), "TIME"),
    (re.compile(r"\b[0-9A-Fa-f]{16}\b"), "NODE"),
    (re.compile(r"\b[0-9A-F]{8}\b"), "SHARE"),
    (re.compile(r":\d{5}\b(?!-)"), ":PORT"),
    (re.compile(r"\u2500+|[\u2581-\u2588]+"), ""),
)
"""What is another one each time."""


def told(text: str) -> str:
    """Output without what is another one each time; where its lines end is of no account."""
    for pattern, word in _CHANGING:
        text = pattern.sub(word, text)
    return " ".join(text.split())


def is_told(printed: str, page: str) -> bool:
    """Whether a page shows what was printed; `...` in the page stands for anything."""
    parts = [part.strip() for part in told(page).split("...")]
    return re.fullmatch(".*?".join(map(re.escape, parts)), told(printed)) is not None
