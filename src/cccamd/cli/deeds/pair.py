"""`cccamd pair`: have two servers know each other's key, so that a link between them is safe."""

from pathlib import Path
from typing import Final

import typer

from cccamd.cli.command import answer, failing_plainly, plain
from cccamd.errors import CccamdError, NumberError
from cccamd.setup.files import ConfigFileError, read_file
from cccamd.setup.nodeid import default_path
from cccamd.setup.pairing import Pairing, PairingError
from cccamd.wire.keycodes import KeyCode, format_key_code, parse_key_code

EXIT_UNUSABLE: Final = 2
CODE_FILE_LIMIT: Final = 1024
"""Characters: a code in a file, perhaps with a word around it."""


def run(
    *,
    name: str,
    code: str,
    node_id: Path | None,
    replace: bool,
    forget: str,
    write: Path | None,
    as_data: bool,
) -> None:
    """Pair two servers: each is told the code of the other's key."""
    pairing = Pairing((node_id or default_path()).parent)
    with failing_plainly("pair", CccamdError, OSError, status=EXIT_UNUSABLE):
        if forget:
            pairing.forget(forget)
            said = f"{forget} is not paired any more; links with its key end"
            answer({"forgotten": forget}, said, as_data=as_data)
        elif code:
            _take(pairing, name, _code(code), replace=replace, as_data=as_data)
        elif name:
            raise PairingError(f"the code is missing: cccamd pair {plain(name)} CODE")
        else:
            _show(pairing, write, as_data=as_data)


def _take(pairing: Pairing, name: str, code: KeyCode, *, replace: bool, as_data: bool) -> None:
    taken = pairing.pair(name, code, replace=replace)
    data = {"code": format_key_code(pairing.own_code()), "paired": taken.name}
    answer(
        data,
        f"{taken.name} is paired.\n\n"
        f"Tell the other server, too:   cccamd pair NAME {format_key_code(pairing.own_code())}\n\n"
        "Then, in cccamd.toml of the server that has the C-line, beside its CCcam.cfg:\n\n"
        f'    [[upstream]]\n    host = "..."\n    port = 12000\n    user = "..."\n'
        f'    paired = "{taken.name}"\n    tls_port = 12443\n\n'
        "and of the server that has the F-line:\n\n"
        f'    [tls]\n    port = 12443\n\n    [[account]]\n    user = "..."\n'
        f'    paired = "{taken.name}"',
        as_data=as_data,
    )


def _show(pairing: Pairing, write: Path | None, *, as_data: bool) -> None:
    own = format_key_code(pairing.own_code())
    known = pairing.paired()
    if as_data:
        _show_data(pairing, own, write)
        return
    typer.echo(f"This server's code:   {own}\n")
    if pairing.trouble:
        raise PairingError(pairing.trouble)
    for each in known.values():
        typer.echo(f"paired since {each.since_day}:  {each.name}  {format_key_code(each.code)}")
    if not known:
        typer.echo(
            f"On the other server:   cccamd pair NAME {own}\n"
            "and here:              cccamd pair NAME CODE   with the code that is shown there.\n\n"
            "A code is no secret, but it must not be swapped on its way: read it aloud on the\n"
            "phone, or send it by something that you both trust already."
        )
    if write is not None:
        write.write_text(own + "\n", encoding="ascii")
        typer.echo(f"\nwritten to {write}")


def _show_data(pairing: Pairing, own: str, write: Path | None) -> None:
    if pairing.trouble:
        raise PairingError(pairing.trouble)
    if write is not None:
        write.write_text(own + "\n", encoding="ascii")
    paired = [
        {"name": each.name, "code": format_key_code(each.code), "since": each.since_day}
        for each in pairing.paired().values()
    ]
    written = None if write is None else str(write)
    answer({"code": own, "paired": paired, "written": written}, "", as_data=True)


def _code(text: str) -> KeyCode:
    """Read a code, or a file with nothing but a code in it."""
    try:
        return parse_key_code(text)
    except NumberError:
        if not Path(text).exists():
            raise
    try:
        content = read_file(Path(text)).decode("ascii", "replace")
    except ConfigFileError as error:
        raise PairingError(str(error)) from None
    return parse_key_code(content[:CODE_FILE_LIMIT])
