"""Finds the web pages of the server that runs here, and reads its `/api`."""

import json
from base64 import b64encode
from dataclasses import dataclass, field
from http.client import HTTPException
from pathlib import Path
from typing import Any, Final
from urllib.error import HTTPError, URLError
from urllib.parse import unquote, urlsplit
from urllib.request import ProxyHandler, Request, build_opener

from cccamd.errors import CccamdError
from cccamd.ids import format_endpoint
from cccamd.setup.cccamcfg import InfoPort, LoadedConfig, load_config
from cccamd.setup.files import ConfigFileMissingError

TIMEOUT: Final = 5.0
"""Seconds; on this machine an answer takes a few milliseconds."""
ANSWER_LIMIT: Final = 64 * 1024 * 1024
"""Bytes; far more than the largest server says."""
_LOOPBACK: Final = "127.0.0.1"


class NoAnswer(CccamdError):
    """The server cannot be asked, or did not answer; the text says what to do."""


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


def address_of_config(path: Path | None) -> WebAddress:
    """Find the server of this machine through its CCcam.cfg, searched as `serve` does.

    Raises:
        ConfigFileError: the file that was named is not there, or cannot be read.
        NoAnswer: it says that there are no pages.
    """
    loaded = load_config(path)
    if loaded.missing and path is not None:
        raise ConfigFileMissingError(str(path), "there is no such file")
    webinfo = loaded.result.config.webinfo
    trouble = _trouble(webinfo)
    if trouble:
        raise NoAnswer(f"{_name(loaded)}: {trouble}")
    return WebAddress(
        url=f"http://{format_endpoint(_LOOPBACK, webinfo.port)}",
        username=webinfo.username,
        password=webinfo.password,
        source=_name(loaded),
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


def read_api(address: WebAddress, path: str) -> bytes:
    """Get one path.

    Raises:
        NoAnswer: it did not work.
    """
    request = Request(f"{address.url}{path}", headers=_headers(address))
    try:
        # No proxy: what environments set there is for the world outside.
        with build_opener(ProxyHandler({})).open(request, timeout=TIMEOUT) as response:
            body: bytes = response.read(ANSWER_LIMIT + 1)
    except HTTPError as error:
        error.close()
        raise NoAnswer(_explain_status(error.code, address)) from None
    except (OSError, HTTPException) as error:
        raise NoAnswer(_explain_failure(error, address)) from None
    if len(body) > ANSWER_LIMIT:
        raise NoAnswer(f"what answers at {address.url} does not end: is it cccamd?")
    return body


def read_json(body: bytes, address: WebAddress) -> Any:
    """Read an answer.

    Raises:
        NoAnswer: it is no JSON.
    """
    try:
        return json.loads(body)
    except ValueError:
        raise NoAnswer(not_cccamd(address)) from None


def not_cccamd(address: WebAddress) -> str:
    """What to say when an answer makes no sense."""
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
    return not_cccamd(address)


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
        return not_cccamd(address)
    text = reason.strerror if isinstance(reason, OSError) else None
    return f"{address.url} cannot be reached: {text or 'no connection'}"
