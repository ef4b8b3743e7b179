"""A client's way in: from the user name that it says to a seat of its account.

Theory of operation. `Session` makes a `Login` when a user name comes, and drops it when the client
has introduced itself:

    made        the port's rule says which account it is; from here on the log knows its name
    decide      the protocol looks at the password: at once, or after the pause that failed logins
                cost. A name that nobody has is compared with a password that nobody has
    weigh       the password was right. Now its host is looked up, if its F-line names one, and if
                its account is in use, whether those who use it still live (`server/seats.py`): both
                at once, within the two seconds that clients wait
    _settle     it gets a seat, or is turned away: by the files as they are at this moment
    explained   it ended before: what the log may say of that, and the client may not
"""

import asyncio
import os
import time
from collections.abc import Sequence
from dataclasses import replace
from itertools import islice
from typing import TYPE_CHECKING, Final

from cccamd.ids import host_key, parse_address
from cccamd.net import LONGEST_WAIT, ConnectError, locate
from cccamd.server.seats import Contest, decided
from cccamd.server.sessioncontext import ClientPort, SessionContext
from cccamd.setup.logins import Account, Accounts
from cccamd.wire.link import Closed, CloseReason, ServerSide

if TYPE_CHECKING:
    from cccamd.server.session import Session

MODELS: Final = 64
"""Accounts, the first ones, whose passwords are as long as those of names that nobody has."""
MODEL_LENGTH: Final = 16
"""Bytes of such a password where there is no account."""


