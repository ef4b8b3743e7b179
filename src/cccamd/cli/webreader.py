"""Finds the web pages of the server that runs here, and reads its `/api` for every command.

It lies with the commands, because they alone ask: `cccamd.why` is given the values.
"""

import json
from base64 import b64encode
from collections.abc import Sequence
from dataclasses import dataclass, field
from http.client import HTTPException
from pathlib import Path
from typing import Final, TypeVar
from urllib.error import HTTPError, URLError
from urllib.parse import unquote, urlencode, urlsplit
from urllib.request import ProxyHandler, Request, build_opener

from pydantic import TypeAdapter, ValidationError

from cccamd.errors import CccamdError
from cccamd.facts import CardStatus, Freeze, HistoryReport, Status
from cccamd.ids import format_caid, format_endpoint, format_ident, format_sid
from cccamd.setup.cccamcfg import InfoPort, LoadedConfig, load_config
from cccamd.setup.files import ConfigFileMissingError
from cccamd.setup.toml import FILE_NAME, load
from cccamd.why import Explanation, Question

T = TypeVar("T")

TIMEOUT: Final = 5.0
"""Seconds; on this machine an answer takes a few milliseconds."""
ANSWER_LIMIT: Final = 64 * 1024 * 1024
"""Bytes; far more than the largest server says."""
_LOOPBACKS: Final = {"0.0.0.0": "127.0.0.1", "::": "::1"}
"""How this machine reaches a server that listens on all addresses."""


class NoAnswer(CccamdError):
    """The server cannot be asked, or did not answer; the text says what to do."""


