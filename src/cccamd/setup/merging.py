"""The accounts of CCcam.cfg together with what cccamd.toml says of them, and those of its own."""

from collections.abc import Iterator
from dataclasses import replace

from cccamd.setup.cccamcfg import CLine, Code, Config, Diagnostic, FLine, NLine, RefusedLine
from cccamd.setup.files import Place
from cccamd.setup.toml import AccountTable, TomlConfig


def merge(config: Config, toml: TomlConfig) -> Config:
    """Let the F-lines have what their tables add, and add accounts that have no F-line."""
    config = _without_unread(config, toml)
    if not toml.accounts:
        return config
    tables = {table.user: table for table in toml.accounts}
    lines = [_with_table(line, tables.get(line.user), toml) for line in config.f_lines]
    lines += _own_accounts(config, toml)
    return replace(config, f_lines=tuple(lines))


def _without_unread(config: Config, toml: TomlConfig) -> Config:
    """Take out the lines of which cccamd.toml says something that cannot be read."""
    unread = toml.unread
    if not unread:
        return config
    refused: list[RefusedLine] = []

    def is_used(line: FLine | CLine | NLine) -> bool:
        if isinstance(line, FLine):
            subject, at = line.user, unread.account(line.user)
        else:
            subject, at = line.host, unread.link(line.key)
        if at is not None:
            letter, place = type(line).__name__[0], Place(config.file, line.line)
            refused.append(RefusedLine(name=letter, subject=subject, fault=_fault(place, at)))
        return at is None

    return replace(
        config,
        f_lines=tuple(filter(is_used, config.f_lines)),
        c_lines=tuple(filter(is_used, config.c_lines)),
        n_lines=tuple(filter(is_used, config.n_lines)),
        refused_lines=(*config.refused_lines, *refused),
    )


def _fault(line: Place, mistake: Place) -> Diagnostic:
    text = "what cccamd.toml says of it cannot be read, and may restrict it"
    return Diagnostic(code=Code.UNREAD_TABLE, text=text, place=line, instead=f"mend {mistake}")


def _with_table(line: FLine, table: AccountTable | None, toml: TomlConfig) -> FLine:
    if table is None:
        return line
    return replace(
        line,
        grant=table.grant(toml.services),
        week=table.times,
        expires=table.expires,
        enabled=table.enabled,
        protocols=table.protocols,
        emm_to=table.emm_to,
    )


def _own_accounts(config: Config, toml: TomlConfig) -> Iterator[FLine]:
    """An F-line of the same user counts; that there is one is said with the other strays."""
    users = {line.user for line in config.f_lines}
    for table in toml.accounts:
        if table.password is None or table.user in users:
            continue
        line = FLine(
            line=toml.place(table.heading).line or 0,
            toml_file=toml.file,
            user=table.user,
            password=table.password,
            uphops=table.max_hop,
            allowemm=table.emm,
            limits=table.limits,
            sids=table.denied,
            host=table.host,
        )
        yield _with_table(line, table, toml)
