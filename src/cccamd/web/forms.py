"""Reads the form that somebody sends: small, whole, once each field, and from a page of ours."""

import asyncio
from collections.abc import Mapping
from typing import Final
from urllib.parse import parse_qsl, urlsplit

from starlette.datastructures import Headers
from starlette.requests import ClientDisconnect, Request

from cccamd.errors import CccamdError

BODY_LIMIT: Final = 8 * 1024
"""Bytes: names, a password and an F-line's rights."""
FIELDS_LIMIT: Final = 8
VALUE_LIMIT: Final = 1024
"""Characters of a field: the longest rights that somebody writes."""
BODY_TIMEOUT: Final = 10.0
"""Seconds for all of it to come."""
FORM_TYPE: Final = "application/x-www-form-urlencoded"


class FormError(CccamdError):
    """What was sent is no form of ours; the text says why."""

    def __init__(self, status: int, text: str) -> None:
        super().__init__(text)
        self.status = status
        """Of the answer."""


def check_origin(headers: Headers) -> None:
    """See that a page of ours makes the browser send this.

    Browsers say of each POST which page made them send it; some only where the connection is
    trusted (`Sec-Fetch-Site`), all in `Origin`.

    Raises:
        FormError: another page does, or it is not said.
    """
    site, origin = headers.get("sec-fetch-site"), headers.get("origin")
    if site is None and origin is None:
        raise FormError(403, "it does not say which page sends it (Origin)")
    if site is not None and site != "same-origin":
        raise FormError(403, "a page of another site sends it")
    # The scheme does not count: a proxy may speak TLS for us.
    if origin is not None and _host_of(origin) != headers.get("host", "").lower():
        raise FormError(403, "a page of another site sends it")


async def read_form(request: Request) -> Mapping[str, str]:
    """Read the fields.

    Raises:
        FormError: they are not what a form of ours sends.
    """
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind != FORM_TYPE:
        raise FormError(415, f"a form is sent as {FORM_TYPE}")
    if request.headers.get("content-encoding", "identity").lower() != "identity":
        raise FormError(415, "a form is sent as it is, not packed")
    return _fields(await _body(request))


def _host_of(origin: str) -> str:
    """Host and port of an origin; a text that is no host for `null` and what is none."""
    try:
        found = urlsplit(origin)
    except ValueError:
        return "?"
    return found.netloc.lower() if found.scheme in ("http", "https") else "?"


async def _body(request: Request) -> bytes:
    body = bytearray()
    try:
        async with asyncio.timeout(BODY_TIMEOUT):
            async for piece in request.stream():
                body += piece
                if len(body) > BODY_LIMIT:
                    raise FormError(413, f"a form has {BODY_LIMIT} bytes at most")
    except TimeoutError:
        raise FormError(408, f"it has not come within {BODY_TIMEOUT:.0f} s") from None
    except ClientDisconnect:
        raise FormError(400, "it ended in the middle") from None
    return bytes(body)


def _fields(body: bytes) -> Mapping[str, str]:
    try:
        pairs = parse_qsl(
            body.decode("ascii"),
            keep_blank_values=True,
            strict_parsing=True,
            errors="strict",
            max_num_fields=FIELDS_LIMIT,
        )
    except ValueError:  # neither names and values, nor text, or too many
        raise FormError(400, "it is not made of names and values") from None
    fields = dict(pairs)
    if len(fields) != len(pairs):
        raise FormError(400, "a field comes twice")
    for name, value in pairs:
        if len(value) > VALUE_LIMIT:
            raise FormError(400, f"{name[:20]} is longer than {VALUE_LIMIT} characters")
        if not (name.isprintable() and value.isprintable()):
            raise FormError(400, "a field has characters that cannot be seen")
    return fields
