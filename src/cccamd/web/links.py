"""Addresses of our own pages."""

from urllib.parse import urlencode

from cccamd.facts import ServiceId
from cccamd.ids import format_caid, format_ident, format_sid


def explain_link(*, account: str = "", source: str = "", service: ServiceId | None = None) -> str:
    """Where the explanation for this account, source or service is."""
    query = {"account": account, "source": source}
    if service is not None:
        query["caid"] = format_caid(service.caid)
        query["ident"] = format_ident(service.ident)
        query["sid"] = format_sid(service.sid)
    return "/explain?" + urlencode({key: value for key, value in query.items() if value})
