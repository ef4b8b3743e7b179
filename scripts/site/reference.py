"""Write pages of the site out of the code's own tables, into build/reference.

    reference.py [FOLDER]

What stands in docs/ by hand (CCcam.cfg, cccamd.toml, metrics) is held to the code by tests instead.
"""

import sys
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

sys.path.append(str(Path(__file__).parents[1]))

from commandtree import Command, whole

from cccamd.facts import Step
from cccamd.net import explain_end
from cccamd.web.api import described
from cccamd.why.logins import LEFT
from cccamd.why.logins import MEANINGS as LOGINS
from cccamd.why.meanings import MEANINGS as LINKS
from cccamd.wire.link import Closed, CloseReason

FOLDER = Path(__file__).parents[2] / "build" / "reference"
Page = Iterator[str]
"""Its lines."""


def main(folder: Path) -> None:
    """Write all pages anew, and only what has changed, so that `mkdocs serve` rests."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, lines in (
        ("commands", commands()),
        ("messages", messages()),
        ("http-api", http_api()),
    ):
        path, text = folder / f"{name}.md", "\n".join(lines) + "\n"
        if not path.exists() or path.read_text(encoding="utf-8") != text:
            path.write_text(text, encoding="utf-8")


# Commands.


def commands() -> Page:
    """All commands, as `--help` has them."""
    program = whole()
    yield "# Commands"
    yield "\nWhat `cccamd COMMAND --help` says. `cccamd --version` tells which version this is.\n"
    yield from _table(
        ("command", "what it is for"),
        (
            (f"[`{command.name}`](#{_anchor(command)})", command.summary)
            for command in program.parts
        ),
    )
    for command in program.parts:
        yield from _command(command, level=2)


def _anchor(command: Command) -> str:
    return command.path.replace(" ", "-")


def _command(command: Command, *, level: int) -> Page:
    yield f"\n{'#' * level} `{command.path}` {{ #{_anchor(command)} }}"
    yield f"\n```\n{' '.join((command.path, *command.usage))}\n```"
    for paragraph in command.text:
        yield f"\n{_escaped(paragraph)}"
    for statuses in command.statuses:
        yield f"\nExit status{', ' if statuses.how else ''}{_escaped(statuses.how)}:\n"
        yield from (f"- {number}: {_escaped(said)}" for number, said in statuses.meanings)
    yield ""
    rows = [
        (f"`{each.words}`", _escaped(each.meaning))
        for each in command.parameters
        if not each.is_help
    ]
    if rows:
        yield from _table(("word", "meaning"), rows)
    for part in command.parts:
        yield from _command(part, level=level + 1)


# What is said when something fails.


def messages() -> Page:
    """What cccamd calls each trouble, what it means, and what to do."""
    yield "# Every message, and what to do"
    yield (
        "\nThe log, the pages, `cccamd status`, `probe`, `explain` and the doctor use the same"
        " words. This page has all of them, out of the program itself; names in braces are filled"
        " in there. If you know what you see on the screen and not what cccamd calls it, start with"
        " [trouble by what you see](../trouble.md). What [incidents](../incidents.md#causes) and"
        " the verdicts on [freezes](../freezes.md#whose-fault) mean stands there.\n"
    )
    yield "## A link to another server { #links }"
    yield (
        "\nOf a C-line or N-line: how far it got, and why no further. The most likely cause comes"
        " first. [All texts, with the tests that bring them about](../failures.md).\n"
    )
    ends = _ends_by_step()
    for step, meaning in LINKS.items():
        yield f"### {step.value} {{ #link-{step.name.lower()} }}\n"
        if ends.get(step):
            yield from (f"> {reason.value}\n" for reason in ends[step])
        yield _to_do(meaning.change)
        yield from (f"{number}. {_escaped(each)}" for number, each in enumerate(meaning.causes, 1))
        yield ""
    yield "## A login at this server { #logins }"
    yield "\nWhat the log says behind `no login:`, and `cccamd explain` of an account or address.\n"
    for reason, login in LOGINS.items():
        yield f"### {reason.value} {{ #login-{reason.name.lower()} }}\n"
        yield _to_do(login.change)
    yield "## A receiver that has left { #left }"
    yield "\nWhat the log says behind `logged out:`.\n"
    for reason, change in LEFT.items():
        yield f"### {reason.value} {{ #left-{reason.name.lower()} }}\n"
        yield _to_do(change)


def _to_do(change: str) -> str:
    return f"**What to do:** {_escaped(change)}{'' if change.endswith('?') else '.'}\n"


def _ends_by_step() -> Mapping[Step, list[CloseReason]]:
    """How connections end, by what that means for an attempt to log in."""
    found: dict[Step, list[CloseReason]] = {}
    for reason in CloseReason:
        step = explain_end(Closed(reason), introduced=True).step
        if step is not Step.ENDED:
            found.setdefault(step, []).append(reason)
    return found


# The API.


def http_api() -> Page:
    """All paths and fields of the OpenAPI description."""
    description: Any = described("cccamd")
    schemas = description["components"]["schemas"]
    yield "# Every path and field of the API"
    yield (
        f"\n{description['info']['description']} A running server has this as OpenAPI at"
        " `/api/openapi.json`; [how to use it](../api.md).\n\n## Paths\n"
    )
    for path, methods in description["paths"].items():
        get = methods["get"]
        answer = get["responses"]["200"]["content"]["application/json"]["schema"]
        yield f"### `{path}`\n"
        yield f"{_escaped(get['summary'])}: {_kind(answer)}.\n"
        if get.get("parameters"):
            rows = [
                (f"`{param['name']}`", _kind(param["schema"]), param.get("description", ""))
                for param in get["parameters"]
            ]
            yield from _table(("parameter", "type", "meaning"), rows)
    yield "## Objects\n"
    for name, schema in schemas.items():
        yield f"### {name} {{ #{name.lower()} }}\n"
        yield _escaped(schema.get("description", "")) + "\n"
        if words := schema.get("enum"):
            yield "One of " + ", ".join(f"`{word}`" for word in words) + ".\n"
        rows = [
            (f"`{key}`", _kind(value), value.get("description", ""))
            for key, value in schema.get("properties", {}).items()
        ]
        if rows:
            yield from _table(("field", "type", "meaning"), rows)


def _kind(schema: Mapping[str, Any]) -> str:
    """A type, for people."""
    if "$ref" in schema:
        name = schema["$ref"].rpartition("/")[2]
        return f"[{name}](#{name.lower()})"
    if "anyOf" in schema:
        return " or ".join(dict.fromkeys(map(_kind, schema["anyOf"])))
    if schema.get("type") == "array":
        items = schema.get("items", {})
        return f"list of {_kind(items)}" if items else "list"
    if "enum" in schema or "const" in schema:
        return ", ".join(f"`{word}`" for word in schema.get("enum", [schema.get("const")]))
    return str(schema.get("type", "anything"))


# Markdown.


def _table(heads: Iterable[str], rows: Iterable[Iterable[str]]) -> Page:
    heads = list(heads)
    yield f"| {' | '.join(heads)} |"
    yield f"|{'---|' * len(heads)}"
    for row in rows:
        cells = (" ".join(cell.split()).replace("|", "\\|") for cell in row)
        yield f"| {' | '.join(cells)} |"
    yield ""


def _escaped(text: str) -> str:
    """Keep what a terminal shows as it stands from being taken for markup."""
    parts = text.split("`")
    parts[::2] = [
        part.replace("<", "&lt;").replace("*", "\\*").replace("[", "\\[").replace("_", "\\_")
        for part in parts[::2]
    ]
    return "`".join(parts)


if __name__ == "__main__":
    main(Path(sys.argv[1]) if sys.argv[1:] else FOLDER)
