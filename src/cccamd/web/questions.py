"""Reads what `/explain` is asked from the query of its address."""

from collections.abc import Mapping
from typing import Final

from cccamd.ids import Caid, Ident, Sid, parse_caid, parse_ident, parse_service, parse_sid
from cccamd.why import Question

LENGTH_LIMIT: Final = 256


def read_question(query: Mapping[str, str]) -> Question:
    """Read `account`, `source`, and `caid`, `ident`, `sid` or all three as `channel`.

    Raises:
        NumberError: a number is none, or too great.
    """
    caid, ident, sid = _numbers(query)
    return Question(
        account=query.get("account", "")[:LENGTH_LIMIT] or None,
        source=query.get("source", "")[:LENGTH_LIMIT] or None,
        caid=caid,
        ident=ident,
        sid=sid,
    )


def _numbers(query: Mapping[str, str]) -> tuple[Caid | None, Ident | None, Sid | None]:
    caid, ident, sid = parse_service(query.get("channel", ""))
    return (
        parse_caid(text) if (text := query.get("caid", "").strip()) else caid,
        parse_ident(text) if (text := query.get("ident", "").strip()) else ident,
        parse_sid(text) if (text := query.get("sid", "").strip()) else sid,
    )
