"""What all sessions share, what is spoken on their ports, and when accounts may ask."""

import asyncio
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING

from cccamd.cards import CardTable
from cccamd.facts import Door
from cccamd.net import Admission, Connection, FairPlay, Guest, Penalties, TaskSet, Turns
from cccamd.routing import EmmGate, Result
from cccamd.server import settings
from cccamd.server.exchange import Exchange
from cccamd.server.loglines import CloneWatch
from cccamd.server.record import RecordContext
from cccamd.server.seats import DoubleLogins, Seats
from cccamd.setup.cccamcfg import Diagnostic
from cccamd.setup.logins import Account, Accounts
from cccamd.setup.setup import Setup
from cccamd.setup.toml import LimitsTable
from cccamd.wire.cccam import Version
from cccamd.wire.link import ServerEvent, ServerSide

if TYPE_CHECKING:
    from cccamd.server.fleetseats import FleetSeats
    from cccamd.server.session import Session


@dataclass(frozen=True, slots=True, kw_only=True)
class ClientPort:
    """What is spoken on a port for clients, and who may log in there."""

    make_protocol: Callable[[float], ServerSide]
    """Makes the protocol object of a new connection, given the time."""
    account_of: Callable[[bytes], Account | None]
    """The account that a client named, if it may log in here."""
    door: Door = Door.CCCAM
    """What it is called where failed logins are counted."""
    make_connection: Callable[..., Connection[ServerEvent]] = Connection
    """Makes what carries the protocol object, as `Connection` does."""
    has_versions: bool = True
    """Whether clients say which version they are, as MINIMUM CLIENT VERSION wants to know."""
    protocol: str = "cccam"
    """As `protocols` of cccamd.toml names it."""
    admits: Callable[[str], bool] = lambda address: True
    """Whether an address may log in here."""


@dataclass(slots=True, kw_only=True)
class SessionContext:
    """What all sessions share. A reload replaces what comes from files."""

    accounts: Accounts
    faulty_accounts: Mapping[bytes, Diagnostic]
    """Users whose F-line is in error."""
    seats: "Seats[Session]" = field(default_factory=Seats)
    """Who is logged in."""
    fleet_seats: "FleetSeats | None" = None
    """Who is logged in at other nodes of the fleet; None: there are none."""
    by_number: "dict[int, Session]" = field(default_factory=dict)
    """The same, by the numbers of their records."""
    double_logins: DoubleLogins = field(default_factory=DoubleLogins)
    table: CardTable
    exchange: Exchange
    admission: Admission[Guest]
    penalties: Penalties
    records: RecordContext
    clones: CloneWatch
    emm_gate: EmmGate
    tasks: TaskSet
    fair: FairPlay = field(default_factory=FairPlay)
    """Turns and limits of what clients ask."""
    turns: Turns = field(default_factory=Turns)
    """In which card lists are told."""
    limits: LimitsTable
    minimum_client_version: Version | None
    on_list_due: Callable[[], None]
    """Called when card lists are to be brought up to date soon, each in its turn."""
    on_failure: Callable[[str, BaseException], None]
    """Told of every error of ours; the connection that it happened in ends."""

    async def adopt(
        self, setup: Setup, accounts: Accounts, faulty: Mapping[bytes, Diagnostic]
    ) -> None:
        """Go over to what the files say now; the other two are what `setup` says of accounts.

        Those who are logged in go on with what is said of them now: ECMs go in between.
        """
        self.accounts = accounts
        self.faulty_accounts = faulty
        self.limits = setup.toml.limits
        self.fair.limits = settings.fair_limits(setup.toml)
        self.minimum_client_version = settings.minimum_version(setup.config)
        self.emm_gate.global_emms = setup.config.settings.global_emm
        users = {account.line.user for account in accounts.values()}
        self.double_logins.forget(users.__contains__)
        for user in list(self.seats.users()):
            for session in reversed(self.seats.of(user)):
                session.adopt(accounts.get(user))
            await asyncio.sleep(0)


def shut_now(account: Account) -> Result | None:
    """Why an account may not ask at this moment; None: it may."""
    if not account.has_hours:  # as nearly all
        return None
    now = datetime(*time.localtime()[:6])  # by the clock that tests may set
    if account.line.is_open(now):
        return None
    return Result.EXPIRED if account.line.is_expired(now) else Result.OUT_OF_HOURS
