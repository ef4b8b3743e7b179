"""What the commands share that tell a running server what to do."""

import json
import sys
from pathlib import Path

import typer

from cccamd.acting import (
    Answer,
    LostServerError,
    NoServerError,
    Order,
    OrderError,
    ShowLog,
    Status,
    give,
    sockets_to_try,
)
from cccamd.cli.command import plain
from cccamd.setup.nodeid import default_path


def places(node_id: Path | None) -> tuple[Path, ...]:
    """Where the server may listen."""
    return sockets_to_try(node_id or default_path(), named=node_id is not None)


def order(command: str, wanted: Order, node_id: Path | None, *, as_data: bool) -> None:
    """Give an order, print what comes, and end with the exit status."""
    endless = isinstance(wanted, ShowLog) and wanted.follow
    try:
        for answer in give(wanted, places(node_id), endless=endless):
            if isinstance(answer, Answer):
                _end(command, answer, as_data=as_data)
            elif as_data:
                typer.echo(json.dumps({"line": answer.text}))
            else:
                typer.echo(plain(answer.text))
    except (NoServerError, LostServerError, OrderError) as error:
        _end(command, Answer(status=Status.UNREACHABLE, text=str(error)), as_data=as_data)
    except KeyboardInterrupt:
        raise typer.Exit from None
    except BrokenPipeError:
        sys.stderr.close()  # whoever read along has seen enough


def _end(command: str, answer: Answer, *, as_data: bool) -> None:
    is_bad = answer.status in (Status.UNUSABLE, Status.UNREACHABLE)
    lines = [plain(line) for line in answer.text.splitlines()]
    if as_data:
        typer.echo(json.dumps(answer.record()))
    elif is_bad or (answer.status is Status.NOT_DONE and len(lines) == 1):
        typer.echo(f"cccamd {command}: {' '.join(lines)}", err=True)
    else:
        for line in lines:
            typer.echo(line)
    raise typer.Exit(int(answer.status))
