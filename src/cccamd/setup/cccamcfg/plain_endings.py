"""What stands behind the password of an F- or C-line, where there is nothing to say of it: read by
one match. In a long file each line may have limits of its own.

Whatever is written in another way is for those who read it word by word.
"""

import re
from typing import Final

from cccamd.cards import Limit
from cccamd.ids import CAID_DIGITS, IDENT_DIGITS, SID_DIGITS, Caid, Ident, Sid
from cccamd.setup.cccamcfg.groups import MANY_HOPS
from cccamd.setup.cccamcfg.model import CLine, Codec, FLine
from cccamd.values import Service

_HOPS: Final = rf"{MANY_HOPS}|[0-9]"
_PAIR: Final = rf"[0-9A-Fa-f]{{1,{CAID_DIGITS}}}:[0-9A-Fa-f]{{1,{IDENT_DIGITS}}}"


def _group(entry: str) -> str:
    """The pattern of entries in braces; bounded, for each repetition costs memory."""
    return rf"[ \t]*\{{[ \t]*((?:{entry}[ \t]*,[ \t]*){{0,99}}{entry})?[ \t]*\}}"


_LIMITS: Final = _group(rf"{_PAIR}:(?:{_HOPS})")
_SERVICES: Final = _group(rf"{_PAIR}:[0-9A-Fa-f]{{1,{SID_DIGITS}}}")
_OF_AN_F_LINE: Final = re.compile(rf"({_HOPS})[ \t]+([01])[ \t]+([01]){_LIMITS}(?:{_SERVICES})?")
_OF_A_C_LINE: Final = re.compile(rf"(yes|no){_LIMITS}")


def account_that_ends(ending: str, codec: Codec) -> FLine | None:
    """An F-line without user and password that ends so; None: it is written in another way."""
    found = _OF_AN_F_LINE.fullmatch(ending)
    if found is None:
        return None
    uphops, shareemus, allowemm, limits, services = found.groups("")
    return FLine(
        line=0,
        user="",
        password="",
        codec=codec,
        uphops=int(uphops),
        shareemus=shareemus == "1",
        allowemm=allowemm == "1",
        allowemm_explicit=True,
        limits=_limits(limits),
        sids=tuple(
            Service(Caid(caid), Ident(ident), Sid(int(sid, 16)))
            for caid, ident, sid in _parts(services)
        ),
    )


def upstream_that_ends(ending: str, codec: Codec) -> CLine | None:
    """A C-line without server and login that ends so; None: it is written in another way."""
    found = _OF_A_C_LINE.fullmatch(ending)
    if found is None:
        return None
    return CLine(
        line=0,
        host="",
        port=0,
        user="",
        password="",
        codec=codec,
        wantemus=found[1] == "yes",
        limits=_limits(found[2] or ""),
    )


def _limits(entries: str) -> tuple[Limit, ...]:
    return tuple(
        Limit(Caid(caid), Ident(ident), int(hops)) for caid, ident, hops in _parts(entries)
    )


def _parts(entries: str) -> list[tuple[int, int, str]]:
    """CAID, ident and what follows, of each of some entries."""
    split = (entry.split(":") for entry in entries.split(",") if entry)
    return [(int(caid, 16), int(ident, 16), last.strip(" \t")) for caid, ident, last in split]
