"""What an exported folder of OSCam means, against the setup that it is of.

The folder is read by `oscam_meaning`, which knows OSCam's files by their own rules only. What is
told of an account or a source may be less, and is never more; but cards that a source is not asked
for may be shown: OSCam's readers have no word for what they are not to take.
"""

from collections.abc import Iterable, Iterator

from oscam_meaning import Link, Login, Meaning, OscamFolder, Probes
from oscam_results import meaning_of

from cccamd.setup.setup import Setup

EVERYBODY = "everybody"
Owner = bytes | Link | str
"""An account, a source, a door; or everybody."""


def owners_of(setup: Setup, told: Iterable[dict[str, object]]) -> set[Owner]:
    """Whom the report is about: by file and line, or by the table where it names no line."""
    places: dict[tuple[str, object], Owner] = {}
    for line in setup.config.f_lines:
        places["cccamd.toml" if line.toml_file else "CCcam.cfg", line.line] = line.user_bytes()
    for account in setup.toml.accounts:
        place = setup.toml.place(account.heading).line
        places["cccamd.toml", place] = account.user.encode()
    links: dict[object, Link] = {}
    for each in setup.config.upstream_lines:
        link = each.host.lower(), each.port, each.user_bytes().decode("latin-1")
        places["CCcam.cfg", each.line] = links[each.key] = link
    for table in setup.toml.upstreams:
        if table.key in links:
            places["cccamd.toml", setup.toml.place(table.heading).line] = links[table.key]
    doors = {"newcamd", "dvbapi", "cache"}
    found: set[Owner] = set()
    for each in told:
        owner = places.get((str(each["file"]), each["line"]))
        by_table = str(each["section"]) if each["section"] in doors else EVERYBODY
        found.add(by_table if owner is None else owner)
    return found


def gone_wrong(
    setup: Setup, folder: dict[str, bytes], told: Iterable[dict[str, object]], probes: Probes
) -> Iterator[str]:
    """What an export has opened, or shut without a word."""
    yield from _form(folder)
    before, read = meaning_of(setup, probes), OscamFolder(folder)
    read.probes = probes
    after, about = read.meaning(), owners_of(setup, told)
    for name in after.logins.keys() - before.logins.keys():
        yield f"{name!r} may log in, and could not"
    for name, login in before.logins.items():
        is_told = bool({name, EVERYBODY} & about)
        if name in after.logins:
            yield from _login(name, login, after.logins[name], is_told=is_told)
            yield from _rights(name, before, after, about)
        elif not is_told:
            yield f"{name!r} is gone"
    for link in before.links.keys() | after.links.keys():
        here, there = before.links.get(link), after.links.get(link)
        if here != there and not (there is None and {link, EVERYBODY} & about):
            yield f"{link}: {there}, was {here}"
    shut = {"web login"} if not before.doors["web"] else set()
    for door, here in before.doors.items():
        if door in shut:
            continue
        if after.doors[door] != here and not {door, EVERYBODY} & about:
            yield f"{door}: {after.doors[door]!r}, was {here!r}"


SECTIONED = ("oscam.conf", "oscam.user", "oscam.server", "oscam.services")


def _form(folder: dict[str, bytes]) -> Iterator[str]:
    """As OSCam writes its files itself: what it stumbles over is not there."""
    for name, data in folder.items():
        text = data.decode("latin-1")
        if "\r" in text or "\t" in text or text.startswith("\xef\xbb\xbf"):
            yield f"{name}: a carriage return, a tab or a mark"
        for line in text.splitlines() if name in SECTIONED else ():
            is_head = line.startswith("[") and line.endswith("]")
            if line and not is_head and " = " not in line:
                yield f"{name}: {line!r}"
            if is_head and line != line.lower():
                yield f"{name}: {line!r} is not in small letters"


def _login(name: bytes, here: Login, there: Login, *, is_told: bool) -> Iterator[str]:
    if here != there and not is_told:
        keys = [key for key in Login.__annotations__ if getattr(here, key) != getattr(there, key)]
        yield f"{name!r}: {keys}: {[getattr(there, key) for key in keys]!r:.300}"
    expires = here.expires is None or (there.expires is not None and there.expires <= here.expires)
    if there.enabled and not (
        there.password == here.password
        and there.enabled <= here.enabled
        and there.protocols <= here.protocols
        and there.host in ({here.host} if here.host else {there.host})
        and there.most <= here.most
        and there.hours <= here.hours
        and expires
    ):
        yield f"{name!r}: {there!r:.300} lets in more than {here!r:.300}"


def _rights(name: bytes, before: Meaning, after: Meaning, about: set[Owner]) -> Iterator[str]:
    unsure = {ident for user, ident in after.unsure if user == name}
    for title in ("seen", "served", "elsewhere", "updates"):
        here, there = (_depths(getattr(each, title).get(name, ())) for each in (before, after))
        for each in here.keys() | there.keys():
            link = each[0]
            was, now = here.get(each, NOT_AT_ALL), there.get(each, NOT_AT_ALL)
            if title == "seen" and unsure & each[-1]:  # type: ignore[operator]
                continue
            if now > was and not (title in ("seen", "updates") and link in about):
                yield f"{name!r}: {title} more than before: {each}: {now}, was {was}"
            if title == "updates" and link not in {card[0] for card in after.seen.get(name, ())}:
                continue  # EMMs go to a card that is seen
            if now < was and not about.intersection((name, link, EVERYBODY)):
                yield f"{name!r}: {title} no more: {each}: {now}, was {was}"


NOT_AT_ALL = -1


def _depths(found: Iterable[object]) -> dict[tuple[object, ...], int]:
    """What is had, and how far it may be passed on."""
    depths: dict[tuple[object, ...], int] = {}
    for each in found:
        match each:
            case (link, caid, hop, reshare, byte, idents):
                depths[link, caid, hop, reshare, idents] = byte
            case (_, _, _, _):
                depths[each] = 0
            case _:
                depths[(each,)] = 0
    return depths
