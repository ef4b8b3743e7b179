"""`[[account]]` and `[[upstream]]`: what CCcam.cfg cannot say about its lines."""

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Annotated, Final

from cccamd.cards import Access, Grant, ServiceList
from cccamd.ids import LoginKey, host_key, is_host, login_key
from cccamd.setup.hours import ALWAYS, DAYS, TimeFrame, Week, read_frame
from cccamd.setup.pairnames import PAIR_NAME_RULE, is_pair_name
from cccamd.setup.toml.fields import (
    SWITCH,
    VERSION,
    Listed,
    Table,
    User,
    Value,
    count_between,
    one_of,
    port_as,
    text_as,
)
from cccamd.setup.toml.grants import Caids, Denied, Groups, Limits, Pairs, Wishes, grant_of
from cccamd.wire.cccam import Version

DEFAULT_HOPS: Final = 5
"""As of an F-line."""
NAME_LIMIT: Final = 63


def _check_pair_name(text: str) -> None:
    if not is_pair_name(text):
        raise ValueError(f"expected a name that `cccamd pair` takes: {PAIR_NAME_RULE}")


def _check_host(text: str) -> None:
    if not is_host(text):
        raise ValueError('expected a host name or an address: host = "192.0.2.7"')


def _check_password(text: str) -> None:
    if not text or re.search(r"[\0\r\n]", text):
        raise ValueError("expected a password of at least one character, without line ends")


def _check_name(text: str) -> None:
    if not text.strip() or len(text) > NAME_LIMIT or not text.isprintable():
        raise ValueError(f"expected a name of 1 to {NAME_LIMIT} printable characters")


def _read_week(found: object) -> Week:
    if not isinstance(found, dict) or not set(found) <= set(DAYS):
        raise ValueError
    return Week(tuple((day, _read_day(frames)) for day, frames in found.items()))


def _read_day(found: object) -> tuple[TimeFrame, ...]:
    listed = found if isinstance(found, list) else []
    frames = [read_frame(each) if isinstance(each, str) else None for each in listed]
    if not frames or None in frames or len(frames) > NAME_LIMIT:
        raise ValueError
    return tuple(frame for frame in frames if frame is not None)


def _read_date(found: object) -> date:
    if not isinstance(found, date) or isinstance(found, datetime):
        raise ValueError
    return found


_PAIR_NAME: Final = text_as("the name of a paired server, in quotes", _check_pair_name)
_NAME: Final = text_as("a name in quotes", _check_name)
_PASSWORD: Final = text_as("a password in quotes", _check_password)
_HOST: Final = text_as("a host in quotes", _check_host)
_DATE: Final = Value("a day: expires = 2026-12-31", _read_date)
_WEEK: Final = Value(
    f'hours by day ({", ".join(DAYS)}): times = {{ ALL = ["18:00-23:30"] }}', _read_week
)
_PROTOCOLS: Final = Listed(
    'a list of "cccam", "newcamd", "dvbapi"', one_of("cccam", "newcamd", "dvbapi")
)
_NAMES: Final = Listed('a list of names of [[upstream]]: emm_to = ["main"]', _NAME)


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountTable(Table):
    """`[[account]]`: what CCcam.cfg cannot say about an F-line, named by its user.

    With a password it is an account of its own, which CCcam.cfg cannot hold.
    """

    user: User
    password: Annotated[str | None, _PASSWORD] = field(default=None, repr=False)
    max_hop: Annotated[int, count_between(0, 255)] = DEFAULT_HOPS
    emm: Annotated[bool, SWITCH] = True
    host: Annotated[str | None, _HOST] = None
    limits: Limits = ()
    denied: Denied = ()
    cccversion: Annotated[Version | None, VERSION] = None
    """Announced to this client instead of that in `[server]`."""
    logins: Annotated[int | None, count_between(1, 1000)] = None
    """How many clients may be logged in with it at once."""
    max_connections: Annotated[int | None, count_between(1, 1000)] = None
    """The same, by the name that OSCam has for it."""
    paired: Annotated[str | None, _PAIR_NAME] = None
    """The paired server whose account it is: nobody else may log in, nor it without TLS."""
    enabled: Annotated[bool, SWITCH] = True
    """Whether anybody may log in."""
    expires: Annotated[date | None, _DATE] = None
    """The last day on which it gets control words."""
    times: Annotated[Week, _WEEK] = ALWAYS
    protocols: Annotated[tuple[str, ...], _PROTOCOLS] = ()
    groups: Groups = None
    caids: Caids = ()
    idents: Pairs = ()
    services: Wishes = ()
    emm_to: Annotated[tuple[str, ...], _NAMES] = ()

    def check(self, given: Collection[str]) -> None:
        """It must say something, and nothing that the F-line says."""
        said = set(given) - {"user"}
        if not said:
            raise ValueError("expected cccversion, logins or another key: else it says nothing")
        if self.logins is not None and self.max_connections is not None:
            raise ValueError("expected logins or max_connections, not both: they are the same")
        if self.password is None and (of_line := sorted(said & OF_THE_F_LINE)):
            names = " and ".join(of_line)
            raise ValueError(f"expected {names} in the F-line; here only with a password")

    @property
    def heading(self) -> str:
        """How messages name it; no two tables share it."""
        return f'[[account]] user "{self.user}"'

    @property
    def most_logins(self) -> int | None:
        """By either name."""
        return self.logins if self.max_connections is None else self.max_connections

    def grant(self, lists: Mapping[str, ServiceList]) -> Grant:
        """What it may have."""
        return grant_of(
            groups=self.groups,
            caids=self.caids,
            idents=self.idents,
            services=self.services,
            lists=lists,
        )


