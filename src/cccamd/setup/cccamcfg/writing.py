"""How lines of a CCcam.cfg are written: the one form of F-, C- and N-lines (section 3)."""

from collections.abc import Iterable, Sequence

from cccamd.cards import Limit
from cccamd.ids import format_caid, format_ident, format_service
from cccamd.setup.cccamcfg.model import CLine, FLine, NLine
from cccamd.setup.hours import TimeFrame
from cccamd.values import Service


def limit_text(limit: Limit) -> str:
    """Write `caid:ident:hops`; 0 stands for all."""
    if not limit.caid and not limit.ident:
        return f"0:0:{limit.number}"
    caid = format_caid(limit.caid) if limit.caid else "0"
    ident = format_ident(limit.ident) if limit.ident else "0"
    return f"{caid}:{ident}:{limit.number}"


def write_f_line(
    account: FLine,
    *,
    limits: Sequence[Limit] | None = None,
) -> str:
    """Write an F-line in the vendor's dialect; `limits`: instead of its own."""
    kept = account.limits if limits is None else limits
    words = [
        "F:",
        account.user,
        account.password,
        str(account.max_distance),
        str(int(account.shareemus)),
        str(int(account.allowemm)),
        *groups_of(kept, account.sids, account.timeframes, host=account.host or ""),
    ]
    return " ".join(words)


def groups_of(
    limits: Iterable[Limit],
    services: Iterable[Service],
    frames: Iterable[TimeFrame],
    *,
    host: str = "",
) -> list[str]:
    """Write the groups of an F-line and its host; groups at the end that are empty are left out,
    unless there is a host."""
    groups = [
        list(map(limit_text, limits)),
        [format_service(*each) for each in services],
        list(map(str, frames)),
    ]
    while groups and not groups[-1] and not host:
        groups.pop()
    words = [group_text(group) for group in groups]
    return [*words, host] if host else words


def group_text(entries: Sequence[str]) -> str:
    """Write a brace group."""
    return f"{{ {', '.join(entries)} }}" if entries else "{ }"


def write_c_line(line: CLine) -> str:
    """Write a C-line."""
    words = ["C:", line.host, str(line.port), line.user, line.password]
    if line.wantemus or line.limits:
        words.append("yes" if line.wantemus else "no")
    if line.limits:
        words.append(group_text(list(map(limit_text, line.limits))))
    return " ".join(words)


def write_n_line(line: NLine) -> str:
    """Write an N-line; STEALTH has no effect, and is left out."""
    pairs = [line.deskey[at : at + 2] for at in range(0, len(line.deskey), 2)]
    words = ["N:", line.host, str(line.port), line.user, line.password, *pairs, str(line.hops)]
    return " ".join(words)
