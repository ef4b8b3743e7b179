"""What the files mean that cccamd has made of a folder of OSCam: read by its own loader, and said
in the words of `oscam_meaning`; and how the two differ."""

from collections.abc import Iterator
from dataclasses import replace
from itertools import product

from oscam_meaning import DEEPEST, MOMENTS, OFFERS, PROTOCOLS, Link, Meaning, Place, Probes
from oscam_meaning import Login as SeenLogin

from cccamd.cards import Card, CardTable, LocalOffer, View, Viewer, judge
from cccamd.ids import Caid, Ident, NodeId, ShareId, Sid
from cccamd.setup.cccamcfg import NLine
from cccamd.setup.logins import Account, Upstream, accounts_of, upstreams_of
from cccamd.setup.setup import Setup
from cccamd.values import Offer, Provider, Request

US, THEM = NodeId(b"\x01" * 8), NodeId(b"\x02" * 8)
FARTHEST = 250
RESHARE = 10
"""Of the card of a newcamd server, which says none."""


def meaning_of(setup: Setup, probes: Probes) -> Meaning:
    """Read what is seen from outside out of a setup."""
    found = Meaning()
    upstreams = upstreams_of(setup.config, setup.toml)
    for upstream in upstreams:
        line = upstream.line
        kind, key, hops = ("N", line.deskey, line.hops) if isinstance(line, NLine) else ("C", "", 0)
        found.links[_link(upstream)] = (kind, line.password_bytes(), key, hops)
    for account in accounts_of(setup.config, setup.toml).values():
        doors = {"newcamd"} if setup.toml.newcamd else set()
        if setup.toml.dvbapi.account == account.line.user and setup.toml.dvbapi.port:
            doors.add("dvbapi")
        _account(account, upstreams, probes, found, doors)
    config, toml = setup.config, setup.toml
    web = config.webinfo
    found.doors["cccam"] = config.server_listen_port
    found.doors["web"] = web.port if web.allowed else 0
    found.doors["web login"] = (web.username or "", web.password or "")
    found.doors["newcamd"] = {
        each.port: (each.key.hex(), each.wish.caid, frozenset(each.wish.idents))
        for each in toml.newcamd
    }
    found.doors["dvbapi"] = toml.dvbapi.port
    found.doors["cache"] = toml.cache.seconds
    return found


def _link(upstream: Upstream) -> Link:
    line = upstream.line
    return line.host.lower(), line.port, line.user_bytes().decode("latin-1")


def _account(
    account: Account,
    upstreams: list[Upstream],
    probes: Probes,
    found: Meaning,
    doors: set[str],
) -> None:
    line, name = account.line, account.user
    spoken = set(line.protocols or PROTOCOLS)
    by_cccam, is_elsewhere = "cccam" in spoken, bool(spoken & doors)
    hours = [each for each in MOMENTS if line.expires is None or each.date() <= line.expires]
    found.logins[name] = SeenLogin(
        password=account.password,
        enabled=line.enabled,
        protocols=frozenset(line.protocols or PROTOCOLS),
        host=(line.host or "").lower(),
        most=account.logins,
        hours=frozenset(filter(line.is_open, hours)) | (frozenset(MOMENTS) - frozenset(hours)),
        expires=line.expires,
    )
    viewer = Viewer(account=line, global_limits=account.global_limits)
    # Hops of newcamd and dvbapi clients are not judged: OSCam knows none, and few set any.
    far = replace(line, uphops=FARTHEST, downhops=None if line.downhops is None else FARTHEST)
    anywhere = Viewer(account=far, global_limits=account.global_limits)
    found.updates[name] = {
        _link(each)
        for each in upstreams
        if account.emm_allowed
        and each.policy.access.may_update(line.emm_to)
        and line.grant.meets(each.policy.access.grant)
    }
    for upstream in upstreams:
        link = _link(upstream)
        for caid, ident in product(probes.caids, probes.idents):
            for hop, reshare in OFFERS:
                for card in _cards(upstream, caid, ident, hop, reshare):
                    verdict = judge(viewer, card[1])
                    if verdict.visible and by_cccam:
                        idents = frozenset(int(each.ident) for each in verdict.providers)
                        byte = min(verdict.reshare, DEEPEST)
                        seen = (link, caid, hop, reshare, byte, idents)
                        found.seen.setdefault(name, set()).add(seen)
            if ident:
                for table, _ in _cards(upstream, caid, ident, *OFFERS[0]):
                    view, others = View(table, viewer), View(table, anywhere)
                    for sid in probes.sids:
                        asked = Request(Caid(caid), Ident(ident), ShareId(0), Sid(sid), b"")
                        served = (link, caid, ident, sid)
                        if view.candidates(asked).cards and by_cccam:
                            found.served.setdefault(name, set()).add(served)
                        if is_elsewhere and others.candidates(asked).cards:
                            found.elsewhere.setdefault(name, set()).add(served)