class Login:
    """One client between its user name and its seat."""

    def __init__(
        self,
        session: "Session",
        context: SessionContext,
        port: ClientPort,
        protocol: ServerSide,
        user: bytes,
    ) -> None:
        self._session = session
        self._connection = session.connection
        self._context = context
        self._port = port
        self._protocol = protocol
        self._user = user
        self._account = port.account_of(user)
        self._is_checked = True
        """Whether its password is looked at: not if too many logins from there failed."""
        self._waiting_for = ""
        """Whom it is waited for while it is weighed: addresses."""
        record = session.record
        record.debug("handshake done, user %s", self._shown)
        if self._account is not None:
            record.line = self._account.line  # its name stands in the log, password or not
            record.user_said = record.line.user
        else:
            record.user_said = user.decode("utf-8", "replace")

    @property
    def _shown(self) -> str:
        """The user name, as the log may have it."""
        return repr(self._user.decode("utf-8", "backslashreplace"))

    def decide(self) -> None:
        """Have the password looked at, now or after a pause."""
        self._context.admission.heard(self._connection)
        wait = self._context.penalties.wait(
            self._connection.address, self._user, self._connection.now(), self._port.door
        )
        self._is_checked = wait is not None
        if wait == 0.0:
            self._check_password()
        else:
            pause = self._check_later(LONGEST_WAIT if wait is None else wait)
            self._context.tasks.start(f"a login from {self._connection.peer} waits", pause)

    async def _check_later(self, wait: float) -> None:
        await asyncio.sleep(wait)
        if not self._session.ended:
            self._connection.attempt(self._check_password)
            self._connection.flush()

    def _check_password(self) -> None:
        """Whoever does not exist goes the same way, with a password that nobody has."""
        stand_in = stand_in_for(self._user, self._context.accounts)  # made for all: it takes time
        is_real = self._account is not None and self._is_checked
        password = self._account.password if self._account and is_real else stand_in
        self._protocol.authenticate(password, hold=True)

    def explained(self, closed: Closed) -> Closed:
        """Why it ended before there was a client, for the log."""
        if closed.reason is CloseReason.WRONG_PASSWORD:
            closed = self._failed(closed)
        if self._waiting_for:
            detail = f"while it was looked whether {self._waiting_for} still answers"
            closed = replace(closed, detail=detail)
        return closed

    def _failed(self, closed: Closed) -> Closed:
        """Count a login with a wrong name or password, and say what only the log may tell."""
        address, now = self._connection.address, self._connection.now()
        ban = self._context.penalties.failed(address, self._user, now, self._port.door)
        if ban is not None:
            self._context.records.door_log.banned(ban)
        if self._account is None:
            if self._user in self._context.accounts:
                return Closed(CloseReason.NOT_ON_THIS_PORT, self._shown)
            fault = self._context.faulty_accounts.get(self._user)
            if fault is None:
                return Closed(CloseReason.UNKNOWN_USER, self._shown)
            detail = f"{self._shown}: line {fault.place.line} of {fault.place.file}: {fault.text}"
            return Closed(CloseReason.ACCOUNT_IN_ERROR, detail)
        if not self._is_checked:
            return replace(closed, detail="not looked at: too many logins from there failed")
        return closed

    def weigh(self) -> None:
        """The password was right."""
        account = self._account
        if account is None or not self._is_checked:  # as good as impossible
            self._protocol.refuse_login(CloseReason.WRONG_PASSWORD)
            return
        if (trouble := self._trouble(account)) is not None:
            self._protocol.refuse_login(trouble.reason, trouble.detail)
            return
        is_taken = self._is_taken(account)
        if is_taken and self._context.seats.is_crowded(account.user):
            self._refuse_for(account, "other logins wait for its place already")
        elif is_taken or account.line.host is not None or self._context.fleet_seats is not None:
            name, contest = f"login of {self._session.record.name}", self._contest(account)
            self._context.tasks.start(name, self._settle_later(account, contest))
        else:
            self._settle(account)

    def _trouble(self, account: Account) -> Closed | None:
        """Why it is turned away although the password was right, as far as is known at once."""
        line, port = account.line, self._port
        if not line.enabled:
            return Closed(CloseReason.ACCOUNT_DISABLED, "enabled = false")
        if not line.speaks(port.protocol):
            allowed = ", ".join(line.protocols)
            return Closed(CloseReason.OTHER_PROTOCOL, f"{allowed}; it came by {port.protocol}")
        if not port.admits(self._connection.address):
            return Closed(CloseReason.OTHER_ADDRESS)
        link = self._link_trouble(account)
        return None if link is None else Closed(CloseReason.NOT_PROTECTED, link)

    def _link_trouble(self, account: Account) -> str | None:
        """What is wrong with the way it came."""
        paired = self._connection.paired
        if not account.paired or (paired is not None and paired.name == account.paired):
            return None
        came = f"with the key of {paired.name}" if paired is not None else "without TLS"
        return f'paired = "{account.paired}", and it came {came}'

    def _is_taken(self, account: Account) -> bool:
        return len(self._context.seats.of(account.user)) >= account.logins

    async def _settle_later(self, account: Account, contest: Contest["Session"] | None) -> None:
        """Look at its host and at those who use its account, at the same time."""
        try:
            trouble = await self._host_trouble(account)
            if contest is not None and trouble is None:
                await decided(contest)
            if trouble is None:
                trouble = await self._fleet_trouble(account)
            self._connection.attempt(lambda: self._settle(account, contest, trouble))
        except Exception as error:
            self._connection.fail(error)
        finally:
            if contest is not None:
                contest.contenders -= 1
        self._connection.flush()

    def _contest(self, account: Account) -> Contest["Session"] | None:
        """Have those who use the account asked for a sign of life, if it has no seat free."""
        if not self._is_taken(account):
            return None
        contest = self._context.seats.contest(account.user, self._connection.now())
        contest.contenders += 1
        self._waiting_for = _addresses(contest.holders)
        words = "the password is right; looking whether %s still answers"
        self._session.record.debug(words, self._waiting_for)
        return contest

    async def _host_trouble(self, account: Account) -> Closed | None:
        host = account.line.host
        if host is None:
            return None
        where = f"line {account.line.line}: {host}"
        try:
            found = await locate(host)
        except ConnectError as error:
            return Closed(CloseReason.HOST_UNRESOLVED, f"{where}; {error}")
        if parse_address(self._connection.address) not in found:
            known = ", ".join(sorted(str(address) for address in found))
            is_name = host_key(known) != host_key(host)
            return Closed(CloseReason.WRONG_ADDRESS, f"{where}, now {known}" if is_name else where)
        return None

    async def _fleet_trouble(self, account: Account) -> Closed | None:
        """Look whether it is in at other nodes of the fleet."""
        seats = self._context.fleet_seats
        if seats is None or self._session.ended:
            return None
        number, address = self._session.record.number, self._connection.address
        self._connection.when_ended(seats.left, number)
        nodes = await seats.ask(number, account.user, account.logins)
        if not nodes:
            return None
        where = [f"node {node}" for node in nodes]
        self._context.double_logins.refused(account.line.user, address, where, time.time())
        detail = f"at {', '.join(where)} of the fleet, and answers there; {_rule(account)}"
        return Closed(CloseReason.ALREADY_CONNECTED, detail)

    def _settle(
        self,
        account: Account,
        contest: Contest["Session"] | None = None,
        trouble: Closed | None = None,
    ) -> None:
        """Let it in, or turn it away; nothing is waited for any more."""
        seats = self._context.seats
        if trouble is None and contest is not None and self._is_taken(account):
            self._session.displace(contest.next_dead())
        if self._session.ended:
            return
        self._waiting_for = ""
        current = self._port.account_of(account.user)
        if trouble is not None:
            self._protocol.refuse_login(trouble.reason, trouble.detail)
        elif current is None or not current.same_login(account):
            self._protocol.refuse_login(CloseReason.CONFIG_CHANGED)
        elif self._is_taken(current):
            answer = "which answers" if len(seats.of(account.user)) == 1 else "which answer"
            self._refuse_for(current, answer)
        else:
            self._session.sit_down(current)
            address, door = self._connection.address, self._port.door
            self._context.penalties.succeeded(address, account.user, door)
            self._context.double_logins.got_in(current.line.user, address)
            self._protocol.accept_login(self._connection.now())

    def _refuse_for(self, account: Account, why: str) -> None:
        """Turn it away for the sake of those who use the account."""
        holders = self._context.seats.of(account.user)
        self._context.double_logins.refused(
            account.line.user,
            self._connection.address,
            (holder.connection.address for holder in holders),
            time.time(),
        )
        detail = f"from {_addresses(holders)}, {why}; {_rule(account)}"
        self._protocol.refuse_login(CloseReason.ALREADY_CONNECTED, detail)


def stand_in_for(user: bytes, accounts: Accounts) -> bytes:
    """A password that nobody has, for a name: always as long as that of the same account, which
    nobody outside knows. A longer password takes longer to compare (newcamd hashes it a thousand
    times), so one length for all names that do not exist would tell which these are."""
    number = hash(user) % min(len(accounts) or 1, MODELS)
    model = next(islice(accounts.values(), number, None), None)
    return os.urandom(len(model.password) if model is not None else MODEL_LENGTH)


def _addresses(sessions: Sequence["Session"]) -> str:
    return " and ".join(session.connection.peer for session in sessions)


def _rule(account: Account) -> str:
    return "one F-line is one client" if account.logins == 1 else f"logins = {account.logins}"