class NotKnown(NoAnswer):
    """The server has answered that there is no such thing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WebAddress:
    """Where the pages are, and the login that they want."""

    url: str
    username: str | None = None
    password: str | None = field(default=None, repr=False)
    source: str = "the URL"
    """Where the login stands, for messages."""


def address_of_url(url: str) -> WebAddress:
    """Read `http://user:password@host:port`; the login may be left out.

    Raises:
        NoAnswer: it is none.
    """
    try:
        parts = urlsplit(url if "://" in url else f"http://{url}")
        host, port = parts.hostname, parts.port
    except ValueError:
        host = port = None
    if not host or parts.scheme not in ("http", "https"):
        raise NoAnswer("--url wants an address such as http://192.168.1.5:16001")
    place = format_endpoint(host, port)
    return WebAddress(
        url=f"{parts.scheme}://{place}",
        username=None if parts.username is None else unquote(parts.username),
        password=None if parts.password is None else unquote(parts.password),
    )


def address_of_config(path: Path | None, toml_path: Path | None = None) -> WebAddress:
    """Find the server of this machine through its files, searched as `serve` does.

    Raises:
        ConfigFileError: the file that was named is not there, or cannot be read.
        NoAnswer: it says that there are no pages.
    """
    loaded = load_config(path)
    if loaded.missing and path is not None:
        raise ConfigFileMissingError(str(path), "there is no such file")
    beside = toml_path or (loaded.path.parent / FILE_NAME if loaded.path else None)
    bind = load(beside, kinds={}, required=False).config.server.bind if beside else ()
    return address_of(loaded.result.config.webinfo, bind=bind, source=_name(loaded))


def address_of(webinfo: InfoPort, *, bind: Sequence[str], source: str) -> WebAddress:
    """Find the pages of a server that listens on the addresses `bind` (none: on all).

    Raises:
        NoAnswer: there are no pages.
    """
    if trouble := _trouble(webinfo):
        raise NoAnswer(f"{source}: {trouble}")
    host = bind[0] if bind else "0.0.0.0"
    return WebAddress(
        url=f"http://{format_endpoint(_LOOPBACKS.get(host, host), webinfo.port)}",
        username=webinfo.username,
        password=webinfo.password,
        source=source,
    )


def _name(loaded: LoadedConfig) -> str:
    return str(loaded.path or "no CCcam.cfg")


def _trouble(webinfo: InfoPort) -> str:
    if not webinfo.allowed or webinfo.port == 0:
        return (
            "the web pages are switched off, and they are what this command reads;"
            ' set "ALLOW WEBINFO : yes"'
        )
    if webinfo.clashes:
        return f"WEBINFO LISTEN PORT {webinfo.port} is already that of another listener"
    if (webinfo.username is None) != (webinfo.password is None):
        return "only one of WEBINFO USERNAME and WEBINFO PASSWORD is set, so nobody gets in"
    return ""


@dataclass(frozen=True, slots=True)
class _CardList:
    cards: tuple[CardStatus, ...]


def read_status(address: WebAddress) -> Status:
    """Ask what goes on.

    Raises:
        NoAnswer: it did not work; as all readers here.
    """
    return _read(address, "/api/status", Status)


def read_cards(address: WebAddress) -> tuple[CardStatus, ...]:
    """Ask for every way to every card."""
    return _read(address, "/api/cards", _CardList).cards


def read_history(address: WebAddress) -> HistoryReport:
    """Ask for the answer times of the last minutes."""
    return _read(address, "/api/history", HistoryReport)


def read_explanation(address: WebAddress, question: Question) -> Explanation:
    """Ask why."""
    query = {"account": question.account or ""}
    if question.address is not None:
        query = {"address": question.address}
    if question.caid is not None:
        query["caid"] = format_caid(question.caid)
    if question.ident is not None:
        query["ident"] = format_ident(question.ident)
    if question.sid is not None:
        query["sid"] = format_sid(question.sid)
    return _read(address, f"/api/explain?{urlencode(query)}", Explanation)


def read_freeze(address: WebAddress, number: int) -> Freeze:
    """Ask for one freeze.

    Raises:
        NotKnown: neither its memory nor its journal has it.
    """
    return _read(address, f"/api/freezes/{number}", Freeze)


def read_data(address: WebAddress, path: str) -> object:
    """Ask for anything, to be shown as it is."""
    try:
        data: object = json.loads(_get(address, path))
    except ValueError:
        raise NoAnswer(_not_cccamd(address)) from None
    return data


def _read(address: WebAddress, path: str, model: type[T]) -> T:
    adapter: TypeAdapter[T] = TypeAdapter(model)
    try:
        return adapter.validate_json(_get(address, path))
    except ValidationError:
        raise NoAnswer(_not_cccamd(address)) from None


def _get(address: WebAddress, path: str) -> bytes:
    request = Request(f"{address.url}{path}", headers=_headers(address))
    try:
        # No proxy: what environments set there is for the world outside.
        with build_opener(ProxyHandler({})).open(request, timeout=TIMEOUT) as response:
            body: bytes = response.read(ANSWER_LIMIT + 1)
    except HTTPError as error:
        told = _told(error)
        error.close()
        if told:
            raise NotKnown(told) from None
        raise NoAnswer(_explain_status(error.code, address)) from None
    except (OSError, HTTPException) as error:
        raise NoAnswer(_explain_failure(error, address)) from None
    if len(body) > ANSWER_LIMIT:
        raise NoAnswer(f"what answers at {address.url} does not end: is it cccamd?")
    return body


def _told(error: HTTPError) -> str:
    """What our API says of something that it does not know; empty: it says nothing of the kind."""
    if error.code != 404:
        return ""
    try:
        answer = json.loads(error.read(ANSWER_LIMIT))
    except (ValueError, OSError, HTTPException):
        return ""
    return str(answer.get("error", "")) if isinstance(answer, dict) else ""


def _not_cccamd(address: WebAddress) -> str:
    return (
        f"something answers at {address.url}, but not as a cccamd of this version does;"
        " does another program, or another version, run there?"
    )


def _headers(address: WebAddress) -> dict[str, str]:
    if address.username is None and address.password is None:
        return {}
    login = f"{address.username or ''}:{address.password or ''}"
    return {"Authorization": f"Basic {b64encode(login.encode()).decode()}"}


def _explain_status(code: int, address: WebAddress) -> str:
    if code == 401:
        return (
            f"the server at {address.url} refuses the login of {address.source}: it needs its"
            " WEBINFO USERNAME and WEBINFO PASSWORD"
        )
    if code == 403:
        return f"the server at {address.url} shows nothing to this machine's network"
    if code == 503:
        return f"the server at {address.url} has too many visitors; try again"
    return _not_cccamd(address)


def _explain_failure(error: Exception, address: WebAddress) -> str:
    reason = error.reason if isinstance(error, URLError) else error
    if isinstance(reason, ConnectionRefusedError):
        return (
            f"no server answers at {address.url}. Does it run? `cccamd serve` starts it; if it"
            " uses another CCcam.cfg, name that with -C"
        )
    if isinstance(reason, TimeoutError):
        return f"the server at {address.url} does not answer within {TIMEOUT:g} s"
    if isinstance(reason, HTTPException):
        return _not_cccamd(address)
    text = reason.strerror if isinstance(reason, OSError) else None
    return f"{address.url} cannot be reached: {text or 'no connection'}"