OF_THE_F_LINE: Final = frozenset({"max_hop", "emm", "host", "limits", "denied"})


@dataclass(frozen=True, slots=True, kw_only=True)
class UpstreamTable(Table):
    """`[[upstream]]`: what CCcam.cfg cannot say about a C-line, named by host, port, user."""

    host: Annotated[str, text_as("the host of a C-line, in quotes")]
    port: Annotated[int, port_as("the port of a C-line, 1 to 65535")]
    user: User
    cccversion: Annotated[Version | None, VERSION] = None
    """Announced to this upstream."""
    group: Annotated[str | None, text_as("a name in quotes")] = None
    """Upstreams of one group stand in for each other."""
    rank: Annotated[int, count_between(1, 1000)] = 1
    """1 is asked first, the others of the group only when it is away."""
    paired: Annotated[str | None, _PAIR_NAME] = None
    """The paired server that this is: nothing is said before it has proved its key by TLS."""
    tls_port: Annotated[int | None, port_as("the port of [tls] there, 1 to 65535")] = None
    """Where its TLS is, if not on the port of the C-line."""
    name: Annotated[str | None, _NAME] = None
    """How `emm_to` names it."""
    groups: Groups = None
    caids: Caids = ()
    idents: Pairs = ()
    services: Wishes = ()
    emm: Annotated[bool, SWITCH] = True
    """Whether EMMs are sent to it."""
    reshare: Annotated[int | None, count_between(0, 255)] = None
    """The most hops that its cards may be passed on from our clients."""
    minimum_downhops: Annotated[int | None, count_between(0, 255)] = None
    """Its cards are taken when they may go on so many hops at least; None: as MINIMUM DOWNHOPS."""

    @property
    def key(self) -> LoginKey:
        """What it shares with its C-line and no other."""
        return login_key(self.host, self.port, self.user)

    @property
    def heading(self) -> str:
        """How messages name it; no two tables share it."""
        return f'[[upstream]] {host_key(self.host)} {self.port} user "{self.user}"'

    def check(self, given: Collection[str]) -> None:
        """A rank needs a group, a TLS port a key to expect; and it must say something."""
        said = set(given) - {"host", "port", "user"}
        if "rank" in said and self.group is None:
            raise ValueError('expected a group too: rank orders the upstreams of one group = "…"')
        if self.tls_port is not None and self.paired is None:
            raise ValueError('expected paired too: TLS is for a server that is paired = "…"')
        if not said:
            raise ValueError("expected cccversion, group or another key: else it says nothing")

    def access(self, lists: Mapping[str, ServiceList]) -> Access:
        """What it says for all accounts."""
        return Access(
            name=self.name or "",
            grant=grant_of(
                groups=self.groups,
                caids=self.caids,
                idents=self.idents,
                services=self.services,
                lists=lists,
            ),
            takes_emms=self.emm,
            reshare=self.reshare,
        )
