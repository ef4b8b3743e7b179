"""What the running server says about itself, asked from its own status API."""

import base64
import http.client
import json
from collections.abc import Sequence
from typing import Annotated, Any, Final

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from cccamd.doctor.finding import Check, Finding, Verdict
from cccamd.doctor.installation import Installation
from cccamd.facts import SourceKind
from cccamd.machine import PortHolder
from cccamd.setup.cccamcfg import InfoPort

FETCH_TIMEOUT: Final = 3.0
SIZE_LIMIT: Final = 32 * 1024 * 1024
"""Bytes; 20,000 cards are some 6 million."""


class _Part(BaseModel):
    """Base: what a newer server says besides is of no interest."""

    model_config = ConfigDict(frozen=True, extra="ignore")


class RunningServer(_Part):
    """The server itself; ids are hex texts."""

    node_id: str
    config_path: str
    program: str


class RunningClient(_Part):
    """A client that is logged in."""

    account: str
    address: str
    node_id: str


class RunningSource(_Part):
    """A link or a local card."""

    name: str
    kind: SourceKind
    line: int
    state: str
    last_failure: str
    node_id: str | None
    cards: int
    cards_rejected: int
    asked: int
    answered: int
    usual_seconds: float | None


def _hex(digits: int) -> Any:
    return Field(pattern=rf"^[0-9A-Fa-f]{{{digits}}}$")


class RunningCard(_Part):
    """One way to one card; ids are hex texts."""

    source: str
    caid: Annotated[str, _hex(4)]
    idents: tuple[Annotated[str, _hex(6)], ...]
    hop: int
    reshare: int
    path: tuple[Annotated[str, _hex(16)], ...]


class RunningStatus(_Part):
    """All that the doctor wants to know of a running server."""

    server: RunningServer
    clients: tuple[RunningClient, ...] = ()
    sources: tuple[RunningSource, ...] = ()
    cards: tuple[RunningCard, ...] = ()

    @property
    def links(self) -> tuple[RunningSource, ...]:
        """The upstream links alone."""
        return tuple(source for source in self.sources if source.kind is SourceKind.CCCAM)


class StatusUnavailable(Exception):
    """The status could not be had; the text says why."""


def judge_server(
    installation: Installation,
    holder: PortHolder | None,
    status: RunningStatus | None,
    why_not: str,
) -> Finding:
    """Say whether our server runs, and whether it runs with the file that was read."""
    if holder is None or not holder.is_ours:
        return Finding(
            check=Check.SERVER,
            verdict=Verdict.OK,
            evidence="not running: everything was tried from scratch",
        )
    if status is None:
        return Finding(
            check=Check.SERVER,
            verdict=Verdict.ADVICE,
            evidence=f"it runs, but its status could not be read: {why_not}",
            advice="See that ALLOW WEBINFO is yes: its page tells how links and clients do.",
        )
    reads = status.server.config_path
    if installation.path is not None and reads and reads != str(installation.path):
        return Finding(
            check=Check.SERVER,
            verdict=Verdict.WARNING,
            evidence=f"it runs with {reads}, not with {installation.path} that was checked here",
            advice=f"Edit {reads}, or start the server with -C {installation.path}.",
        )
    evidence = (
        f"{status.server.program} runs; clients logged in: {len(status.clients)},"
        f" sources: {len(status.sources)}"
    )
    return Finding(check=Check.SERVER, verdict=Verdict.OK, evidence=evidence)


def read_status(status: Any, cards: Any) -> RunningStatus:
    """Put the answers of `/api/status` and `/api/cards` together.

    Raises:
        StatusUnavailable: they are something else.
    """
    try:
        return RunningStatus.model_validate({**status, "cards": cards["cards"]})
    except (ValidationError, KeyError, TypeError):
        raise StatusUnavailable("what answers there is not the page of a cccamd") from None


# What touches the system.


def fetch_status(webinfo: InfoPort, bind: Sequence[str]) -> RunningStatus:
    """Ask the running server on this machine, with the login of the configuration.

    Raises:
        StatusUnavailable: it did not answer.
    """
    if not webinfo.listens:
        raise StatusUnavailable("its page is switched off")
    host = own_door(bind)
    return read_status(_get(webinfo, host, "/api/status"), _get(webinfo, host, "/api/cards"))


def own_door(bind: Sequence[str]) -> str:
    """The address by which this machine reaches a server that listens on these."""
    loopback = {"0.0.0.0": "127.0.0.1", "::": "::1"}
    return loopback.get(bind[0], bind[0])


def _get(webinfo: InfoPort, host: str, path: str) -> Any:
    connection = http.client.HTTPConnection(host, webinfo.port, timeout=FETCH_TIMEOUT)
    try:
        connection.request("GET", path, headers=_login(webinfo))
        response = connection.getresponse()
        if response.status != http.client.OK:
            raise StatusUnavailable(_refusal(response.status, webinfo.port))
        return json.loads(response.read(SIZE_LIMIT))
    except OSError as error:
        reason = error.strerror or "no answer"
        raise StatusUnavailable(f"port {webinfo.port}: {reason}") from None
    except (ValueError, http.client.HTTPException):
        raise StatusUnavailable(f"port {webinfo.port} is no page of a cccamd") from None
    finally:
        connection.close()


def _login(webinfo: InfoPort) -> dict[str, str]:
    if not webinfo.is_protected:
        return {}
    pair = f"{webinfo.username or ''}:{webinfo.password or ''}".encode()
    return {"Authorization": f"Basic {base64.b64encode(pair).decode()}"}


def _refusal(status: int, port: int) -> str:
    if status in (401, 403):
        return f"its page on port {port} does not accept WEBINFO USERNAME and PASSWORD of the file"
    return f"its page on port {port} answers with status {status}"
