"""OSCam's API in JSON: all values are texts. Shapes as docs/oscamapi.md section 6."""

import json
import time
from collections.abc import Iterator, Mapping, Sequence
from html import escape
from typing import Final
from urllib.parse import quote

from cccamd.facts import PenaltyKind, SourceStatus
from cccamd.ids import format_caid, format_ident, format_sid
from cccamd.oldinfo.oscam.look import (
    UNKNOWN,
    ApiLook,
    Row,
    User,
    client_protocol,
    find_reader,
    last_channel,
    md5_of,
    milliseconds,
    moment,
    percent,
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
from cccamd.oldinfo.words import printable

Value = str | Sequence["Value"] | Mapping[str, "Value"]

_SYSTEM_NAMES: Final = (
    *(f"mem_cur_{word}" for word in ("total", "free", "used", "buff", "cached", "freem")),
    *(f"mem_cur_{word}" for word in ("totalsw", "freesw", "usedsw", "shared")),
    *("oscam_vmsize", "oscam_rsssize", "server_procs"),
    *("cpu_load_0", "cpu_load_1", "cpu_load_2"),
    *("oscam_refresh", "oscam_cpu_user", "oscam_cpu_sys", "oscam_cpu_sum"),
)
_TOTAL_NAMES: Final = (
    *("total_users", "total_active", "total_connected", "total_online", "total_disabled"),
    *("total_expired", "total_readers", "total_active_readers", "total_connected_readers"),
    *("total_disabled_readers", "total_cwok", "total_cwok_readers", "rel_cwok"),
    *("rel_cwok_readers", "total_cwcache", "rel_cwcache", "total_cwnok", "total_cwnok_readers"),
    *("rel_cwnok", "total_cwtout", "total_cwtout_readers", "rel_cwnok_readers", "rel_cwtout"),
    *("rel_cwtout_readers", "total_cwign", "rel_cwign", "total_ecm_min", "total_cw"),
    *("total_cwpos", "total_cwpos_readers", "rel_cwpos", "rel_cwpos_readers", "total_cwneg"),
    *("total_cwneg_readers", "rel_cwneg", "rel_cwneg_readers", "total_emok", "rel_emok"),
    *("total_emnok", "rel_emnok", "total_em", "total_cachexpush", "total_cachexgot"),
    *("total_cachexhit", "rel_cachexhit", "total_cachesize", "total_cachesize_lg", "total_elenr"),
    "total_eheadr",
    *(
        f"total_emm{what}{kind}_readers"
        for what in ("error", "written", "skipped", "blocked")
        for kind in ("uk", "g", "s", "uq")
    ),
    *("total_sum_all_readers_ecm", "total_sum_all_readers_emm"),
)
_ESCAPED: Final = "\\"
_DELETE: Final = "\x7f"
"""What is in JSON where there may be something that is no sign."""
_NO_EMMS: Final = "0 / 0 / 0 / 0"


def frame(look: ApiLook, parts: Mapping[str, Value], *, totals: bool = True) -> Iterator[str]:
    """Write the whole document, long lists of it item by item."""
    snapshot = look.snapshot
    up = seconds(snapshot.at - snapshot.started_at)
    head: dict[str, Value] = {
        "version": snapshot.program,
        "revision": snapshot.program,
        "commit": "",
        "starttime": moment(snapshot.started_at),
        "apiruntime": str(up),
        "runtime": _clock(up),
        "uptime": "",
        "curdate": time.strftime("%d.%m.%y", time.localtime(snapshot.at)),
        "curtime": time.strftime("%H:%M:%S", time.localtime(snapshot.at)),
        "readonly": "1",
        "piconenabled": "0",
        "srvidfile": "",
        "lbdefined": "0",
        "failbannotifier": "0",
        "sysinfo": dict.fromkeys(_SYSTEM_NAMES, ""),
        "totals": _totals(look) if totals else dict.fromkeys(_TOTAL_NAMES, ""),
    }
    yield '{"oscam":'
    yield from _written({**head, **parts})
    yield "}\n"


def _written(value: Value) -> Iterator[str]:
    """Piece by piece: one dump of ten thousand clients would hold Python for long. An item of a
    list is one piece, unless something in it has to be cleaned."""
    if isinstance(value, Mapping):
        yield "{"
        for number, (key, inside) in enumerate(value.items()):
            yield f"{',' if number else ''}{json.dumps(key)}:"
            yield from _written(inside)
        yield "}"
    elif isinstance(value, str):
        yield json.dumps(printable(value))
    else:
        yield "["
        for number, inside in enumerate(value):
            yield ",\n" if number else ""
            text = json.dumps(inside)
            if _ESCAPED in text or _DELETE in text:
                yield from _written(inside)
            else:
                yield text
        yield "]"


def error(words: str) -> Mapping[str, Value]:
    """Say why there is nothing else."""
    return {"error": words}


def _clock(span: int) -> str:
    return f"{span // 3600:02d}:{span // 60 % 60:02d}:{span % 60:02d}"


def _encoded(name: str) -> str:
    """Names whose keys end in `_enc` are as in addresses."""
    return quote(printable(name), safe=":@ ")


def _totals(look: ApiLook) -> dict[str, Value]:
    found = sums(look.snapshot)
    ours, theirs = found.cw_ok + found.cw_not, found.readers_ok + found.readers_not
    good, bad = percent(found.cw_ok, ours), percent(found.cw_not, ours)
    reader_good, reader_bad = (
        percent(found.readers_ok, theirs),
        percent(found.readers_not, theirs),
    )
    blank = {name: "" for name in _TOTAL_NAMES if "cache" in name or name == "rel_cwign"}
    known: dict[str, object] = {
        "total_users": found.users,
        "total_active": found.active,
        "total_connected": found.connected,
        "total_online": found.active,
        "total_readers": found.readers,
        "total_active_readers": found.readers_up,
        "total_connected_readers": found.readers_up,
        "total_cwok": found.cw_ok,
        "total_cwok_readers": found.readers_ok,
        "rel_cwok": good,
        "rel_cwok_readers": reader_good,
        "total_cwnok": found.cw_not,
        "total_cwnok_readers": found.readers_not,
        "rel_cwnok": bad,
        "rel_cwnok_readers": reader_bad,
        "total_cwcache": 0,
        "rel_cwcache": "0.00",
        "total_cw": ours,
        "total_cwpos": found.cw_ok,
        "total_cwpos_readers": found.readers_ok,
        "rel_cwpos": good,
        "rel_cwpos_readers": reader_good,
        "total_cwneg": found.cw_not,
        "total_cwneg_readers": found.readers_not,
        "rel_cwneg": bad,
        "rel_cwneg_readers": reader_bad,
        "total_emok": found.emms,
        "rel_emok": percent(found.emms, found.emms),
        "total_em": found.emms,
        "total_sum_all_readers_ecm": theirs,
    }
    totals: dict[str, Value] = {
        name: blank.get(name, "0.00" if name.startswith("rel_") else "0") for name in _TOTAL_NAMES
    }
    return totals | {name: str(value) for name, value in known.items()}


def status(look: ApiLook) -> Mapping[str, Value]:
    """All clients and readers now."""
    found = list(rows(look))
    clients = [row for row in found if row.type == "c"]
    own = [row for row in found if row.type == "r"]
    proxies = [row for row in found if row.type == "p"]
    counts = {
        "ucs": len(clients),
        "uca": sums(look.snapshot).active,
        "ucac": "",
        "cfgh": 25,
        "scs": 2,
        "sch": 0,
        "sca": 2,
        "mcs": 0,
        "mca": 0,
        "rcc": len(own),
        "rca": sum(row.is_up for row in own),
        "rco": sum(not row.is_up for row in own),
        "pcc": len(proxies),
        "pca": sum(row.is_up for row in proxies),
        "pco": sum(not row.is_up for row in proxies),
    }
    words: dict[str, Value] = {name: str(value) for name, value in counts.items()}
    return {"status": {**words, "client": [_row(row) for row in found]}}


def _row(row: Row) -> Mapping[str, Value]:
    client, reader = row.type == "c", row.is_reader
    login = {
        "login": moment(row.login_at),
        "loginfmt": time.strftime("%d.%m.%y  %H:%M:%S", time.localtime(row.login_at)),
        "online": str(row.online),
        "idle": str(row.idle),
    }
    return {
        "thid": row.thid,
        "type": row.type,
        "name_enc": _encoded(row.name) if client else "",
        "rname_enc": _encoded(row.name if reader else row.answered),
        "upicmissing": "",
        "desc": "",
        "protocol": row.protocol,
        "protocolext": row.program,
        "protoicon": "",
        "au": row.au,
        "aufmt": escape(row.name) if reader else "OFF" if client and row.au == "0" else "",
        "request": _request(row),
        "times": login,
        "connection": {
            "ip": row.address,
            "port": row.port,
            "status": row.state,
            "totentitlements": "",
            "entitlements": [_distances(row)]
            if row.protocol.startswith("cccam") and reader
            else [],
            "$": row.state,
        },
    }


def _request(row: Row) -> Mapping[str, Value]:
    caid, provid, srvid = row.channel
    provider, _, name = (row.title or "").rpartition(": ")
    return {
        "caid": caid,
        "provid": provid,
        "srvid": srvid,
        "ecmtime": row.ecm_time,
        "ecmhistory": ",".join(str(milliseconds(one.seconds)) for one in row.last),
        "answered": row.answered,
        "picon": "" if row.title is None else "0000_0000",
        "chprovider": provider,
        "chname": name,
        "chantitle": "",
        "msvalue": "0" if row.type == "c" else "",
        "lbvalue": "no data" if row.is_reader else "",
        "$": row.title or "",
    }


def _distances(row: Row) -> Mapping[str, Value]:
    cards, total = row.cards, sum(row.cards.values())
    near = sum(count for hop, count in cards.items() if hop <= 1)
    second = cards.get(2, 0)
    reshares = [sum(reshare == limit for reshare in row.reshares) for limit in range(3)]
    counts = {
        "locals": near,
        "cccount": total,
        "ccchop1": near,
        "ccchop2": second,
        "ccchopx": total - near - second,
        "ccccurr": 0,
        "cccres0": reshares[0],
        "cccres1": reshares[1],
        "cccres2": reshares[2],
        "cccresx": len(row.reshares) - sum(reshares),
        "cccreshare": "",
    }
    return {name: str(count) for name, count in counts.items()}


def reader_list(look: ApiLook) -> Mapping[str, Value]:
    """All readers, with what they were asked."""
    return {"readers": [_reader(source) for source in look.snapshot.sources]}


def _reader(source: SourceStatus) -> Mapping[str, Value]:
    protocol, up = reader_protocol(source).partition(" ")[0], source.up_at is not None
    refused = source.asked - source.answered
    return {
        "labelmd5": md5_of(source.name),
        "label": source.name,
        "classname": "r_connected" if up else "r_unknown",
        "ip": place(source)[0],
        "status": f"<B>{'online' if up else 'offline'}</B>",
        "protocol": protocol,
        "protoicon": "",
        "prototitle": "",
        "protosort": protocol,
        "type": reader_type(source),
        "enabled": "1",
        "last_gsms": "",
        "stats": {
            "ecmsok": str(source.answered),
            "ecmsokrel": f" ({percent(source.answered, source.asked)} %)",
            "ecmsoklg": "",
            "ecmsoklgrel": "",
            "ecmsnok": str(refused),
            "ecmsnokrel": f" ({percent(refused, source.asked)} %)",
            "ecmstout": "0",
            "ecmstoutrel": " (0.00 %)",
            "ecmsfiltered": "0 / 0",
            "emmerror": _NO_EMMS,
            "emmwritten": _NO_EMMS,
            "emmskipped": _NO_EMMS,
            "emmblocked": _NO_EMMS,
            "lbweight": "100",
        },
    }


def entitlement(look: ApiLook, label: str) -> Mapping[str, Value]:
    """Nothing: for readers without a card in a slot OSCam lists none in JSON. XML has them."""
    if find_reader(look.snapshot, label) is None:
        return error(f"there is no reader {label}" if label else "label: which reader is meant?")
    return {"entitlements": []}


def reader_stats(look: ApiLook, label: str) -> Mapping[str, Value]:
    """The ECMs of a reader by service and result, under the names that the XML has."""
    source = find_reader(look.snapshot, label)
    if source is None:
        return entitlement(look, label)
    found = [each for each in look.answers.services if each.source == source.name]
    ecms: list[Value] = [
        {
            "caid": format_caid(each.caid),
            "provid": format_ident(each.ident),
            "srvid": format_sid(each.sid),
            "channelname": each.name or UNKNOWN,
            "avgtime": str(milliseconds(each.usual_seconds)),
            "lasttime": str(milliseconds(each.last_seconds)),
            "rc": str(result(each.outcome)[0]),
            "rcs": result(each.outcome)[1],
            "lastrequest": moment(each.last_at),
            "$": str(each.count),
        }
        for each in found
    ]
    return {"reader": {"label": source.name, "status": state(source), "ecmstats": ecms}}


def fail_ban(look: ApiLook) -> Mapping[str, Value]:
    """Who is banned."""
    banned = [one for one in look.snapshot.penalties if one.kind is PenaltyKind.BANNED]
    return {"failbanlist": [{"ip": one.who, "user": one.user} for one in banned]}


def user_stats(look: ApiLook) -> Mapping[str, Value]:
    """Each account."""
    return {"users": [{"user": _user(user)} for user in users(look.snapshot)]}


def _user(user: User) -> Mapping[str, Value]:
    client = user.client
    protocol = client_protocol(client) if client is not None else ""
    channel = last_channel(client.service) if client is not None else ""
    return {
        "usermd5": md5_of(user.name),
        "status": user.status,
        "classname": user.status,
        "ip": client.address if client is not None else "",
        "unotify": "",
        "protocol": protocol,
        "protoicon": "",
        "prototitle": client.program if client is not None else "",
        "protosort": protocol,
        "grpviewid": "grp",
        "groups": "1",
        "lastchannel": channel,
        "lastchanneltitle": channel,
        "lastchannelsort": channel,
        "expdate": "",
        "expview": "",
        "lca": "",
        "lcb": "",
        "stats": _user_stats(user),
    }


def _user_stats(user: User) -> Mapping[str, Value]:
    last = user.client.last_seconds if user.client is not None else None
    answer = "" if last is None else str(milliseconds(last))
    return {
        "idle": _clock(user.idle) if user.client is not None else "",
        "cwok": str(user.answered),
        "cwnok": str(user.refused),
        "cwignore": "0",
        "cwtimeout": "0",
        "cwcache": "0",
        "cwtun": "0",
        "cwlastresptime": answer,
        "cwlastresptimems": answer,
        "emmok": str(user.emms),
        "emmnok": "0",
        "cwrate": f"{user.seconds_per_cw:.2f}",
        "cwrate2": f" ({user.seconds_per_cw:.2f})" if user.client is not None else "",
        "cascusercomb": f"{user.logins}/{user.logins}",
        "timeonchannel": "",
        "expectsleep": "undefined" if user.client is not None else "",
        "n_requ_m": "0",
        "cwccycview": "",
        "cwccyclechecked": "",
        "cwcycleok": "",
        "cwcyclenok": "",
        "cwcycleign": "",
    }
