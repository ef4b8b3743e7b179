"""From a plan to the files.

What CCcam.cfg cannot hold as it is - a password with a blank, a user name that would be read in
another way - is found by reading what was written, and goes to cccamd.toml.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Final, TypeVar

from cccamd.ids import format_caid, format_ident, format_service, format_sid
from cccamd.setup.cccamcfg import Config, FLine, NLine, groups_of, limit_text, parse
from cccamd.setup.hours import ALL_DAYS
from cccamd.setup.oscam.lexer import utf8
from cccamd.setup.oscam.plan import (
    AccountPlan,
    CardPlan,
    NewcamdPlan,
    Pair,
    Plan,
    ServiceList,
    UpstreamPlan,
)
from cccamd.setup.oscam.tomltext import key_text, table_text

P = TypeVar("P", AccountPlan, UpstreamPlan)

MANY_LOGINS: Final = 1000
"""What the most connections of an account mean where OSCam counted none."""
HEAD: Final = "# Written by cccamd import oscam. See docs/moving-from-oscam.md.\n"


@dataclass(frozen=True, slots=True, kw_only=True)
class Written:
    """The files as bytes; None: there is nothing to write."""

    cccam_cfg: bytes = field(repr=False)
    cccamd_toml: bytes | None = field(repr=False)
    channelinfo: bytes | None = None
    providers: bytes | None = None
    prio: bytes | None = None
    left_out: tuple[AccountPlan | UpstreamPlan, ...] = ()
    """What neither file can hold."""
    unset: tuple[str, ...] = ()
    """Keys of CCcam.cfg whose values it cannot hold."""


def render(plan: Plan) -> Written:
    """Write all files."""
    unset = [key for key, value in plan.settings.items() if not _holds(key, value)]
    plan.settings = {key: each for key, each in plan.settings.items() if key not in unset}
    elsewhere: list[AccountPlan] = []
    left_out: list[AccountPlan | UpstreamPlan] = []
    here, links = list(plan.accounts), list(plan.upstreams)
    while True:
        text = _cccam_cfg(plan, here, links)
        config = parse(text).config
        accounts = {line.user_bytes(): line for line in reversed(config.f_lines)}
        moved = [each for each in here if not _has_account(accounts, each)]
        servers = _servers_of(config)
        lost = [each for each in links if _server_of(each) not in servers]
        if not moved and not lost:
            break
        elsewhere += moved
        left_out += lost
        here, links = _without(here, moved), _without(links, lost)
    left_out += [each for each in elsewhere if not _is_utf8(each.user + each.password)]
    in_toml = [each for each in elsewhere if _is_utf8(each.user + each.password)]
    toml = _cccamd_toml(plan, here, in_toml, links, _codec(text))
    return Written(
        cccam_cfg=text,
        cccamd_toml=toml.encode() if toml else None,
        channelinfo=_lines(plan.channels),
        providers=_lines(plan.providers),
        prio=_lines(plan.priorities),
        left_out=tuple(left_out),
        unset=tuple(unset),
    )


def _lines(lines: list[str]) -> bytes | None:
    return "".join(f"{line}\n" for line in lines).encode("iso-8859-1") if lines else None


def _codec(text: bytes) -> str:
    try:
        text.decode("utf-8")
    except UnicodeDecodeError:
        return "iso-8859-1"
    return "utf-8"


def _is_utf8(text: str) -> bool:
    return _codec(text.encode("iso-8859-1")) == "utf-8"


# CCcam.cfg.


def _holds(key: str, value: str) -> bool:
    """Whether a value can be read again as it is."""
    if key.endswith(("USERNAME", "PASSWORD")):
        config = parse(f"{key} : {value}\n".encode("iso-8859-1")).config
        info = config.webinfo if key.startswith("WEBINFO") else config.telnetinfo
        read = info.username if key.endswith("USERNAME") else info.password
        codec = "utf-8" if _is_utf8(value) else "iso-8859-1"
        return read is not None and read.encode(codec) == value.encode("iso-8859-1")
    return True


def _cccam_cfg(plan: Plan, accounts: list[AccountPlan], links: list[UpstreamPlan]) -> bytes:
    blocks = [HEAD, "".join(f"{key} : {value}\n" for key, value in plan.settings.items())]
    if accounts:
        blocks.append("".join(map(f_line, accounts)))
    if links:
        blocks.append("".join(map(link_line, links)))
    return "\n".join(blocks).encode("iso-8859-1")


def _remark(text: str) -> str:
    return f"# {text}\n" if text else ""


def f_line(account: AccountPlan) -> str:
    """Write an F-line, with its remark above it."""
    words = ["F:", account.user, account.password, str(account.uphops), "0", str(int(account.emm))]
    words += groups_of(account.limits, account.denied, account.frames, host=account.host)
    return f"{_remark(account.remark)}{' '.join(words)}\n"


def link_line(link: UpstreamPlan) -> str:
    """Write a C-line or N-line, with its label above it."""
    words = [
        "C:" if link.key is None else "N:",
        link.host,
        str(link.port),
        link.user,
        link.password,
    ]
    if link.key is not None:
        words += [link.key, str(link.hops)]
    elif link.limits or link.wantemus:
        words.append("yes" if link.wantemus else "no")
        if link.limits:
            words.append(f"{{ {', '.join(map(limit_text, link.limits))} }}")
    return f"{_remark(link.label)}{' '.join(words)}\n"


def _without(plans: list[P], some: list[P]) -> list[P]:
    """Leave out those very objects; others may be equal."""
    gone = set(map(id, some))
    return [each for each in plans if id(each) not in gone]


def _has_account(accounts: Mapping[bytes, FLine], plan: AccountPlan) -> bool:
    """Whether the file says of an account what it should."""
    user, password = plan.user.encode("iso-8859-1"), plan.password.encode("iso-8859-1")
    line = accounts.get(user)
    return (
        line is not None
        and line.password_bytes() == password
        and line.uphops == plan.uphops
        and line.downhops is None
        and line.allowemm == plan.emm
        and line.limits == plan.limits
        and line.sids == plan.denied
        and [(each.begin, each.end) for each in line.timeframes]
        == [(each.begin, each.end) for each in plan.frames]
        and (line.host or "") == plan.host
    )


_Server = tuple[bool, str, int, bytes, bytes]
"""Whether it is newcamd; host and port, user and password."""


def _servers_of(config: Config) -> frozenset[_Server]:
    return frozenset(
        (isinstance(line, NLine), line.host, line.port, line.user_bytes(), line.password_bytes())
        for line in config.upstream_lines
    )


def _server_of(plan: UpstreamPlan) -> _Server:
    user, password = plan.user.encode("iso-8859-1"), plan.password.encode("iso-8859-1")
    return plan.key is not None, plan.host, plan.port, user, password


# cccamd.toml.


def _cccamd_toml(
    plan: Plan,
    accounts: list[AccountPlan],
    in_toml: list[AccountPlan],
    links: list[UpstreamPlan],
    codec: str,
) -> str:
    many = any(each.max_connections is None for each in plan.accounts)
    tables = {name: dict(values) for name, values in plan.tables.items() if values}
    if "dvbapi" in tables:
        tables["dvbapi"]["account"] = _decoded(plan.dvbapi_account, codec)
    if many and plan.accounts:
        tables.setdefault("limits", {})["logins_per_account"] = MANY_LOGINS
    blocks = [table_text(f"[{name}]", values) for name, values in sorted(tables.items())]
    for account in accounts:
        values = _account_extras(account, many=many)
        if values:
            blocks.append(
                table_text("[[account]]", {"user": _decoded(account.user, codec), **values})
            )
    blocks += [table_text("[[account]]", _whole_account(each, many=many)) for each in in_toml]
    for link in links:
        values = _link_extras(link)
        if values:
            key = {"host": link.host, "port": link.port, "user": _decoded(link.user, codec)}
            blocks.append(table_text("[[upstream]]", {**key, **values}))
    blocks += [table_text("[[newcamd]]", _newcamd(each)) for each in plan.newcamd]
    blocks += [_card(each) for each in plan.cards]
    blocks += [_services(each) for each in plan.services]
    return "\n".join([HEAD, *blocks]) if blocks else ""


def _some(**values: object) -> dict[str, object]:
    """The keys that say something."""
    return {key: value for key, value in values.items() if value not in (None, (), {}, "")}


def _account_extras(account: AccountPlan, *, many: bool) -> dict[str, object]:
    logins = account.max_connections
    return _some(
        groups=_numbers(account.groups),
        idents=_pairs(account.idents),
        services=tuple(utf8(each) for each in account.services),
        expires=account.expires,
        max_connections=logins if many or logins != 1 else None,
        protocols=account.protocols,
        times={day: tuple(map(str, frames)) for day, frames in account.times.items()},
        enabled=None if account.enabled else False,
        emm_to=tuple(utf8(each) for each in account.emm_to),
    )


def _whole_account(account: AccountPlan, *, many: bool) -> dict[str, object]:
    """An account that has no F-line."""
    times = dict(account.times) or ({ALL_DAYS: account.frames} if account.frames else {})
    values = _some(
        max_hop=account.uphops,
        emm=account.emm,
        host=account.host or None,
        limits=tuple(map(limit_text, account.limits)),
        denied=tuple(format_service(*each) for each in account.denied),
    )
    login: dict[str, object] = {
        "user": _decoded(account.user, "utf-8"),
        "password": _decoded(account.password, "utf-8"),
    }
    return {**login, **values, **_account_extras(replace(account, times=times), many=many)}


def _link_extras(link: UpstreamPlan) -> dict[str, object]:
    values = _some(
        cccversion=link.version,
        group=utf8(link.standby),
        rank=link.rank if link.standby and link.rank != 1 else None,
        groups=_numbers(link.groups),
        caids=tuple(map(format_caid, link.caids)),
        idents=_pairs(link.idents),
        services=tuple(utf8(each) for each in link.services),
        emm=None if link.emm else False,
        reshare=link.reshare,
        minimum_downhops=link.minimum_downhops,
    )
    return {"name": utf8(link.label), **values} if values or link.named else {}


def _newcamd(port: NewcamdPlan) -> dict[str, object]:
    values = _some(
        caid=format_caid(port.caid) if port.caid else None,
        providers=tuple(map(format_ident, port.providers)),
        key=port.key,
        bind=port.bind,
        allow=port.allow,
    )
    return {"port": port.port, **values}


def _card(card: CardPlan) -> str:
    values = _some(
        caid=format_caid(card.caid),
        providers=tuple(map(format_ident, card.providers)),
        reshare=card.reshare,
        groups=_numbers(card.groups),
        idents=_pairs(card.idents),
    )
    words: dict[str, object] = {format_sid(sid): cw for sid, cw in card.words.items()}
    head = {"kind": "fixed", "name": utf8(card.name), **values}
    return f"{table_text('[[card]]', head)}\n{table_text('[card.services]', words)}"


def _services(each: ServiceList) -> str:
    values = _some(
        caids=tuple(map(format_caid, each.caids)),
        providers=tuple(map(format_ident, each.providers)),
        sids=tuple(map(format_sid, each.sids)),
    )
    return table_text(f"[services.{key_text(utf8(each.name))}]", values)


def _numbers(groups: frozenset[int] | None) -> tuple[int, ...] | list[int] | None:
    """A set without numbers is a list that says so, unlike one that is not there."""
    return None if groups is None else sorted(groups)


def _pairs(pairs: Iterable[Pair]) -> tuple[str, ...]:
    return tuple(_pair_texts(pairs))


def _pair_texts(pairs: Iterable[Pair]) -> Iterator[str]:
    for caid, ident in pairs:
        yield f"{format_caid(caid)}:{format_ident(ident)}"


def _decoded(text: str, codec: str) -> str:
    return text.encode("iso-8859-1").decode(codec)
