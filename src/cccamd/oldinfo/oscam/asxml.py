"""OSCam's API in XML. Shapes: docs/oscamapi.md; recordings are in tests/data/oscamapi."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Final
from xml.sax.saxutils import escape

from cccamd.facts import CardStatus, PenaltyKind, ServiceAnswers, SourceStatus
from cccamd.ids import format_caid, format_ident, format_node_id, format_share_id, format_sid
from cccamd.oldinfo.oscam.look import (
    UNKNOWN,
    ApiLook,
    Row,
    User,
    client_protocol,
    find_reader,
    milliseconds,
    moment,
    place,
    reader_protocol,
    reader_type,
    result,
    rows,
    seconds,
    state,
    sums,
    users,
)
from cccamd.oldinfo.words import printable, system_name

_QUOTE: Final = {'"': "&quot;"}
_EMM_KINDS: Final = ("unknown", "unique", "shared", "global")
_EMM_RESULTS: Final = ("error", "written", "skipped", "blocked")


def tag(name: str, attributes: Mapping[str, object], inside: str = "") -> str:
    """Write an element; `inside` is XML already."""
    words = "".join(f' {key}="{text(value)}"' for key, value in attributes.items())
    return f"<{name}{words}>{inside}</{name}>\n"


def text(value: object) -> str:
    """Write a value: nothing of it is markup, and all of it is allowed in a document."""
    return escape(printable(str(value)), _QUOTE)


def frame(look: ApiLook, inside: str) -> str:
    """Write the whole document."""
    snapshot = look.snapshot
    attributes = {
        "version": snapshot.program,
        "revision": snapshot.program,
        "commit": "",
        "starttime": moment(snapshot.started_at),
        "uptime": seconds(snapshot.at - snapshot.started_at),
        "readonly": 1,
    }
    return f'<?xml version="1.0" encoding="UTF-8"?>\n{tag("oscam", attributes, inside)}'


def error(words: str) -> str:
    """Say why there is nothing else."""
    return tag("error", {}, text(words))


def status(look: ApiLook, *, log: bool) -> str:
    """All clients and readers now."""
    return tag("status", {}, "".join(map(_row, rows(look)))) + _log(look.log if log else ())


def _log(lines: Sequence[str]) -> str:
    joined = "\n".join(map(printable, lines))
    return f"<log><![CDATA[\n{joined.replace(']]>', ']]]]><![CDATA[>')}\n]]></log>\n"


def _row(row: Row) -> str:
    caid, provid, srvid = row.channel
    history = ",".join(str(milliseconds(one.seconds)) for one in row.last)
    request = {
        "caid": caid,
        "provid": provid,
        "srvid": srvid,
        "ecmtime": row.ecm_time,
        "ecmhistory": history,
        "answered": row.answered,
    }
    times = {"login": moment(row.login_at), "online": row.online, "idle": row.idle}
    inside = (
        tag("request", request, text(row.title or ""))
        + tag("times", times)
        + tag("connection", {"ip": row.address, "port": row.port}, row.state)
    )
    return tag("client", _who(row), inside)


def _who(row: Row) -> dict[str, object]:
    return {
        "type": row.type,
        "name": row.name,
        "desc": "",
        "protocol": row.protocol,
        "protocolext": row.program,
        "au": row.au,
        "thid": row.thid,
    }


def ecm_history(look: ApiLook) -> str:
    """The last answers of each, as `ms:rc:time`, and nothing else of it."""
    return tag("status", {}, "".join(map(_history, rows(look)))) + _log(())


def _history(row: Row) -> str:
    history = ",".join(
        f"{milliseconds(one.seconds)}:{result(one.outcome)[0]}:{int(one.at)}" for one in row.last
    )
    request = dict.fromkeys(("caid", "provid", "srvid"), "")
    request |= {"ecmtime": "-1", "ecmhistory": history, "answered": ""}
    inside = (
        tag("request", request)
        + tag("times", {"login": "", "online": "", "idle": row.idle})
        + tag("connection", {"ip": "", "port": ""})
    )
    who = dict.fromkeys(_who(row), "")
    return tag("client", {**who, "type": row.type, "name": row.name}, inside)


def entitlement(look: ApiLook, label: str) -> str:
    """The cards of a reader."""
    source = find_reader(look.snapshot, label)
    if source is None:
        return _no_reader(label)
    cards = [card for card in look.snapshot.cards if card.source == source.name]
    inside = "".join(_card(number, card, look) for number, card in enumerate(cards))
    listed = tag("cardlist", {"totalcards": len(cards)}, inside)
    host, port = place(source)
    return tag("reader", {"label": source.name, "hostaddress": host, "hostport": port}, listed)


def _no_reader(label: str) -> str:
    return error(f"there is no reader {label}" if label else "label: which reader is meant?")


def _card(number: int, card: CardStatus, look: ApiLook) -> str:
    caid = format_caid(card.caid)
    providers = []
    for count, ident in enumerate(card.idents):
        provid = format_ident(ident)
        name = look.provider_name(card.caid, ident) or UNKNOWN
        attributes = {"number": count, "sa": "", "caid": caid, "provid": provid}
        providers.append(tag("provider", attributes, text(f"{caid}@{provid} {name}")))
    nodes = [
        tag("node", {"number": count}, format_node_id(node).upper())
        for count, node in enumerate(card.path)
    ]
    attributes = {
        "number": number,
        "caid": caid,
        "system": system_name(card.caid).lower(),
        "reshare": card.reshare,
        "hop": card.hop,
    }
    inside = (
        tag("shareid", {}, format_share_id(card.own_share_id))
        + tag("remoteid", {}, format_share_id(card.share_id))
        + tag("providers", {"totalproviders": len(providers)}, "".join(providers))
        + tag("nodes", {"totalnodes": len(nodes)}, "".join(nodes))
    )
    return tag("card", attributes, inside)


def reader_stats(look: ApiLook, label: str) -> str:
    """The ECMs of a reader by service and result. EMMs are not told apart by their kinds."""
    source = find_reader(look.snapshot, label)
    if source is None:
        return _no_reader(label)
    found = [each for each in look.answers.services if each.source == source.name]
    last = max((each.last_at for each in found), default=None)
    attributes = {
        "count": len(found),
        "totalecm": sum(each.count for each in found),
        "lastaccess": "" if last is None else moment(last),
    }
    ecms = "".join(_ecm(each) for each in sorted(found, key=lambda each: -each.count))
    times = look.answers.sources.get(source.name, ())
    inside = (
        _no_emms()
        + tag("ecmstats", attributes, ecms)
        + tag("ecmhistory", {}, ",".join(str(milliseconds(one.seconds)) for one in times))
    )
    caid = _first_caid(source, look)
    return tag("reader", {"label": source.name, "status": state(source), "caid": caid}, inside)


def _first_caid(source: SourceStatus, look: ApiLook) -> str:
    """The CAID of a card of ours; a server may have cards of many."""
    if reader_type(source) == "p":
        return "0000"
    own = (format_caid(card.caid) for card in look.snapshot.cards if card.source == source.name)
    return next(own, "0000")


def _no_emms() -> str:
    kinds = "".join(
        tag("emm", {"type": kind, "result": word}, "0")
        for word in _EMM_RESULTS
        for kind in _EMM_KINDS
    )
    names = ("totalwritten", "totalskipped", "totalblocked", "totalerror")
    return tag("emmstats", dict.fromkeys(names, 0), kinds)


def _ecm(each: ServiceAnswers) -> str:
    number, word = result(each.outcome)
    attributes = {
        "caid": format_caid(each.caid),
        "provid": format_ident(each.ident),
        "srvid": format_sid(each.sid),
        "channelname": each.name or UNKNOWN,
        "avgtime": milliseconds(each.usual_seconds),
        "lasttime": milliseconds(each.last_seconds),
        "rc": number,
        "rcs": word,
        "lastrequest": moment(each.last_at),
    }
    return tag("ecm", attributes, str(each.count))


def reader_list(look: ApiLook) -> str:
    """The names of all readers."""
    readers = "".join(
        tag(
            "reader",
            {
                "label": source.name,
                "protocol": reader_protocol(source).partition(" ")[0],
                "type": reader_type(source),
                "enabled": 1,
            },
        )
        for source in look.snapshot.sources
    )
    return tag("readers", {}, readers)


def user_stats(look: ApiLook) -> str:
    """Each account, and all together."""
    inside = "".join(map(_user, users(look.snapshot)))
    totals = "".join(tag(name, {}, str(value)) for name, value in _totals(look))
    return tag("users", {}, inside) + tag("totals", {}, totals)


def _user(user: User) -> str:
    client = user.client
    row = {"name": user.name, "status": user.status, "ip": "", "protocol": ""}
    last = client.last_seconds if client is not None else None
    if client is not None:
        row |= {"ip": client.address, "protocol": client_protocol(client)}
    stats = {
        "cwok": user.answered,
        "cwnok": user.refused,
        "cwignore": 0,
        "cwtimeout": 0,
        "cwcache": 0,
        "cwtun": 0,
        "cwlastresptime": "" if last is None else milliseconds(last),
        "emmok": user.emms,
        "emmnok": 0,
        "cwrate": f"{user.seconds_per_cw:.2f}",
        "timeonchannel": "",
        "expectsleep": "" if client is None else "undefined",
    }
    inside = "".join(tag(name, {}, str(value)) for name, value in stats.items())
    return tag("user", row, tag("stats", {}, inside))


def fail_ban(look: ApiLook) -> str:
    """Who is banned."""
    snapshot = look.snapshot
    banned = "".join(
        tag(
            "ip",
            {
                "user": one.user,
                "count": one.tries,
                "date": moment(one.last_at),
                "secondsleft": seconds(one.until - snapshot.at),
            },
            text(one.who),
        )
        for one in snapshot.penalties
        if one.kind is PenaltyKind.BANNED
    )
    return tag("failbanlist", {}, banned)


def _totals(look: ApiLook) -> Iterator[tuple[str, object]]:
    found = sums(look.snapshot)
    yield from {
        "cwok": found.cw_ok,
        "cwnok": found.cw_not,
        "cwignore": 0,
        "cwtimeout": 0,
        "cwcache": 0,
        "cwtun": 0,
        "usertotal": found.users,
        "userdisabled": 0,
        "userexpired": 0,
        "useractive": found.active,
        "userconnected": found.connected,
        "useronline": found.active,
        "readertotal": found.readers,
        "readerdisabled": 0,
        "readeractive": found.readers_up,
        "readerconnected": found.readers_up,
        "cwokreaders": found.readers_ok,
        "cwnokreaders": found.readers_not,
        "cwtimeoutreaders": 0,
        "readertotalhead": 0,
        "readertotallen": 0,
    }.items()
    for word in ("error", "written", "skipped", "blocked"):
        for kind in ("uk", "g", "s", "uq"):
            yield f"readertotalemm{word}{kind}", 0
    yield "readertotalsumofallecm", found.readers_ok + found.readers_not
    yield "readertotalsumofallemm", 0