def _cards(
    upstream: Upstream, caid: int, ident: int, hop: int, reshare: int
) -> Iterator[tuple[CardTable, Card]]:
    """The card of a server, if we take it."""
    table = CardTable(US)
    source = table.add_source(upstream.policy)
    providers = (Provider(Ident(ident)),)
    if isinstance(upstream.line, NLine):
        hops = upstream.line.hops
        table.add_local(
            source,
            LocalOffer(caid=Caid(caid), hop=hops, reshare=RESHARE, providers=providers),
        )
    else:
        card = Offer(
            share_id=ShareId(1),
            remote_id=1,
            caid=Caid(caid),
            hop=hop,
            reshare=reshare,
            providers=providers,
            path=(THEM,),
        )
        table.add(source, card)
    for each in table.cards():
        yield table, each


def differences(theirs: Meaning, ours: Meaning, told: set[Place]) -> Iterator[str]:
    """What is not the same, and is not told; what is told may be less, but never more."""
    yield from _untold(theirs, told)
    about = {owner for place, owner in theirs.owners.items() if place in told}
    for name in ours.logins.keys() - theirs.logins.keys():
        yield f"{name!r} may log in, and could not"
    for name, login in theirs.logins.items():
        if name not in ours.logins:
            if name not in about:
                yield f"{name!r} is gone"
            continue
        for key in SeenLogin.__annotations__:
            here, there = getattr(ours.logins[name], key), getattr(login, key)
            if here != there and name not in about:
                yield f"{name!r}: {key} is {here!r:.200}, was {there!r:.200}"
    for title in ("seen", "served", "elsewhere", "updates"):
        for name in ours.logins.keys() & theirs.logins.keys():
            here = getattr(ours, title).get(name, set())
            there = getattr(theirs, title).get(name, set())
            if title == "seen":
                here = {each for each in here if not _is_unsure(theirs, name, each[-1])}
            for each in sorted(here - there, key=str)[:3]:
                yield f"{name!r}: {title} more than before: {each}"
            for each in sorted(there - here, key=str)[:3]:
                link = each if title == "updates" else each[0]
                if title == "updates" and link not in {
                    card[0] for card in theirs.seen.get(name, ())
                }:
                    continue  # EMMs go to a card that is seen: of others OSCam's words say nothing
                if name not in about and link not in about:
                    yield f"{name!r}: {title} no more: {each}"
    for link in ours.links.keys() | theirs.links.keys():
        here, there = ours.links.get(link), theirs.links.get(link)
        if here != there and not (here is None and link in about):
            yield f"{link}: {here}, was {there}"
    for door, there in theirs.doors.items():
        if ours.doors[door] != there:
            yield f"{door}: {ours.doors[door]!r}, was {there!r}"


def _is_unsure(theirs: Meaning, name: bytes, idents: frozenset[int]) -> bool:
    return any((name, ident) in theirs.unsure for ident in idents)


def _untold(theirs: Meaning, told: set[Place]) -> Iterator[str]:
    for place in sorted(theirs.must_tell - told):
        yield f"{place} is not told"
    may = theirs.must_tell | theirs.may_tell
    for places in theirs.one_of:
        may |= places
        if not places & told:
            yield f"none of {sorted(places)} is told"
    for place in sorted(told - may):
        yield f"{place} is told, and is carried over"
