"""`[[account]]` and `[[upstream]]`: what CCcam.cfg cannot say about its lines."""

import re
from collections.abc import Mapping
from datetime import date
from typing import Annotated, Final, Literal, Self

from pydantic import AfterValidator, Field, PlainValidator, model_validator

from cccamd.cards import Access, Grant, ServiceList
from cccamd.ids import PORT_LIMIT, LoginKey, host_key, is_host, login_key
from cccamd.setup.hours import DAYS, TimeFrame, read_frame
from cccamd.setup.pairnames import PAIR_NAME_RULE, is_pair_name
from cccamd.setup.toml.fields import KnownVersion, Table, User, count
from cccamd.setup.toml.grants import Caids, Denied, Groups, Limits, Pairs, Wishes, grant_of

DEFAULT_HOPS: Final = 5
"""As of an F-line."""
NAME_LIMIT: Final = 63


def _check_pair_name(text: str) -> str:
    if not is_pair_name(text):
        raise ValueError(f"expected a name that `cccamd pair` takes: {PAIR_NAME_RULE}")
    return text


def _check_host(text: str) -> str:
    if not is_host(text):
        raise ValueError('expected a host name or an address: host = "192.0.2.7"')
    return text


def _check_password(text: str) -> str:
    if not text or re.search(r"[\0\r\n]", text):
        raise ValueError("expected a password of at least one character, without line ends")
    return text


def _check_name(text: str) -> str:
    if not text.strip() or len(text) > NAME_LIMIT or not text.isprintable():
        raise ValueError(f"expected a name of 1 to {NAME_LIMIT} printable characters")
    return text


def _read_day(value: object) -> tuple[TimeFrame, ...]:
    frames = [read_frame(each) if isinstance(each, str) else None for each in _listed(value)]
    if not frames or None in frames:
        raise ValueError('expected a list of hours: ["18:00-23:30"]')
    return tuple(frame for frame in frames if frame is not None)


def _listed(value: object) -> list[object]:
    return value if isinstance(value, list) else []


PairName = Annotated[
    str,
    AfterValidator(_check_pair_name),
    Field(description="the name of a paired server, in quotes"),
]
Day = Literal["ALL", "MON", "TUE", "WED", "THU", "FRI", "SAT", "SUN"]
Hours = dict[Day, Annotated[tuple[TimeFrame, ...], PlainValidator(_read_day)]]
Protocol = Literal["cccam", "newcamd", "dvbapi"]


class AccountTable(Table):
    """`[[account]]`: what CCcam.cfg cannot say about an F-line, named by its user.

    With a password it is an account of its own, which CCcam.cfg cannot hold.
    """

    user: User
    password: Annotated[str, AfterValidator(_check_password)] | None = Field(
        default=None, repr=False, description="a password in quotes"
    )
    max_hop: int = count(DEFAULT_HOPS, 0, 255)
    emm: bool = Field(default=True, description="true or false")
    host: Annotated[str, AfterValidator(_check_host)] | None = Field(
        default=None, description="a host in quotes"
    )
    limits: Limits = ()
    denied: Denied = ()
    cccversion: KnownVersion | None = None
    """Announced to this client instead of that in `[server]`."""
    logins: int | None = count(None, 1, 1000)
    """How many clients may be logged in with it at once."""
    max_connections: int | None = count(None, 1, 1000)
    """The same, by the name that OSCam has for it."""
    paired: PairName | None = None
    """The paired server whose account it is: nobody else may log in, nor it without TLS."""
    enabled: bool = Field(default=True, description="true or false")
    """Whether anybody may log in."""
    expires: date | None = Field(default=None, description="a day: expires = 2026-12-31")
    """The last day on which it gets control words."""
    times: Hours = Field(
        default_factory=dict,
        description=f'hours by day ({", ".join(DAYS)}): times = {{ ALL = ["18:00-23:30"] }}',
    )
    protocols: tuple[Protocol, ...] = Field(
        default=(), strict=False, description='a list of "cccam", "newcamd", "dvbapi"'
    )
    groups: Groups | None = None
    caids: Caids = ()
    idents: Pairs = ()
    services: Wishes = ()
    emm_to: tuple[Annotated[str, AfterValidator(_check_name)], ...] = Field(
        default=(), strict=False, description='a list of names of [[upstream]]: emm_to = ["main"]'
    )

    @model_validator(mode="after")
    def _says_something(self) -> Self:
        said = self.model_fields_set - {"user"}
        if not said:
            raise ValueError("expected cccversion, logins or another key: else it says nothing")
        if self.logins is not None and self.max_connections is not None:
            raise ValueError("expected logins or max_connections, not both: they are the same")
        if self.password is None and (of_line := sorted(said & OF_THE_F_LINE)):
            names = " and ".join(of_line)
            raise ValueError(f"expected {names} in the F-line; here only with a password")
        return self

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


class UpstreamTable(Table):
    """`[[upstream]]`: what CCcam.cfg cannot say about a C-line, named by host, port, user."""

    host: str = Field(min_length=1, description="the host of a C-line, in quotes")
    port: int = Field(ge=1, le=PORT_LIMIT, description="the port of a C-line, 1 to 65535")
    user: User
    cccversion: KnownVersion | None = None
    """Announced to this upstream."""
    group: str | None = Field(default=None, min_length=1, description="a name in quotes")
    """Upstreams of one group stand in for each other."""
    rank: int = count(1, 1, 1000)
    """1 is asked first, the others of the group only when it is away."""
    paired: PairName | None = None
    """The paired server that this is: nothing is said before it has proved its key by TLS."""
    tls_port: int | None = Field(
        default=None, ge=1, le=PORT_LIMIT, description="the port of [tls] there, 1 to 65535"
    )
    """Where its TLS is, if not on the port of the C-line."""
    name: Annotated[str, AfterValidator(_check_name)] | None = Field(
        default=None, description="a name in quotes"
    )
    """How `emm_to` names it."""
    groups: Groups | None = None
    caids: Caids = ()
    idents: Pairs = ()
    services: Wishes = ()
    emm: bool = Field(default=True, description="true or false")
    """Whether EMMs are sent to it."""
    reshare: int | None = count(None, 0, 255)
    """The most hops that its cards may be passed on from our clients."""

    @property
    def key(self) -> LoginKey:
        """What it shares with its C-line and no other."""
        return login_key(self.host, self.port, self.user)

    @property
    def heading(self) -> str:
        """How messages name it; no two tables share it."""
        return f'[[upstream]] {host_key(self.host)} {self.port} user "{self.user}"'

    @model_validator(mode="after")
    def _check_use(self) -> Self:
        said = self.model_fields_set - {"host", "port", "user"}
        if "rank" in said and self.group is None:
            raise ValueError('expected a group too: rank orders the upstreams of one group = "…"')
        if self.tls_port is not None and self.paired is None:
            raise ValueError('expected paired too: TLS is for a server that is paired = "…"')
        if not said:
            raise ValueError("expected cccversion, group or another key: else it says nothing")
        return self

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
